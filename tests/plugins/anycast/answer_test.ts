import assert from "node:assert/strict";
import { formatRdata } from "../../../core/dns/rdata.ts";
import { typeToText } from "../../../core/dns/types.ts";
import { makePartition } from "../../../core/fleet/partition.ts";
import type { PoolPolicy, PoolState } from "../../../core/fleet/pool.ts";
import {
  type Answer,
  type Decision,
  emptyAnswer,
  formatName,
  INDEPENDENT,
  type Next,
  parseAddress,
  parseName,
  type QueryContext,
  type RRset,
  type Selection,
} from "../../../core/plugin.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import anycast from "../../../plugins/anycast/mod.ts";
import {
  CITIES,
  deadlines,
  geography,
  node,
  NOW_MS,
  POOL,
  pool,
  snapshot,
  verdicts,
} from "../../core/fleet/make.ts";
import { answerScope, factsOf, Journal, queryOf, readAnycast } from "./scopes.ts";

const LON = node("lon", CITIES.london, { ipv4: "192.0.2.1", ipv6: "2001:db8::1" }),
  FRA = node("fra", CITIES.frankfurt, { ipv4: "192.0.2.2" }),
  SYD = node("syd", CITIES.sydney, { ipv4: "192.0.2.3", ipv6: "2001:db8::3" });
const ALL = [LON, FRA, SYD];

const WORLD = geography([CITIES.paris, CITIES.sydney], {
  "198.51.0.0/16": 1,
  "202.0.0.0/8": 2,
  "203.0.0.0/8": 2,
  "10.0.0.0/8": "private",
  "2001:db8:1::/48": 1,
});

const { config: CONFIG, owned: OWNED } = readAnycast("anycast www.example.org {\nnodes nodes.yaml\n}");

/** Asks the plugin alone, over a zone that it must make up. */
function ask(
  shot: Snapshot,
  more: Parameters<typeof queryOf>[3] & { type?: number; owner?: string } = {},
  partitions: Snapshot["partitions"] = {},
) {
  const journal = new Journal();
  const { type = 1, owner = "www.example.org", ...query } = more;
  const plugin = anycast.answerer(CONFIG, answerScope(factsOf(OWNED), { world: WORLD, journal }));
  const context = queryOf(owner, type, { ...shot, partitions }, { world: WORLD, ...query });
  const answer = plugin.answer(context, () => assert.fail("nothing lies below")) as Answer;
  const sent = { octets: 0, flags: 0, plugin: "anycast", durationMs: 0 };
  for (const { series, value } of plugin.tallies!(context, answer, sent)) series.record(value);
  return { answer, journal };
}

function fleet(
  policy: Partial<PoolPolicy> = {},
  states: Parameters<typeof verdicts>[1] = {},
  state: Partial<PoolState> = {},
) {
  return snapshot([pool(ALL, { answers: 2, ...policy }, state)], { verdicts: verdicts(ALL, states) });
}

function lines(rrsets: readonly RRset[]): string[] {
  return rrsets.flatMap(({ name, type, ttl, rdata }) =>
    rdata.map((octets) => `${formatName(name)} ${ttl} ${typeToText(type)} ${formatRdata(type, octets)}`)
  );
}

const PARIS = { subnet: "198.51.100.0/24" }, SYDNEY = { subnet: "203.0.113.0/24" };

Deno.test("anycast fills the RRset of a pool with the nearest nodes' addresses, nearest first", () => {
  const { answer } = ask(fleet(), PARIS);
  assert.deepEqual(lines(answer.answer), [
    "www.example.org. 60 A 192.0.2.1",
    "www.example.org. 60 A 192.0.2.2",
  ]);
  assert.deepEqual(lines(ask(fleet(), SYDNEY).answer.answer)[0], "www.example.org. 60 A 192.0.2.3");
  const [{ distanceKmFrom, ...selection }] = answer.selections as [Selection];
  assert.deepEqual(selection, {
    pool: POOL,
    nodes: ["lon", "fra"],
    why: "nearest",
    distanceKm: 343.556,
  });
  assert.equal(distanceKmFrom!({ latitude: 48.8566, longitude: 2.3522 }), 343.556);
  assert.equal(answer.authoritative, true);
});

Deno.test("anycast fills AAAA with the nodes that have such an address", () => {
  const { answer } = ask(fleet(), { ...PARIS, type: 28 });
  assert.deepEqual(lines(answer.answer), [
    "www.example.org. 60 AAAA 2001:db8::1",
    "www.example.org. 60 AAAA 2001:db8::3",
  ]);
});

Deno.test("anycast keeps the case of the name, and gives an address once", () => {
  const twins = snapshot([pool([LON, { ...FRA, ipv4: "192.0.2.1" }, SYD], { answers: 2 })]);
  const { answer } = ask(twins, { ...PARIS, owner: "WWW.example.org" });
  assert.deepEqual(lines(answer.answer), ["www.example.org. 60 A 192.0.2.1"]);
});

Deno.test("anycast depends on the client's block, with a partition or without, and tells its clients apart by the partition's rows", () => {
  const shot = fleet();
  const scope = (shot: Snapshot, partitions?: Snapshot["partitions"]) => {
    const { scopePrefixLength, keys } = ask(shot, SYDNEY, partitions).answer.dependence;
    return [scopePrefixLength, keys];
  };
  assert.deepEqual(scope(shot), [7, ["tailored"]]);
  assert.deepEqual(scope(shot, partitionsOf(shot)), [7, ["tailored"]]);
  const newer = { ...shot, pools: { [POOL]: { ...shot.pools[POOL]!, epoch: 2 } } };
  assert.deepEqual(scope(newer, partitionsOf(shot)), [7, ["tailored"]]);
});

Deno.test("anycast answers a short source prefix for its zero-filled address, with the block's length", () => {
  const shot = fleet();
  // 196.0.0.0/6, the sibling of 192.0.0.0/6, has Paris in it.
  const { selections, dependence } = ask(shot, { subnet: "192.0.0.0/4" }, partitionsOf(shot)).answer;
  assert.deepEqual([selections![0]!.why, dependence.scopePrefixLength], ["unlocated all", 6]);
});

Deno.test("anycast locates by the client subnet's family, and by the source where there is no subnet", () => {
  const shot = fleet();
  const v6 = ask(shot, { subnet: "2001:db8:1::/48" }, partitionsOf(shot)).answer;
  assert.deepEqual([v6.selections![0]!.nodes[0], v6.dependence.scopePrefixLength], ["lon", 48]);
  const source = { address: parseAddress("203.0.113.9")!, port: 4242 };
  assert.equal(ask(shot, { source }, partitionsOf(shot)).answer.selections![0]!.nodes[0], "syd");
  assert.equal(ask(shot, { source, ...PARIS, ecs: false }).answer.selections![0]!.nodes[0], "syd");
});

Deno.test("anycast without a geography gives clients of both families the same of a ring", () => {
  const names = Array.from({ length: 12 }, (_, i) => `pool${i}.example.org.`);
  const ring = { share: 0, km: 30_000 };
  const unknown = { policy: "nearest", latitude: 50, longitude: 8 } as const;
  for (const name of names) {
    const { config, owned } = readAnycast(`anycast ${name} {\nnodes nodes.yaml\n}`);
    const shot = snapshot([pool(ALL, { name, ring, unknown })]);
    const plugin = anycast.answerer(config, answerScope(factsOf(owned)));
    const [first, second] = ["192.0.2.0/24", "2001:db8::/32"].map((subnet) => {
      const answer = plugin.answer(queryOf(name, 1, shot, { subnet }), () => assert.fail()) as Answer;
      assert.equal(answer.dependence.scopePrefixLength, 0);
      return lines(answer.answer);
    });
    assert.deepEqual(first, second);
  }
});

Deno.test("anycast gives private clients the answer of the unlocated, with the scope of their block", () => {
  const shot = fleet({ unknown: { policy: "nodes", nodes: ["fra"] } });
  const { selections, dependence } = ask(shot, { subnet: "10.1.2.0/24" }, partitionsOf(shot)).answer;
  assert.deepEqual([selections![0]!.why, selections![0]!.nodes], ["unlocated nodes", ["fra"]]);
  assert.equal(dependence.scopePrefixLength, 8);
  assert.equal("distanceKm" in selections![0]!, false);
});

Deno.test("anycast depends on nobody where every client gets the same", () => {
  const shot = fleet({ answers: 3 });
  const { dependence } = ask(shot, PARIS, partitionsOf(shot)).answer;
  assert.deepEqual([dependence.scopePrefixLength, dependence.keys], [0, []]);
});

Deno.test("anycast depends on nobody in a block that knows no locations", () => {
  const plugin = anycast.answerer(CONFIG, answerScope(factsOf(OWNED)));
  const answer = plugin.answer(queryOf("www.example.org", 1, fleet(), PARIS), () => assert.fail()) as Answer;
  assert.deepEqual([answer.dependence.scopePrefixLength, answer.dependence.keys], [0, []]);
  assert.equal(answer.selections![0]!.why, "unlocated all");
});

Deno.test("anycast gives the RRset and the answer the deadline of all that the block consulted", () => {
  const shot = { ...fleet({ answers: 1 }), deadlines: deadlines(ALL, { lon: { downMs: NOW_MS + 30_000 } }) };
  const { answer, dependence } = ask(shot, PARIS, partitionsOf(shot)).answer;
  const expected = { earliestMs: NOW_MS + 30_000, scheduledMs: Infinity, steady: true };
  assert.deepEqual([answer[0]!.deadline, dependence.deadline], [expected, expected]);
});

Deno.test("anycast when all are down answers from those that served last, and counts it", () => {
  const down = { lon: "down", fra: "down", syd: "down" } as const;
  const { answer, journal } = ask(fleet({}, down, { lastServing: { 4: ["syd"], 6: [] } }), PARIS);
  assert.deepEqual(lines(answer.answer), ["www.example.org. 60 A 192.0.2.3"]);
  assert.equal(answer.selections![0]!.why, "all-down last-known-good");
  assert.deepEqual(journal.counts, [`meridian_all_down_answers_total ${POOL} last-known-good`]);
  assert.deepEqual(ask(fleet({}, down), PARIS).journal.counts, [
    `meridian_all_down_answers_total ${POOL} fail-open`,
    `meridian_fail_open_answers_total ${POOL}`,
  ]);
  assert.deepEqual(ask(fleet({}, down), { ...PARIS, rehearsed: true }).journal.counts, []);
});

Deno.test("anycast with all-down nodata gives the zone's NODATA, until health may be back, to every client", () => {
  const down = { lon: "down", fra: "down", syd: "down" } as const;
  const shot = {
    ...fleet({ allDown: { policy: "nodata" } }, down),
    deadlines: deadlines(ALL, { fra: { upMs: NOW_MS + 5000, steady: false } }),
  };
  const { answer } = ask(shot, PARIS);
  assert.deepEqual([answer.rcode, answer.answer], [0, []]);
  assert.match(lines(answer.authority).join(), /^example\.org\. 60 SOA /);
  const deadline = { earliestMs: NOW_MS + 5000, scheduledMs: Infinity, steady: false };
  assert.deepEqual(answer.dependence, { scopePrefixLength: 0, deadline, keys: [], pools: [POOL] });
  assert.deepEqual(answer.authority[0]!.deadline, deadline);
  assert.deepEqual(answer.extendedErrors, [{ infoCode: 0, text: `no node of ${POOL} serves` }]);
});

Deno.test("anycast with all-down servfail gives SERVFAIL with the same dependence", () => {
  const down = { lon: "down", fra: "down", syd: "down" } as const;
  const { answer } = ask(fleet({ allDown: { policy: "servfail" } }, down), PARIS);
  assert.deepEqual([answer.rcode, answer.answer, answer.authority], [2, [], []]);
  assert.equal(answer.dependence.scopePrefixLength, 0);
  assert.equal(answer.dependence.deadline.earliestMs, -Infinity);
});

Deno.test("anycast gives NODATA, and blames no health, where no node ever had an address of the family", () => {
  const shot = snapshot([pool([FRA], { allDown: { policy: "servfail" } })]);
  const { answer, journal } = ask(shot, { ...PARIS, type: 28 });
  assert.deepEqual([answer.rcode, answer.answer, answer.authority.length], [0, [], 1]);
  assert.equal(answer.authority[0]!.deadline, undefined);
  assert.deepEqual([answer.extendedErrors, journal.counts], [undefined, []]);
});

Deno.test("anycast makes up a zone where nobody has data: SOA, NODATA, NXDOMAIN, and says so", () => {
  const soa = ask(fleet(), { owner: "example.org", type: 6 });
  assert.match(lines(soa.answer.answer).join(), /^example\.org\. 3600 SOA ns\.example\.org\. hostmaster/);
  assert.match(soa.journal.lines.join(), /^warn anycast: no plugin has data for example\.org\./);
  const nodata = ask(fleet(), { type: 16 }).answer;
  assert.deepEqual([nodata.rcode, nodata.answer, nodata.authority.length], [0, [], 1]);
  assert.deepEqual(nodata.dependence, INDEPENDENT);
  assert.equal(ask(fleet(), { owner: "no.example.org" }).answer.rcode, 3);
});

Deno.test("anycast says SERVFAIL, not ready, before its pool has nodes", () => {
  const { answer } = ask(snapshot([]), PARIS);
  assert.deepEqual([answer.rcode, answer.extendedErrors], [2, [{ infoCode: 14 }]]);
});

/** A backend with an alias to the pool's name. */
const BACKEND: Next = (context: QueryContext) =>
  emptyAnswer(0, {
    authoritative: true,
    answer: context.question.type === 1
      ? [
        { name: parseName("alias.example.org"), type: 5, ttl: 300, rdata: [new Uint8Array(1)] },
        { name: parseName("www.example.org"), type: 1, ttl: 0, rdata: [], pool: POOL },
      ]
      : [],
    authority: context.question.type === 1
      ? []
      : [{ name: parseName("example.org"), type: 6, ttl: 30, rdata: [new Uint8Array(22)] }],
  });

Deno.test("anycast leaves alone what is not its own in an answer from below, sync or not", async () => {
  const plugin = anycast.answerer(
    CONFIG,
    answerScope(factsOf(OWNED, [parseName("example.org")]), { world: WORLD }),
  );
  const context = queryOf("alias.example.org", 1, fleet(), { world: WORLD, ...PARIS });
  const answer = plugin.answer(context, BACKEND) as Answer;
  assert.deepEqual(answer.answer.map(({ type, ttl, rdata }) => [type, ttl, rdata.length]), [[5, 300, 1], [
    1,
    60,
    2,
  ]]);
  const later = await plugin.answer(context, (context) => Promise.resolve(BACKEND(context)));
  const plain = ({ selections, ...answer }: Answer) => ({
    ...answer,
    selections: JSON.stringify(selections),
  });
  assert.deepEqual(plain(later), plain(answer));
  const other = emptyAnswer(0);
  assert.equal(plugin.answer(context, () => other), other);
});

Deno.test("anycast with all-down nodata behind an alias keeps the alias and takes the backend's SOA", () => {
  const plugin = anycast.answerer(
    CONFIG,
    answerScope(factsOf(OWNED, [parseName("example.org")]), { world: WORLD }),
  );
  const down = { lon: "down", fra: "down", syd: "down" } as const;
  const context = queryOf("alias.example.org", 1, fleet({ allDown: { policy: "nodata" } }, down), {
    world: WORLD,
  });
  const answer = plugin.answer(context, BACKEND) as Answer;
  assert.deepEqual([answer.answer.map(({ type }) => type), answer.authority.map(({ type }) => type)], [[5], [
    6,
  ]]);
});

Deno.test("anycast tells whoever records what it knows of every node, and why it was not taken", () => {
  const window = { fromMs: NOW_MS - 1, untilMs: NOW_MS + 1, reason: "kernel" };
  const nodes = [LON, { ...FRA, maintenance: [window] }, SYD, node("nyc", CITIES.newYork)];
  const shot = snapshot([pool(nodes, { maxDistanceKm: 10_000 })], {
    verdicts: verdicts(nodes, { lon: { state: "down", reason: "connection refused" }, nyc: "degraded" }),
  });
  const decisions: Decision[] = [];
  ask(shot, { ...PARIS, record: (decision) => void decisions.push(decision) });
  assert.equal(decisions.length, 1);
  assert.equal(decisions[0]!.what, `pool ${POOL} (IPv4): nyc (nearest, 5837 km)`);
  const { nodes: told, scope } = decisions[0]!.facts as {
    nodes: { id: string; chosen: number; whyNot?: string }[];
    scope: unknown;
  };
  assert.deepEqual(told.map(({ id, chosen, whyNot }) => [id, chosen, whyNot]), [
    ["lon", 0, "down: connection refused"],
    ["fra", 0, "out: maintenance: kernel"],
    ["nyc", 1, undefined],
    ["syd", 0, "beyond max-distance"],
  ]);
  assert.deepEqual(scope, { prefixLength: 16, from: "leaves around" });
  assert.deepEqual(structuredClone(decisions[0]), decisions[0]);
});

function partitionsOf(shot: Snapshot) {
  const made = (family: 4 | 6) =>
    makePartition({ snapshot: shot, geography: WORLD, pool: POOL, family, nowMs: NOW_MS })!;
  return { [POOL]: { 4: made(4), 6: made(6) } };
}
