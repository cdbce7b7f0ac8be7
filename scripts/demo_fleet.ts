/**
 * A show: three servers over a real etcd of three members, nine nodes that register themselves, and what happens to answers
 * while one thing after the other dies and comes back. Everything happens on loopback, and nothing is left behind.
 *
 *     deno task demo:fleet
 *
 * Clients in three regions ask all the time, the next server when one does not answer, and hold every answer against the
 * nodes that live. The exit code is 0 when no question was left unanswered, and no answer was wrong for longer than it may be.
 *
 * @module
 */

import { bold, yellow } from "./demo/print.ts";
import { Asker, type Tally } from "./demo_fleet/asker.ts";
import { FleetStage } from "./demo_fleet/stage.ts";

/** How long it may take until all servers know of something, at most; detection of the checks included. */
const NOTICED_WITHIN_MS = 8000;

/** How long a dozen processes may take to start. */
const STARTED_WITHIN_MS = 60_000;

/** What is told at the end of each scene. */
interface Scene {
  readonly what: string;
  readonly tookMs: number;
  readonly tally: Tally;
}

class Show {
  readonly #stage: FleetStage;
  readonly #asker: Asker;
  readonly #scenes: Scene[] = [];
  readonly #startedMs = performance.now();

  constructor(stage: FleetStage) {
    this.#stage = stage;
    this.#asker = new Asker(stage);
  }

  async play(): Promise<boolean> {
    const stage = this.#stage;
    await this.#asker.untilRight(STARTED_WITHIN_MS);
    this.#asker.start();
    try {
      await this.#scene("nine nodes have registered, three in each region", () => {});
      await this.#scene("node eu1 is killed", () => stage.killNode("eu1"));
      await this.#scene("node eu1 comes back", () => stage.startNode("eu1"));
      await this.#scene("server b is killed: two vantages are left", () => stage.killServer("b"));
      await this.#scene("node us1 is killed while b is away", () => stage.killNode("us1"));
      await this.#scene("server b comes back", () => stage.startServer("b"));
      await this.#scene("node us1 comes back", () => stage.startNode("us1"));
      await this.#scene("etcd's leader is killed", () => stage.killLeader());
      await this.#scene("node asia1 is killed under the new leader", () => stage.killNode("asia1"));
      await this.#scene("all of etcd is killed: answers go on by what is known", () => stage.killStore());
      await this.#scene("etcd comes back", () => stage.startStore());
      await this.#scene("the whole of asia is killed", () => stage.killRegion("asia"));
      await this.#scene("asia comes back", () => stage.startRegion("asia"));
    } finally {
      await this.#asker.stop();
    }
    return this.#sumUp();
  }

  /** Does something, and waits until every server answers by it. */
  async #scene(what: string, happen: () => void | Promise<void>): Promise<void> {
    const sinceMs = performance.now();
    this.#asker.expectChange();
    await happen();
    await this.#asker.untilRight(NOTICED_WITHIN_MS * 4);
    const tookMs = performance.now() - sinceMs;
    // Long enough to see that it stays so.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const tally = this.#asker.takeTally();
    this.#scenes.push({ what, tookMs, tally });
    const at = ((sinceMs - this.#startedMs) / 1000).toFixed(1).padStart(6);
    const { asked, unanswered, wrong, moved } = tally;
    console.log(`${at} s  ${bold(what)}`);
    console.log(
      `          all servers answer by it after ${
        (tookMs / 1000).toFixed(1)
      } s; ${asked} questions, ${unanswered} unanswered, ` +
        `${moved} of another node meanwhile, ${wrong === 0 ? "0" : yellow(`${wrong}`)} wrong`,
    );
  }

  #sumUp(): boolean {
    const sum = (of: keyof Tally) => this.#scenes.reduce((total, { tally }) => total + tally[of], 0);
    const isWell = sum("unanswered") === 0 && sum("wrong") === 0;
    console.log(
      `\n${sum("asked")} questions from three regions to three servers: ${sum("unanswered")} unanswered, ${
        sum("wrong")
      } wrong.`,
    );
    console.log(isWell ? "Nothing was lost." : yellow("That is not as it should be."));
    return isWell;
  }
}

async function main(): Promise<number> {
  console.log("Starting a store of three members, three servers and nine nodes; all on loopback …");
  await using stage = await FleetStage.open();
  return await new Show(stage).play() ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
