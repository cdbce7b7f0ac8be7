import assert from "node:assert/strict";
import { ALIASES_MAX, Resolver, type ResolverOptions } from "../../../core/bootstrap/resolver.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { recordOf } from "../../plugins/forward/fake_upstream.ts";
import { type Dns, FakeNetwork, zoneOf } from "./fake_network.ts";

/** Resolves the A records of a name. @returns The addresses and TTL, or what went wrong. */
async function resolved(network: FakeNetwork, name: string, more: Partial<ResolverOptions> = {}) {
  const resolver = new Resolver({
    resolvers: ["192.0.2.1", "192.0.2.2"].map((address) => ({ address, port: 53 })),
    ...{ race: false, timeoutMs: 1000, rounds: 2, mixCase: true, io: network.io },
    signal: new AbortController().signal,
    ...more,
  });
  const said = await network.run(
    resolver.resolve(parseName(name), TYPE.A).then(
      ({ records, ttl }) => `${records.map(({ rdata }) => rdata.join(".")).join(" ")} ${ttl}`.trim(),
      (error) => (error as Error).message,
    ),
  );
  return { said, asked: resolver.asked, resolver };
}

/** Resolvers that do different things. */
const each = (by: Record<string, Dns>): Dns => (query, to) => by[to.split(":")[0]!]?.(query, to);

const zone = zoneOf("a.example.org 60 A 192.0.2.10");

Deno.test("resolve() gives a name's records with the least of their TTLs", async () => {
  const network = new FakeNetwork(zoneOf("a.example.org 60 A 192.0.2.10", "a.example.org 30 A 192.0.2.11"));
  assert.equal((await resolved(network, "a.example.org")).said, "192.0.2.10 192.0.2.11 30");
  assert.deepEqual(network.queries, ["A a.example.org. to 192.0.2.1:53"]);
});

Deno.test("resolve() gives nothing for a name that is not, or has other records", async () => {
  const network = new FakeNetwork(zoneOf("b.example.org 60 AAAA 2001:db8::1"));
  assert.equal((await resolved(network, "a.example.org")).said, "Infinity");
  assert.equal((await resolved(network, "b.example.org")).said, "Infinity");
});

Deno.test("resolve() asks the next resolver when one is silent or of no use, and that one first from then on", async () => {
  const network = new FakeNetwork(each({ "192.0.2.2": zone }));
  const { said, resolver } = await resolved(network, "a.example.org");
  assert.equal(said, "192.0.2.10 60");
  assert.deepEqual(resolver.asked.map(({ resolver, outcome }) => `${resolver} ${outcome}`), [
    "192.0.2.1:53 no answer within 1000 ms",
    "192.0.2.2:53 NOERROR, 1 record by UDP",
  ]);
  await network.run(resolver.resolve(parseName("a.example.org"), TYPE.A));
  assert.equal(network.queries.at(-1), "A a.example.org. to 192.0.2.2:53");
  assert.equal(network.queries.length, 3);
});

Deno.test("resolve() takes the first good reply in a race, and closes the others' sockets", async () => {
  const network = new FakeNetwork(each({ "192.0.2.1": () => ({ rcode: 2 }), "192.0.2.2": zone }));
  assert.equal((await resolved(network, "a.example.org", { race: true })).said, "192.0.2.10 60");
  assert.equal(network.queries.length, 2);
  const silent = new FakeNetwork(each({ "192.0.2.2": zone }));
  const startMs = silent.clock.nowMs();
  assert.equal((await resolved(silent, "a.example.org", { race: true })).said, "192.0.2.10 60");
  assert.equal(silent.clock.nowMs() - startMs, silent.dnsLatencyMs);
  assert.equal(silent.open, 0);
});

Deno.test("resolve() says of each resolver why it was of no use, after asking each as often as it may", async () => {
  for (const race of [false, true]) {
    const network = new FakeNetwork(each({ "192.0.2.1": () => ({ rcode: 5 }) }));
    const { said, asked } = await resolved(network, "a.example.org", { race });
    assert.equal(
      said,
      "A a.example.org.: 192.0.2.1:53 said REFUSED; 192.0.2.2:53 no answer within 1000 ms",
    );
    assert.equal(asked.length, 4);
  }
});

Deno.test("resolve() follows aliases within a reply, and asks for what a reply leaves out", async () => {
  const lines = ["a.example.org 90 CNAME B.example.org", "b.example.org 20 CNAME c.example.net"];
  const whole: Dns = () => ({
    answer: [...lines, "c.example.net 60 A 192.0.2.12"].map((line) => recordOf(line)),
  });
  const atOnce = new FakeNetwork(whole);
  assert.equal((await resolved(atOnce, "a.example.org")).said, "192.0.2.12 20");
  assert.equal(atOnce.queries.length, 1);
  const inSteps = new FakeNetwork(zoneOf(...lines, "c.example.net 60 A 192.0.2.12"));
  assert.equal((await resolved(inSteps, "a.example.org")).said, "192.0.2.12 20");
  assert.equal(inSteps.queries.length, 3);
});

Deno.test("resolve() follows so many aliases and no more, and no circle for ever", async () => {
  const chain = (length: number) =>
    zoneOf(
      ...Array.from({ length }, (_, i) => `n${i}.example.org 60 CNAME n${i + 1}.example.org`),
      `n${length}.example.org 60 A 192.0.2.13`,
    );
  assert.equal((await resolved(new FakeNetwork(chain(ALIASES_MAX)), "n0.example.org")).said, "192.0.2.13 60");
  const says = "n0.example.org.: more than 8 aliases in a row";
  assert.equal((await resolved(new FakeNetwork(chain(ALIASES_MAX + 1)), "n0.example.org")).said, says);
  const circle = ["n0.example.org 60 CNAME n1.example.org", "n1.example.org 60 CNAME n0.example.org"];
  assert.equal((await resolved(new FakeNetwork(zoneOf(...circle)), "n0.example.org")).said, says);
  const atOnce = new FakeNetwork(() => ({ answer: circle.map((line) => recordOf(line)) }));
  assert.equal((await resolved(atOnce, "n0.example.org")).said, says);
});

Deno.test("resolve() uses no record of a reply that belongs to another name, type or class", async () => {
  const network = new FakeNetwork(() => ({
    answer: [
      recordOf("evil.example.net 60 A 203.0.113.66"),
      recordOf("a.example.org 60 AAAA 2001:db8::66"),
      { ...recordOf("a.example.org 60 A 203.0.113.67"), class: 3 },
      recordOf("A.EXAMPLE.org 60 A 192.0.2.10"),
      recordOf("a.example.org 60 A 192.0.2.10"),
    ],
  }));
  assert.equal((await resolved(network, "a.example.org")).said, "192.0.2.10 60");
});

Deno.test("resolve() takes a TTL with its first bit set for none", async () => {
  const network = new FakeNetwork(zoneOf("a.example.org 3000000000 A 192.0.2.10"));
  assert.equal((await resolved(network, "a.example.org")).said, "192.0.2.10 0");
});
