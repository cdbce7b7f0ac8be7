import assert from "node:assert/strict";
import { parseAddress, parsePrefix } from "../../../core/net/address.ts";
import { PrefixSet } from "../../../core/net/prefix_set.ts";

const setOf = (...texts: string[]) => new PrefixSet(texts.map((text) => parsePrefix(text)!));
const has = (set: PrefixSet, text: string) => set.has(parseAddress(text)!);

Deno.test("has() finds addresses of either family, and nothing in an empty set", () => {
  const set = setOf("192.0.2.0/24", "198.51.100.7", "2001:db8::/33", "192.0.2.128/25");
  for (const text of ["192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::1"]) {
    assert.ok(has(set, text), text);
  }
  for (const text of ["192.0.1.255", "192.0.3.0", "198.51.100.6", "2001:db8:8000::", "::"]) {
    assert.ok(!has(set, text), text);
  }
  assert.ok(!has(setOf(), "0.0.0.0"));
});

Deno.test("has() knows every address under prefixes of no length", () => {
  const set = setOf("0.0.0.0/0", "::/0");
  assert.ok(has(set, "255.255.255.255") && has(set, "::1"));
});
