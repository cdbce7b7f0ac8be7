import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import {
  type Answer,
  emptyAnswer,
  parseAddress,
  parseName,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import rewrite, { answerRewritten } from "../../../plugins/rewrite/mod.ts";
import { parseRules } from "../../../plugins/rewrite/parse.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

Deno.test("rewrite refuses what CoreDNS refuses, with the place", () => {
  const table: [text: string, message: string][] = [
    ["rewrite", "2:1 Wrong argument count or unexpected line ending after 'rewrite': rewrite wants FIELD"],
    ["rewrite foo", "2:9 rewrite: FIELD must be name, type, class, edns0, ttl, cname or rcode: got 'foo'"],
    ["rewrite name", "2:9 Wrong argument count or unexpected line ending after 'name': rewrite wants STRING"],
    [
      "rewrite name a.com",
      "2:14 Wrong argument count or unexpected line ending after 'a.com': rewrite wants TO",
    ],
    [
      "rewrite name a.com b.com c.com",
      "2:14 rewrite: TYPE must be exact, prefix, suffix, substring or regex: got 'a.com'",
    ],
    [
      "rewrite name sufix a.com b.com",
      "2:14 rewrite: TYPE must be exact, prefix, suffix, substring or regex: got 'sufix'; did you mean 'suffix'?",
    ],
    [
      "rewrite name regex ([a]\\.com new-{1}.com",
      "2:29 rewrite: a '(' is never closed, at character 10 of '([a]\\.com'",
    ],
    ["rewrite name regex a new-{1}.com", "2:22 rewrite: 'a' has no group for {1}: it has 0"],
    [
      "rewrite name exact a.com b.com too.many",
      "2:32 Wrong argument count or unexpected line ending after 'too.many': rewrite takes no more here",
    ],
    [
      "rewrite name regex a b answer ttl c d",
      "2:31 rewrite: the kind of an answer rule must be auto, name or value: got 'ttl'",
    ],
    [
      "rewrite name suffix a b answer auto name c d",
      "2:37 rewrite: answer auto and answer name exclude each other",
    ],
    ["rewrite answer name a b", "2:9 rewrite: an answer rule must follow a name rule"],
    [
      "rewrite type any a a",
      "2:20 Wrong argument count or unexpected line ending after 'a': rewrite takes no more here",
    ],
    ["rewrite type XY A", "2:14 rewrite: FROM must be a type such as A: got 'XY'"],
    ["rewrite class XY IN", "2:15 rewrite: FROM must be a class, IN, CH or HS: got 'XY'"],
    [
      "rewrite ttl a.com -",
      "2:19 rewrite: TTL must be seconds or a range of them, such as 30, 30-300, 30- or -300: got '-'",
    ],
    [
      "rewrite ttl a.com 300-30",
      "2:19 rewrite: TTL must be seconds or a range of them, such as 30, 30-300, 30- or -300: got '300-30'",
    ],
    [
      "rewrite ttl a.com 1h",
      "2:19 rewrite: TTL must be seconds or a range of them, such as 30, 30-300, 30- or -300: got '1h'",
    ],
    [
      "rewrite rcode a.com SERVFAL NOERROR",
      "2:21 rewrite: an RCODE must be a name such as NXDOMAIN, or 0 to 23: got 'SERVFAL'; did you mean 'SERVFAIL'?",
    ],
    [
      "rewrite rcode a.com 0 24",
      "2:23 rewrite: an RCODE must be a name such as NXDOMAIN, or 0 to 23: got '24'",
    ],
    ["rewrite edns0 loc set 0xffee a", "2:15 rewrite: the option must be local, nsid or subnet: got 'loc'"],
    [
      "rewrite edns0 local put 0xffee a",
      "2:21 rewrite: the action must be set, replace, append or unset: got 'put'",
    ],
    [
      "rewrite edns0 local set 0xfffff a",
      "2:25 rewrite: CODE must be from 0 to 65535, or 0x0 to 0xffff: got '0xfffff'",
    ],
    [
      "rewrite edns0 local set 0xffee 0x123",
      "2:32 rewrite: DATA must have pairs of hexadecimal digits behind 0x: got '0x123'",
    ],
    ["rewrite edns0 local set 0xffee {dummy}", "2:32 rewrite: DATA has no variable '{dummy}'"],
    ["rewrite edns0 subnet set 33 56", "2:26 rewrite: the length for IPv4 must be from 0 to 32: got '33'"],
    [
      "rewrite edns0 local unset 0xffee x",
      "2:34 Wrong argument count or unexpected line ending after 'x': rewrite takes no more here",
    ],
    [
      "rewrite stop name a b {\n answer auto\n}",
      "3:2 rewrite: a rule stands on its line or in the block, not in both",
    ],
  ];
  for (const [text, message] of table) {
    const problems = new Problems();
    parseRules(directivesOf(text), problems);
    const [error] = problems.errors;
    assert(error, text);
    const found = `${formatPosition(error.at)} ${error.message}`.replace("Corefile:", "");
    assert(found.startsWith(message), found);
  }
});

Deno.test("rewrite reads on one line and in a block alike", () => {
  const read = (text: string) => {
    const problems = new Problems();
    const rules = parseRules(directivesOf(text), problems);
    assert.deepEqual(problems.errors, []);
    return rules;
  };
  assert.deepEqual(
    read("rewrite continue {\n name REGEX a(b) c{1}\n answer value d e\n}"),
    read("rewrite Continue name regex a(b) c{1} answer value d e"),
  );
  const [rule] = read("rewrite edns0 local set 65518 {qname} revert");
  assert.deepEqual(rule, {
    proceeds: false,
    field: "edns0",
    option: "local",
    action: "set",
    code: 0xffee,
    data: { variable: "qname" },
    revert: true,
  });
  // What a worker is handed.
  assert.deepEqual(structuredClone(read("rewrite name regex a b")), read("rewrite name regex a b"));
});

/** The query as it goes down. */
function passedOn(
  rule: string,
  context: QueryContext,
): { seen: QueryContext; keys: readonly string[]; scope: number } {
  let seen = context;
  const rules = rewrite.parse(directivesOf(rule), { problems: new Problems() } as any);
  const answer = answerRewritten(rules, context, (context) => (seen = context, emptyAnswer(0)));
  if (answer instanceof Promise) throw new Error("it waits");
  return { seen, keys: answer.dependence.keys, scope: answer.dependence.scopePrefixLength };
}

Deno.test("rewrite edns0 fills options with the query's properties, and says what it looked at", () => {
  const data = (variable: string, more: Partial<QueryContext> = {}) => {
    const { seen, keys, scope } = passedOn(`rewrite edns0 local set 0xffee {${variable}}`, contextOf(more));
    return [seen.edns!.options.map(({ data }) => data.toHex()).join(), ...keys, scope];
  };
  const hex = (text: string) => new TextEncoder().encode(text).toHex();
  assert.deepEqual(data("qname"), [hex("WWW.example.org."), "port", 0]);
  assert.deepEqual(data("qtype"), ["0001", 0]);
  assert.deepEqual(data("client_ip"), ["c0000235", "source", 0]);
  assert.deepEqual(data("client_port"), ["c647", "port", 0]);
  assert.deepEqual(data("protocol"), [hex("udp"), "transport", 0]);
  assert.deepEqual(data("server_ip"), ["20010db8000000000000000000000001", "server", 0]);
  assert.deepEqual(data("server_port"), ["0035", "server", 0]);
  const label = (name: string) => ({ "geoip/country/code": "NL", "geo/network": "192.0.2.0/24" })[name];
  assert.deepEqual(data("geoip/country/code", { label }), [hex("NL"), "tailored", 24]);
  assert.deepEqual(data("geoip/country/code"), ["", 0]);
  const elsewhere = (name: string) => name === "geo/network" ? "192.0.2.0/24" : undefined;
  assert.deepEqual(data("geoip/country/code", { label: elsewhere }), ["", "tailored", 24]);
});

Deno.test("rewrite edns0 subnet cuts the source's address", () => {
  const subnetOf = (rule: string, context: QueryContext) => {
    const { seen, keys } = passedOn(rule, context);
    const subnet = seen.edns?.clientSubnet;
    return [subnet?.address.octets.toHex(), subnet?.sourcePrefixLength, ...keys];
  };
  assert.deepEqual(subnetOf("rewrite edns0 subnet set 24 56", contextOf()), ["c0000200", 24, "source"]);
  const source = { address: parseAddress("2001:db8:1:2ff::1")!, port: 1 };
  assert.deepEqual(subnetOf("rewrite edns0 subnet append 24 56", contextOf({ source })), [
    "20010db8000102000000000000000000",
    56,
    "source",
  ]);
  assert.deepEqual(subnetOf("rewrite edns0 subnet replace 24 56", contextOf()), [undefined, undefined]);
  const { edns: _, ...plain } = contextOf();
  assert.deepEqual(passedOn("rewrite edns0 subnet set 24 56", plain).seen.edns?.payloadSize, 1232);
  const asked = passedOn("rewrite edns0 subnet set 0 0", contextOf()).seen;
  assert.deepEqual(passedOn("rewrite edns0 subnet unset", asked).seen.edns?.clientSubnet, undefined);
  assert.deepEqual(passedOn("rewrite edns0 nsid set", contextOf()).seen.edns?.options, [{
    code: 3,
    data: new Uint8Array(),
  }]);
});

Deno.test("rewrite hands on that a new target must be waited for", () => {
  const rules = rewrite.parse(
    directivesOf("rewrite cname a.example b.example"),
    { problems: new Problems() } as any,
  );
  const rdata = Uint8Array.from(parseName("a.example"), (octet) => octet.charCodeAt(0));
  const alias = { name: parseName("www.example.org"), type: 5, ttl: 60, rdata: [rdata] };
  const answer = answerRewritten(
    rules,
    contextOf(),
    ({ name }) =>
      name === parseName("b.example")
        ? emptyAnswer(5, { deferred: true })
        : emptyAnswer(0, { answer: [alias] }),
  );
  assert.equal((answer as Answer).deferred, true);
});

Deno.test("rewrite finishes an answer that comes later", async () => {
  const rules = rewrite.parse(
    directivesOf("rewrite rcode suffix . REFUSED NXDOMAIN"),
    { problems: new Problems() } as any,
  );
  const answer = await answerRewritten(rules, contextOf(), () => Promise.resolve(emptyAnswer(5)));
  assert.equal(answer.rcode, 3);
});
