/**
 * A whole address space cut into networks, each with a row's number: what is the same for many networks has one row.
 *
 * @module
 */

import { findIPv4, findIPv6, type NetworkTable, valueAt } from "./network_table.ts";

/** A table of which the values are rows. IPv6 networks longer than /64 have the row {@linkcode DEEP_ROW}. */
export type NetworkRows = NetworkTable;

/** The row of {@linkcode NetworkRows} that holds networks longer than a /64: whoever is in it is told apart by its prefix. */
export const DEEP_ROW = 0xffffffff;

/** The row of an IPv4 address, as one word. */
export function rowOfIPv4(rows: NetworkRows, address: number): number {
  const word = address | 0;
  if (rows !== latest.rows || word !== latest.upper) {
    latest.row = valueAt(rows, findIPv4(rows, word >>> 0));
    latest.rows = rows;
    latest.upper = word;
  }
  return latest.row;
}

/** The row of an IPv6 address, by its two upper words. */
export function rowOfIPv6(rows: NetworkRows, upper: number, lower: number): number {
  const high = upper | 0, low = lower | 0;
  if (rows !== latest.rows || high !== latest.upper || low !== latest.lower) {
    latest.row = valueAt(rows, findIPv6(rows, high >>> 0, low >>> 0, 0, 0));
    latest.rows = rows;
    latest.upper = high;
    latest.lower = low;
  }
  return latest.row;
}

/** What was asked last: who fills in an answer and who remembers it ask for the same client, one after the other. */
const latest: { rows: NetworkRows | undefined; upper: number; lower: number; row: number } = {
  rows: undefined,
  upper: 0,
  lower: 0,
  row: 0,
};
