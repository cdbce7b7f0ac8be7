import assert from "node:assert/strict";
import fc from "fast-check";
import {
  effectiveFleet,
  factsOf,
  isMember,
  poolsOf,
  standingIn,
} from "../../../core/management/effective.ts";
import { nodeOf, type NodeValue, nodeValueOf } from "../../../core/management/nodes.ts";
import {
  ENDED_KEPT_MS,
  overrideKind,
  type OverrideValue,
  sweepOverrides,
} from "../../../core/management/overrides.ts";
import { byPrecedence } from "../../../core/management/precedence.ts";
import { Resources } from "../../../core/management/resource.ts";
import { weightOf, whyOut } from "../../../core/fleet/schedule.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Entry } from "../../../core/state/store.ts";
import { ANNA, emptyWorld, faultsIn, NOW_MS, problemIn } from "./support.ts";

const MINUTE_MS = 60_000;
const at = (minutes: number) => new Date(NOW_MS + minutes * MINUTE_MS).toISOString();

const NODES: NodeValue[] = [
  { id: "fra1", addresses: ["192.0.2.1"], region: "eu", labels: { role: "entry", rack: "7" } },
  { id: "fra2", addresses: ["192.0.2.2"], region: "eu", labels: { role: "relay" } },
  { id: "nyc1", addresses: ["192.0.2.3"], region: "us", labels: { role: "entry" }, weight: 4 },
].map((node) => ({ ...node, location: { latitude: 0, longitude: 0 } }));

const POOLS = [
  { name: "all.example.", select: {} },
  { name: "entry.example.", select: { role: "entry" } },
];

let count = 0;
function override(target: OverrideValue["target"], more: Partial<OverrideValue>): OverrideValue {
  const id = `o${count++}`;
  return { id, target, from: at(0), until: at(60), reason: id, actor: "token:anna", created: at(0), ...more };
}

function entriesOf(overrides: readonly OverrideValue[], nodes = NODES): Entry[] {
  const written = [
    ...nodes.map((node) => [KEYS.node(node.id), node] as const),
    ...overrides.map((override) => [KEYS.override(override.id), override] as const),
  ];
  return written.map(([key, value]) => ({ key, value: JSON.stringify(value), revision: 1, version: 1 }));
}

function fleetAt(minutes: number, overrides: readonly OverrideValue[], nodes = NODES) {
  return effectiveFleet(entriesOf(overrides, nodes), NOW_MS + minutes * MINUTE_MS, { pools: POOLS });
}

const statesAt = (minutes: number, overrides: readonly OverrideValue[]) =>
  [...fleetAt(minutes, overrides).nodes].map(([id, { state }]) => `${id} ${state}`);

Deno.test("without overrides a node is what it was written as, and nothing is due", () => {
  const { nodes, overrides, nextMs } = fleetAt(0, []);
  assert.deepEqual([...nodes.keys()], ["fra1", "fra2", "nyc1"]);
  const { state, weight, pools, origin } = nodes.get("nyc1")!;
  assert.deepEqual([state, weight, pools, origin], ["up", 4, ["all.example.", "entry.example."], "api"]);
  assert.deepEqual([overrides, nextMs], [[], Infinity]);
});

Deno.test("an override holds from its start to before its end, and both are told beforehand", () => {
  const drain = override({ node: "fra1" }, { state: "drain", from: at(10), until: at(20) });
  const stateAt = (minutes: number) => fleetAt(minutes, [drain]).nodes.get("fra1")!.state;
  assert.deepEqual([9.99, 10, 19.99, 20].map(stateAt), ["up", "drain", "drain", "up"]);
  const nextAt = (minutes: number) => (fleetAt(minutes, [drain]).nextMs - NOW_MS) / MINUTE_MS;
  assert.deepEqual([0, 10, 20].map(nextAt), [10, 20, Infinity]);
  const { by } = fleetAt(15, [drain]).nodes.get("fra1")!;
  assert.deepEqual([by!.id, by!.actor, by!.reason, by!.untilMs], [
    drain.id,
    "token:anna",
    drain.id,
    NOW_MS + 20 * MINUTE_MS,
  ]);
});

Deno.test("overrides are for a node, a region or whoever has all of some labels", () => {
  assert.deepEqual(statesAt(0, [override({ region: "eu" }, { state: "down" })]), [
    "fra1 down",
    "fra2 down",
    "nyc1 up",
  ]);
  assert.deepEqual(
    statesAt(0, [override({ labels: { role: "entry", rack: "7" } }, { state: "drain" })]),
    ["fra1 drain", "fra2 up", "nyc1 up"],
  );
});

Deno.test("one for a pool is for its nodes there and nowhere else", () => {
  const { nodes, overrides } = fleetAt(0, [override({ pool: "entry.example." }, { state: "drain" })]);
  const fra1 = nodes.get("fra1")!;
  assert.deepEqual([fra1.state, standingIn(fra1, "entry.example.").state], ["up", "drain"]);
  assert.equal(standingIn(fra1, "all.example.").state, "up");
  assert.deepEqual(nodes.get("fra2")!.inPools, {});
  assert.deepEqual(overrides.map(({ nodeId, pool }) => `${nodeId} ${pool}`), [
    "fra1 entry.example.",
    "nyc1 entry.example.",
  ]);
});

Deno.test("the more specific goes first: node, labels, pool, region; of two alike the newer", () => {
  const region = override({ region: "eu" }, { state: "down", created: at(9) });
  const pool = override({ pool: "entry.example." }, { state: "drain", created: at(8) });
  const label = override({ labels: { role: "entry" } }, { state: "up", created: at(7) });
  const labels = override({ labels: { role: "entry", rack: "7" } }, { state: "drain", created: at(6) });
  const node = override({ node: "fra1" }, { state: "up", created: at(4) });
  const newer = override({ node: "fra1" }, { state: "down", created: at(5) });
  const all = [region, pool, label, labels, node, newer];
  assert.deepEqual(all.toSorted(byPrecedence), [newer, node, labels, label, pool, region]);
  const inPool = (...overrides: OverrideValue[]) =>
    standingIn(fleetAt(0, overrides).nodes.get("fra1")!, "entry.example.").by!.id;
  assert.equal(inPool(region, pool), pool.id);
  assert.equal(inPool(region, pool, label), label.id);
  assert.equal(inPool(region, labels, pool, label), labels.id);
  assert.equal(inPool(region, node, labels, pool, label), node.id);
  assert.equal(inPool(...all), newer.id);
});

Deno.test("a weight leaves the state alone, and a state the weight", () => {
  const { nodes, overrides } = fleetAt(0, [
    override({ node: "nyc1" }, { weight: 0.5 }),
    override({ region: "us" }, { state: "drain" }),
  ]);
  const { state, weight, by } = nodes.get("nyc1")!;
  assert.deepEqual([state, weight, by!.kind], ["drain", 0.5, "override"]);
  assert.deepEqual(overrides.map(({ state }) => state), ["drain", "weight"]);
});

Deno.test("an override up goes before a node's own state and its maintenance", () => {
  const nodes = [{
    ...NODES[0]!,
    state: "drain" as const,
    maintenance: [{ from: at(0), until: at(90), reason: "kernel" }],
  }];
  const up = override({ node: "fra1" }, { state: "up" });
  assert.equal(fleetAt(0, [up], nodes).nodes.get("fra1")!.state, "up");
  assert.equal(fleetAt(60, [up], nodes).nodes.get("fra1")!.state, "drain");
});

Deno.test("maintenance is told with its reason, and its ends are due", () => {
  const nodes = [{ ...NODES[0]!, maintenance: [{ from: at(10), until: at(20), reason: "kernel" }] }];
  const { nodes: now, nextMs } = fleetAt(15, [], nodes);
  const { state, by } = now.get("fra1")!;
  assert.deepEqual([state, by!.kind, by!.reason, nextMs], [
    "drain",
    "maintenance",
    "kernel",
    NOW_MS + 20 * MINUTE_MS,
  ]);
});

Deno.test("nodes of lists take part; one of the store that has the same id goes before", () => {
  const listed = [nodeOf({ ...NODES[0]!, id: "mad1" }), nodeOf({ ...NODES[0]!, weight: 9 })];
  const { nodes } = effectiveFleet(entriesOf([]), NOW_MS, { nodes: listed, pools: POOLS });
  assert.deepEqual([nodes.get("mad1")!.origin, nodes.get("fra1")!.origin], ["static", "api"]);
  assert.equal(nodes.get("fra1")!.weight, 1);
});

Deno.test("what cannot be read is left out and told", () => {
  const odd = { key: KEYS.node("odd"), value: '{"id": "odd"}', revision: 1, version: 1 };
  const broken = { key: KEYS.override("odd"), value: "{", revision: 1, version: 1 };
  const { unreadable, nodes } = effectiveFleet([odd, broken, ...entriesOf([])], NOW_MS);
  assert.deepEqual([unreadable, nodes.size], [[odd.key, broken.key], 3]);
});

Deno.test("a managed pool has the members that it names, or that have the labels; the Corefile's goes first", () => {
  const poolsOf = (pool: { name: string; members?: string[]; select?: Record<string, string> }) => {
    const entry = { key: KEYS.pool(pool.name), value: JSON.stringify(pool), revision: 1, version: 1 };
    const { nodes } = effectiveFleet([entry, ...entriesOf([])], NOW_MS, { pools: POOLS });
    return [...nodes.values()].filter(({ pools }) => pools.includes(pool.name)).map(({ node }) => node.id);
  };
  assert.deepEqual(poolsOf({ name: "own.example.", members: ["fra1"] }), ["fra1"]);
  assert.deepEqual(
    poolsOf({ name: "own.example.", select: { role: "entry" } }),
    poolsOf({ name: "entry.example." }),
  );
  assert.equal(poolsOf({ name: "entry.example.", members: ["fra1"] }).length, 2);
});

Deno.test("a node survives the way to JSON and back", () => {
  const node = nodeOf({
    ...NODES[0]!,
    overlay: ["10.64.0.11"],
    maintenance: [{ from: at(1), until: at(2) }],
  });
  assert.deepEqual(nodeOf(nodeValueOf(node, "static")), node);
});

const minutes = fc.integer({ min: -30, max: 30 });
const someOverride = fc.record({
  target: fc.constantFrom<OverrideValue["target"]>(
    { node: "fra1" },
    { node: "nyc1" },
    { region: "eu" },
    { labels: { role: "entry" } },
    { pool: "entry.example." },
    { pool: "all.example." },
  ),
  effect: fc.constantFrom({ state: "up" as const }, { state: "drain" as const }, { state: "down" as const }, {
    weight: 3,
  }),
  from: minutes,
  lasts: fc.integer({ min: 1, max: 30 }),
  created: fc.integer({ min: 0, max: 3 }),
}).map(({ target, effect, from, lasts, created }) =>
  override(target, { ...effect, from: at(from), until: at(from + lasts), created: at(created) })
);
const worlds = fc.array(someOverride, { maxLength: 8 });

/** Worked out in another way: of those in force at an instant, the first. */
function decidingAt(
  overrides: readonly OverrideValue[],
  id: string,
  pool: string,
  nowMs: number,
  isWeight: boolean,
) {
  const node = NODES.find((node) => node.id === id)!;
  return overrides.filter(({ target, from, until, weight }) =>
    Date.parse(from) <= nowMs && nowMs < Date.parse(until) && (weight !== undefined) === isWeight &&
    (target.node === undefined || target.node === id) &&
    (target.region === undefined || target.region === node.region) &&
    (target.labels === undefined || node.labels!["role"] === "entry") &&
    (target.pool === undefined ||
      target.pool === pool && (pool === "all.example." || node.labels!["role"] === "entry"))
  ).sort(byPrecedence)[0];
}

Deno.test("what the FleetHub is given comes, at every instant, to what is in force by precedence", () => {
  fc.assert(
    fc.property(worlds, minutes, fc.integer({ min: 0, max: 40 }), (overrides, now, later) => {
      const { overrides: given } = fleetAt(now, overrides);
      const nowMs = NOW_MS + (now + later) * MINUTE_MS;
      for (const { node, id } of NODES.map((value) => ({ node: nodeOf(value), id: value.id }))) {
        for (const pool of ["all.example.", "entry.example."]) {
          const own = given.filter(({ nodeId }) => nodeId === id);
          const state = decidingAt(overrides, id, pool, nowMs, false);
          const out = whyOut(node, own, nowMs, pool);
          const isOut = state?.state === "drain" || state?.state === "down";
          if (pool === "entry.example." && node.labels["role"] !== "entry") continue;
          assert.equal(out !== undefined, isOut, `${id} in ${pool}: ${out}, ${state?.id}`);
          const weight = decidingAt(overrides, id, pool, nowMs, true)?.weight ?? node.weight;
          assert.equal(weightOf(node, own, nowMs, pool), weight);
        }
      }
    }),
    { numRuns: 300, seed: 7 },
  );
});

Deno.test("of one node and pool never two states or two weights are in force at once", () => {
  fc.assert(
    fc.property(worlds, minutes, (overrides, now) => {
      const { overrides: given } = fleetAt(now, overrides);
      const lanes = Map.groupBy(
        given,
        ({ nodeId, pool, state }) => `${nodeId} ${pool} ${state === "weight"}`,
      );
      for (const lane of lanes.values()) {
        const spans = lane.toSorted((a, b) => a.fromMs - b.fromMs);
        spans.slice(1).forEach((span, i) => assert.ok(spans[i]!.untilMs <= span.fromMs));
      }
    }),
    { numRuns: 200, seed: 8 },
  );
});

Deno.test("until the next instant nothing changes, and the order of entries counts for nothing", () => {
  const shown = (fleet: ReturnType<typeof fleetAt>) =>
    [...fleet.nodes.values()].map(({ state, weight, by, inPools }) => ({ state, weight, by, inPools }));
  fc.assert(
    fc.property(worlds, minutes, fc.double({ min: 0, max: 1, noNaN: true }), (overrides, now, share) => {
      const fleet = fleetAt(now, overrides), nowMs = NOW_MS + now * MINUTE_MS;
      const until = Math.min(fleet.nextMs, nowMs + 100 * MINUTE_MS);
      const between = effectiveFleet(
        entriesOf(overrides.toReversed()).toReversed(),
        Math.min(until - 1, nowMs + Math.floor(share * (until - nowMs))),
        { pools: POOLS.toReversed() },
      );
      assert.deepEqual(shown(between), shown(fleet));
      assert.deepEqual(between.overrides, fleet.overrides);
      assert.equal(between.nextMs, fleet.nextMs);
    }),
    { numRuns: 200, seed: 9 },
  );
});

Deno.test("an override needs one target, a state or a weight, a reason, and an end to come within a year", async () => {
  const world = emptyWorld();
  const known = { nodes: ["fra1"], pools: ["entry.example."], regions: ["eu"] };
  const overrides = new Resources(world, overrideKind(() => known));
  const good = { target: { node: "fra1" }, state: "drain", until: at(60), reason: "kernel" };
  for (
    const [body, faults] of [
      [{ ...good, until: undefined, reason: " " }, ["/until", "/reason"]],
      [{ ...good, target: {} }, ["/target"]],
      [{ ...good, target: { node: "fra1", region: "eu" } }, ["/target"]],
      [{ ...good, target: { labels: {} } }, ["/target/labels"]],
      [{ ...good, target: { node: "fra11" } }, ["/target/node"]],
      [{ ...good, weight: 1 }, ["/state"]],
      [{ ...good, state: undefined }, ["/state"]],
      [{ ...good, state: undefined, weight: 0 }, ["/weight"]],
      [{ ...good, until: at(-1) }, ["/until"]],
      [{ ...good, until: at(0) }, ["/until"]],
      [{ ...good, from: at(70) }, ["/until"]],
      [{ ...good, from: at(-9), until: at(-1) }, ["/until"]],
      [{ ...good, until: at(60 * 24 * 367) }, ["/until"]],
      [{ ...good, target: { node: "fra11" }, weight: 1 }, ["/target/node", "/state"]],
    ] as const
  ) {
    const found = await faultsIn(() => overrides.create(JSON.parse(JSON.stringify(body)), ANNA));
    assert.deepEqual(found.sort(), [...faults].sort(), JSON.stringify(body));
  }
  const { errors } = await problemIn(() => overrides.create({ ...good, target: { node: "fra11" } }, ANNA));
  assert.equal(errors![0]!.nearest, "fra1");
});

Deno.test("the server gives an override its id, its start, its author and its time", async () => {
  const overrides = new Resources(emptyWorld(), overrideKind());
  const body = { target: { node: "fra1" }, state: "drain", until: at(60), reason: "kernel" };
  const { value } = await overrides.create(body, ANNA);
  const now = "2026-12-01T00:00:00.000Z";
  assert.deepEqual(value, { ...body, id: "id0001", from: now, actor: "token:anna", created: now });
  assert.deepEqual(await faultsIn(() => overrides.create({ ...body, actor: "token:bert" }, ANNA)), [
    "/actor",
  ]);
});

Deno.test("an override that is changed keeps its start, and is whoever changed it; who made it is in the log", async () => {
  const world = emptyWorld(), overrides = new Resources(world, overrideKind());
  const body = { target: { node: "fra1" }, state: "drain", until: at(60), reason: "kernel" };
  const { value } = await overrides.create(body, ANNA);
  world.clock.advance(MINUTE_MS);
  const asking = { actor: "token:bert" };
  const put = await overrides.put("id0001", { ...body, until: at(90) }, asking);
  assert.deepEqual(put.value, { ...value, until: at(90), actor: "token:bert" });
  const patched = await overrides.patch("id0001", { from: null, reason: "disks" }, asking);
  assert.deepEqual(patched.value, { ...put.value, reason: "disks" });
  assert.deepEqual((await world.audit()).map(({ actor }) => actor), [
    "token:anna",
    "token:bert",
    "token:bert",
  ]);
  assert.deepEqual(factsOf((await world.store.list("")).entries).unreadable, []);
});

Deno.test("the pools that an override concerns are those that have nodes of it", () => {
  const facts = factsOf(entriesOf([]), { pools: POOLS });
  assert.deepEqual(poolsOf({ node: "fra2" }, facts), ["all.example."]);
  assert.deepEqual(poolsOf({ region: "us" }, facts), ["all.example.", "entry.example."]);
  assert.deepEqual(poolsOf({ pool: "entry.example." }, facts), ["entry.example."]);
  assert.deepEqual(poolsOf({ labels: { role: "exit" } }, facts), []);
});

Deno.test("an override that has ended is kept for a week, and its removal is recorded", async () => {
  const world = emptyWorld(), overrides = new Resources(world, overrideKind());
  await overrides.create({ target: { node: "fra1" }, state: "drain", until: at(1), reason: "kernel" }, ANNA);
  world.clock.advance(MINUTE_MS + ENDED_KEPT_MS - 1);
  assert.equal(await sweepOverrides(world, "fra"), 0);
  world.clock.advance(1);
  assert.equal(await sweepOverrides(world, "fra"), 1);
  const last = (await world.audit()).at(-1)!;
  assert.deepEqual([last.actor, last.action, last.subject], [
    "server:fra",
    "override.expire",
    "overrides/id0001",
  ]);
  assert.equal(factsOf((await world.store.list("")).entries).overrides.length, 0);
});

Deno.test("of the members that a pool names each is read once, however many nodes there are", () => {
  let reads = 0;
  const members = new Proxy(Array.from({ length: 1000 }, (_, i) => `n${i}`), {
    get: (list, key, self) => (reads++, Reflect.get(list, key, self)),
  });
  const pool = { name: "entry.example.", select: {}, members };
  const found = Array.from({ length: 2000 }, (_, i) => isMember({ id: `n${i}`, labels: {} }, pool));
  assert.equal(found.filter(Boolean).length, 1000);
  assert.ok(reads < 3000, `${reads}`);
});
