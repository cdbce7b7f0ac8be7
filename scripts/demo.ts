/**
 * A show: the ten nodes of the example come up, fail, are drained, come back, and a dozen imaginary clients say what
 * they are told. Everything happens on loopback, and nothing is left behind.
 *
 *     deno task demo [--fast]
 *
 * @module
 */

import { CLIENTS } from "./demo/clients.ts";
import { bold, movedTable, timeline, toldTable, yellow } from "./demo/print.ts";
import { Stage, type Told } from "./demo/stage.ts";
import { names, type Span, watch, type Watched } from "./demo/watch.ts";

/** Times of the show. */
interface Pace {
  /** To read what was printed. */
  readonly readMs: number;
  /** From the edit of the node list to the maintenance window, and that window's length. */
  readonly maintenanceInMs: number;
  readonly maintenanceMs: number;
}

const CALM: Pace = { readMs: 3000, maintenanceInMs: 9000, maintenanceMs: 4000 };
const FAST: Pace = { readMs: 0, maintenanceInMs: 9000, maintenanceMs: 3000 };

/** The node that has a bad day: nearest to the first client. */
const FRANKFURT = "fra1";

/** MAX of the example's `ttl`, seconds. */
const TTL_MAX = 60;

class Show {
  readonly #stage: Stage;
  readonly #pace: Pace;
  /** For the summary: what had to be noticed, and how long that took. */
  readonly #noticed: { readonly what: string; readonly tookMs: number }[] = [];
  /** What everybody is told while all is well. */
  #usual: Told[] = [];

  constructor(stage: Stage, pace: Pace) {
    this.#stage = stage;
    this.#pace = pace;
  }

  async play(): Promise<void> {
    const scenes = [
      this.#allUp,
      this.#killed,
      this.#returned,
      this.#drained,
      this.#maintained,
      this.#allDown,
      this.#allBack,
    ];
    for (const scene of scenes) {
      await scene.call(this);
      await wait(this.#pace.readMs);
    }
    this.#sumUp();
  }

  async #allUp(): Promise<void> {
    announce(
      "Ten nodes work",
      `The ten cities of nodes.yaml listen on loopback, port ${this.#stage.nodePort}.`,
    );
    await this.#untilCalm();
    this.#usual = await this.#stage.askForAll();
    console.log(toldTable(this.#usual));
    tell(
      "TTL 60: nothing stirs. The scope says how large the network is for which the same answer is right.",
    );
  }

  async #killed(): Promise<void> {
    announce(
      "Frankfurt dies",
      "It refuses connections. It is probed every second; two failures make it down.",
    );
    this.#stage.kill(FRANKFURT);
    this.#note("Frankfurt's death was in the answers", await watch(this.#stage, lacks(FRANKFURT)));
    tell("Once a probe has failed, Berlin may keep its answer for 5 s, no longer. What it was told just");
    tell("before may be kept for 60 s. Everybody whom it concerns:");
    console.log(movedTable(this.#usual, await this.#stage.askForAll()));
  }

  async #returned(): Promise<void> {
    announce("Frankfurt returns", "Two successes make it up.");
    this.#stage.revive();
    this.#note("its return was", await watch(this.#stage, names(FRANKFURT)));
  }

  async #drained(): Promise<void> {
    announce(
      "Frankfurt is drained",
      "Someone writes `state: drain` into nodes.yaml. Frankfurt itself goes on working.",
    );
    await this.#stage.editNode(FRANKFURT, "state: drain");
    this.#note("the edit of nodes.yaml was", await watch(this.#stage, lacks(FRANKFURT)));
    console.log(movedTable(this.#usual, await this.#stage.askForAll()));
  }

  async #maintained(): Promise<void> {
    const fromMs = Date.now() + this.#pace.maintenanceInMs;
    const from = new Date(fromMs).toISOString();
    const until = new Date(fromMs + this.#pace.maintenanceMs).toISOString();
    announce(
      "Frankfurt has maintenance",
      `nodes.yaml says: up again, but not from ${from.slice(11, 19)} to ${until.slice(11, 19)} UTC.`,
    );
    await this.#stage.editNode(
      FRANKFURT,
      `maintenance: [{ from: "${from}", until: "${until}", reason: kernel }]`,
    );
    // Drained, back, out, back: four spans.
    const { spans } = await watch(this.#stage, (spans) => spans.length >= 4 && names(FRANKFURT)(spans));
    console.log(timeline(spans));
    tell(
      "A planned change is in sight: no cache may keep Frankfurt for longer than 5 s, so none outlives it by more.",
    );
  }

  async #allDown(): Promise<void> {
    announce("Every node dies", "No answer is right now. But to give none would be worse.");
    const said = this.#logged(/\(IPv4\) is all-down/);
    this.#stage.kill();
    this.#note("the log said that all are down", await watch(this.#stage, () => said().length > 0));
    console.log(movedTable(this.#usual, await this.#stage.askForAll()));
    tell("Those are the nodes that were good when last some were. The log says so:");
    console.log(`  ${yellow(said()[0]!)}`);
  }

  async #allBack(): Promise<void> {
    announce("Everything returns", "Ten nodes listen again.");
    const up = this.#logged(/ 127\.\S+ tcp .* is up, /), count = this.#stage.nodes.length;
    this.#stage.revive();
    this.#note("all ten were known to be up again", await watch(this.#stage, () => up().length >= count));
    await this.#untilCalm();
    console.log(movedTable(this.#usual, await this.#stage.askForAll()));
  }

  #sumUp(): void {
    announce("In all", `${this.#stage.asked} questions were asked, and every one was answered.`);
    for (const { what, tookMs } of this.#noticed) {
      tell(`${(tookMs / 1000).toFixed(1).padStart(4)} s until ${what}`);
    }
    tell("With the example's own times, probes 10 s apart and three failures, a death takes at most 12 s.");
  }

  /** Until every client is told something for the longest TTL, and for the largest network for which it holds. */
  async #untilCalm(): Promise<void> {
    const isCalm = (all: readonly Told[]) =>
      all.every(({ ttl }) => ttl === TTL_MAX) &&
      all.some((told) => told.scopePrefixLength < sourceLength(told));
    for (let tries = 0; !isCalm(await this.#stage.askForAll()); tries++) {
      if (tries === 600) throw new Error(`There is no calm. The server said:\n${this.#stage.log.join("\n")}`);
      await wait(100);
    }
  }

  #note(what: string, { spans, tookMs }: Watched): void {
    this.#noticed.push({ what, tookMs });
    console.log(timeline(spans));
  }

  /** Reads, from now on, the lines of the server's log that match. */
  #logged(pattern: RegExp): () => string[] {
    const { log } = this.#stage, from = log.length;
    return () => log.slice(from).filter((line) => pattern.test(line));
  }
}

function lacks(id: string): (spans: readonly Span[]) => boolean {
  return (spans) => !names(id)(spans);
}

function sourceLength({ client: { network } }: Told): number {
  return Number(network.split("/")[1]);
}

function announce(title: string, about: string): void {
  console.log(`\n${bold(title)}`);
  tell(about);
}

function tell(text: string): void {
  console.log(`  ${text}`);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The server answers, however long its start takes on this machine. */
async function untilAnswering(stage: Stage): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return void await stage.ask(CLIENTS[0]!, 200);
    } catch (cause) {
      if (tries === 100) throw new Error(`The server does not answer:\n${stage.log.join("\n")}`, { cause });
    }
    await wait(100);
  }
}

if (import.meta.main) {
  await using stage = await Stage.open();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      await stage[Symbol.asyncDispose]();
      Deno.exit(130);
    });
  }
  await untilAnswering(stage);
  await new Show(stage, Deno.args.includes("--fast") ? FAST : CALM).play();
}
