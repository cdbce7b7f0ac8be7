import assert from "node:assert/strict";
import { formatName, parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { makeZone } from "../../../core/zone/make_zone.ts";
import { parseMasterFile } from "../../../core/zone/master_file.ts";
import { soaSerial, synthesizeZone, withOwnedNames } from "../../../core/zone/zone.ts";
import { APEX, ask, ORIGIN, show, showProblems, zoneOf } from "./zone_text.ts";

function make(text: string) {
  const { records, errors } = parseMasterFile(text, { file: "zone", origin: ORIGIN });
  assert.deepEqual(errors, []);
  return makeZone(ORIGIN, records);
}

/** Lines below the apex, which has four, to errors. */
const BAD: Readonly<Record<string, readonly string[]>> = {
  "c CNAME a\nc CNAME b": ["6:1 CNAME at c.example.org. is the second of its type here: wanted one"],
  "c CNAME a\nc A 192.0.2.1": [
    "6:1 A at c.example.org. stands beside a CNAME: wanted the CNAME alone (RFC 1034 section 3.6.2)",
  ],
  "d DNAME a\nd DNAME b": ["6:1 DNAME at d.example.org. is the second of its type here: wanted one"],
  "d DNAME a\nx.d A 192.0.2.1\ny.x.d A 192.0.2.1": [
    "6:1 A at x.d.example.org. lies below the DNAME at d.example.org.: wanted nothing there (RFC 6672 section 2.4)",
    "7:1 A at y.x.d.example.org. lies below the DNAME at d.example.org.: wanted nothing there (RFC 6672 section 2.4)",
  ],
  "d DNAME a\nd NS ns": [
    "6:1 NS at d.example.org. stands beside a DNAME below the apex: wanted one of them (RFC 6672 section 2.3)",
  ],
  "@ SOA ns host 9 9 9 9 9": ["5:1 SOA at example.org. is the second of its type here: wanted one"],
  "x SOA ns host 9 9 9 9 9": ["5:1 SOA at x.example.org. is not at the apex: wanted it at example.org. only"],
  "*.x NS ns": ["5:1 NS at *.x.example.org. delegates a wildcard: wanted a name (RFC 4592 section 4.2)"],
};

Deno.test("makeZone() says what cannot be a zone, all of it", () => {
  for (const [text, expected] of Object.entries(BAD)) {
    const made = make(`${APEX}${text}\n`);
    assert.deepEqual(showProblems(made.errors), expected, text);
    assert.equal(made.zone, undefined);
  }
  const { errors } = make("$TTL 1\nx A 192.0.2.1\n");
  assert.deepEqual(showProblems(errors), [
    "2:1 found no SOA at example.org.: wanted one",
    "2:1 found no NS at example.org.: wanted one",
  ]);
  assert.equal(makeZone(ORIGIN, []).errors.length, 2);
});

Deno.test("makeZone() refuses an RRset that no message can hold, at its first record", () => {
  const made = (count: number, line: string) => make(`${APEX}$GENERATE 1-${count} ${line}\n`);
  // A header of 12 octets, a question of 19 (x.example.org), 16 for each address.
  const full = Math.floor((65535 - 12 - 19) / 16);
  const addresses = 'x A "\\# 4 ${0,8,x}"';
  assert.deepEqual(showProblems(made(full, addresses).errors), []);
  assert.deepEqual(showProblems(made(full + 1, addresses).errors), [
    `5:18 A at x.example.org. is the first of ${full + 1} that need a message of more than 65535 octets: ` +
    "wanted fewer, for an RRset is answered whole",
  ]);
  // Names in RDATA are compressed: 20 octets in full, 9 on the wire.
  assert.deepEqual(showProblems(made(3100, "x PTR h${0,5}").errors), []);
  assert.equal(made(3150, "x PTR h${0,5}").errors.length, 1);
  assert.equal(made(200_000, addresses).errors.length, 1);
});

/** Lines below the apex to warnings. */
const ODD: Readonly<Record<string, readonly string[]>> = {
  "x.example.net. A 192.0.2.1": ["5:1 A at x.example.net. is outside the zone example.org.: left out"],
  "x 60 A 192.0.2.1\nx 30 A 192.0.2.2": [
    "5:1 A at x.example.org. has TTL 60, another of its RRset 30: taking 30 for all (RFC 2181 section 5.2)",
  ],
  "s NS ns\nx.s TXT t\ns TXT t": [
    "6:1 TXT at x.s.example.org. is hidden by the delegation of s.example.org.: left out",
    "7:1 TXT at s.example.org. is hidden by the delegation of s.example.org.: left out",
  ],
  "s NS x.s": ["5:1 NS at s.example.org. names x.s.example.org., which has no address in this zone"],
  "c CNAME ns\ns NS c": ["6:1 NS at s.example.org. names c.example.org., a CNAME (RFC 2181 section 10.3)"],
  "s NS elsewhere.example.net.": [],
  "c CNAME a\nc NSEC d CNAME": [],
};

Deno.test("makeZone() warns of what is odd, and leaves it out or puts it right", () => {
  for (const [text, expected] of Object.entries(ODD)) {
    const made = make(`${APEX}${text}\n`);
    assert.deepEqual(showProblems(made.errors), [], text);
    assert.deepEqual(showProblems(made.warnings).sort(), [...expected].sort(), text);
  }
});

Deno.test("makeZone() drops duplicates, case of names aside", () => {
  const zone = zoneOf("x A 192.0.2.1", "X A 192.0.2.1", "x NS a.example.net.", "x NS A.Example.net.");
  assert.deepEqual(show(ask(zone, "y.x A")), ["NOERROR", "ns x 300 NS a.example.net."]);
});

Deno.test("makeZone() takes the least TTL for an RRset", () => {
  assert.deepEqual(show(ask(zoneOf("x 60 A 192.0.2.1", "x 30 A 192.0.2.2"), "x A")), [
    "NOERROR aa",
    "an x 30 A 192.0.2.1",
    "an x 30 A 192.0.2.2",
  ]);
});

Deno.test("makeZone() takes only the highest of delegations below each other", () => {
  const zone = zoneOf("s NS ns", "t.s NS ns.t.s", "ns.t.s A 192.0.2.1");
  assert.deepEqual([...zone.cuts].map(formatName), ["s.example.org."]);
  assert.deepEqual(show(ask(zone, "x.t.s A")), ["NOERROR", "ns s 300 NS ns", "ar ns 300 A 192.0.2.53"]);
});

Deno.test("makeZone() gives negative answers the least of the SOA's TTL and its MINIMUM", () => {
  const of = (ttl: number, minimum: number) =>
    make(`@ ${ttl} SOA ns. host. 1 2 3 4 ${minimum}\n@ ${ttl} NS ns.\n`).zone!.negativeSoa.ttl;
  assert.equal(of(300, 60), 60);
  assert.equal(of(30, 60), 30);
});

Deno.test("soaSerial() reads the serial, all 32 bits", () => {
  assert.equal(soaSerial(make("@ 1 SOA ns. host. 4294967295 2 3 4 5\n@ 1 NS ns.\n").zone!), 4294967295);
});

const name = (text: string) => parseName(text, ORIGIN);

Deno.test("withOwnedNames() refuses a name where the zone has such data, a CNAME, or nothing to say", () => {
  const zone = zoneOf("a A 192.0.2.1", "c CNAME a", "d DNAME a", "s NS ns", "glue.s A 192.0.2.2");
  const table: Record<string, string[]> = {
    "a": ["a.example.org. is of pool p, but the zone has A there"],
    "c": ["c.example.org. is of pool p, but the zone has CNAME there"],
    "x.d": ["x.d.example.org. is of pool p, but the zone has a DNAME at d.example.org."],
    "s": ["s.example.org. is of pool p, but the zone delegates s.example.org."],
    "x.s": ["x.s.example.org. is of pool p, but the zone delegates s.example.org."],
    "d": [],
    "new": [],
    "x.example.net.": [],
  };
  for (const [text, expected] of Object.entries(table)) {
    assert.deepEqual(
      withOwnedNames(zone, [{ name: name(text), types: [TYPE.A], pool: "p" }]).errors,
      expected,
      text,
    );
  }
});

Deno.test("withOwnedNames() refuses a name and type that two pools claim", () => {
  const claims = ["p", "q"].map((pool) => ({ name: name("x"), types: [TYPE.A], pool }));
  assert.deepEqual(withOwnedNames(zoneOf(), claims).errors, [
    "x.example.org. is of pool q, but pool p answers A there",
  ]);
});

Deno.test("withOwnedNames() leaves the zone that it was given as it was", () => {
  const zone = zoneOf();
  const before = [...zone.nodes];
  withOwnedNames(zone, [{ name: name("x.y"), types: [TYPE.A], pool: "p" }]);
  assert.deepEqual([...zone.nodes], before);
});

Deno.test("synthesizeZone() makes an apex that answers, and nothing else", () => {
  const { zone, errors } = withOwnedNames(synthesizeZone(ORIGIN), [
    { name: name("entry"), types: [TYPE.A], pool: "p" },
  ]);
  assert.deepEqual(errors, []);
  const soa = "SOA ns hostmaster 1 7200 3600 1209600 60";
  assert.deepEqual(show(ask(zone, "@ SOA")), ["NOERROR aa", `an @ 3600 ${soa}`]);
  assert.deepEqual(show(ask(zone, "@ NS")), ["NOERROR aa", "an @ 3600 NS ns"]);
  assert.deepEqual(show(ask(zone, "entry A")), ["NOERROR aa", "an entry 0 A (pool p)"]);
  assert.deepEqual(show(ask(zone, "entry AAAA")), ["NOERROR aa", `ns @ 60 ${soa}`]);
  assert.deepEqual(show(ask(zone, "absent A")), ["NXDOMAIN aa", `ns @ 60 ${soa}`]);
  const longest = parseName([63, 63, 63, 61].map((length) => "l".repeat(length)).join("."));
  assert.equal(synthesizeZone(longest).nodes.size, 1);
});

Deno.test("the example's zone is sound, and has room for the pool that it speaks of", () => {
  const file = "zones/anycast.example.zone";
  const origin = parseName("anycast.example.");
  const parsed = parseMasterFile(Deno.readTextFileSync(file), { file, origin });
  const made = makeZone(origin, parsed.records);
  assert.deepEqual([...parsed.errors, ...parsed.warnings, ...made.errors, ...made.warnings], []);
  const entry = { name: parseName("entry.anycast.example."), types: [TYPE.A, TYPE.AAAA], pool: "entry" };
  const { zone, errors } = withOwnedNames(made.zone!, [entry]);
  assert.deepEqual(errors, []);
  assert.equal(show(ask(zone, "api.anycast.example. A")).length, 3);
});
