/**
 * A whole address space cut into intervals, each with a row's number: what is the same for many networks has one row.
 *
 * @module
 */

/** Intervals in ascending order that cover the whole space of a family. Plain data in shared memory. */
export interface NetworkRows {
  /**
   * First addresses, ascending, the first of them 0. IPv4: the address. IPv6: its upper 64 bits as two words, the higher
   * first; networks longer than /64 share the row of a `deep` entry.
   */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  /** For each value of an address's first 16 bits: the interval that holds the first such address; one past the last. */
  readonly index: Uint32Array;
}

/** The row of {@linkcode NetworkRows} that holds networks longer than a /64: whoever is in it is told apart by its prefix. */
export const DEEP_ROW = 0xffffffff;

/** The row of an IPv4 address, as one word. */
export function rowOfIPv4({ starts, rows, index }: NetworkRows, address: number): number {
  let low = index[address >>> 16]!, high = index[(address >>> 16) + 1]!;
  while (low < high) {
    const middle = low + high + 1 >>> 1;
    if (starts[middle]! <= address >>> 0) low = middle;
    else high = middle - 1;
  }
  return rows[low]!;
}

/** The row of an IPv6 address, by its two upper words. */
export function rowOfIPv6({ starts, rows, index }: NetworkRows, upper: number, lower: number): number {
  upper >>>= 0;
  lower >>>= 0;
  let low = index[upper >>> 16]!, high = index[(upper >>> 16) + 1]!;
  while (low < high) {
    const middle = low + high + 1 >>> 1, start = starts[2 * middle]!;
    if (start < upper || (start === upper && starts[2 * middle + 1]! <= lower)) low = middle;
    else high = middle - 1;
  }
  return rows[low]!;
}
