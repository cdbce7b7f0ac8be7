import assert from "node:assert/strict";
import { contains, formatPrefix, parseAddress } from "../../../core/net/address.ts";
import { SPECIAL_BLOCKS } from "../../../core/net/special.ts";

const nameOf = (text: string) =>
  SPECIAL_BLOCKS.find(({ prefix }) => contains(prefix, parseAddress(text)!))?.name;

for (
  const [address, name] of [
    ["0.1.2.3", "this network"],
    ["10.255.0.1", "private use"],
    ["100.127.255.255", "shared address space"],
    ["172.31.0.1", "private use"],
    ["198.19.0.1", "benchmarking"],
    ["255.255.255.255", "reserved"],
    ["239.1.1.1", "multicast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["64:ff9b:1::5", "IPv4/IPv6 translation, local use"],
    ["2001:db8::1", "documentation"],
    ["3fff:fff::1", "documentation"],
    ["fd00::1", "unique local"],
    ["fe80::1", "link-local"],
    ["100.128.0.1", undefined],
    ["172.32.0.1", undefined],
    ["192.88.99.1", undefined],
    ["192.0.1.1", undefined],
    ["64:ff9b::808:808", undefined],
    ["2002:808:808::1", undefined],
    ["2001::1", undefined],
    ["3fff:1000::1", undefined],
  ] as const
) {
  Deno.test(`the special-purpose block of ${address} is ${name ?? "none"}`, () => {
    assert.equal(nameOf(address), name);
  });
}

Deno.test("no special-purpose block lies in another", () => {
  for (const a of SPECIAL_BLOCKS) {
    const within = SPECIAL_BLOCKS.filter((b) => contains(a.prefix, b.prefix));
    assert.deepEqual(within, [a], formatPrefix(a.prefix));
  }
});
