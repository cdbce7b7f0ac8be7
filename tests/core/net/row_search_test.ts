import assert from "node:assert/strict";
import { DEEP_ROW, rowOfIPv4, rowOfIPv6 } from "../../../core/net/network_rows.ts";
import { RowSearch, TOGETHER_MAX } from "../../../core/net/row_search.ts";
import { tableBuilder, uniformTable } from "../../../core/net/table_builder.ts";
import type { Family } from "../../../core/net/address.ts";

/** Numbers that look like chance, the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) >>> 8;
}

/** A table of /11s, of which some are cut along one path down to networks of the length `longest`; some rows are deep. */
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
  for (let head = 0; head < 2 ** 11; head++) next() % 3 === 0 ? cut(11) : append(11);
  return builder.finish();
}

for (const family of [4, 6] as const) {
  Deno.test(`rows of IPv${family} addresses that are looked up together are those of each alone`, () => {
    const search = new RowSearch(), next = numbers(family);
    const word = () => (next() << 8 | next() & 255) >>> 0;
    for (const [longest, seed] of [[24, 1], [family * 16 - 32, 2], [3, 3], [16, 4]] as const) {
      const table = longest > 3 ? tableOf(family, longest, seed) : uniformTable(family, 7);
      for (const count of [1, 2, 31, TOGETHER_MAX, 5]) {
        for (let i = 0; i < count; i++) [search.upper[i], search.lower[i]] = [word(), word()];
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
