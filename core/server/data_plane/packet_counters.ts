/** What a packet loop counts by itself, brought into metrics now and then. @module */

import type { Log } from "../../plugin.ts";
import type { PacketCounts } from "../batch/packet_loop.ts";
import { FaultReporter } from "../fault_reporter.ts";
import type { Memo } from "../memo/memo.ts";
import type { Metrics } from "../metrics.ts";

/** What is dropped, by the reason that it is counted under. */
const DROPPED = { fromPortZero: "port", unaddressed: "source", unsent: "send" } as const;

/** Counts for one isolate, whichever loops it runs one after the other. */
export class PacketCounters {
  readonly #metrics: Metrics;
  readonly #faults: FaultReporter;
  #counted: Record<keyof typeof DROPPED, number> = { fromPortZero: 0, unaddressed: 0, unsent: 0 };
  #hits = 0;
  #misses = 0;
  /** Packets that earlier loops took. */
  #before = 0;

  constructor(metrics: Metrics, log: Log) {
    this.#metrics = metrics;
    this.#faults = new FaultReporter("udp", log, (name, labels) => metrics.count(name, labels));
  }

  /** How many packets were taken so far, that loop's included. */
  packets({ received }: PacketCounts): number {
    return this.#before + received;
  }

  /** Adds what is new; `isOver` where the loop will count no more. */
  harvest(counts: PacketCounts, isOver = false): void {
    for (const [key, reason] of Object.entries(DROPPED) as [keyof typeof DROPPED, string][]) {
      const more = counts[key] - this.#counted[key];
      if (more > 0) this.#metrics.count("meridian_udp_dropped_total", { reason }, more);
      this.#counted[key] = isOver ? 0 : counts[key];
    }
    if (isOver) this.#before += counts.received;
  }

  /** The same of what a memo counts. */
  harvestMemo({ hits, misses }: Pick<Memo, "hits" | "misses">): void {
    if (hits > this.#hits) this.#metrics.count("meridian_memo_hits_total", {}, hits - this.#hits);
    if (misses > this.#misses) this.#metrics.count("meridian_memo_misses_total", {}, misses - this.#misses);
    [this.#hits, this.#misses] = [hits, misses];
  }

  /** Something that should not happen. */
  fault(kind: string, error: unknown): void {
    this.#faults.report(kind === "answer" ? "exchange" : kind, error);
  }
}
