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
import { names, type Span, watch } from "./demo/watch.ts";

/** How long each part of the show took effect, for the summary. */
interface Noticed {
  readonly what: string;
  readonly seconds: number;
}

/** Times of the show. */
interface Pace {
  /** To read a table. */
  readonly readMs: number;
  /** From the edit of the node list to the maintenance window, and that window's length. */
  readonly maintenanceInMs: number;
  readonly maintenanceMs: number;
}

const CALM: Pace = { readMs: 3000, maintenanceInMs: 9000, maintenanceMs: 4000 };
const FAST: Pace = { readMs: 0, maintenanceInMs: 3500, maintenanceMs: 1500 };

/** The node that has the bad day. */
const HERO = "fra1";

class Show {
  readonly #stage: Stage;
  readonly #pace: Pace;
  readonly #noticed: Noticed[] = [];
  #usual: Told[] = [];

  constructor(stage: Stage, pace: Pace) {
    this.#stage = stage;
    this.#pace = pace;
  }

  async play(): Promise<void> {
    await this.#allUp();
    await this.#killed();
    await this.#returned();
    await this.#drained();
    await this.#maintained();
    await this.#allDown();
    await this.#allBack();
    this.#sumUp();
  }

  async #allUp(): Promise<void> {
    this.#scene(
      "Ten nodes work",
      `They listen on ${this.#stage.nodes[0]!.ipv4} to ${
        this.#stage.nodes.at(-1)!.ipv4
      }, port ${this.#stage.nodePort}.`,
    );
    await this.#untilCalm();
    this.#usual = await this.#stage.askForAll();
    console.log(toldTable(this.#usual));
    tell("TTL 60: nothing stirs. The scope says for how large a network the same answer is right.");
    await this.#read();
  }

  async #killed(): Promise<void> {
    this.#scene(
      "Frankfurt dies",
      "It refuses connections. It is probed every second; two failures make it down.",
    );
    this.#stage.kill(HERO);
    const spans = await watch(this.#stage, (spans) => !names(HERO)(spans));
    this.#showSpans("Frankfurt's death", spans);
    tell("A first failure makes it suspect: from then on nobody is told anything for longer than 5 s.");
    console.log(movedTable(this.#usual, await this.#stage.askForAll()));
    await this.#read();
  }

  async #returned(): Promise<void> {
    this.#scene("Frankfurt returns", "Two successes make it up.");
    this.#stage.revive();
    this.#showSpans("Frankfurt's return", await watch(this.#stage, names(HERO)));
    await this.#read();
  }

  async #drained(): Promise<void> {
    this.#scene(
      "Frankfurt is drained",
      "Someone writes `state: drain` into nodes.yaml. Frankfurt itself goes on working.",
    );
    await this.#stage.editNode(HERO, "state: drain");
    this.#showSpans("the drain", await watch(this.#stage, (spans) => !names(HERO)(spans)));
    console.log(movedTable(this.#usual, await this.#stage.askForAll()));
    await this.#read();
  }

  async #maintained(): Promise<void> {
    const { maintenanceInMs, maintenanceMs } = this.#pace, fromMs = Date.now() + maintenanceInMs;
    const from = new Date(fromMs).toISOString(), until = new Date(fromMs + maintenanceMs).toISOString();
    this.#scene(
      "Frankfurt has maintenance",
      `nodes.yaml says: up again, but out from ${from.slice(11, 19)} to ${until.slice(11, 19)}.`,
    );
    await this.#stage.editNode(HERO, `maintenance: [{ from: "${from}", until: "${until}", reason: kernel }]`);
    // Drained, back, out, and back.
    console.log(timeline(await watch(this.#stage, (spans) => spans.length >= 4 && names(HERO)(spans))));
    tell("The TTL falls as the window draws near: caches let go of Frankfurt by themselves.");
    await this.#stage.editNode(HERO);
    await this.#read();
  }

  async #allDown(): Promise<void> {
    this.#scene("Every node dies", "There is no right answer now. But no answer would be the worst.");
    const before = this.#stage.log.length;
    const said = () => this.#stage.log.slice(before).find((line) => /\(IPv4\) is all-down/.test(line));
    this.#stage.kill();
    this.#showSpans("the death of all", await watch(this.#stage, () => said() !== undefined));
    const now = await this.#stage.askForAll();
    console.log(movedTable(this.#usual, now));
    tell(
      `They are told the last known good, for ${
        Math.max(...now.map(({ ttl }) => ttl))
      } s at most. The log says so:`,
    );
    console.log(`  ${yellow(said()!)}`);
    await this.#read();
  }

  async #allBack(): Promise<void> {
    this.#scene("Everything returns", "");
    this.#stage.revive();
    const seconds = await this.#untilCalm();
    this.#noticed.push({ what: "everybody's return, and calm", seconds });
    const now = await this.#stage.askForAll();
    console.log(toldTable(now));
    console.log(movedTable(this.#usual, now));
    await this.#read();
  }

  #sumUp(): void {
    this.#scene("In all", `${this.#stage.asked} questions were asked, and every one was answered.`);
    for (const { what, seconds } of this.#noticed) {
      console.log(`  ${seconds.toFixed(1).padStart(4)} s  until ${what} was in the answers`);
    }
    tell("With the example's own times, probes 10 s apart and three failures, a death takes at most 12 s.");
  }

  /** Until every client is told something that holds for the longest TTL. @returns After how many seconds. */
  async #untilCalm(): Promise<number> {
    const beganMs = performance.now();
    await watch(this.#stage, (spans) => spans.at(-1)!.ttls.at(-1) === 60);
    while ((await this.#stage.askForAll()).some(({ ttl }) => ttl < 60)) await wait(100);
    return (performance.now() - beganMs) / 1000;
  }

  #showSpans(what: string, spans: readonly Span[]): void {
    this.#noticed.push({ what, seconds: spans.at(-1)!.fromMs / 1000 });
    console.log(timeline(spans));
  }

  #scene(title: string, about: string): void {
    console.log(`\n${bold(title)}`);
    if (about !== "") tell(about);
    console.log();
  }

  #read(): Promise<void> {
    return wait(this.#pace.readMs);
  }
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
    } catch (error) {
      if (tries === 100) {
        throw new Error(`The server does not answer:\n${stage.log.join("\n")}`, { cause: error });
      }
    }
    await wait(100);
  }
}

if (import.meta.main) {
  await using stage = await Stage.open();
  Deno.addSignalListener("SIGINT", async () => {
    await stage[Symbol.asyncDispose]();
    Deno.exit(130);
  });
  await untilAnswering(stage);
  await new Show(stage, Deno.args.includes("--fast") ? FAST : CALM).play();
}
