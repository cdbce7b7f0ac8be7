import assert from "node:assert/strict";
import { type Corefile, Problems } from "../../../core/corefile/directive.ts";
import { checkDuplicates, readKeys, reverseZones, type ZoneKey } from "../../../core/corefile/keys.ts";
import { formatPrefix, parsePrefix } from "../../../core/net/address.ts";
import { errors, read, warnings } from "./reading.ts";

function keysOf(text: string, problems = new Problems()): ZoneKey[] {
  const { corefile } = read(`${text} {\n}`);
  return readKeys(corefile, { port: 53 }, problems).flat();
}

const accepted: [key: string, zone: string, port: number][] = [
  [".", ".", 53],
  [".:1053", ".", 1053],
  [".:0", ".", 0],
  ["example.org", "example.org.", 53],
  ["example.org.", "example.org.", 53],
  ["Example.ORG:5300", "example.org.", 5300],
  ["dns://example.org:5300", "example.org.", 5300],
  ["DNS://.", ".", 53],
  ["_sip._tcp.example.org", "_sip._tcp.example.org.", 53],
  ["0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa.", 53],
  [String.raw`a\.b.example`, String.raw`a\.b.example.`, 53],
  [String.raw`example\.`, String.raw`example\..`, 53],
  [String.raw`a\255.example`, String.raw`a\255.example.`, 53],
  ["züri.example", "züri.example.", 53],
  [`${"a".repeat(63)}.example`, `${"a".repeat(63)}.example.`, 53],
  ["10.0.0.0/24", "0.0.10.in-addr.arpa.", 53],
  ["10.0.0.5/24:1053", "0.0.10.in-addr.arpa.", 1053],
  ["10.0.0.0/8", "10.in-addr.arpa.", 53],
  ["192.0.2.1/32", "1.2.0.192.in-addr.arpa.", 53],
  ["0.0.0.0/0", "in-addr.arpa.", 53],
  ["::/0", "ip6.arpa.", 53],
  ["2001:DB8::/32", "8.b.d.0.1.0.0.2.ip6.arpa.", 53],
  ["dns://2001:db8::/32:1053", "8.b.d.0.1.0.0.2.ip6.arpa.", 1053],
];

for (const [key, zone, port] of accepted) {
  Deno.test(`parseKey() reads ${key}`, () => {
    const problems = new Problems();
    const [only, ...more] = keysOf(key, problems);
    assert.deepEqual([errors(problems), warnings(problems), more], [[], [], []]);
    assert.deepEqual([only!.scheme, only!.zone, only!.port], ["dns", zone, port]);
  });
}

const expanded: [network: string, count: number, first: string, last: string][] = [
  ["10.0.0.0/27", 32, "0.0.0.10.in-addr.arpa.", "31.0.0.10.in-addr.arpa."],
  ["10.0.0.64/27", 32, "64.0.0.10.in-addr.arpa.", "95.0.0.10.in-addr.arpa."],
  ["10.0.0.0/22", 4, "0.0.10.in-addr.arpa.", "3.0.10.in-addr.arpa."],
  ["10.128.0.0/9", 128, "128.10.in-addr.arpa.", "255.10.in-addr.arpa."],
  ["2001:db8::/33", 8, "0.8.b.d.0.1.0.0.2.ip6.arpa.", "7.8.b.d.0.1.0.0.2.ip6.arpa."],
  ["2001:db8:8000::/35", 2, "8.8.b.d.0.1.0.0.2.ip6.arpa.", "9.8.b.d.0.1.0.0.2.ip6.arpa."],
  ["2001:db8:400::/39", 2, "4.0.8.b.d.0.1.0.0.2.ip6.arpa.", "5.0.8.b.d.0.1.0.0.2.ip6.arpa."],
];

for (const [network, count, first, last] of expanded) {
  Deno.test(`parseKey() makes ${count} zones of ${network}`, () => {
    const zones = keysOf(network).map(({ zone }) => zone);
    assert.equal(new Set(zones).size, count);
    assert.deepEqual([zones.length, zones[0], zones.at(-1)], [count, first, last]);
  });
}

Deno.test("reverseZones() gives each zone the part of the network that it names", () => {
  const parts = reverseZones(parsePrefix("192.0.2.0/30")!).map(({ prefix }) => formatPrefix(prefix));
  assert.deepEqual(parts, ["192.0.2.0/32", "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"]);
  assert.equal(formatPrefix(reverseZones(parsePrefix("2001:db8::/46")!)[3]!.prefix), "2001:db8:3::/48");
});

const refused: [key: string, expected: string][] = [
  ["tls://example.org", "scheme not served here: got 'tls://', wanted 'dns://' or none"],
  ["foo://example.org", "scheme not served here: got 'foo://', wanted 'dns://' or none"],
  ["example.org:", 'expecting data after last colon: "example.org:", wanted a port or no colon'],
  ["example.org:65536", "port must be from 0 to 65535: got '65536'"],
  ["example.org:-1", "port must be from 0 to 65535: got '-1'"],
  [
    "example.org:dns",
    "zone is not a valid domain name: example.org:dns; a colon stands only before a port, and in a network such as 2001:db8::/32",
  ],
  [":1053", "zone is not a valid domain name: ; wanted a name before the port, '.' for every name"],
  [".example", "zone is not a valid domain name: .example; it has an empty label"],
  ["a..example", "zone is not a valid domain name: a..example; it has an empty label"],
  ["a,b.example", "zone is not a valid domain name: a,b.example; ',' is no part of a name"],
  ["(a) (b)", "zone is not a valid domain name: (a); '(' is no part of a name"],
  ['"a b"', "zone is not a valid domain name: a b; ' ' is no part of a name"],
  [
    String.raw`a\256.example`,
    String
      .raw`zone is not a valid domain name: a\256.example; a backslash is followed by a character or by 000 to 255`,
  ],
  [
    String.raw`a\1.example`,
    String
      .raw`zone is not a valid domain name: a\1.example; a backslash is followed by a character or by 000 to 255`,
  ],
  [
    `${"a".repeat(64)}.example`,
    `zone is not a valid domain name: ${"a".repeat(64)}.example; a label has 64 octets, more than 63`,
  ],
  ["a.".repeat(128), "specified zone is too long: 256 > 255"],
  [
    `${"ü".repeat(31)}.`.repeat(5),
    `zone is not a valid domain name: ${`${"ü".repeat(31)}.`.repeat(5)}; it has 316 octets, more than 255`,
  ],
  ["10.0.0.0/33", "zone is not a valid network: 10.0.0.0/33; its length must be from 0 to 32"],
  ["10.0.0.0/x", "zone is not a valid network: 10.0.0.0/x; its length must be from 0 to 32"],
  ["10.0.0.256/24", "zone is not a valid network: 10.0.0.256/24; wanted ADDRESS/LENGTH"],
  ["2001:db8::/129", "zone is not a valid network: 2001:db8::/129; its length must be from 0 to 128"],
  [
    "2001:db8::g/32",
    "zone is not a valid domain name: 2001:db8::g/32; a colon stands only before a port, and in a network such as 2001:db8::/32",
  ],
];

for (const [key, expected] of refused) {
  Deno.test(`parseKey() refuses ${key.length > 60 ? `${key.slice(0, 60)}…` : key}`, () => {
    const problems = new Problems();
    keysOf(key, problems);
    assert.equal(errors(problems)[0], `1:1 ${expected}`);
  });
}

Deno.test("parseKey() warns of a zone that looks like an address", () => {
  const problems = new Problems();
  assert.equal(keysOf("127.0.0.1:53", problems)[0]!.zone, "127.0.0.1.");
  assert.match(warnings(problems)[0]!, /^1:1 zone '127\.0\.0\.1\.' is made of an address: .*'bind'/);
});

Deno.test("readKeys() goes on after a wrong key", () => {
  const problems = new Problems();
  const corefile: Corefile = read("a..b c {\n}\nd:x e {\n}").corefile;
  const zones = readKeys(corefile, { port: 5300 }, problems);
  assert.deepEqual(zones.map((block) => block.map(({ zone, port }) => `${zone}:${port}`)), [["c.:5300"], [
    "e.:5300",
  ]]);
  assert.equal(problems.errors.length, 2);
});

const duplicates: [title: string, served: [key: string, ...addresses: string[]][], expected: string[]][] = [
  ["different zones and ports", [["a"], ["b"], ["a:54"]], []],
  ["one zone twice", [["example.org"], ["b"], ["Example.org.:53"]], [
    "3:1 cannot serve dns://example.org.:53 - it is already defined at Corefile:1:1",
  ]],
  ["one zone on different addresses", [["a", "127.0.0.1"], ["a", "127.0.0.2", "::1"]], []],
  ["one zone twice on one address", [["a", "127.0.0.1"], ["a", "127.0.0.2", "127.0.0.1"]], [
    "2:1 cannot serve dns://a.:53 on 127.0.0.1 - it is already defined at Corefile:1:1",
  ]],
  ["one zone on an address and on all", [["a", "127.0.0.1"], ["a"]], [
    "2:1 cannot serve dns://a.:53 - zone overlap listener capacity with dns://a.:53 on 127.0.0.1 at Corefile:1:1",
  ]],
  ["one zone on all and on an address", [["a"], ["a", "127.0.0.1"]], [
    "2:1 cannot serve dns://a.:53 on 127.0.0.1 - zone overlap listener capacity with dns://a.:53 at Corefile:1:1",
  ]],
  ["a network and one of its zones", [["10.0.0.0/23"], ["1.0.10.in-addr.arpa"]], [
    "2:1 cannot serve dns://1.0.10.in-addr.arpa.:53 - it is already defined at Corefile:1:1",
  ]],
];

for (const [title, served, expected] of duplicates) {
  Deno.test(`checkDuplicates() with ${title}`, () => {
    const problems = new Problems();
    const { corefile } = read(served.map(([key]) => `${key} { }\n`).join(""));
    const zones = readKeys(corefile, { port: 53 }, problems);
    const all = zones.flatMap((keys, i) => keys.map((key) => ({ key, addresses: served[i]!.slice(1) })));
    checkDuplicates(all, problems);
    assert.deepEqual(errors(problems), expected);
  });
}
