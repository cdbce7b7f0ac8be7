import assert from "node:assert/strict";
import {
  type Answer,
  emptyAnswer,
  fold,
  INDEPENDENT,
  parseAddress,
  parseName,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import { typeFromText } from "../../../core/dns/types.ts";
import { answerer, parse } from "../../../plugins/acl/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, factsOf } from "../../support/scopes.ts";
import { countReply } from "../../support/tallied.ts";

const DONE = emptyAnswer(0, { authoritative: true });

function parsed(text: string) {
  const problems = new Problems();
  const sets = parse(directivesOf(text), { problems });
  return { sets, errors: problems.errors.map(({ message, at }) => `${at.line}:${at.column} ${message}`) };
}

/** Asks from an address for a name and a type, and tells what became of it. */
function asker(text: string, below: Answer = DONE) {
  const { sets, errors } = parsed(text);
  assert.deepEqual(errors, []);
  const counted: string[] = [];
  const series = (name: string, labels = {}) => ({
    record: () => void counted.push(`${name} ${Object.values(labels).join(" ")}`),
  });
  const plugin = answerer(sets, answerScopeOf({ series, facts: factsOf({ view: "v" }) }));
  const answerTo = (from: string, type = "A", name = "www.example.org", more: Partial<QueryContext> = {}) => {
    const context = contextOf({
      source: { address: parseAddress(from)!, port: 5353 },
      question: { name: parseName(name), type: typeFromText(type)!, class: 1 },
      name: fold(parseName(name)),
      ...more,
    });
    const answer = plugin.answer(context, () => below) as Answer;
    countReply(plugin, context, answer);
    return answer;
  };
  const ask = (...how: Parameters<typeof answerTo>) => {
    const answer = answerTo(...how);
    const code = answer.extendedErrors?.[0]?.infoCode;
    return answer.silent ? "drop" : answer.authoritative ? "allow" : `${answer.rcode} ${code}`;
  };
  return { ask, answerTo, counted };
}

const [BLOCK, FILTER] = ["5 15", "0 17"];

Deno.test("acl allows what no rule fits, blocks, filters and drops what one does", () => {
  const { ask } = asker(`acl {
    block net 192.0.2.0/24
    filter net 2001:db8::/32
    drop net 198.51.100.7
  }`);
  assert.equal(ask("203.0.113.1"), "allow");
  assert.equal(ask("192.0.2.1"), BLOCK);
  assert.equal(ask("2001:db8::1"), FILTER);
  assert.equal(ask("198.51.100.7"), "drop");
  assert.equal(ask("198.51.100.8"), "allow");
});

Deno.test("acl lets the first rule that fits decide", () => {
  const { ask } = asker("acl {\n allow net 192.0.2.128/25\n block net 192.0.2.0/24 2001:db8::/32\n}");
  assert.equal(ask("192.0.2.200"), "allow");
  assert.equal(ask("192.0.2.1"), BLOCK);
  assert.equal(ask("2001:db8::1"), BLOCK);
  const only = asker("acl {\n allow net 192.0.2.0/24\n block\n}");
  assert.equal(only.ask("192.0.2.1"), "allow");
  // In CoreDNS a rule without a network is for IPv4 alone.
  assert.equal(only.ask("2001:db8::1"), BLOCK);
});

Deno.test("acl fits types, in either order with networks, and * for all", () => {
  const { ask } = asker(
    "acl {\n BLOCK net 192.0.2.0/24 type A aaaa TYPE65280\n filter type ANY net *\n drop type * net 198.51.100.0/24\n}",
  );
  assert.equal(ask("192.0.2.1", "AAAA"), BLOCK);
  assert.equal(ask("192.0.2.1", "TYPE65280"), BLOCK);
  assert.equal(ask("192.0.2.1", "MX"), "allow");
  assert.equal(ask("192.0.2.1", "ANY"), FILTER);
  assert.equal(ask("198.51.100.1", "MX"), "drop");
});

Deno.test("acl looks at rules for zones only where the name is within them, and at the next acl when none fits", () => {
  const { ask } = asker(
    "acl a.example.org 192.0.2.0/24 {\n block net 192.0.2.0/24\n}\nacl {\n filter type MX\n}",
  );
  assert.equal(ask("192.0.2.1", "A", "x.A.example.org"), BLOCK);
  assert.equal(ask("192.0.2.1", "PTR", "1.2.0.192.in-addr.arpa"), BLOCK);
  assert.equal(ask("192.0.2.1", "A", "xa.example.org"), "allow");
  assert.equal(ask("203.0.113.1", "MX", "a.example.org"), FILTER);
});

Deno.test("acl stands for this machine and private networks by local", () => {
  const { ask } = asker("acl {\n allow net local\n block\n}");
  for (const local of ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.9.9", "::1", "fd00::1", "fe80::1"]) {
    assert.equal(ask(local), "allow", local);
  }
  for (const other of ["172.32.0.1", "192.0.2.1", "2001:db8::1", "::2"]) {
    assert.equal(ask(other), BLOCK, other);
  }
});

Deno.test("acl lets the bits past a network's length be, as CoreDNS does", () => {
  const { ask } = asker("acl {\n block net 192.0.2.1/24\n}");
  assert.deepEqual(["192.0.2.200", "192.0.3.1"].map((from) => ask(from)), [BLOCK, "allow"]);
});

Deno.test("acl judges the packet's source, not the client's network that it tells of", () => {
  const { ask } = asker("acl {\n block net 192.0.2.0/24\n}");
  const clientSubnet = { address: parseAddress("192.0.2.0")!, sourcePrefixLength: 24 };
  const edns = { version: 0, payloadSize: 1232, dnssecOk: false, clientSubnet, options: [] };
  assert.equal(ask("203.0.113.1", "A", "www.example.org", { edns }), "allow");
});

Deno.test("acl declares that the source mattered exactly where a rule looked at it", () => {
  const { answerTo } = asker("acl {\n block type MX\n filter type A net 192.0.2.0/24\n}");
  const keys = (...how: Parameters<typeof answerTo>) => answerTo(...how).dependence.keys;
  assert.deepEqual(keys("192.0.2.1", "MX"), []);
  assert.deepEqual(keys("192.0.2.1", "TXT"), []);
  assert.deepEqual(keys("192.0.2.1", "A"), ["source"]);
  assert.deepEqual(keys("203.0.113.1", "A"), ["source"]);
});

Deno.test("acl counts under CoreDNS's names, and not what is merely explained", () => {
  const { ask, counted } = asker("acl {\n block net 192.0.2.0/24\n}");
  ask("192.0.2.1");
  ask("203.0.113.1");
  ask("203.0.113.1", "A", "www.example.org", { record() {} });
  ask("203.0.113.1", "A", "www.example.org", { rehearsed: true });
  assert.deepEqual(counted, [
    "coredns_acl_blocked_requests_total dns://:53 example.org. v",
    "coredns_acl_allowed_requests_total dns://:53 example.org. v",
    "coredns_acl_allowed_requests_total dns://:53 example.org. v",
  ]);
});

Deno.test("acl leaves the counting of a query to whoever answers it", () => {
  const { answerTo, counted } = asker(
    "acl {\n allow net 192.0.2.0/24\n}",
    emptyAnswer(0, { deferred: true }),
  );
  assert.equal(answerTo("192.0.2.1").deferred, true);
  assert.deepEqual(counted, []);
});

Deno.test("parse() points at what is wrong, and reads on", () => {
  assert.deepEqual(parsed("acl").errors, [
    "2:1 acl: wants a block of rules, each allow, block, filter, drop",
  ]);
  const { errors, sets } = parsed(`acl {
    blok net 192.0.2.0/24
    block 192.0.2.0/24
    block net 192.0.2.0/33
    block type AAAAA
    block type
    allow net type A
    drop
  }`);
  assert.equal(sets[0]!.rules.length, 1);
  const wanted = [
    /^3:5 acl: a rule must begin with .*: got 'blok'; did you mean 'block'\?$/,
    /^4:11 acl: wanted 'type' or 'net': got '192.0.2.0\/24'$/,
    /^5:15 acl: NETWORK must be such as .*: got '192.0.2.0\/33'$/,
    /^6:16 acl: TYPE must be a record type or \*: got 'AAAAA'; did you mean 'AAAA'\?$/,
    /^7:11 acl: nothing stands behind 'type'$/,
    /^8:11 acl: nothing stands behind 'net'$/,
  ];
  assert.equal(errors.length, wanted.length);
  for (const [i, pattern] of wanted.entries()) assert.match(errors[i]!, pattern);
  assert.match(parsed("acl a..b {\n block\n}").errors[0]!, /^2:5 /);
});

Deno.test("acl keeps where an answer was decided, unless its zones divide the names that it stands for", () => {
  const decidedAt = (text: string) => {
    const name = parseName("example.org");
    const below = emptyAnswer(3, { dependence: { ...INDEPENDENT, decidedAt: { name } } });
    return asker(text, below).answerTo("192.0.2.1").dependence.decidedAt?.name;
  };
  assert.equal(decidedAt("acl {\n allow net 192.0.2.0/24\n}"), parseName("example.org"));
  assert.equal(decidedAt("acl example.org {\n allow net 192.0.2.0/24\n}"), parseName("example.org"));
  assert.equal(decidedAt("acl sub.example.org {\n block\n}"), undefined);
});
