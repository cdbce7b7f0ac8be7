/**
 * Clients of three regions, as resolvers ask for them: one server after the other until one answers.
 *
 * @module
 */

import { askServer } from "../../tests/support/server.ts";
import { type FleetStage, NAME, NODES, type Region, REGIONS } from "./stage.ts";

/** What became of questions. */
export interface Tally {
  readonly asked: number;
  /** No server answered. */
  readonly unanswered: number;
  /** Another node than the nearest that lives, while that had to be noticed. */
  readonly moved: number;
  /** Another node than the nearest that lives, although all servers had noticed. */
  readonly wrong: number;
}

/** How often each region asks. */
const EVERY_MS = 50;

/** How long a server may take before the next one is asked. */
const PATIENCE_MS = 1000;

const NOTHING: Tally = { asked: 0, unanswered: 0, moved: 0, wrong: 0 };

/** See the module. */
export class Asker {
  readonly #stage: FleetStage;
  #tally: Tally = NOTHING;
  #isChanging = true;
  #isStopped = false;
  #asking: Promise<unknown> = Promise.resolve();
  /** Turns which server is asked first. */
  #turn = 0;

  constructor(stage: FleetStage) {
    this.#stage = stage;
  }

  start(): void {
    this.#asking = Promise.all(REGIONS.map((region) => this.#askOnAndOn(region)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#asking;
  }

  /** Something is about to happen: until it has been noticed answers may be those of before. */
  expectChange(): void {
    this.#isChanging = true;
  }

  /** Resolves when every server that serves gives every region the nearest node that lives. @throws {Error} In time it did not. */
  async untilRight(withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!await this.#isAllRight()) {
      if (performance.now() > endMs) {
        throw new Error(`Not all servers answered by it within ${withinMs / 1000} s`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.#isChanging = false;
  }

  /** What became of questions since this was asked last. */
  takeTally(): Tally {
    const tally = this.#tally;
    this.#tally = NOTHING;
    return tally;
  }

  async #askOnAndOn(region: Region): Promise<void> {
    while (!this.#isStopped) {
      const nextMs = performance.now() + EVERY_MS;
      await this.#ask(region);
      const restMs = nextMs - performance.now();
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  }

  async #ask(region: Region): Promise<void> {
    const said = await this.#askAnyone(region), isRight = said === this.#nearest(region);
    const { asked, unanswered, moved, wrong } = this.#tally;
    this.#tally = {
      asked: asked + 1,
      unanswered: unanswered + (said === undefined ? 1 : 0),
      moved: moved + (said !== undefined && !isRight && this.#isChanging ? 1 : 0),
      wrong: wrong + (said !== undefined && !isRight && !this.#isChanging ? 1 : 0),
    };
  }

  /** The next one when one does not answer, as a resolver does. */
  async #askAnyone(region: Region): Promise<string | undefined> {
    const servers = [...this.#stage.ports.keys()], first = this.#turn++;
    for (let i = 0; i < servers.length; i++) {
      const said = await this.#askOne(servers[(first + i) % servers.length]!, region);
      if (said !== undefined) return said;
    }
    return undefined;
  }

  /** The id of the node that a server names; undefined when it does not answer. */
  async #askOne(server: string, { clients }: Region): Promise<string | undefined> {
    const port = this.#stage.ports.get(server)!;
    try {
      const { answer } = await askServer(port, NAME, "A", { subnet: clients, timeoutMs: PATIENCE_MS });
      const address = answer.map(({ rdata }) => rdata.join(".")).join(" ");
      return NODES.find((node) => node.address === address)?.id ?? (address || undefined);
    } catch {
      return undefined;
    }
  }

  async #isAllRight(): Promise<boolean> {
    const serving = [...this.#stage.ports.keys()].filter((id) => this.#stage.isServing(id));
    const all = await Promise.all(
      serving.flatMap((server) =>
        REGIONS.map(async (region) => await this.#askOne(server, region) === this.#nearest(region))
      ),
    );
    return all.every(Boolean);
  }

  #nearest(region: Region): string | undefined {
    const living = this.#stage.living.toSorted((a, b) => metresOnGlobe(region, a) - metresOnGlobe(region, b));
    return living[0]?.id;
  }
}

interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

/** By the law of cosines: far enough apart for it. The show does not ask the server's own code how far it is. */
function metresOnGlobe(a: Point, b: Point): number {
  const [φ, ψ, λ] = [a.latitude, b.latitude, a.longitude - b.longitude].map((degrees) =>
    degrees * Math.PI / 180
  );
  const cosine = Math.sin(φ!) * Math.sin(ψ!) + Math.cos(φ!) * Math.cos(ψ!) * Math.cos(λ!);
  return 6_371_009 * Math.acos(Math.min(1, cosine));
}
