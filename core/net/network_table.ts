/**
 * A whole address space cut into networks, each with a number: a flat sorted table in shared memory.
 *
 * @module
 */

import type { Family } from "./address.ts";

/** Networks in ascending order that cover the whole space of a family, none overlapping another. */
export interface NetworkTable {
  readonly family: Family;
  readonly count: number;
  /** First addresses: 1 word an entry for IPv4, 4 words, most significant first, for IPv6. */
  readonly starts: Uint32Array;
  /** Prefix lengths. */
  readonly lengths: Uint8Array;
  readonly values: Uint32Array;
}
