import assert from "node:assert/strict";
import { checkRdata, formatRdata, parseRdata } from "../../../core/dns/rdata.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { octets, ORIGIN, rdata, tokensOf } from "./records.ts";

/** The shapes of RFC 9460 appendix D.1 and D.2, under names of our own. */
const SOUND: readonly [line: string, hex: string, usual: string][] = [
  ["HTTPS 0 foo", "0000 | 03'foo'07'example'03'org'00", "0 foo.example.org."],
  ["SVCB 1 .", "0001 | 00", "1 ."],
  ["SVCB 16 . port=53", "0010 | 00 | 0003 0002 0035", "16 . port=53"],
  ["SVCB 1 . key667=hello", "0001 | 00 | 029b 0005 'hello'", '1 . key667="hello"'],
  ['SVCB 1 . key667="hello\\210qoo"', "0001 | 00 | 029b 0009 'hello' d2 'qoo'", '1 . key667="hello\\210qoo"'],
  [
    'SVCB 1 . ipv6hint="2001:db8::1,2001:db8::53:1"',
    "0001 | 00 | 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
    "1 . ipv6hint=2001:db8::1,2001:db8::53:1",
  ],
  [
    "SVCB 1 . ipv6hint=2001:db8:122:344::192.0.2.33",
    "0001 | 00 | 0006 0010 20010db8012203440000 0000c0000221",
    "1 . ipv6hint=2001:db8:122:344::c000:221",
  ],
  [
    "SVCB 16 . alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
    "0010 | 00 | 0000 0004 0001 0004 | 0001 0009 02'h2'05'h3-19' | 0004 0004 c0000201",
    '16 . mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1',
  ],
  [
    'SVCB 16 . alpn="f\\\\\\\\oo\\\\,bar,h2"',
    "0010 | 00 | 0001 000c 08'f' 5c 'oo,bar' 02'h2'",
    '16 . alpn="f\\\\\\\\oo\\\\,bar,h2"',
  ],
  [
    "SVCB 16 . alpn=f\\\\\\092oo\\092,bar,h2",
    "0010 | 00 | 0001 000c 08'f' 5c 'oo,bar' 02'h2'",
    '16 . alpn="f\\\\\\\\oo\\\\,bar,h2"',
  ],
  [
    "HTTPS 1 . no-default-alpn alpn=h3 ech=AAEC ohttp dohpath=/q{?dns}",
    "0001 | 00 | 0001 0003 02'h3' | 0002 0000 | 0005 0003 000102 | 0007 0008 '/q{?dns}' | 0008 0000",
    '1 . alpn="h3" no-default-alpn ech=AAEC dohpath="/q{?dns}" ohttp',
  ],
  ["SVCB 1 . key3=\\000\\053", "0001 | 00 | 0003 0002 0035", "1 . port=53"],
  ["SVCB 1 . key667", "0001 | 00 | 029b 0000", "1 . key667"],
];

Deno.test("service parameters have the octets and the usual form of RFC 9460 appendix D", () => {
  for (const [line, hex, usual] of SOUND) {
    const { type, octets: got } = rdata(line);
    assert.deepEqual(got, octets(hex), line);
    assert.equal(formatRdata(type, got), usual);
    assert.deepEqual(parseRdata(type, tokensOf(usual), ORIGIN), got);
  }
});

Deno.test("a quoted token behind key= is its value", () => {
  const tokens = [
    { text: "1", quoted: false },
    { text: ".", quoted: false },
    { text: "alpn=", quoted: false },
    { text: "h2,h3", quoted: true },
  ];
  assert.deepEqual(parseRdata(TYPE.SVCB, tokens), rdata("SVCB 1 . alpn=h2,h3").octets);
});

Deno.test("service parameters that RFC 9460 appendix D.3 refuses are refused", () => {
  const wrong: [string, RegExp][] = [
    ["SVCB 1 . key123=abc key123=def", /each key once/],
    ["SVCB 1 . mandatory", /expected a key/],
    ["SVCB 1 . alpn", /1 to 255 octets/],
    ["SVCB 1 . port", /0 to 65535/],
    ["SVCB 1 . ipv4hint", /IPv4 address/],
    ["SVCB 1 . ipv6hint", /IPv6 address/],
    ["SVCB 1 . ech", /is empty/],
    ["SVCB 1 . alpn=h2 no-default-alpn=abc", /no value/],
    ["SVCB 1 . no-default-alpn", /expected alpn/],
    ["SVCB 1 . mandatory=key123", /key123, which is mandatory/],
    ["SVCB 1 . mandatory=mandatory", /lists itself/],
    ["SVCB 1 . mandatory=key123,key123 key123=abc", /twice/],
    ["SVCB 1 . alpn=h2,,h3", /1 to 255 octets/],
    ["SVCB 1 . alpn=h2\\\\x", /after \\ in a list/],
    ["SVCB 1 . ipv4hint=2001:db8::1", /IPv4/],
    ["SVCB 1 . port=65536", /65535/],
    ["SVCB 1 . key3=abc", /has not 2 octets/],
    ["SVCB 1 . key65535=a", /expected a key/],
    ["SVCB 1 . key007=a", /expected a key/],
    ["SVCB 1 . bogus=a", /expected a key/],
    ["SVCB 65536 .", /0 to 65535/],
  ];
  for (const [line, message] of wrong) assert.throws(() => rdata(line), message, line);
});

Deno.test("checkRdata() refuses the same on the wire", () => {
  const wrong = [
    "0001 | 00 | 0003 0002 0035 | 0001 0003 02'h2'",
    "0001 | 00 | 0003 0002 0035 | 0003 0002 0035",
    "0001 | 00 | 0003 0001 35",
    "0001 | 00 | 0003 0003 0035",
    "0001 | 00 | 0001 0003 03'h2'",
    "0001 | 00 | 0001 0001 00",
    "0001 | 00 | 0000 0002 0003",
    "0001 | 00 | 0000 0004 0003 0001 | 0001 0003 02'h2' | 0003 0002 0035",
    "0001 | 00 | 0002 0000",
    "0001 | 00 | 0004 0005 c0000201 00",
    "0001 | 00 | ffff 0000",
    "0001 | 00 | 0003",
    "0001 | c000",
  ];
  for (const hex of wrong) assert.equal(checkRdata(TYPE.HTTPS, octets(hex)), false, hex);
});
