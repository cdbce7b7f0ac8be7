import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { encodeClientSubnet } from "../../../core/dns/edns.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import {
  type Answer,
  type ClientSubnet,
  formatAddress,
  parseAddress,
  type QueryContext,
} from "../../../core/plugin.ts";
import type { ForwardRule, WrittenRule } from "../../../plugins/forward/config.ts";
import { Forwarder, forwardInTurn } from "../../../plugins/forward/forwarder.ts";
import { resolveAll, withAddresses } from "../../../plugins/forward/resolve.ts";
import { SYSTEM_SOCKETS } from "../../../plugins/forward/sockets.ts";
import { contextOf } from "../../support/context.ts";
import { type Asked, FakeUpstream, recordOf, replyTo, replyWith } from "./fake_upstream.ts";
import { ruleTo } from "./rule.ts";

/** It stands still, unless a fake moves it. */
const clock = new ManualClock();

function forwarderTo(fake: FakeUpstream, more: Partial<ForwardRule> = {}): Forwarder {
  return new Forwarder(ruleTo([fake.upstream], { attemptsMax: 1, maxFails: 0, ...more }), {
    clock,
    random: () => 0,
    sockets: SYSTEM_SOCKETS,
    count() {},
    observe() {},
  });
}

/** A behaviour: a reply without records. */
function replyRcode(rcode: number) {
  return ({ query, send }: Asked) => send(replyTo(query, [], { rcode }));
}

/** What several rules come to in turn, and how many were asked. */
async function inTurn(
  rules: readonly [behaviour: (asked: Asked) => unknown, rule: Partial<ForwardRule>][],
): Promise<{ answer: Answer; asked: number }> {
  const fakes = rules.map(([behaviour]) => new FakeUpstream(behaviour));
  try {
    const forwarders = rules.map(([, rule], i) => forwarderTo(fakes[i]!, rule));
    const answer = await forwardInTurn(forwarders, contextOf());
    return { answer, asked: fakes.filter(({ asked }) => asked.length > 0).length };
  } finally {
    for (const fake of fakes) await fake[Symbol.asyncDispose]();
  }
}

const good = replyWith("@ 60 A 192.0.2.1");
const { NXDOMAIN, REFUSED, SERVFAIL, NOERROR } = RCODE;

Deno.test("next asks the next rule for some RCODEs, and the last one's answer stands", async () => {
  const table: [Parameters<typeof inTurn>[0], rcode: number, asked: number][] = [
    [[[replyRcode(NXDOMAIN), { next: [NXDOMAIN] }], [good, {}]], NOERROR, 2],
    [[[replyRcode(NXDOMAIN), { next: [REFUSED] }], [good, {}]], NXDOMAIN, 1],
    [[[replyRcode(NXDOMAIN), { next: [NXDOMAIN] }], [replyRcode(REFUSED), { next: [REFUSED] }]], REFUSED, 2],
    [[[replyRcode(NOERROR), { nextOnNodata: true }], [replyRcode(NXDOMAIN), {}]], NXDOMAIN, 2],
    [[[replyRcode(NOERROR), { next: [NXDOMAIN] }], [replyRcode(NXDOMAIN), {}]], NOERROR, 1],
    [[[good, { nextOnNodata: true }], [replyRcode(NXDOMAIN), {}]], NOERROR, 1],
    [[[() => clock.advance(2000), { next: [SERVFAIL] }], [good, {}]], NOERROR, 2],
  ];
  for (const [i, [rules, rcode, asked]] of table.entries()) {
    const outcome = await inTurn(rules);
    assert.deepEqual([outcome.answer.rcode, outcome.asked], [rcode, asked], `row ${i}`);
  }
});

Deno.test("an answer is labelled with its upstream; a TTL that is too large is none", async () => {
  await using fake = new FakeUpstream(replyWith("@ 3000000000 A 192.0.2.1"));
  const { labels, answer } = await forwarderTo(fake).answer(contextOf());
  assert.deepEqual(labels, { "forward/upstream": `127.0.0.1:${fake.upstream.port}` });
  assert.equal(answer[0]!.ttl, 0);
});

/** A context with ECS. */
function telling(text: string, more: Partial<QueryContext> = {}): QueryContext {
  const [address, length] = text.split("/");
  const clientSubnet = { address: parseAddress(address!)!, sourcePrefixLength: Number(length) };
  return contextOf({
    edns: { version: 0, payloadSize: 1232, dnssecOk: false, options: [], clientSubnet },
    ...more,
  });
}

/** A behaviour that repeats the network asked for, or another, with a scope. */
function scoped(scopePrefixLength: number, other?: ClientSubnet) {
  return ({ query, send }: Asked) => {
    const subnet = other ?? query.edns?.clientSubnet;
    const options = subnet ? [encodeClientSubnet({ ...subnet, scopePrefixLength })] : [];
    return send(replyTo(query, ["@ 60 A 192.0.2.1"], {
      edns: { version: 0, payloadSize: 1232, dnssecOk: false, options },
    }));
  };
}

Deno.test("ecs pass tells upstream what the client told, and says for whom the answer holds", async () => {
  await using fake = new FakeUpstream(scoped(20));
  const { dependence } = await forwarderTo(fake, { passesSubnet: true }).answer(telling("192.0.2.0/24"));
  const subnet = fake.asked[0]!.query.edns!.clientSubnet!;
  assert.deepEqual([formatAddress(subnet.address), subnet.sourcePrefixLength], ["192.0.2.0", 24]);
  assert.deepEqual([dependence.scopePrefixLength, dependence.keys], [20, ["do", "cd", "tailored"]]);
});

Deno.test("a scope of 0 holds for any client, unless the client told nothing", async () => {
  await using fake = new FakeUpstream(scoped(0));
  const forwarder = forwarderTo(fake, { passesSubnet: true });
  const keysOf = async (context: QueryContext) => (await forwarder.answer(context)).dependence.keys;
  assert.deepEqual(await keysOf(telling("192.0.2.0/24")), ["do", "cd"]);
  assert.deepEqual(await keysOf(telling("0.0.0.0/0")), ["do", "cd", "tailored"]);
  assert.deepEqual(await keysOf(contextOf()), ["do", "cd", "tailored"]);
  assert.equal(fake.asked[1]!.query.edns!.clientSubnet!.sourcePrefixLength, 0);
  assert.equal(fake.asked[2]!.query.edns!.clientSubnet, undefined);
});

Deno.test("without ecs pass, or where ECS is off, upstream is told nothing", async () => {
  await using fake = new FakeUpstream(scoped(24));
  const { dependence } = await forwarderTo(fake).answer(telling("192.0.2.0/24"));
  await forwarderTo(fake, { passesSubnet: true }).answer(telling("192.0.2.0/24", { ecs: false }));
  assert.deepEqual(fake.asked.map(({ query }) => query.edns!.options), [[], []]);
  assert.deepEqual([dependence.scopePrefixLength, dependence.keys], [0, ["do", "cd"]]);
});

Deno.test("a subnet that a plugin above has set stands in the place of the client's", async () => {
  await using fake = new FakeUpstream();
  const set = encodeClientSubnet({ address: parseAddress("203.0.113.0")!, sourcePrefixLength: 24 });
  await forwarderTo(fake, { passesSubnet: true }).answer(telling("192.0.2.0/24", { passedOptions: [set] }));
  assert.deepEqual(fake.asked[0]!.query.edns!.options, [set]);
});

Deno.test("a reply for another network is ignored, and waiting goes on", async () => {
  const other = { address: parseAddress("198.51.100.0")!, sourcePrefixLength: 24 };
  await using fake = new FakeUpstream(async (asked) => {
    await scoped(24, other)(asked);
    await scoped(16)(asked);
  });
  const { dependence } = await forwarderTo(fake, { passesSubnet: true }).answer(telling("192.0.2.0/24"));
  assert.equal(dependence.scopePrefixLength, 16);
});

Deno.test("clients of different networks share no exchange where networks count", async () => {
  const gate = Promise.withResolvers<void>();
  await using fake = new FakeUpstream(async (asked) => (await gate.promise, await scoped(24)(asked)));
  const forwarder = forwarderTo(fake, { passesSubnet: true });
  const answers = ["192.0.2.0/24", "192.0.3.0/24", "192.0.2.0/24"].map((text) =>
    forwarder.answer(telling(text))
  );
  await fake.until(2);
  gate.resolve();
  await Promise.all(answers);
  assert.equal(fake.asked.length, 2);
});

function named(hostName: string, more: Partial<WrittenRule> = {}): WrittenRule {
  const upstreams = [{ protocol: "dns" as const, hostName, port: 5353 }];
  return { ...ruleTo([]), upstreams, resolvers: [], ...more };
}

const scope = { clock, sockets: SYSTEM_SOCKETS };

function addressesIn(rule: WrittenRule, resolved: Awaited<ReturnType<typeof resolveAll>>): string[] {
  return withAddresses(rule, resolved).upstreams.map(({ address, port }) =>
    `${formatAddress(address)} ${port}`
  );
}

Deno.test("a host name becomes its addresses: by the system", async () => {
  const rule = named("localhost");
  const resolved = await resolveAll([rule], scope);
  assert.ok(addressesIn(rule, resolved).includes("127.0.0.1 5353"));
  assert.deepEqual(structuredClone(resolved), resolved);
  assert.equal(withAddresses(rule, resolved).attemptsMax, 2 * addressesIn(rule, resolved).length);
});

Deno.test("a host name becomes its addresses: by the resolvers that are named", async () => {
  await using fake = new FakeUpstream(({ query, send }) => {
    const { type } = query.questions[0]!;
    const line = type === TYPE.A ? "a.example.org. 60 A 192.0.2.1" : "a.example.org. 60 AAAA 2001:db8::1";
    const answer = [recordOf("@ 60 CNAME a.example.org.", query), recordOf(line)];
    return send(replyTo(query, [], { answer }));
  });
  const rule = named("dns.example.org", { resolvers: [fake.upstream] });
  assert.deepEqual(addressesIn(rule, await resolveAll([rule], scope)), [
    "192.0.2.1 5353",
    "2001:db8::1 5353",
  ]);
});

Deno.test("a host name without an address keeps the server from starting, and says why", async () => {
  await using empty = new FakeUpstream(replyRcode(NXDOMAIN));
  await assert.rejects(
    resolveAll([named("no.example.org", { resolvers: [empty.upstream] })], scope),
    /forward: the upstream no\.example\.org has no address/,
  );
  await using dead = new FakeUpstream(() => {});
  const failing = resolveAll([named("no.example.org", { resolvers: [dead.upstream] })], scope);
  await dead.until(2);
  clock.advance(5000);
  await assert.rejects(failing, /cannot resolve the upstream no\.example\.org: 127\.0\.0\.1:\d+ timed out/);
});
