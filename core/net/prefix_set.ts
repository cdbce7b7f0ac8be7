/**
 * Whether an address lies in one of some networks: a binary search, however many there are.
 *
 * @module
 */

import type { Address, Prefix } from "./address.ts";
import { findNetwork, type NetworkTable, valueAt } from "./network_table.ts";
import { mergeEqual, overlay } from "./table_algebra.ts";
import { uniformTable } from "./table_builder.ts";

/** Networks, as one thing to ask. */
export class PrefixSet {
  readonly #ipv4: NetworkTable;
  readonly #ipv6: NetworkTable;
  /** How many networks it was made of. */
  readonly size: number;

  constructor(prefixes: readonly Prefix[]) {
    const entries = prefixes.map((prefix) => ({ prefix, value: 1 }));
    const table = (family: 4 | 6) => {
      const whole = overlay(uniformTable(family, 0), entries);
      return mergeEqual(whole, ({ value }) => value);
    };
    this.size = prefixes.length;
    this.#ipv4 = table(4);
    this.#ipv6 = table(6);
  }

  /** Whether one of the networks holds the address. */
  has({ family, octets }: Address): boolean {
    const table = family === 4 ? this.#ipv4 : this.#ipv6;
    return valueAt(table, findNetwork(table, octets)) === 1;
  }
}
