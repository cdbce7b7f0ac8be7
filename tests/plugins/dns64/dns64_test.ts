import assert from "node:assert/strict";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import {
  type Answer,
  emptyAnswer,
  formatAddress,
  formatName,
  parseAddress,
  parseName,
  parsePrefix,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import { answerer, type Dns64Config, parse } from "../../../plugins/dns64/mod.ts";
import { embed, extract, mapReverse } from "../../../plugins/dns64/translate.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { factsOf, parseScopeOf } from "../../support/scopes.ts";
import { countReply } from "../../support/tallied.ts";
import { linesOf, said, SOA } from "../cache/upstream.ts";

const OWN: Dns64Config = { prefix: parsePrefix("2001:db8:64::/96")!, translateAll: false, allowIpv4: false };
const V6 = { address: parseAddress("2001:db8::53")!, port: 5353 };

/** What comes of a query for AAAA records, `below` by type, and how often it was asked for each. */
async function ask(
  below: Partial<Record<"A" | "AAAA" | "PTR", Answer>>,
  { config = OWN, type = TYPE.AAAA, name = "www.example.org", ...more }:
    & { config?: Dns64Config; type?: number; name?: string }
    & Partial<Omit<QueryContext, "name">> = {},
) {
  const asked: string[] = [], counted: string[] = [];
  const context = contextOf(
    { source: V6, question: { name: parseName(name), type, class: 1 }, ...more },
    name,
  );
  const series = (name: string) => ({ record: () => void counted.push(name) });
  const plugin = answerer(config, { facts: factsOf(), series });
  const answer = await plugin.answer(context, ({ question }) => {
    const text = {
      [TYPE.A]: "A",
      [TYPE.AAAA]: "AAAA",
      [TYPE.PTR]: "PTR",
    }[question.type] as keyof typeof below;
    asked.push(text === "PTR" ? formatName(question.name) : text);
    return Promise.resolve(below[text] ?? said([], { authority: [SOA] }));
  });
  countReply(plugin, context, answer);
  return { answer, lines: linesOf(answer.answer), asked, counted };
}

const A = said(["www.example.org. 60 A 192.0.2.33"]);
const MADE = ["www.example.org. 60 IN AAAA 2001:db8:64::c000:221"];

Deno.test("a name without AAAA records gets them made of its A records", async () => {
  const { lines, asked, counted, answer } = await ask({ A });
  assert.deepEqual(lines, MADE);
  assert.deepEqual(asked, ["AAAA", "A"]);
  assert.deepEqual(counted, ["coredns_dns64_requests_translated_total"]);
  assert.deepEqual(answer.dependence.keys, ["do", "cd", "source"]);
  assert.equal(answer.momentary, true);
});

Deno.test("what is made of one answer of the moment and one of ours is of the moment", async () => {
  const ours = emptyAnswer(RCODE.NOERROR, { answer: A.answer });
  assert.equal((await ask({ A: ours })).answer.momentary, true);
  assert.equal((await ask({ A: ours, AAAA: emptyAnswer(RCODE.NOERROR) })).answer.momentary, undefined);
});

Deno.test("AAAA records that there are stand, unless all is to be translated", async () => {
  const AAAA = said(["www.example.org. 60 AAAA 2001:db8::1"]);
  const { lines, asked } = await ask({ A, AAAA });
  assert.deepEqual([lines, asked], [["www.example.org. 60 IN AAAA 2001:db8::1"], ["AAAA"]]);
  assert.deepEqual((await ask({ A, AAAA }, { config: { ...OWN, translateAll: true } })).lines, MADE);
});

Deno.test("IPv4-mapped addresses are no AAAA records", async () => {
  const mapped = said([
    "www.example.org. 60 AAAA ::ffff:192.0.2.1",
    "www.example.org. 60 AAAA 2001:db8::1",
  ]);
  assert.deepEqual((await ask({ A, AAAA: mapped })).lines, ["www.example.org. 60 IN AAAA 2001:db8::1"]);
  assert.deepEqual((await ask({ A, AAAA: said(["www.example.org. 60 AAAA ::ffff:192.0.2.1"]) })).lines, MADE);
});

Deno.test("clients over IPv4 get no translation, unless they may; both depends on the source", async () => {
  const source = { address: parseAddress("192.0.2.53")!, port: 5353 };
  const refused = await ask({ A }, { source });
  assert.deepEqual([refused.lines, refused.asked], [[], ["AAAA"]]);
  assert.ok(refused.answer.dependence.keys.includes("source"));
  assert.deepEqual((await ask({ A }, { source, config: { ...OWN, allowIpv4: true } })).lines, MADE);
});

Deno.test("who validates is given no forgery; who only wants signatures is", async () => {
  const edns = { version: 0, payloadSize: 1232, dnssecOk: true, options: [] };
  assert.deepEqual((await ask({ A }, { edns, checkingDisabled: true })).lines, []);
  assert.deepEqual((await ask({ A }, { checkingDisabled: true })).lines, MADE);
  const signed = said([
    "www.example.org. 60 A 192.0.2.33",
    "www.example.org. 60 RRSIG A 13 3 60 20261201000000 20261101000000 1 example.org. AAAA",
  ], { authenticData: true });
  const { lines, answer } = await ask({ A: signed }, { edns });
  assert.deepEqual([lines, answer.authenticData], [MADE, false]);
});

Deno.test("a name that does not exist stays so; any other failure counts as having none", async () => {
  const nxdomain = await ask({ A, AAAA: said([], { rcode: RCODE.NXDOMAIN, authority: [SOA] }) });
  assert.deepEqual([nxdomain.answer.rcode, nxdomain.asked], [RCODE.NXDOMAIN, ["AAAA"]]);
  assert.deepEqual((await ask({ A, AAAA: said([], { rcode: RCODE.SERVFAIL }) })).lines, MADE);
});

Deno.test("without A records the answer to AAAA stands as it was", async () => {
  const { answer, asked } = await ask({});
  assert.deepEqual([answer.rcode, answer.answer.length, linesOf(answer.authority).length], [0, 0, 1]);
  assert.deepEqual(asked, ["AAAA", "A"]);
  const failed = await ask({
    AAAA: said([], { rcode: RCODE.SERVFAIL }),
    A: said([], { rcode: RCODE.REFUSED }),
  });
  assert.equal(failed.answer.rcode, RCODE.SERVFAIL);
});

Deno.test("what was not said whole about A records is no denial of them", async () => {
  assert.equal((await ask({ A: emptyAnswer(0, { truncated: true }) })).answer.truncated, true);
  assert.equal((await ask({ A: emptyAnswer(0, { silent: true }) })).answer.silent, true);
});

Deno.test("that there is nothing to translate depends on the A records that were looked for", async () => {
  const deadline = { earliestMs: 5000, scheduledMs: Infinity, steady: false };
  const dependence = { scopePrefixLength: 24, deadline, keys: [] };
  const { answer } = await ask({ AAAA: emptyAnswer(RCODE.NOERROR), A: emptyAnswer(0, { dependence }) });
  assert.deepEqual(answer.dependence, { ...dependence, keys: ["source", "do", "cd"] });
  assert.equal(answer.momentary, undefined);
});

Deno.test("aliases stay, and the TTL is the least of A and of the denial", async () => {
  const long = said(["www.example.org. 7200 CNAME a.example.org.", "a.example.org. 7200 A 192.0.2.33"]);
  assert.deepEqual((await ask({ A: long })).lines, [
    "www.example.org. 7200 IN CNAME a.example.org.",
    "a.example.org. 900 IN AAAA 2001:db8:64::c000:221",
  ]);
  assert.match((await ask({ A: long, AAAA: said([]) })).lines[1]!, /^a\.example\.org\. 600 /);
});

Deno.test("what must wait for another isolate goes there", async () => {
  const deferred = emptyAnswer(RCODE.NOERROR, { deferred: true });
  assert.equal((await ask({ AAAA: deferred, A })).answer, deferred);
  assert.equal((await ask({ AAAA: said([]), A: deferred })).answer, deferred);
});

Deno.test("the well-known prefix stands for no address that means something else elsewhere", async () => {
  const config = { ...OWN, prefix: parsePrefix("64:ff9b::/96")! };
  const lines = async (address: string) =>
    (await ask({ A: said([`www.example.org. 60 A ${address}`]) }, { config })).lines;
  assert.deepEqual(await lines("192.88.99.1"), ["www.example.org. 60 IN AAAA 64:ff9b::c058:6301"]);
  for (const address of ["10.0.0.1", "192.168.1.1", "127.0.0.1", "192.0.2.1"]) {
    assert.deepEqual(await lines(address), [], address);
  }
});

/** RFC 6052 section 2.4. */
const forms: [prefix: string, address: string][] = [
  ["2001:db8::/32", "2001:db8:c000:221::"],
  ["2001:db8:100::/40", "2001:db8:1c0:2:21::"],
  ["2001:db8:122::/48", "2001:db8:122:c000:2:2100::"],
  ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"],
  ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"],
  ["2001:db8:122:344::/96", "2001:db8:122:344::c000:221"],
];
for (const [text, wanted] of forms) {
  Deno.test(`192.0.2.33 below ${text} is ${wanted}`, () => {
    const prefix = parsePrefix(text)!, ipv4 = parseAddress("192.0.2.33")!.octets;
    const octets = embed(prefix, ipv4);
    assert.equal(formatAddress({ family: 6, octets }), formatAddress(parseAddress(wanted)!));
    assert.deepEqual(extract(prefix, octets), ipv4);
  });
}

/** The reverse name of an address. */
function reverseName(text: string): string {
  const nibbles = Array.from(parseAddress(text)!.octets, (octet) => octet.toString(16).padStart(2, "0")).join(
    "",
  );
  return `${[...nibbles].reverse().join(".")}.ip6.arpa.`;
}

Deno.test("a reverse name below the prefix is an alias of the IPv4 address's", async () => {
  const name = reverseName("2001:db8:64::c000:221");
  const PTR = said(["33.2.0.192.in-addr.arpa. 60 PTR www.example.org."]);
  const { lines, asked } = await ask({ PTR }, { type: TYPE.PTR, name });
  assert.deepEqual(asked, ["33.2.0.192.in-addr.arpa."]);
  assert.deepEqual(lines, [
    `${name} 60 IN CNAME 33.2.0.192.in-addr.arpa.`,
    "33.2.0.192.in-addr.arpa. 60 IN PTR www.example.org.",
  ]);
});

Deno.test("mapReverse() leaves all other names alone", () => {
  const others = [
    reverseName("2001:db8:65::c000:221"),
    reverseName("2001:db8:64::c000:221").slice(2),
    `a.${reverseName("2001:db8:64::c000:221")}`,
    "33.2.0.192.in-addr.arpa.",
    "www.example.org.",
  ];
  for (const name of others) assert.equal(mapReverse(OWN.prefix, parseName(name)), undefined, name);
  const longer = mapReverse(parsePrefix("2001:db8::/32")!, parseName(reverseName("2001:db8:c000:221::1")));
  assert.equal(longer, undefined);
});

function read(text: string): { config: Dns64Config | undefined; problems: Problems } {
  const problems = new Problems();
  return { config: problems.attempt(() => parse(directivesOf(text), parseScopeOf({ problems }))), problems };
}

Deno.test("dns64 is read", () => {
  assert.deepEqual(read("dns64").config, {
    prefix: parsePrefix("64:ff9b::/96"),
    translateAll: false,
    allowIpv4: false,
  });
  assert.deepEqual(read("dns64 2001:db8::/32").config!.prefix, parsePrefix("2001:db8::/32"));
  assert.deepEqual(read("dns64 {\nprefix 2001:db8::/64\ntranslate_all\nallow_ipv4\n}").config, {
    prefix: parsePrefix("2001:db8::/64"),
    translateAll: true,
    allowIpv4: true,
  });
});

Deno.test("what is wrong in a dns64 is told where it stands", () => {
  const table: [text: string, message: RegExp, line: number, column: number][] = [
    ["dns64 2001:db8::/97", /32, 40, 48, 56, 64 or 96 bits.*got '2001:db8::\/97'/, 2, 7],
    ["dns64 192.0.2.0/24", /must be an IPv6 network/, 2, 7],
    ["dns64 2001:db8:0:0:ff00::/96", /bits 64 to 71 zero/, 2, 7],
    ["dns64 64:ff9b::/96 more", /takes no more here/, 2, 20],
    ["dns64 {\nprefix\n}", /prefix wants PREFIX/, 3, 1],
    ["dns64\ndns64", /stands twice/, 3, 1],
    ["dns64 {\ntranslateall\n}", /did you mean 'translate_all'\?/, 3, 1],
  ];
  for (const [text, message, line, column] of table) {
    const { errors } = read(text).problems;
    assert.equal(errors.length, 1, text);
    assert.match(errors[0]!.message, message);
    assert.deepEqual([errors[0]!.at.line, errors[0]!.at.column], [line, column], text);
  }
});
