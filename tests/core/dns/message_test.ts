import assert from "node:assert/strict";
import {
  decodeMessage,
  encodeMessage,
  makeQuery,
  type Message,
  type ResourceRecord,
} from "../../../core/dns/message.ts";
import { type Name, parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { WireError } from "../../../core/dns/wire.ts";
import { lineOf, octets, rrset } from "./records.ts";

const NAME = parseName("www.example.org.");

/** A response to `www.example.org A` with records of these lines. */
function response(answer: string[], more: Partial<Message> = {}): Message {
  return { ...makeQuery(7, NAME, TYPE.A), isResponse: true, answer: answer.map(record), ...more };
}

function record(line: string): ResourceRecord {
  const { name, type, ttl, rdata: [rdata] } = rrset(line);
  return { name, type, class: 1, ttl, rdata: rdata! };
}

Deno.test("a message of every part comes back from its octets", () => {
  const message: Message = {
    id: 0xfedc,
    isResponse: true,
    opcode: 0,
    authoritative: true,
    truncated: true,
    recursionDesired: true,
    recursionAvailable: true,
    authenticData: true,
    checkingDisabled: true,
    rcode: 23,
    questions: [{ name: NAME, type: TYPE.ANY, class: 1 }],
    answer: [record("www 300 CNAME web"), record("web 4294967295 A 192.0.2.1")],
    authority: [record("@ 0 SOA ns1 host 1 2 3 4 5"), record("@ 60 NS ns1")],
    additional: [record("ns1 60 AAAA 2001:db8::1"), record("x 1 TYPE65280 \\# 2 c000")],
    edns: {
      version: 0,
      payloadSize: 4096,
      dnssecOk: true,
      clientSubnet: { address: { family: 4, octets: octets("c0000200") }, sourcePrefixLength: 24 },
      options: [{ code: 8, data: octets("0001 18 14 c00002") }],
    },
  };
  assert.deepEqual(decodeMessage(encodeMessage(message)), message);
});

Deno.test("encodeMessage() compresses owner names and the RDATA names of RFC 1035", () => {
  const wire = encodeMessage(response(["www 1 CNAME web", "web 1 MX 5 mail", "mail 1 SRV 1 2 3 web"]));
  assert.deepEqual(
    wire,
    octets(`0007 8000 0001 0003 0000 0000 | 03'www'07'example'03'org'00 0001 0001
      c00c 0005 0001 00000001 0006 03'web'c010
      c02d 000f 0001 00000001 0009 0005 04'mail'c010
      c041 0021 0001 00000001 0017 0001 0002 0003 03'web'07'example'03'org'00`),
  );
});

Deno.test("ten addresses of the question's name take 193 octets", () => {
  const lines = Array.from({ length: 10 }, (_, i) => `www 60 A 192.0.2.${i}`);
  assert.equal(encodeMessage(response(lines)).length, 12 + 21 + 10 * 16);
});

Deno.test("encodeMessage() refuses what no message can carry", () => {
  assert.throws(() => encodeMessage(response([], { rcode: 16 })), RangeError);
  const long = Array.from({ length: 260 }, (_, i) => `n${i} 1 TXT ${"a".repeat(250)}`);
  assert.throws(() => encodeMessage(response(long)), /65535/);
});

Deno.test("RDATA that is not of its type is written as it stands", () => {
  const odd = { ...record("www 1 MX 1 mail"), rdata: octets("00") };
  assert.ok(encodeMessage(response([], { answer: [odd] })).length > 0);
  const cut = { ...record("www 1 SOA a b 1 2 3 4 5"), rdata: octets("01'a'00 05'b'") };
  const wire = encodeMessage(response([], { answer: [cut] }));
  assert.deepEqual(wire.subarray(-7), octets("0005 01'a'00 05'b'"));
});

Deno.test("decodeMessage() refuses what does not hold together", () => {
  const head = "0007 8000 0001 0001 0000 0000 | 03'www'07'example'03'org'00 0001 0001";
  const wrong: [string, string][] = [
    ["a header cut", "0007 8000 0001"],
    ["a record that is not there", head],
    ["RDLENGTH past the end", head + "c00c 0001 0001 00000001 0005 c0000201"],
    ["RDLENGTH too small for an address", head + "c00c 0001 0001 00000001 0003 c00002"],
    ["RDLENGTH too large for a name", head + "c00c 0005 0001 00000001 0003 c00c00"],
    ["a name that runs past RDLENGTH", head + "c00c 0005 0001 00000001 0003 03'www'00"],
    ["a name that points at itself", head + "c00c 0005 0001 00000001 0002 c02d"],
    ["an owner that points forwards", head + "c02d 0001 0001 00000001 0004 c0000201"],
    ["an OPT among the answers", head + "00 0029 04d0 00000000 0000"],
    ["two OPTs", "0007 8000 0000 0000 0000 0002" + "00 0029 04d0 00000000 0000".repeat(2)],
    ["an OPT of another name", "0007 8000 0000 0000 0000 0001 01'a'00 0029 04d0 00000000 0000"],
    ["an option that does not end", "0007 8000 0000 0000 0000 0001 00 0029 04d0 00000000 0004 0003 0001"],
  ];
  for (const [what, hex] of wrong) assert.throws(() => decodeMessage(octets(hex)), WireError, what);
});

Deno.test("decodeMessage() takes names compressed in older types", () => {
  const { answer } = decodeMessage(octets(
    "0007 8000 0001 0001 0000 0000 | 03'www'07'example'03'org'00 0001 0001" +
      "c00c 0021 0001 0000012c 0008 0001 0002 0035 c00c",
  ));
  assert.deepEqual(answer.map(lineOf), ["www.example.org. 300 SRV 1 2 53 www.example.org."]);
});

Deno.test("makeQuery() asks plainly unless told otherwise", () => {
  assert.equal(makeQuery(1, NAME, TYPE.A).edns, undefined);
  const asked = makeQuery(1, "\0" as Name, TYPE.NS, { recursionDesired: true, edns: { dnssecOk: true } });
  assert.deepEqual(
    encodeMessage(asked),
    octets("0001 0100 0001 0000 0000 0001 | 00 0002 0001 | 00 0029 04d0 00008000 0000"),
  );
});
