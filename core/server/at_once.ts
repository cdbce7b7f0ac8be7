/**
 * Answers messages of streams in the control isolate: what was said before is repeated without a copy, an arrival or a
 * reply of its own for each message. One slot is enough, as an answer at once is given before the next message is looked at.
 *
 * @module
 */

import type { Snapshot } from "../snapshot.ts";
import type { Answering } from "./answering.ts";
import type { Arrival, Exchange } from "./arrival.ts";
import type { Outcome } from "./exchange.ts";
import { type PacketSource, SLOT_OCTETS } from "./in_place.ts";
import { Memo } from "./memo/memo.ts";
import { changesBetween } from "./snapshot_changes.ts";

/** Answers one message at a time, which the asker puts at the beginning of `octets`, where the reply stands then. */
export interface AtOnce {
  readonly octets: Uint8Array;
  /**
   * Answers the message of `length` octets that came to `by`.
   *
   * @returns The reply's length; SILENT; or LATER, when {@linkcode takeLater} has what becomes of it.
   */
  answer(length: number, source: PacketSource, by: { readonly arrival: Arrival }, nowMs: number): number;
  /** What became of the message for which `answer` said LATER. */
  takeLater(): ReturnType<Exchange>;
}

/** What {@linkcode RepeatedAtOnce} works with. */
export interface AtOnceOptions {
  readonly answering: Pick<Answering, "examine" | "blocks">;
  readonly snapshot: Snapshot;
  /** Watches an exchange, so that what it awaits is not stopped. */
  watch(exchange: Exchange): Exchange;
}

/** Octets for replies that are remembered. */
const MEMO_OCTETS = 2 << 20;

/** Repeats what a server's chain says, for TCP. */
export class RepeatedAtOnce implements AtOnce {
  readonly octets: Uint8Array;
  readonly #memo: Memo;
  readonly #watched: Exchange;
  #snapshot: Snapshot;
  #by: { readonly arrival: Arrival } | undefined;
  #later: Outcome | Promise<Outcome> | undefined;

  constructor({ answering, snapshot, watch }: AtOnceOptions) {
    this.#snapshot = snapshot;
    this.#memo = new Memo({
      answering,
      slots: 1,
      memoOctets: MEMO_OCTETS,
      arrivalOf: () => this.#by!.arrival,
      later: (_octets, _arrival, outcome) => this.#later = outcome,
    });
    this.octets = this.#memo.octets.subarray(0, SLOT_OCTETS);
    this.#watched = watch(() => {
      const later = this.#later;
      this.#later = undefined;
      return later instanceof Promise ? later.then(({ octets }) => octets) : later?.octets;
    });
  }

  /** How many replies were repeated, since the start. */
  get hits(): number {
    return this.#memo.hits;
  }

  answer(length: number, source: PacketSource, by: { readonly arrival: Arrival }, nowMs: number): number {
    this.#by = by;
    return this.#memo.answer(0, length, source, nowMs);
  }

  takeLater(): ReturnType<Exchange> {
    return this.#watched(this.octets, this.#by!.arrival);
  }

  /** Forgets what a new snapshot may have changed. */
  follow(snapshot: Snapshot): void {
    this.#memo.dropFor(changesBetween(this.#snapshot, snapshot), this.#snapshot);
    this.#snapshot = snapshot;
  }

  /** Tells metrics what was repeated since it was last called. */
  harvest(): void {
    this.#memo.harvest();
  }
}
