/**
 * The contract between sockets that read many packets at once and what answers them: replies are put where the queries
 * lay, so that the usual ones cost no allocation.
 *
 * @module
 */

import type { PacketSource } from "../query.ts";

export type { PacketSource };

/** How many octets there are for a packet, and for its reply. */
export const SLOT_OCTETS = 4096;

/** What {@linkcode InPlace.answer} returns beside the length of a reply. */
export const SILENT = 0, LATER = -1;

/** Answers packets where they lie. */
export interface InPlace {
  /** The memory in which the packets lie: each in a slot of {@linkcode SLOT_OCTETS}. */
  readonly octets: Uint8Array;
  /**
   * Reads a packet that `answer` is called for after others have been read as well, so that what answers to them take from
   * memory comes for all at a time. Each packet that is read is answered before another one lies there.
   */
  read?(at: number, length: number, source: PacketSource): void;
  /** Whether there is anything to gain by `read` just now. */
  readonly readsAhead?: boolean;
  /**
   * Answers the query of `length` octets that begins at `at`; the reply begins there too.
   *
   * @returns The reply's length; {@linkcode SILENT}; or {@linkcode LATER}, when it must wait or is longer than a slot: it
   * then goes the way that whoever made this was given for it.
   */
  answer(at: number, length: number, source: PacketSource, nowMs: number): number;
}
