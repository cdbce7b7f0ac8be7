import assert from "node:assert/strict";
import fc from "fast-check";
import { formatName, type Name, parseName } from "../../../core/dns/name.ts";
import {
  canonicalRdata,
  checkRdata,
  decodeRdata,
  formatRdata,
  parseRdata,
  RdataError,
  rdataNames,
} from "../../../core/dns/rdata.ts";
import { compressedNames, layoutOf } from "../../../core/dns/rdata_layouts.ts";
import { octetString, WireReader } from "../../../core/dns/wire.ts";
import { TYPE, typeToText } from "../../../core/dns/types.ts";
import { octets, ORIGIN, rdata, tokensOf } from "./records.ts";

/** The presentation form of a line that may be written otherwise, back from its octets. */
function rewritten(line: string): string {
  const { type, octets } = rdata(line);
  return `${typeToText(type)} ${formatRdata(type, octets)}`;
}

Deno.test("parseRdata() writes the octets that the RFCs show", () => {
  const wires: [string, string][] = [
    ["A 192.0.2.1", "c0000201"],
    ["AAAA 2001:db8::1", "20010db8 00000000 00000000 00000001"],
    ["AAAA ::ffff:192.0.2.1", "00000000 00000000 0000ffff c0000201"],
    ["MX 10 mail", "000a 04'mail'07'example'03'org'00"],
    ["SOA @ . 7 1h 15m 1W 300", "07'example'03'org'00 00 00000007 00000e10 00000384 00093a80 0000012c"],
    ['TXT a "b c" d\\"e \\200\\.', "01'a' 03'b c' 03'd\"e' 02 c8 2e"],
    ['TXT ""', "00"],
    ["SRV 1 2 53 .", "0001 0002 0035 00"],
    // RFC 8659 section 4.2, RFC 7553 section 4.5 with other names.
    ['CAA 128 issue "ca.example"', "80 05'issue' 'ca.example'"],
    ['URI 10 1 "ftp://ftp.example/p"', "000a 0001 'ftp://ftp.example/p'"],
    // RFC 4034 section 4.3: the bitmap of A MX RRSIG NSEC TYPE1234.
    [
      "NSEC . A MX RRSIG NSEC TYPE1234",
      "00 00 06 400100000003 04 1b 000000000000000000000000000000000000000000000000000020",
    ],
    // RFC 5155 appendix A, a hash in it.
    [
      "NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG",
      "01 01 000c 04aabbccdd 14 17f3df17b2b2adaef615257de4d2020b80ac6c7c 00 06 400000000002",
    ],
    ["NSEC3PARAM 1 0 0 -", "01 00 0000 00"],
    // RFC 1876 section 4 has the form; these octets by hand.
    ["LOC 52 14 05.000 N 00 08 50.000 E 10m", "00 12 16 13 8b3556c8 80081650 00989a68"],
    ["EUI48 00-00-5e-00-53-2a", "00005e00532a"],
    [
      "RRSIG A ECDSAP256SHA256 2 300 20260101000000 1764547200 7 . AAEC",
      "0001 0d 02 0000012c 6955b900 692cda80 0007 00 000102",
    ],
    ["CDS 0 0 0 00", "0000 00 00 00"],
    ["TYPE65280 \\# 3 ab CD ef", "abcdef"],
    ["TYPE65280 \\# 0", ""],
    ["A \\# 4 c0 00 02 01", "c0000201"],
  ];
  for (const [line, hex] of wires) assert.deepEqual(rdata(line).octets, octets(hex), line);
});

Deno.test("formatRdata() writes what parseRdata() reads in its usual form", () => {
  const same = [
    "A 192.0.2.1",
    "AAAA 2001:db8::1",
    "NS ns1.example.org.",
    "MX 10 mail.example.org.",
    "SOA ns1.example.org. host\\.master.example.org. 2026010101 7200 3600 1209600 300",
    'TXT "v=spf1 -all" "quote \\" backslash \\\\ octet \\200 umlaut \\195\\164"',
    'HINFO "" "x y"',
    'NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .',
    "DS 60485 13 2 " + "AB".repeat(32),
    "DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
    "RRSIG A 13 3 300 20260101000000 20251201000000 12345 example.org. AAEC",
    "NSEC host.example.org. A MX RRSIG NSEC TYPE1234",
    "NSEC3 1 1 12 AABBCCDD 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S A RRSIG",
    "NSEC3 1 0 0 - 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S",
    "NSEC3PARAM 1 0 0 -",
    "CDS 0 0 0 00",
    "CDNSKEY 0 3 0 AA==",
    "TLSA 3 1 1 ABCDEF",
    "SMIMEA 3 0 0 00",
    "SSHFP 4 2 ABCDEF",
    "LOC 51 30 12.748 N 0 7 39.611 W 0.00m 1.00m 10000.00m 10.00m",
    "LOC 90 0 0.000 S 180 0 0.000 E -100000.00m 0.00m 90000000.00m 0.01m",
    'URI 10 1 "https://www.example.org/"',
    'CAA 0 iodef "mailto:a@example.org"',
    "CSYNC 66 3 A NS AAAA",
    "ZONEMD 1 1 1 " + "AB".repeat(48),
    "RP a.example.org. b.example.org.",
    "AFSDB 1 c.example.org.",
    "CERT 1 0 0 AAEC",
    "OPENPGPKEY AAEC",
    "DHCID AAEC",
    "EUI48 00-00-5e-00-53-2a",
    "EUI64 00-00-5e-ef-10-00-00-2a",
    "TYPE65280 \\# 3 ABCDEF",
    "TYPE65280 \\# 0",
  ];
  for (const line of same) assert.equal(rewritten(line), line);
});

Deno.test("parseRdata() takes data in several words, words for numbers, and names relative to the origin", () => {
  assert.equal(rewritten("DS 1 ED25519 2 abcd EF"), "DS 1 15 2 ABCDEF");
  assert.equal(rewritten("OPENPGPKEY AA EC"), "OPENPGPKEY AAEC");
  assert.equal(rewritten("CERT pgp 0 0 AAEC"), "CERT 3 0 0 AAEC");
  assert.equal(rewritten("CNAME @"), "CNAME example.org.");
  assert.equal(
    rewritten("LOC 42 N 71 W -24m"),
    "LOC 42 0 0.000 N 71 0 0.000 W -24.00m 1.00m 10000.00m 10.00m",
  );
  assert.equal(rewritten("TXT ä"), 'TXT "\\195\\164"');
});

Deno.test("parseRdata() points at the token that is wrong", () => {
  const wrong: [string, number, RegExp][] = [
    ["A 192.0.2", 0, /Cannot read A: address: expected an IPv4 address, got "192.0.2"/],
    ["A 2001:db8::1", 0, /IPv4/],
    ["AAAA 192.0.2.1", 0, /IPv6/],
    ["A", 0, /expected address, found the end/],
    ["A 192.0.2.1 192.0.2.2", 1, /expected the end, got "192.0.2.2"/],
    ["MX mail 10", 0, /expected 0 to 65535, got "mail"/],
    ["MX 65536 mail", 0, /65536/],
    ["MX 10 a..b", 1, /empty label/],
    ["SOA a b 1 2 3 4 4294967296", 6, /4294967295/],
    ["SOA a b -1 2 3 4 5", 2, /got "-1"/],
    [`TXT a ${"b".repeat(256)}`, 1, /at most 255 octets, got 256/],
    ["TXT a\\256", 0, /000 to 255/],
    ["TXT", 0, /found the end/],
    ["DS 1 13 2 ABC", 3, /hexadecimal/],
    ["DNSKEY 1 3 13 A", 3, /base64/],
    ["DNSKEY 1 3 13", 3, /found the end/],
    ["DNSKEY 1 3 NONE AAEC", 2, /algorithm/],
    ["RRSIG A 13 2 300 20260132000000 0 7 . AAEC", 4, /YYYYMMDDHHmmSS/],
    ["NSEC . A BOGUS", 2, /expected a type, got "BOGUS"/],
    ["NSEC3 1 0 0 - 2vx", 4, /base32hex/],
    ["NSEC3 1 0 0 zz 2V", 3, /hexadecimal/],
    ['CAA 0 is-sue "x"', 1, /letters and digits/],
    ["LOC 91 N 0 E 0m", 0, /0 to 90 degrees/],
    ["LOC 90 0 0.001 N 0 E 0m", 0, /0 to 90 degrees/],
    ["LOC 1 60 N 0 E 0m", 0, /degrees/],
    ["LOC 1 2 3.1234 N 0 E 0m", 2, /degrees, minutes, seconds/],
    ["LOC 1 N 0 E -100001m", 4, /altitude/],
    ["EUI48 00-00-5e-00-53", 0, /6 hyphenated/],
    ["TYPE65280 abc", 0, /\\# LENGTH HEX/],
    ["TYPE65280 \\# 2 abcdef", 1, /expected the length 3, got "2"/],
    ["TYPE65280 \\# 1 a", 2, /hexadecimal/],
    ["A \\# 3 c00002", 2, /octets of that type/],
    ["MX \\# 4 000ac000", 2, /pointer/],
  ];
  for (const [line, tokenIndex, message] of wrong) {
    assert.throws(() => rdata(line), (error: unknown) => {
      assert.ok(error instanceof RdataError && error instanceof SyntaxError, line);
      assert.match(error.message, message, line);
      assert.equal(error.tokenIndex, tokenIndex, `${line}: ${error.message}`);
      return true;
    }, line);
  }
});

Deno.test("a quoted \\# is text, not a generic form", () => {
  assert.deepEqual(parseRdata(TYPE.TXT, [{ text: "\\#", quoted: true }], ORIGIN), octets("01 23"));
});

Deno.test("checkRdata() refuses octets that are too few, too many, or wrong", () => {
  const wrong: [number, string][] = [
    [TYPE.A, "c00002"],
    [TYPE.A, "c000020100"],
    [TYPE.NS, "03'abc'"],
    [TYPE.NS, "c000"],
    [TYPE.TXT, ""],
    [TYPE.TXT, "02'a'"],
    [TYPE.MX, "000a"],
    [TYPE.DNSKEY, "0100 03 0d"],
    [TYPE.NSEC, "00 00 00"],
    [TYPE.NSEC, "00 00 02 4000"],
    [TYPE.NSEC, "00 01 01 40 00 01 40"],
    [TYPE.NSEC, "00 00 21 " + "01".repeat(33)],
    [TYPE.NSEC3, "01 00 0000 00 00"],
    [TYPE.LOC, "01 12 16 13 8b3557c8 80081810 00989a68"],
    [TYPE.LOC, "00 1a 16 13 8b3557c8 80081810 00989a68"],
    [TYPE.LOC, "00 12 16 13 ffffffff 80081810 00989a68"],
    [TYPE.CAA, "00 00 'x'"],
    [TYPE.CAA, "00 02 'a-' 'x'"],
  ];
  for (const [type, hex] of wrong) {
    assert.equal(checkRdata(type, octets(hex)), false, `${typeToText(type)} ${hex}`);
    assert.match(formatRdata(type, octets(hex)), /^\\# \d+/);
  }
  assert.ok(checkRdata(65280, octets("0102")));
});

Deno.test("rdataNames() lists names in order", () => {
  const names = (line: string) => rdataNames(rdata(line).type, rdata(line).octets).map(formatName);
  assert.deepEqual(names("SOA a b 1 2 3 4 5"), ["a.example.org.", "b.example.org."]);
  assert.deepEqual(names("SRV 0 0 53 t"), ["t.example.org."]);
  assert.deepEqual(names('NAPTR 1 1 "a" "b" "c" d'), ["d.example.org."]);
  assert.deepEqual(names("HTTPS 1 svc alpn=h2"), ["svc.example.org."]);
  assert.deepEqual(names("A 192.0.2.1"), []);
});

Deno.test("canonicalRdata() folds the names of RFC 4034 section 6.2 and leaves NSEC and SVCB alone", () => {
  const canonical = (line: string) =>
    formatRdata(rdata(line).type, canonicalRdata(rdata(line).type, rdata(line).octets));
  assert.equal(canonical("MX 1 MaIl.Example.ORG."), "1 mail.example.org.");
  assert.equal(canonical("SRV 1 1 1 MaIl.Example.ORG."), "1 1 1 mail.example.org.");
  assert.equal(canonical("DNAME A.B."), "a.b.");
  assert.equal(canonical("NSEC A.B. A"), "A.B. A");
  assert.equal(canonical("HTTPS 1 A.B."), "1 A.B.");
  assert.equal(canonical('TXT "ABC"'), '"ABC"');
});

Deno.test("decodeRdata() follows pointers in the types of RFC 3597 section 4 and no others", () => {
  const at = (type: number, hex: string) => {
    const message = octets("07'example'03'org'00" + hex);
    return decodeRdata(type, new WireReader(message, 13));
  };
  assert.deepEqual(at(TYPE.MX, "000a 04'mail'c000"), rdata("MX 10 mail").octets);
  assert.deepEqual(at(TYPE.SRV, "0001 0002 0003 c000"), rdata("SRV 1 2 3 @").octets);
  assert.deepEqual(at(TYPE.NAPTR, "0001 0002 00 00 00 c000"), rdata('NAPTR 1 2 "" "" "" @').octets);
  for (const type of [TYPE.DNAME, TYPE.NSEC]) assert.throws(() => at(type, "c000 000140"), /pointer/);
  assert.throws(() => at(TYPE.HTTPS, "0001 c000"), /pointer/);
  // Octets of an unknown type may look like a pointer.
  assert.deepEqual(at(65280, "c000"), octets("c000"));
});

Deno.test("only the types of RFC 1035 have their RDATA compressed", () => {
  const compressed = Object.values(TYPE).filter((type) => compressedNames(type));
  const wanted = ["NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "PTR", "MINFO", "MX"] as const;
  assert.deepEqual(compressed, wanted.map((mnemonic) => TYPE[mnemonic]));
  assert.deepEqual(compressedNames(TYPE.SOA), { skip: 0, count: 2 });
  assert.deepEqual(compressedNames(TYPE.MX), { skip: 2, count: 1 });
});

const KNOWN_TYPES = Object.values(TYPE).filter((type) => layoutOf(type));

/** A line of every type with text of its own. */
const SAMPLES: readonly string[] = [
  "A 192.0.2.1",
  "NS n",
  "MD n",
  "MF n",
  "CNAME n",
  "SOA m r 1 2 3 4 5",
  "MB n",
  "MG n",
  "MR n",
  "PTR n",
  'HINFO "a" "b"',
  "MINFO a b",
  "MX 1 m",
  'TXT "a" "b"',
  "RP a b",
  "AFSDB 1 a",
  "RT 1 a",
  "PX 1 a b",
  "AAAA 2001:db8::1",
  "SRV 1 2 3 t",
  'NAPTR 1 2 "a" "b" "c" d',
  "KX 1 k",
  "CERT 1 2 3 AAEC",
  "DNAME d",
  "DS 1 2 3 ABCD",
  "SSHFP 1 2 ABCD",
  "RRSIG A 1 2 3 20260101000000 20260101000000 4 s AAEC",
  "NSEC n A TYPE300",
  "DNSKEY 1 2 3 AAEC",
  "DHCID AAEC",
  "NSEC3 1 2 3 ABCD 2VPG A",
  "NSEC3PARAM 1 2 3 ABCD",
  "TLSA 1 2 3 ABCD",
  "SMIMEA 1 2 3 ABCD",
  "CDS 1 2 3 ABCD",
  "CDNSKEY 1 2 3 AAEC",
  "OPENPGPKEY AAEC",
  "CSYNC 1 2 A",
  "ZONEMD 1 2 3 ABCD",
  'SVCB 1 t alpn="h2,h3" port=53 key667=x',
  "HTTPS 1 t mandatory=alpn alpn=h2 ipv4hint=192.0.2.1 ech=AAEC",
  'SPF "a"',
  "EUI48 00-00-5e-00-53-2a",
  "EUI64 00-00-5e-ef-10-00-00-2a",
  'URI 1 2 "t"',
  'CAA 1 issue "x"',
];

Deno.test("every type with a layout but LOC is among the samples", () => {
  const sampled = SAMPLES.map((line) => rdata(line).type);
  assert.deepEqual(KNOWN_TYPES.filter((type) => !sampled.includes(type)), [TYPE.LOC]);
});

/** Octets made of a sample's by changing, inserting and deleting a few. */
const mutated = fc.tuple(
  fc.constantFrom(...SAMPLES),
  fc.array(fc.tuple(fc.nat(40), fc.nat(255), fc.constantFrom("set", "insert", "delete")), { maxLength: 4 }),
).map(([line, changes]) => {
  const { type, octets } = rdata(line);
  const list = [...octets];
  for (const [at, octet, how] of changes) {
    if (how === "set" && at < list.length) list[at] = octet;
    else list.splice(at, how === "insert" ? 0 : 1, ...(how === "insert" ? [octet] : []));
  }
  return { type, octets: Uint8Array.from(list) };
});

Deno.test("octets that pass the check come back from their text octet for octet", () => {
  let sound = 0;
  fc.assert(
    fc.property(mutated, ({ type, octets }) => {
      const text = formatRdata(type, octets);
      if (!checkRdata(type, octets)) return assert.match(text, /^\\# \d+/);
      sound++;
      assert.ok(!text.startsWith("\\#"), `${typeToText(type)} ${text}`);
      assert.deepEqual(parseRdata(type, tokensOf(text), ORIGIN), octets, `${typeToText(type)} ${text}`);
    }),
    { seed: 2, numRuns: 20_000 },
  );
  assert.ok(sound > 5_000, `only ${sound} of 20000 were well-formed`);
});

const text255 = fc.uint8Array({ maxLength: 255 });
const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
const owner = fc.array(label, { maxLength: 5 }).map((some) =>
  (some.map((one) => String.fromCharCode(one.length) + octetString(one)).join("") + "\0") as Name
);

Deno.test("any octets survive in character-strings and in names", () => {
  fc.assert(
    fc.property(fc.array(text255, { minLength: 1, maxLength: 3 }), owner, (texts, name) => {
      const txt = Uint8Array.from(texts.flatMap((text) => [text.length, ...text]));
      assert.deepEqual(parseRdata(TYPE.TXT, tokensOf(formatRdata(TYPE.TXT, txt)), ORIGIN), txt);
      assert.equal(parseName(formatName(name)), name);
      const cname = Uint8Array.from(name, (character) => character.charCodeAt(0));
      assert.deepEqual(parseRdata(TYPE.CNAME, tokensOf(formatRdata(TYPE.CNAME, cname)), ORIGIN), cname);
    }),
    { seed: 3, numRuns: 500 },
  );
});

Deno.test("locations come back from their text", () => {
  const precision = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9)).map(([digit, power]) =>
    digit << 4 | power
  );
  fc.assert(
    fc.property(
      fc.tuple(precision, precision, precision),
      fc.integer({ min: -90 * 3_600_000, max: 90 * 3_600_000 }),
      fc.integer({ min: -180 * 3_600_000, max: 180 * 3_600_000 }),
      fc.nat(0xffffffff),
      (precisions, latitude, longitude, altitude) => {
        const location = new Uint8Array(16);
        location.set([0, ...precisions]);
        const view = new DataView(location.buffer);
        view.setUint32(4, 2 ** 31 + latitude);
        view.setUint32(8, 2 ** 31 + longitude);
        view.setUint32(12, altitude);
        const text = formatRdata(TYPE.LOC, location);
        assert.deepEqual(parseRdata(TYPE.LOC, tokensOf(text), ORIGIN), location, text);
      },
    ),
    { seed: 4, numRuns: 1000 },
  );
});

Deno.test("random octets never make formatRdata() or decodeRdata() fail but in their own way", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KNOWN_TYPES), fc.uint8Array({ maxLength: 60 }), (type, octets) => {
      formatRdata(type, octets);
      try {
        decodeRdata(type, new WireReader(octets));
      } catch (error) {
        assert.equal((error as Error).name, "WireError");
      }
    }),
    { seed: 5, numRuns: 5000 },
  );
});
