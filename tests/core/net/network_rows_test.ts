import assert from "node:assert/strict";
import { rowOfIPv4, rowOfIPv6 } from "../../../core/net/network_rows.ts";
import { overlay } from "../../../core/net/table_algebra.ts";
import { uniformTable } from "../../../core/net/table_builder.ts";
import { parsePrefix } from "../../../core/net/address.ts";

/** Rows of which `prefix` has the number `value`, all else 0. */
function rows(prefix: string, value: number) {
  const network = parsePrefix(prefix)!;
  return overlay(uniformTable(network.family, 0), [{ prefix: network, value }]);
}

Deno.test("a row is that of the table and the address asked for, whatever was asked for before", () => {
  const one = rows("192.0.2.0/24", 1), two = rows("192.0.2.0/25", 2);
  const inner = 0xc0000201, outer = 0xc0000281;
  for (let i = 0; i < 2; i++) {
    const found = [one, two, two, one].flatMap((table) =>
      [inner, outer | 0].map((at) => rowOfIPv4(table, at))
    );
    assert.deepEqual(found, [1, 1, 2, 0, 2, 0, 1, 1]);
    assert.deepEqual([rowOfIPv4(one, outer), rowOfIPv4(two, outer)], [1, 0]);
  }
});

Deno.test("a row of IPv6 is told by both words", () => {
  const one = rows("2001:db8:0:1::/64", 1), two = rows("2001:db8::/32", 2);
  const ask = (upper: number, lower: number) => [rowOfIPv6(one, upper, lower), rowOfIPv6(two, upper, lower)];
  assert.deepEqual([ask(0x20010db8, 1), ask(0x20010db8, 2), ask(0x20010db9, 2)], [[1, 2], [0, 2], [0, 0]]);
  assert.deepEqual([0, 1, 1, 0].map((lower) => rowOfIPv6(one, 0x20010db8, lower)), [0, 1, 1, 0]);
});
