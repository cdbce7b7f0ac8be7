import assert from "node:assert/strict";
import { type Decoded, decodeQuery, NO_QUESTION } from "../../../core/dns/query.ts";
import { type Name, parseName } from "../../../core/dns/name.ts";
import { rcodeToText } from "../../../core/dns/types.ts";
import { octets } from "./records.ts";

const QUESTION = "03'WwW'07'example'03'org'00 0001 0001";
const OPT = "00 0029 04d0 00 00 8000 0000";

/** A header with RD: `header(qd, an, ns, ar)`. */
function header(...counts: number[]): string {
  return "1234 0100" + counts.map((count) => count.toString(16).padStart(4, "0")).join("");
}

function opt(options: string, fixed = "00 0029 04d0 00 00 0000"): string {
  return fixed + octets(options).length.toString(16).padStart(4, "0") + options;
}

/** `query`, `drop`, or the RCODE. */
function outcome(hex: string): string {
  const decoded = decodeQuery(octets(hex));
  return decoded.kind === "error" ? rcodeToText(decoded.rcode) : decoded.kind;
}

function decoded(hex: string): Exclude<Decoded, { kind: "drop" }> {
  const found = decodeQuery(octets(hex));
  assert.ok(found.kind !== "drop");
  return found;
}

Deno.test("decodeQuery() reads a plain query, its name as it came", () => {
  assert.deepEqual(decodeQuery(octets("1234 0130 0001 0000 0000 0000" + QUESTION)), {
    kind: "query",
    id: 0x1234,
    opcode: 0,
    recursionDesired: true,
    authenticData: true,
    checkingDisabled: true,
    question: { name: parseName("WwW.example.org."), type: 1, class: 1 },
    folded: parseName("www.example.org."),
    edns: undefined,
  });
});

Deno.test("decodeQuery() reads EDNS and keeps options in order", () => {
  const { edns } = decoded(
    header(1, 0, 0, 1) + QUESTION + opt("0003 0000 | 0008 0007 0001 18 00 c00002", "00 0029 1000 00 00 8000"),
  );
  assert.deepEqual(edns, {
    version: 0,
    payloadSize: 4096,
    dnssecOk: true,
    clientSubnet: { address: { family: 4, octets: octets("c0000200") }, sourcePrefixLength: 24 },
    options: [{ code: 3, data: octets("") }, { code: 8, data: octets("0001 18 00 c00002") }],
  });
});

Deno.test("decodeQuery() keeps nothing of the packet's octets", () => {
  const packet = octets(header(1, 0, 0, 1) + QUESTION + opt("0008 0007 0001 18 00 c00002"));
  const before = decodeQuery(packet), text = JSON.stringify(before);
  packet.fill(0xff);
  assert.equal(JSON.stringify(before), text);
});

Deno.test("decodeQuery() drops responses and what is no header", () => {
  for (const hex of ["", "1234", "1234 0100 0001 0000 0000 00", "1234 8100 0001 0000 0000 0000" + QUESTION]) {
    assert.equal(outcome(hex), "drop");
  }
});

Deno.test("decodeQuery() says NOTIMP to every opcode but QUERY, sound or not", () => {
  for (let opcode = 1; opcode < 16; opcode++) {
    const flags = (opcode << 3 | 1).toString(16).padStart(2, "0") + "00";
    const found = decoded(`1234 ${flags} 0001 0000 0000 0000` + QUESTION);
    assert.equal(found.kind === "error" && found.rcode, 4);
    assert.equal(found.opcode, opcode);
    assert.equal(found.question?.type, 1);
    assert.equal(outcome(`1234 ${flags} 0001 0000 0000 0000`), "NOTIMP");
    assert.equal(outcome(`1234 ${flags} 0000 0000 0000 0000`), "NOTIMP");
  }
});

Deno.test("decodeQuery() says FORMERR to what is malformed, and still tells header, question and OPT where it can", () => {
  const malformed: [string, string][] = [
    ["no question", header(0, 0, 0, 0)],
    ["two questions", header(2, 0, 0, 0) + QUESTION + QUESTION],
    ["a question cut in the name", header(1, 0, 0, 0) + "03'ww'"],
    ["a question cut behind the name", header(1, 0, 0, 0) + "00 0001 00"],
    ["a pointer in the question", header(1, 0, 0, 0) + "c00c 0001 0001"],
    ["a pointer into the header", header(1, 0, 0, 0) + "c004 0001 0001"],
    ["a reserved label type", header(1, 0, 0, 0) + "4100 0001 0001"],
    [
      "a name of 256 octets",
      header(1, 0, 0, 0) + ("3f" + "61".repeat(63)).repeat(3) + "3e" + "61".repeat(62) + "00 0001 0001",
    ],
    ["a record that is not there", header(1, 0, 0, 1) + QUESTION],
    ["a record cut in its RDATA", header(1, 0, 0, 1) + QUESTION + "00 0001 0001 00000000 0004 c00002"],
    ["a record whose name points at itself", header(1, 0, 0, 1) + QUESTION + "c021 0001 0001 00000000 0000"],
    ["two OPTs", header(1, 0, 0, 2) + QUESTION + OPT + OPT],
    ["an OPT in the answer section", header(1, 1, 0, 0) + QUESTION + OPT],
    ["an OPT in the authority section", header(1, 0, 1, 0) + QUESTION + OPT],
    ["an OPT of another owner than the root", header(1, 0, 0, 1) + QUESTION + "01'a'" + OPT],
    ["an OPT of the root by a pointer", header(1, 0, 0, 1) + QUESTION + "c01c" + OPT.slice(2)],
    ["an option past its OPT", header(1, 0, 0, 1) + QUESTION + opt("0003 0001")],
    ["an ECS option with a scope", header(1, 0, 0, 1) + QUESTION + opt("0008 0007 0001 18 10 c00002")],
    ["an ECS option of wrong length", header(1, 0, 0, 1) + QUESTION + opt("0008 0006 0001 18 00 c000")],
    ["two ECS options", header(1, 0, 0, 1) + QUESTION + opt("0008 0004 0001 0000 0008 0004 0001 0000")],
  ];
  for (const [what, hex] of malformed) assert.equal(outcome(hex), "FORMERR", what);

  const bad = decoded(header(1, 0, 0, 1) + QUESTION + opt("0008 0006 0001 18 00 c000"));
  assert.equal(bad.id, 0x1234);
  assert.equal(bad.recursionDesired, true);
  assert.equal(bad.question?.name, parseName("WwW.example.org."));
  assert.deepEqual(bad.edns, { version: 0, payloadSize: 1232, dnssecOk: false, options: [] });
  assert.equal(decoded(header(1, 0, 0, 2) + QUESTION + OPT + OPT).edns?.dnssecOk, true);
  assert.equal(decoded(header(2, 0, 0, 1) + QUESTION + QUESTION + OPT).edns?.dnssecOk, true);
  assert.equal(decoded(header(2, 0, 0, 0) + QUESTION + QUESTION).question, undefined);
});

Deno.test("decodeQuery() says BADVERS to EDNS versions above 0, options unread", () => {
  const hex = header(1, 0, 0, 1) + QUESTION + opt("0008 0001 00", "00 0029 04d0 00 01 8000");
  assert.equal(outcome(hex), "BADVERS");
  assert.deepEqual(decoded(hex).edns, { version: 1, payloadSize: 1232, dnssecOk: true, options: [] });
});

Deno.test("decodeQuery() tolerates what other servers do", () => {
  assert.equal(outcome(header(1, 0, 0, 0) + QUESTION + "ffff"), "query", "octets behind the message");
  assert.equal(outcome("1234 0200 0001 0000 0000 0000" + QUESTION), "query", "TC");
  assert.equal(outcome("1234 0003 0001 0000 0000 0000" + QUESTION), "query", "an RCODE");
  assert.equal(outcome(header(1, 0, 0, 1) + QUESTION + opt("0008 0004 0000 0000")), "query", "ECS family 0");
  assert.equal(outcome(header(1, 0, 0, 1) + QUESTION + "00 0029 0001 05 00 7fff 0000"), "query", "Z bits");
  assert.equal(
    outcome(header(1, 0, 1, 1) + QUESTION + "c00c 0006 0001 00000000 0000" + OPT),
    "query",
    "a record, as IXFR has, before the OPT",
  );
});

Deno.test("decodeQuery() keeps every octet of a label", () => {
  const { question } = decoded(header(1, 0, 0, 0) + "04 00 2e 92 c0 00 ff00 00ff");
  assert.deepEqual(question, { name: "\x04\x00.\x92\xc0\x00" as Name, type: 0xff00, class: 255 });
});

Deno.test("decodeQuery() takes a name of 255 octets", () => {
  const longest = ("3f" + "61".repeat(63)).repeat(3) + "3d" + "61".repeat(61) + "00";
  assert.equal(outcome(header(1, 0, 0, 0) + longest + "0001 0001"), "query");
});

Deno.test("decodeQuery() takes a query that asks for nothing but a cookie (RFC 7873 section 5.4), and no other of none", () => {
  const cookie = "000a 0008 0102030405060708";
  const greeting = decoded(header(0, 0, 0, 1) + opt(cookie));
  assert.deepEqual([greeting.kind, greeting.question], ["query", NO_QUESTION]);
  assert.equal(outcome(header(0, 0, 0, 1) + opt("0003 0000")), "FORMERR");
  assert.equal(outcome(header(0, 0, 0, 0)), "FORMERR");
  assert.equal(outcome(header(0, 0, 0, 1) + opt(cookie + "0008 0003 000118")), "FORMERR");
  assert.equal(outcome(header(2, 0, 0, 1) + QUESTION + QUESTION + opt(cookie)), "FORMERR");
  assert.equal(outcome("1234 2000 0000 0000 0000 0001" + opt(cookie)), "NOTIMP");
});
