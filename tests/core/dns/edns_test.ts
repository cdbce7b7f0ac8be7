import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeClientSubnet,
  decodeExtendedError,
  decodeOptions,
  echoClientSubnet,
  encodeClientSubnet,
  encodeCookie,
  encodeExtendedError,
  encodeKeepalive,
  encodeNsid,
  optOctets,
  writeOpt,
} from "../../../core/dns/edns.ts";
import { WireWriter } from "../../../core/dns/wire.ts";
import { formatPrefix, parseAddress, prefixOf } from "../../../core/net/address.ts";
import { octets } from "./records.ts";

/** `192.0.2.0/24 scope 0`, or `FORMERR`. */
function subnet(hex: string): string {
  const found = decodeClientSubnet(octets(hex));
  if (!found) return "FORMERR";
  const prefix = formatPrefix({ ...found.address, length: found.sourcePrefixLength });
  return `${prefix} scope ${found.scopePrefixLength}`;
}

Deno.test("decodeClientSubnet() is as strict as RFC 7871", () => {
  const cases: [string, string][] = [
    ["0001 18 00 c00002", "192.0.2.0/24 scope 0"],
    ["0001 18 10 c00002", "192.0.2.0/24 scope 16"],
    ["0001 20 00 c0000201", "192.0.2.1/32 scope 0"],
    ["0001 19 00 c0000280", "192.0.2.128/25 scope 0"],
    ["0001 00 00", "0.0.0.0/0 scope 0"],
    ["0002 38 00 20010db8000000", "2001:db8::/56 scope 0"],
    ["0002 80 00 20010db8000000000000000000000001", "2001:db8::1/128 scope 0"],
    ["0002 00 00", "::/0 scope 0"],
    ["0000 00 00", "0.0.0.0/0 scope 0"],
    // Too short, too long, a bit past the source, lengths that no address has, families that are none.
    ["0001 18", "FORMERR"],
    ["0001 18 00 c000", "FORMERR"],
    ["0001 18 00 c0000200", "FORMERR"],
    ["0001 17 00 c00003", "FORMERR"],
    ["0001 01 00 40", "FORMERR"],
    ["0001 00 00 00", "FORMERR"],
    ["0001 21 00 c000020100", "FORMERR"],
    ["0001 18 21 c00002", "FORMERR"],
    ["0002 81 00 20010db800000000000000000000000100", "FORMERR"],
    ["0000 18 00 c00002", "FORMERR"],
    ["0003 18 00 c00002", "FORMERR"],
    ["0101 18 00 c00002", "FORMERR"],
  ];
  for (const [hex, wanted] of cases) assert.equal(subnet(hex), wanted, hex);
});

Deno.test("encodeClientSubnet() cuts the address to its source, and decodes to the same", () => {
  const address = parseAddress("203.0.113.255")!;
  assert.deepEqual(
    encodeClientSubnet({ address, sourcePrefixLength: 21 }),
    { code: 8, data: octets("0001 15 00 cb0070") },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.nat(128),
      fc.nat(128),
      (all, source, scope) => {
        for (const family of [4, 6] as const) {
          const bits = family === 4 ? 32 : 128, length = source % (bits + 1);
          const prefix = prefixOf({ family, octets: all.slice(0, bits / 8) }, length);
          const option = encodeClientSubnet({
            address: { family, octets: all.slice(0, bits / 8) },
            sourcePrefixLength: length,
            scopePrefixLength: scope % (bits + 1),
          });
          const found = decodeClientSubnet(option.data)!;
          assert.deepEqual([...found.address.octets], [...prefix.octets]);
          assert.equal(found.sourcePrefixLength, length);
          assert.equal(found.scopePrefixLength, scope % (bits + 1));
        }
      },
    ),
    { seed: 1 },
  );
});

Deno.test("echoClientSubnet() changes the scope alone, to at most the family's bits, and to 0 for source 0", () => {
  const echo = (hex: string, scope: number) => echoClientSubnet({ code: 8, data: octets(hex) }, scope).data;
  assert.deepEqual(echo("0001 18 00 c00002", 20), octets("0001 18 14 c00002"));
  assert.deepEqual(echo("0001 18 00 c00002", 48), octets("0001 18 20 c00002"));
  assert.deepEqual(echo("0002 38 00 20010db8000000", 48), octets("0002 38 30 20010db8000000"));
  assert.deepEqual(echo("0001 00 00", 16), octets("0001 00 00"));
  assert.deepEqual(echo("0000 00 00", 16), octets("0000 00 00"));
});

Deno.test("options have the octets of their RFCs", () => {
  assert.deepEqual(encodeExtendedError({ infoCode: 22, text: "é" }), { code: 15, data: octets("0016 c3a9") });
  assert.deepEqual(encodeExtendedError({ infoCode: 0x1234 }), { code: 15, data: octets("1234") });
  assert.deepEqual(encodeNsid(octets("'fra1'")), { code: 3, data: octets("'fra1'") });
  assert.deepEqual(encodeCookie(octets("0102030405060708")), { code: 10, data: octets("0102030405060708") });
  assert.deepEqual(encodeKeepalive(30_000), { code: 11, data: octets("012c") });
  assert.deepEqual(encodeKeepalive(1e9), { code: 11, data: octets("ffff") });
});

Deno.test("decodeExtendedError() reads code and text, and refuses less than a code", () => {
  assert.deepEqual(decodeExtendedError(octets("0016 'stale' 00")), { infoCode: 22, text: "stale" });
  assert.deepEqual(decodeExtendedError(octets("0016")), { infoCode: 22 });
  assert.equal(decodeExtendedError(octets("16")), undefined);
});

Deno.test("decodeOptions() refuses an option that runs past the end, and gives copies", () => {
  const list = octets("0003 0000 | 000a 0002 abcd");
  const options = decodeOptions(list, 0, list.length)!;
  list.fill(0);
  assert.deepEqual(options, [{ code: 3, data: octets("") }, { code: 10, data: octets("abcd") }]);
  for (const hex of ["0003", "0003 00", "0003 0001", "0003 0000 00"]) {
    assert.equal(decodeOptions(octets(hex), 0, octets(hex).length), undefined, hex);
  }
});

Deno.test("writeOpt() writes what optOctets() announces, Z clear", () => {
  const writer = new WireWriter(), options = [encodeNsid(octets("'a'"))];
  writeOpt(writer, { payloadSize: 1232, extendedRcode: 1, version: 0, dnssecOk: true }, options);
  assert.deepEqual(writer.finish(), octets("00 0029 04d0 01 00 8000 0005 | 0003 0001 'a'"));
  assert.equal(writer.at, optOctets(options));
});
