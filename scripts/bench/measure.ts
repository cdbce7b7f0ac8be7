/** One target under one load, once. @module */

import type { Generator } from "./generator_process.ts";
import { busySeconds, cpuSecondsOf, residentMiBOf } from "./process.ts";
import type { LoadName } from "./queries.ts";
import type { Measurement } from "./report.ts";
import type { Target } from "./targets.ts";

/** How to load a target. */
export interface Parameters {
  /** In the closed loop, and again in the open one. */
  readonly seconds: number;
  /** Closed loop: queries without reply. */
  readonly window: number;
  /** Open loop: queries a second. */
  readonly rate: number;
  /** Source ports. */
  readonly sockets: number;
}

/** Measures both loops. Equal seeds make equal queries. @throws {Error} When nothing is answered. */
export async function measure(
  target: Target,
  load: LoadName,
  generator: Generator,
  { seconds, window, rate, sockets }: Parameters,
  seed: number,
): Promise<Measurement> {
  const job = { port: target.port, load, expected: target.expected(load), sockets, seconds };
  const clocks = new Clocks(target.pid, generator.pid);
  const pushed = await generator.push({ ...job, window, seed: 2 * seed });
  const whilePushed = clocks.read();
  const paced = await generator.pace({ ...job, rate, seed: 2 * seed + 1 });
  const inAll = clocks.read();
  if (pushed.answered === 0 || paced.answered === 0) {
    const why = target.hasEnded() ? ": its process has ended" : "";
    throw new Error(`${target.name} does not answer to ${load}${why}`);
  }
  return {
    target: target.name,
    load,
    answersPerSecond: pushed.answered / pushed.seconds,
    cpuUsPerAnswer: whilePushed.target / pushed.answered * 1e6,
    targetCpu: whilePushed.target / pushed.seconds,
    generatorCpu: whilePushed.generator / pushed.seconds,
    othersCpu: inAll.others / inAll.elapsed,
    p50Us: paced.p50Us,
    p99Us: paced.p99Us,
    sent: pushed.sent + paced.sent,
    lost: pushed.sent - pushed.answered + paced.sent - paced.answered,
    wrong: pushed.wrong + paced.wrong,
    residentMiB: residentMiBOf(target.pid),
  };
}

/** Above this share of a processor, others disturb. The kernel's own work comes to less. */
const DISTURBING = 0.15;

/** Measures again, at most `retakes` times, while others disturb. @returns The measurement that they disturbed least. */
export async function undisturbed(retakes: number, take: () => Promise<Measurement>): Promise<Measurement> {
  let best = await take();
  for (; best.othersCpu > DISTURBING && retakes > 0; retakes--) {
    const another = await take();
    if (another.othersCpu < best.othersCpu) best = another;
  }
  return best;
}

/** Seconds of work since it was made. */
class Clocks {
  readonly #read: () => readonly [number, number, number, number];
  readonly #began: readonly [number, number, number, number];

  constructor(target: number, generator: number) {
    this.#read =
      () => [cpuSecondsOf(target), cpuSecondsOf(generator), busySeconds(), performance.now() / 1000];
    this.#began = this.#read();
  }

  read(): { target: number; generator: number; others: number; elapsed: number } {
    const now = this.#read();
    const [target, generator, all, elapsed] = this.#began.map((began, i) => now[i]! - began) as [
      number,
      number,
      number,
      number,
    ];
    return { target, generator, others: Math.max(0, all - target - generator), elapsed };
  }
}
