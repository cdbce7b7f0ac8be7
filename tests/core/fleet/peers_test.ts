import assert from "node:assert/strict";
import fc from "fast-check";
import type { Node } from "../../../core/fleet/node.ts";
import {
  bestPeers,
  estimatedRttMs,
  type PeerHealth,
  type PeerOptions,
  type PeerPool,
  type RoundTrip,
  roundTripsOf,
} from "../../../core/fleet/peers.ts";
import { CITIES, node, NOW_MS } from "./make.ts";

const london = node("lon1", CITIES.london), paris = node("par1", CITIES.paris);
const frankfurt = node("fra1", CITIES.frankfurt), sydney = node("syd1", CITIES.sydney);
const ALL = [frankfurt, london, paris, sydney];
const POOL: PeerPool = { name: "entry.example.org.", nodes: ALL };

/** What is known beside the nodes: round trips as `FROM TO`, health by id. */
interface Known {
  readonly trips?: Record<string, number | RoundTrip>;
  readonly health?: Record<string, PeerHealth["state"] | PeerHealth>;
}

function peersOf(of: Node, pools: readonly PeerPool[], known: Known = {}, more: Partial<PeerOptions> = {}) {
  return bestPeers(
    of,
    pools,
    (from, to) => {
      const trip = known.trips?.[`${from} ${to}`];
      return typeof trip === "number" ? { rttMs: trip, atMs: NOW_MS - 60_000 } : trip;
    },
    ({ id }) => {
      const health = known.health?.[id] ?? "up";
      return typeof health === "string" ? { state: health } : health;
    },
    { nowMs: NOW_MS, count: 10, ...more },
  );
}

const ids = (found: ReturnType<typeof peersOf>) => found.peers.map(({ node }) => node);

Deno.test("bestPeers() orders by distance where nobody has measured", () => {
  const found = peersOf(paris, [POOL]);
  assert.deepEqual(ids(found), ["lon1", "fra1", "syd1"]);
  const [first] = found.peers;
  assert.deepEqual([first!.distanceKm, first!.rttMs, first!.health], [344, undefined, "up"]);
  assert.equal(first!.why, "7 ms by distance; in entry.example.org.");
});

Deno.test("estimatedRttMs() is about what the Internet takes", () => {
  // New York to London, Frankfurt to Singapore, Frankfurt to Sydney.
  assert.deepEqual([5_570_000, 10_260_000, 16_480_000].map(estimatedRttMs).map(Math.round), [86, 156, 249]);
});

Deno.test("bestPeers() believes a measured round trip, one's own or the other's, whichever is newer", () => {
  assert.deepEqual(ids(peersOf(paris, [POOL], { trips: { "par1 syd1": 3 } })), ["syd1", "lon1", "fra1"]);
  const back = peersOf(paris, [POOL], { trips: { "syd1 par1": 3 } });
  assert.deepEqual([ids(back)[0], back.peers[0]!.rttMs], ["syd1", 3]);
  const older = {
    "par1 fra1": { rttMs: 1, atMs: NOW_MS - 9000 },
    "fra1 par1": { rttMs: 500, atMs: NOW_MS - 8000 },
  };
  assert.deepEqual(ids(peersOf(paris, [POOL], { trips: older })).at(-1), "fra1");
});

Deno.test("bestPeers() does not believe a round trip of long ago, and asks again when one gets old", () => {
  const at = (ageMs: number) => ({ trips: { "par1 syd1": { rttMs: 3, atMs: NOW_MS - ageMs } } });
  assert.equal(ids(peersOf(paris, [POOL], at(600_000)))[0], "lon1");
  assert.equal(ids(peersOf(paris, [POOL], at(599_999)))[0], "syd1");
  assert.equal(peersOf(paris, [POOL], at(580_000)).ttl, 20);
  assert.equal(peersOf(paris, [POOL], at(599_000)).ttl, 5);
  assert.equal(peersOf(paris, [POOL]).ttl, 60);
});

Deno.test("bestPeers() knows only nodes that are in a pool with it, each once", () => {
  const pools = [
    POOL,
    { name: "api.example.org.", nodes: [paris, sydney] },
    { name: "other.example.org.", nodes: [london, node("out1", CITIES.paris)] },
  ];
  const found = peersOf(paris, pools);
  assert.deepEqual(ids(found), ["lon1", "fra1", "syd1"]);
  assert.match(found.peers[2]!.why, /; in api\.example\.org\., entry\.example\.org\.$/);
  assert.deepEqual(peersOf(node("new1", CITIES.paris), pools).peers, []);
});

Deno.test("bestPeers() leaves out who is down, drained, in maintenance or forced out; unknown counts as up", () => {
  const left = (known: Known, more: Partial<PeerOptions> = {}) => ids(peersOf(paris, [POOL], known, more));
  assert.deepEqual(left({ health: { lon1: "down", fra1: "unknown" } }), ["fra1", "syd1"]);
  const drained = { name: "p", nodes: [paris, { ...london, state: "drain" as const }, frankfurt] };
  assert.deepEqual(ids(peersOf(paris, [drained])), ["fra1"]);
  const window = { fromMs: NOW_MS + 10_000, untilMs: NOW_MS + 90_000, reason: "kernel" };
  const planned = { name: "p", nodes: [paris, { ...london, maintenance: [window] }, frankfurt] };
  const before = peersOf(paris, [planned]);
  assert.deepEqual([ids(before), before.ttl], [["lon1", "fra1"], 10]);
  assert.deepEqual(ids(peersOf(paris, [planned], {}, { nowMs: NOW_MS + 10_000 })), ["fra1"]);
  const override = { nodeId: "lon1", reason: "r", actor: "a", fromMs: 0, untilMs: NOW_MS + 30_000 };
  const forced = peersOf(paris, [POOL], {}, { overrides: [{ ...override, state: "down" }] });
  assert.deepEqual([ids(forced), forced.ttl], [["fra1", "syd1"], 30]);
});

Deno.test("bestPeers() gives all when all are down, and says so; but nobody whom somebody took out", () => {
  const down: Known = { health: { lon1: "down", fra1: "down", syd1: "down" } };
  const found = peersOf(paris, [POOL], down);
  assert.deepEqual(ids(found), ["lon1", "fra1", "syd1"]);
  assert.ok(found.peers.every(({ why, health }) => why.endsWith("; nobody is up") && health === "down"));
  const drained = { name: "p", nodes: [paris, { ...london, state: "drain" as const }, frankfurt] };
  assert.deepEqual(ids(peersOf(paris, [drained], down)), ["fra1"]);
});

Deno.test("bestPeers() counts a degraded or busy node as twice as far", () => {
  for (const lon1 of ["degraded", { state: "up", load: 0.81 }] as const) {
    const found = peersOf(paris, [POOL], { health: { lon1 } });
    assert.deepEqual(ids(found), ["fra1", "lon1", "syd1"]);
    assert.match(found.peers[1]!.why, /twice as far for being (degraded|busy)/);
  }
  assert.equal(ids(peersOf(paris, [POOL], { health: { lon1: { state: "up", load: 0.8 } } }))[0], "lon1");
});

Deno.test("bestPeers() keeps the peers there are unless another is better by a fifth", () => {
  const current = ["fra1"];
  const close: Known = { trips: { "par1 lon1": 9, "par1 fra1": 10 } };
  assert.deepEqual(ids(peersOf(paris, [POOL], close, { count: 1 })), ["lon1"]);
  assert.deepEqual(ids(peersOf(paris, [POOL], close, { count: 1, current })), ["fra1"]);
  const far: Known = { trips: { "par1 lon1": 7.9, "par1 fra1": 10 } };
  assert.deepEqual(ids(peersOf(paris, [POOL], far, { count: 1, current })), ["lon1"]);
});

Deno.test("bestPeers() gives addresses of families that both have, and the overlay's where both are on it", () => {
  const dual = { ...paris, ipv6: "2001:db8::1", overlay: ["10.64.0.1"] };
  const others = [
    { ...london, ipv4: "192.0.2.1", ipv6: "2001:db8::2", overlay: ["10.64.0.2", "fd00::2"] },
    { ...frankfurt, ipv4: "192.0.2.3" },
  ];
  const found = peersOf(dual, [{ name: "p", nodes: [dual, ...others] }]);
  assert.deepEqual(found.peers.map(({ addresses, overlay }) => [addresses, overlay]), [
    [["2001:db8::2", "192.0.2.1"], ["10.64.0.2"]],
    [["192.0.2.3"], []],
  ]);
  const only = peersOf(dual, [{ name: "p", nodes: [dual, ...others] }], {}, { view: "overlay" });
  assert.deepEqual(only.peers.map(({ node, addresses, overlay }) => [node, addresses, overlay]), [
    ["lon1", [], ["10.64.0.2"]],
  ]);
  const { ipv4: _, ...v6 } = { ...sydney, ipv6: "2001:db8::9" };
  assert.deepEqual(ids(peersOf(v6, [{ name: "p", nodes: [v6, frankfurt] }])), []);
});

Deno.test("bestPeers() holds until health may change", () => {
  const health = {
    lon1: { state: "up", changeMs: NOW_MS + 12_900 },
    fra1: { state: "up", changeMs: NOW_MS - 5 },
  } as const;
  assert.equal(peersOf(paris, [POOL], { health }).ttl, 12);
});

Deno.test("bestPeers() is the same whatever the order of what it is told", () => {
  const state = fc.constantFrom("up", "degraded", "down", "unknown");
  const world = fc.record({
    order: fc.shuffledSubarray(ALL, { minLength: 4 }),
    trips: fc.dictionary(fc.constantFrom("par1 lon1", "fra1 par1", "par1 syd1"), fc.constantFrom(5, 10)),
    health: fc.dictionary(fc.constantFrom("lon1", "fra1", "syd1"), state),
  });
  fc.assert(
    fc.property(world, ({ order, ...known }) => {
      const found = peersOf(paris, [{ ...POOL, nodes: order }], known);
      assert.deepEqual(found, peersOf(paris, [POOL], known));
      const scores = found.peers.map(({ score }) => score);
      assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
      assert.ok(scores.every((score) => score > 0 && score <= 1));
      assert.ok(found.peers.length > 0);
    }),
    { seed: 3, numRuns: 200 },
  );
});

Deno.test("roundTripsOf() has the newest of each way", () => {
  const trips = roundTripsOf([
    { from: "a", to: "b", rttMs: 2, atMs: 20 },
    { from: "a", to: "b", rttMs: 1, atMs: 10 },
    { from: "b", to: "a", rttMs: 3, atMs: 5 },
  ]);
  assert.deepEqual([trips("a", "b"), trips("b", "a"), trips("a", "c"), trips("c", "a")], [
    { rttMs: 2, atMs: 20 },
    { rttMs: 3, atMs: 5 },
    undefined,
    undefined,
  ]);
});
