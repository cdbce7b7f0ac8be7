import assert from "node:assert/strict";
import { DEEP_ROW, rowOfIPv4, rowOfIPv6 } from "../../../core/net/network_rows.ts";
import { RowSearch, TOGETHER_MAX } from "../../../core/net/row_search.ts";
import type { NetworkTable } from "../../../core/net/network_table.ts";
import { tableBuilder, uniformTable } from "../../../core/net/table_builder.ts";
import type { Family } from "../../../core/net/address.ts";

/** Numbers that look like chance, the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) >>> 8;
}

/** A table of /11s, of which some are cut along one path down to networks of the length `longest`, and one into /27s; some rows are deep. */
function tableOf(family: Family, longest: number, seed: number) {
  const builder = tableBuilder(family), next = numbers(seed);
  const append = (length: number) =>
    builder.append(length, family === 6 && next() % 9 === 0 ? DEEP_ROW : next() % 5000);
  const cut = (length: number): void => {
    if (length === longest) return append(length);
    const goesLeft = next() % 2 === 0;
    if (!goesLeft) append(length + 1);
    cut(length + 1);
    if (goesLeft) append(length + 1);
  };
  const whole = (length: number): void => {
    for (let i = 0; i < 2; i++) length === 26 ? append(27) : whole(length + 1);
  };
  for (let head = 0; head < 2 ** 11; head++) {
    if (head === 300) whole(11);
    else next() % 3 === 0 ? cut(11) : append(11);
  }
  return builder.finish();
}

/** The words of an address where a group starts, one before, or one after. */
function nearGroup({ family, bases }: NetworkTable, chance: number): [upper: number, lower: number] {
  const words = family === 4 ? 1 : 4, at = (chance >>> 2) % (bases.length / words) * words;
  const by = chance % 3 - 1;
  if (family === 4) return [bases[at]! + by >>> 0, 0];
  const sum = bases[at + 1]! + by, carry = sum < 0 ? -1 : sum > 0xffffffff ? 1 : 0;
  return [bases[at]! + carry >>> 0, sum >>> 0];
}

for (const family of [4, 6] as const) {
  Deno.test(`rows of IPv${family} addresses that are looked up together are those of each alone`, () => {
    const search = new RowSearch(), next = numbers(family);
    const word = () => (next() << 8 | next() & 255) >>> 0;
    for (const [longest, seed] of [[24, 1], [family * 16 - 32, 2], [3, 3], [16, 4]] as const) {
      const table = longest > 3 ? tableOf(family, longest, seed) : uniformTable(family, 7);
      for (const count of [1, 2, 31, TOGETHER_MAX, 5]) {
        for (let i = 0; i < count; i++) {
          [search.upper[i], search.lower[i]] = i % 3 === 0 ? [word(), word()] : nearGroup(table, next());
        }
        if (family === 4) search.findIPv4(table, count);
        else search.findIPv6(table, count);
        for (let i = 0; i < count; i++) {
          const upper = search.upper[i]!, lower = search.lower[i]!;
          const alone = family === 4 ? rowOfIPv4(table, upper) : rowOfIPv6(table, upper, lower);
          assert.equal(search.rows[i]! >>> 0, alone);
        }
      }
    }
  });
}
