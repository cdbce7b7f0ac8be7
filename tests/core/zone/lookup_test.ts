import assert from "node:assert/strict";
import { parseName } from "../../../core/dns/name.ts";
import { typeFromText } from "../../../core/dns/types.ts";
import { resolve } from "../../../core/zone/lookup.ts";
import { withOwnedNames } from "../../../core/zone/zone.ts";
import { ask, ORIGIN, show, zoneOf } from "./zone_text.ts";

const SOA = "ns @ 60 SOA ns host 1 2 3 4 60";

const zone = zoneOf(
  "www 60 A 192.0.2.1",
  "www 60 A 192.0.2.2",
  "www 60 TXT hello",
  "tie TYPE65280 \\# 4 c0000201",
  "tie A 192.0.2.1",
  "Case A 192.0.2.3",
  "a.b.ent A 192.0.2.4",
  "*.wild A 192.0.2.5",
  "*.wild MX 10 www",
  "there.wild TXT there",
  "x.*.star A 192.0.2.6",
  "*.alias CNAME www",
  "cname CNAME www",
  "chain CNAME cname",
  "nowhere CNAME absent",
  "outside CNAME www.example.net.",
  "empty CNAME ns",
  "loop1 CNAME loop2",
  "loop2 CNAME loop1",
  "down CNAME host.sub",
  "mail MX 10 www",
  "mail MX 20 any.wild",
  "mail MX 30 mx.example.net.",
  "_sip._tcp SRV 0 0 5060 case",
  "sub NS ns.sub",
  "sub NS ns.sister",
  "sub NS ns.example.net.",
  "sub DS 1 13 2 " + "00".repeat(32),
  "ns.sub A 192.0.2.7",
  "ns.sub AAAA 2001:db8::7",
  "*.sub A 192.0.2.8",
  "sister NS ns.sister",
  "ns.sister A 192.0.2.9",
  "*.near A 192.0.2.10",
  "cut.near NS ns",
  "dn DNAME wild",
  "out DNAME example.net.",
  `long DNAME ${"l".repeat(60)}.${"m".repeat(60)}.${"n".repeat(60)}`,
);

const TABLE: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "gives the RRset at an exact match": {
    "www A": ["NOERROR aa", "an www 60 A 192.0.2.1", "an www 60 A 192.0.2.2"],
    "case A": ["NOERROR aa", "an Case 300 A 192.0.2.3"],
    "@ SOA": ["NOERROR aa", "an @ 300 SOA ns host 1 2 3 4 60"],
    "@ NS": ["NOERROR aa", "an @ 300 NS ns", "ar ns 300 A 192.0.2.53"],
  },
  "gives NODATA with the SOA, its TTL no more than MINIMUM": {
    "www AAAA": ["NOERROR aa", SOA],
    "@ TXT": ["NOERROR aa", SOA],
    "www TYPE65280": ["NOERROR aa", SOA],
    "www MAILB": ["NOERROR aa", SOA],
  },
  "gives NODATA at an empty non-terminal": {
    "b.ent A": ["NOERROR aa", SOA],
    "ent A": ["NOERROR aa", SOA],
    "ent ANY": ["NOERROR aa", SOA],
    "star A": ["NOERROR aa", SOA],
    "*.star A": ["NOERROR aa", SOA],
  },
  "gives NXDOMAIN for what is not there": {
    "absent A": ["NXDOMAIN aa", SOA],
    "x.ent A": ["NXDOMAIN aa", SOA],
    "below.www A": ["NXDOMAIN aa", SOA],
  },
  "synthesises from a wildcard under the name as asked": {
    "Any.wild A": ["NOERROR aa", "an Any.wild 300 A 192.0.2.5"],
    "x.y.z.wild A": ["NOERROR aa", "an x.y.z.wild 300 A 192.0.2.5"],
    "any.wild TXT": ["NOERROR aa", SOA],
    "any.wild MX": [
      "NOERROR aa",
      "an any.wild 300 MX 10 www",
      "ar www 60 A 192.0.2.1",
      "ar www 60 A 192.0.2.2",
    ],
    "*.wild A": ["NOERROR aa", "an *.wild 300 A 192.0.2.5"],
    "any.alias A": [
      "NOERROR aa",
      "an any.alias 300 CNAME www",
      "an www 60 A 192.0.2.1",
      "an www 60 A 192.0.2.2",
    ],
  },
  "lets an existing name block a wildcard (RFC 4592 section 2.2.1)": {
    "there.wild A": ["NOERROR aa", SOA],
    "x.there.wild A": ["NXDOMAIN aa", SOA],
    "wild A": ["NOERROR aa", SOA],
  },
  "takes an asterisk that only has names below it as a wildcard without data": {
    "y.star A": ["NOERROR aa", SOA],
    "x.*.star A": ["NOERROR aa", "an x.*.star 300 A 192.0.2.6"],
    "y.*.star A": ["NXDOMAIN aa", SOA],
  },
  "follows a CNAME inside the zone": {
    "cname A": ["NOERROR aa", "an cname 300 CNAME www", "an www 60 A 192.0.2.1", "an www 60 A 192.0.2.2"],
    "chain TXT": [
      "NOERROR aa",
      "an chain 300 CNAME cname",
      "an cname 300 CNAME www",
      'an www 60 TXT "hello"',
    ],
    "cname CNAME": ["NOERROR aa", "an cname 300 CNAME www"],
    "cname ANY": ["NOERROR aa", "an cname 300 CNAME www"],
  },
  "ends a chain with the last name's outcome (RFC 6604)": {
    "nowhere A": ["NXDOMAIN aa", "an nowhere 300 CNAME absent", SOA],
    "empty AAAA": ["NOERROR aa", "an empty 300 CNAME ns", SOA],
    "outside A": ["NOERROR aa", "an outside 300 CNAME www.example.net."],
    "down A": [
      "NOERROR aa",
      "an down 300 CNAME host.sub",
      "ns sub 300 NS ns.sub",
      "ns sub 300 NS ns.sister",
      "ns sub 300 NS ns.example.net.",
      "ar ns.sub 300 A 192.0.2.7",
      "ar ns.sub 300 AAAA 2001:db8::7",
      "ar ns.sister 300 A 192.0.2.9",
    ],
  },
  "stops where a chain comes back to itself": {
    "loop1 A": ["NOERROR aa", "an loop1 300 CNAME loop2", "an loop2 300 CNAME loop1"],
  },
  "refers, without AA, with glue inside and beside": {
    "host.sub A": [
      "NOERROR",
      "ns sub 300 NS ns.sub",
      "ns sub 300 NS ns.sister",
      "ns sub 300 NS ns.example.net.",
      "ar ns.sub 300 A 192.0.2.7",
      "ar ns.sub 300 AAAA 2001:db8::7",
      "ar ns.sister 300 A 192.0.2.9",
    ],
    "ns.sister A": ["NOERROR", "ns sister 300 NS ns.sister", "ar ns.sister 300 A 192.0.2.9"],
    "sister SOA": ["NOERROR", "ns sister 300 NS ns.sister", "ar ns.sister 300 A 192.0.2.9"],
    "sister ANY": ["NOERROR", "ns sister 300 NS ns.sister", "ar ns.sister 300 A 192.0.2.9"],
    "a.b.cut.near A": ["NOERROR", "ns cut.near 300 NS ns", "ar ns 300 A 192.0.2.53"],
  },
  "answers DS at a delegation, and at the apex says that it has none": {
    "sub DS": ["NOERROR aa", "an sub 300 DS 1 13 2 " + "00".repeat(32)],
    "sister DS": ["NOERROR aa", SOA],
    "host.sister DS": ["NOERROR", "ns sister 300 NS ns.sister", "ar ns.sister 300 A 192.0.2.9"],
    "@ DS": ["NOERROR aa", SOA],
  },
  "substitutes through a DNAME and goes on (RFC 6672 section 3.2)": {
    "Any.dn A": [
      "NOERROR aa",
      "an dn 300 DNAME wild",
      "an Any.dn 300 CNAME Any.wild",
      "an Any.wild 300 A 192.0.2.5",
    ],
    "x.dn CNAME": ["NOERROR aa", "an dn 300 DNAME wild", "an x.dn 300 CNAME x.wild"],
    "a.b.out A": ["NOERROR aa", "an out 300 DNAME example.net.", "an a.b.out 300 CNAME a.b.example.net."],
    "dn DNAME": ["NOERROR aa", "an dn 300 DNAME wild"],
    "dn A": ["NOERROR aa", SOA],
  },
  "sends addresses along with MX and SRV": {
    "mail MX": [
      "NOERROR aa",
      "an mail 300 MX 10 www",
      "an mail 300 MX 20 any.wild",
      "an mail 300 MX 30 mx.example.net.",
      "ar www 60 A 192.0.2.1",
      "ar www 60 A 192.0.2.2",
      "ar any.wild 300 A 192.0.2.5",
    ],
    "_sip._tcp SRV": ["NOERROR aa", "an _sip._tcp 300 SRV 0 0 5060 case", "ar Case 300 A 192.0.2.3"],
  },
  "gives ANY the smallest RRset (RFC 8482 section 4.1)": {
    "www ANY": ["NOERROR aa", 'an www 60 TXT "hello"'],
    "tie ANY": ["NOERROR aa", "an tie 300 A 192.0.2.1"],
  },
  "refuses transfers and the type that no one may ask for": {
    "@ AXFR": ["REFUSED"],
    "@ IXFR": ["REFUSED"],
    "www NXNAME": ["FORMERR"],
  },
};

for (const [rule, cases] of Object.entries(TABLE)) {
  Deno.test(`lookup() ${rule}`, () => {
    for (const [question, expected] of Object.entries(cases)) {
      assert.deepEqual(show(ask(zone, question)), expected, question);
    }
  });
}

Deno.test("lookup() gives YXDOMAIN when a DNAME makes a name of more than 255 octets", () => {
  const fits = ask(zone, `${"x".repeat(58)}.long A`);
  assert.equal(show(fits)[0], "NXDOMAIN aa");
  const tooLong = show(ask(zone, `${"x".repeat(59)}.long A`));
  assert.equal(tooLong[0], "YXDOMAIN aa");
  assert.equal(tooLong.length, 2);
  assert.match(tooLong[1]!, /^an long 300 DNAME l/);
});

Deno.test("lookup() follows 16 aliases and no more", () => {
  const links = Array.from({ length: 20 }, (_, i) => `link${i} CNAME link${i + 1}`);
  const long = zoneOf(...links, "link20 A 192.0.2.1");
  assert.equal(show(ask(long, "link4 A")).length, 1 + 16 + 1);
  const cut = show(ask(long, "link3 A"));
  assert.equal(cut.length, 1 + 16);
  assert.equal(cut[0], "NOERROR aa");
});

Deno.test("lookup() brings the DS with a referral when DO is set, and says that DO mattered", () => {
  const withDs = ask(zone, "host.sub A", { dnssecOk: true });
  assert.ok(show(withDs).includes("ns sub 300 DS 1 13 2 " + "00".repeat(32)));
  assert.deepEqual(withDs.dependence.keys, ["do"]);
  assert.deepEqual(ask(zone, "host.sub A").dependence.keys, ["do"]);
  assert.deepEqual(ask(zone, "host.sister A").dependence.keys, []);
});

const pool = (name: string, ...types: string[]) => ({
  name: parseName(name, ORIGIN),
  types: types.map((type) => typeFromText(type)!),
  pool: "p",
});

const owned = withOwnedNames(zoneOf("api CNAME entry", "entry TXT t", "mx MX 1 entry"), [
  pool("entry", "A", "AAAA"),
  pool("deep.er", "A"),
  pool("*.any", "A"),
]).zone;

const POOLS: Readonly<Record<string, readonly string[]>> = {
  "entry A": ["NOERROR aa", "an entry 0 A (pool p)"],
  "ENTRY AAAA": ["NOERROR aa", "an entry 0 AAAA (pool p)"],
  "entry TXT": ["NOERROR aa", 'an entry 300 TXT "t"'],
  "entry MX": ["NOERROR aa", SOA],
  "entry ANY": ["NOERROR aa", 'an entry 300 TXT "t"'],
  "deep.er ANY": ["NOERROR aa", 'an deep.er 3600 HINFO "RFC8482" ""'],
  "deep.er AAAA": ["NOERROR aa", SOA],
  "er A": ["NOERROR aa", SOA],
  "Some.any A": ["NOERROR aa", "an Some.any 0 A (pool p)"],
  "some.any ANY": ["NOERROR aa", 'an some.any 3600 HINFO "RFC8482" ""'],
  "api A": ["NOERROR aa", "an api 300 CNAME entry", "an entry 0 A (pool p)"],
  "api TXT": ["NOERROR aa", "an api 300 CNAME entry", 'an entry 300 TXT "t"'],
  "mx MX": ["NOERROR aa", "an mx 300 MX 1 entry"],
};

Deno.test("lookup() treats the names that pools answer as existing", () => {
  for (const [question, expected] of Object.entries(POOLS)) {
    assert.deepEqual(show(ask(owned, question)), expected, question);
  }
});

Deno.test("lookup() leaves a CNAME alone before a pool's name when it may not chase", () => {
  const alone = ask(owned, "api A", { chaseToPools: false });
  assert.deepEqual(show(alone), ["NOERROR aa", "an api 300 CNAME entry"]);
  assert.deepEqual(alone.dependence.keys, ["tailored"]);
  assert.deepEqual(ask(owned, "api A").dependence.keys, ["tailored"]);
  const direct = ask(owned, "entry A", { chaseToPools: false });
  assert.deepEqual(show(direct), ["NOERROR aa", "an entry 0 A (pool p)"]);
  const other = ask(owned, "api TXT", { chaseToPools: false });
  assert.deepEqual(show(other), ["NOERROR aa", "an api 300 CNAME entry", 'an entry 300 TXT "t"']);
});

Deno.test("resolve() names its outcome", () => {
  const kinds = Object.entries({
    "www A": "answer",
    "www AAAA": "nodata",
    "absent A": "nxdomain",
    "x.sub A": "referral",
    "cname A": "alias",
    "x.dn A": "alias",
    [`${"x".repeat(60)}.long A`]: "yxdomain",
  });
  for (const [question, kind] of kinds) {
    const [text, type] = question.split(" ");
    const name = parseName(text!, ORIGIN);
    assert.equal(resolve(zone, name, name, typeFromText(type!)!).kind, kind, question);
  }
});
