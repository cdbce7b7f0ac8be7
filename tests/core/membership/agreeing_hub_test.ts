import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { FleetHub, PoolNodes } from "../../../core/fleet/hub.ts";
import type { Node, Override } from "../../../core/fleet/node.ts";
import type { TargetKey, Verdict, VerdictDeadline } from "../../../core/fleet/verdict.ts";
import { AgreeingHub } from "../../../core/membership/agreeing_hub.ts";
import {
  type Besides,
  leaseTarget,
  type News,
  type Reports,
  type ServerNews,
} from "../../../core/membership/protocol.ts";

const T = "127.0.0.11 tcp 8443", NOW = 1_000_000;

/** A hub that keeps what it is told last. */
class Recorder implements FleetHub {
  readonly verdicts = new Map<TargetKey, Verdict>();
  readonly deadlines = new Map<TargetKey, VerdictDeadline>();
  readonly targets = new Map<string, Readonly<Record<string, readonly TargetKey[]>>>();
  readonly pools = new Map<string, PoolNodes>();
  overrides: readonly Override[] = [];
  turns = 0;

  setNodes(pool: PoolNodes) {
    this.setPools([pool], []);
  }
  setPools(pools: readonly PoolNodes[], gone: readonly string[]) {
    for (const name of gone) this.pools.delete(name);
    for (const pool of pools) this.pools.set(pool.policy.name, pool);
  }
  onPools() {}
  setPartitions() {}
  setTargets(pool: string, targets: Readonly<Record<string, readonly TargetKey[]>>) {
    this.targets.set(pool, targets);
  }
  setVerdicts(verdicts: Readonly<Record<TargetKey, Verdict | undefined>>) {
    this.turns++;
    for (const [key, verdict] of Object.entries(verdicts)) {
      if (verdict) this.verdicts.set(key, verdict);
      else this.verdicts.delete(key);
    }
  }
  setDeadlines(deadlines: Readonly<Record<TargetKey, VerdictDeadline | undefined>>) {
    for (const [key, deadline] of Object.entries(deadlines)) if (deadline) this.deadlines.set(key, deadline);
  }
  setDegradation() {}
  setOverrides(overrides: readonly Override[]) {
    this.overrides = overrides;
  }
}

function open(mode: "quorum" | "any" | "all" = "quorum", regions?: false) {
  const clock = new ManualClock(NOW), hub = new Recorder(), reported: Reports[] = [], besides: Besides[] = [];
  const agreement = {
    ...{ mode, vantages: 2, freshMs: 15_000, holdMs: 300_000 },
    ...regions === false && { regions },
  };
  const agreeing = new AgreeingHub({
    ...{ hub, server: "a", region: "eu", agreement, clock },
    report: (reports) => void reported.push(reports),
    tellBesides: (told) => void besides.push(told),
  });
  return { clock, hub, reported, besides, agreeing, state: () => hub.verdicts.get(T)?.state };
}

const verdict = (state: Verdict["state"], more: Partial<Verdict> = {}): Verdict => ({
  ...{ state, sinceMs: NOW - 5000, reason: "as seen", ramp: 1 },
  ...more,
});

const server = (id: string, pulseMs = NOW): ServerNews => ({
  ...{ id, region: "eu", url: "", version: "", digest: "", configuration: "", pulseMs },
});

const servers = (...ids: string[]): News => ({
  revision: 1,
  servers: Object.fromEntries(ids.map((id) => [id, server(id)])),
});

const says = (id: string, state: Verdict["state"]): News => ({
  revision: 1,
  reports: { [id]: { [T]: verdict(state) } },
});

Deno.test("alone a server's own verdict stands as it is", () => {
  const { agreeing, hub } = open();
  agreeing.take(servers("a"));
  agreeing.setVerdicts({ [T]: verdict("down") });
  assert.deepEqual(hub.verdicts.get(T), verdict("down"));
});

Deno.test("of three one that sees a target down moves nothing, two do, whoever they are", () => {
  const { agreeing, state } = open();
  agreeing.take(servers("a", "b", "c"));
  agreeing.setVerdicts({ [T]: verdict("up") });
  for (const id of ["b", "c"]) agreeing.take(says(id, "up"));
  agreeing.setVerdicts({ [T]: verdict("down") });
  assert.equal(state(), "up");
  agreeing.take(says("c", "down"));
  assert.equal(state(), "down");
  agreeing.setVerdicts({ [T]: verdict("up") });
  assert.equal(state(), "up");
  agreeing.take(says("b", "down"));
  assert.equal(state(), "down");
});

Deno.test("what others said stands for as long as they are fresh, then is held, then nothing is known", () => {
  const { agreeing, clock, state } = open();
  agreeing.take(servers("a", "b", "c"));
  agreeing.setVerdicts({ [T]: verdict("up") });
  for (const id of ["b", "c"]) agreeing.take(says(id, "down"));
  assert.equal(state(), "down");
  clock.advance(299_000);
  assert.equal(state(), "down", "held: absence of news is no news");
  clock.advance(2000);
  assert.equal(state(), "unknown");
  agreeing.take({ revision: 2, servers: { b: server("b", clock.nowMs()) } });
  assert.equal(state(), "up", "two of three speak again, one says up");
});

Deno.test("a server whose lease has ended has no word, and one that comes back has what it said before", () => {
  const { agreeing, state } = open();
  agreeing.take(servers("a", "b"));
  agreeing.setVerdicts({ [T]: verdict("up") });
  agreeing.take(says("b", "down"));
  assert.equal(state(), "up");
  agreeing.take(servers("c"));
  agreeing.take(says("c", "down"));
  assert.equal(state(), "down");
  agreeing.take({ revision: 3, servers: { c: null } });
  assert.equal(state(), "up");
  agreeing.take(servers("c"));
  assert.equal(state(), "down");
});

Deno.test("what is no longer probed here has no verdict here", () => {
  const { agreeing, hub } = open();
  agreeing.take(servers("a", "b"));
  agreeing.take(says("b", "down"));
  assert.equal(hub.verdicts.has(T), false);
  agreeing.setVerdicts({ [T]: verdict("up") });
  assert.equal(hub.verdicts.has(T), true);
  agreeing.setVerdicts({ [T]: undefined });
  assert.equal(hub.verdicts.has(T), false);
});

Deno.test("reports what changed, once a turn, and a deadline only while something is under way", async () => {
  const { agreeing, reported } = open();
  const deadline = { downMs: 1, upMs: Infinity, changeMs: 1, rampMs: Infinity };
  agreeing.setVerdicts({ [T]: verdict("up") });
  agreeing.setDeadlines({ [T]: { ...deadline, steady: true } });
  await Promise.resolve();
  assert.deepEqual(reported, [{ [T]: verdict("up") }]);
  agreeing.setDeadlines({ [T]: { ...deadline, downMs: 2, steady: true } });
  await Promise.resolve();
  assert.equal(reported.length, 1);
  agreeing.setDeadlines({ [T]: { ...deadline, steady: false } });
  await Promise.resolve();
  assert.deepEqual(reported[1], { [T]: { ...verdict("up"), deadline: { ...deadline, steady: false } } });
  agreeing.setVerdicts({ [T]: undefined });
  await Promise.resolve();
  assert.deepEqual(reported[2], { [T]: null });
});

Deno.test("a registered node's lease decides beside the checks of its addresses", () => {
  const { agreeing, hub } = open();
  const node = { id: "n1", ipv4: "127.0.0.11", ipv6: "::1" } as Node;
  const pool = { policy: { name: "entry.example." }, block: "1", nodes: [node] } as unknown as PoolNodes;
  const heard: (readonly Node[])[] = [];
  agreeing.onRegistry((nodes) => void heard.push(nodes));
  agreeing.setNodes(pool);
  agreeing.setTargets("entry.example.", { "127.0.0.11": [T] }, 0);
  assert.deepEqual(hub.targets.get("entry.example."), { "127.0.0.11": [T] });
  const lease = {
    verdict: verdict("down"),
    deadline: { downMs: 1, upMs: 2, changeMs: 1, rampMs: 3, steady: false },
  };
  agreeing.take({ revision: 1, nodes: { n1: node } });
  assert.deepEqual(heard, [[], [node]]);
  assert.deepEqual(
    hub.targets.get("entry.example."),
    { "127.0.0.11": [T] },
    "who was put there has no lease",
  );
  agreeing.take({ revision: 2, leases: { [leaseTarget("n1")]: lease } });
  assert.deepEqual(hub.verdicts.get(leaseTarget("n1")), lease.verdict);
  const { turns } = hub;
  agreeing.take({
    revision: 2,
    leases: { [leaseTarget("n1")]: { deadline: { ...lease.deadline, downMs: 9 } } },
  });
  assert.equal(hub.deadlines.get(leaseTarget("n1"))!.downMs, 9);
  assert.equal(hub.turns, turns, "a countdown that goes on is no verdict");
  assert.deepEqual(hub.targets.get("entry.example."), {
    "127.0.0.11": [T, leaseTarget("n1")],
    "::1": [leaseTarget("n1")],
  });
  agreeing.take({ revision: 3, nodes: { n1: null }, leases: { [leaseTarget("n1")]: null } });
  assert.deepEqual(hub.targets.get("entry.example."), { "127.0.0.11": [T] });
  assert.equal(hub.verdicts.has(leaseTarget("n1")), false);
});

Deno.test("a node of a list has no lease, whoever registered by its id", async () => {
  const { agreeing, hub, besides } = open(), listed = { id: "n1", ipv4: "127.0.0.11" } as Node;
  const give = (node: Node) => {
    const pool = { policy: { name: "entry.example.", select: {} }, block: "1", nodes: [node] };
    agreeing.setNodes(pool as unknown as PoolNodes);
  };
  const registered = { ...listed, ipv4: "127.0.0.12" };
  give(listed);
  agreeing.setTargets("entry.example.", { "127.0.0.11": [T] }, 0);
  agreeing.take({
    ...{ revision: 1, nodes: { n1: registered } },
    leases: { [leaseTarget("n1")]: { verdict: verdict("down") } },
  });
  assert.deepEqual(hub.targets.get("entry.example."), { "127.0.0.11": [T] });
  await Promise.resolve();
  assert.deepEqual(besides.at(-1)!.nodes, [listed]);
  give(registered);
  assert.deepEqual(hub.targets.get("entry.example."), {
    ...{ "127.0.0.11": [T], "127.0.0.12": [leaseTarget("n1")] },
  });
  give(listed);
  assert.deepEqual(hub.targets.get("entry.example."), { "127.0.0.11": [T] });
});

Deno.test("a verdict that others leave as it was is no news", () => {
  const { agreeing, hub } = open("any");
  agreeing.take(servers("a", "b"));
  agreeing.setVerdicts({ [T]: verdict("up") });
  agreeing.take(says("b", "up"));
  const { turns } = hub;
  agreeing.take(says("b", "up"));
  agreeing.take(servers("a", "b"));
  assert.equal(hub.turns, turns);
});

Deno.test("tells of nodes of lists and of the Corefile's pools, once a turn", async () => {
  const { agreeing, besides } = open();
  const [own, registered] = [
    { id: "n1", ipv4: "127.0.0.11" } as Node,
    { id: "n2", ipv4: "127.0.0.12" } as Node,
  ];
  agreeing.take({ revision: 1, nodes: { n2: registered } });
  for (const name of ["a.", "b."]) {
    const policy = { name, select: { role: name } };
    agreeing.setNodes({ policy, block: "1", nodes: [own, registered] } as unknown as PoolNodes);
  }
  await Promise.resolve();
  const pools = ["a.", "b."].map((name) => {
    const select = { role: name };
    return { name, select, policy: { name, select } };
  });
  assert.deepEqual(besides, [{ nodes: [own], pools }]);
});

/** Two servers of Europe, this one among them, and three of America. */
function openWorld(regions?: false) {
  const opened = open("quorum", regions), { agreeing, hub } = opened;
  const region = (id: string) => id < "c" ? "eu" : "us";
  const tell = (pulseMs: number, ids = ["a", "b", "c", "d", "e"]) =>
    agreeing.take({
      revision: 1,
      servers: Object.fromEntries(ids.map((id) => [id, { ...server(id, pulseMs), region: region(id) }])),
    });
  tell(NOW);
  agreeing.setVerdicts({ [T]: verdict("up") });
  for (const id of ["b", "c", "d", "e"]) agreeing.take(says(id, "up"));
  const inRegions = () => hub.verdicts.get(T)!.regions?.map(({ region, state }) => `${region} ${state}`);
  return { ...opened, tell, inRegions };
}

Deno.test("what one region alone sees down is down there, and no longer when it is seen up again", () => {
  const { agreeing, hub, state, inRegions } = openWorld();
  assert.equal(inRegions(), undefined);
  agreeing.setVerdicts({ [T]: verdict("down") });
  assert.deepEqual([state(), inRegions()], ["up", undefined], "one of two is not enough");
  agreeing.take(says("b", "down"));
  assert.deepEqual([state(), inRegions()], ["up", ["eu down"]]);
  assert.deepEqual(hub.deadlines.get(T)!.regions!.map(({ region }) => region), ["eu"]);
  const { turns } = hub;
  agreeing.take(says("b", "down"));
  assert.equal(hub.turns, turns, "no news");
  for (const id of ["c", "d"]) agreeing.take(says(id, "down"));
  assert.deepEqual([state(), inRegions()], ["down", undefined], "now all say so, America too");
  for (const id of ["c", "d"]) agreeing.take(says(id, "up"));
  agreeing.setVerdicts({ [T]: verdict("up") });
  assert.deepEqual([state(), inRegions()], ["up", undefined]);
});

Deno.test("when all have turned, a region that has not goes its own way", () => {
  const { agreeing, state, inRegions } = openWorld();
  agreeing.setVerdicts({ [T]: verdict("down") });
  agreeing.take(says("b", "down"));
  agreeing.take(says("c", "down"));
  assert.deepEqual([state(), inRegions()], ["down", ["us up"]]);
});

Deno.test("a region whose servers are not heard, or move away, or that may not have one has no word", () => {
  const { agreeing, clock, tell, state, inRegions } = openWorld();
  agreeing.setVerdicts({ [T]: verdict("down") });
  agreeing.take(says("b", "down"));
  assert.deepEqual(inRegions(), ["eu down"]);
  clock.advance(10_000);
  tell(clock.nowMs(), ["c", "d", "e"]);
  clock.advance(5001);
  assert.deepEqual([state(), inRegions()], ["up", undefined], "b has not been heard of for 15 s");
  tell(clock.nowMs());
  assert.deepEqual(inRegions(), ["eu down"], "what it said stands again");
  agreeing.take({ revision: 1, servers: { b: { ...server("b", clock.nowMs()), region: "asia" } } });
  assert.deepEqual(inRegions(), undefined);
  const off = openWorld(false);
  off.agreeing.setVerdicts({ [T]: verdict("down") });
  off.agreeing.take(says("b", "down"));
  assert.deepEqual(off.inRegions(), undefined);
});

Deno.test("what is healthy of pools that change together is told once, all of it, and by nobody who is closed", async () => {
  const agreement = { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 } as const;
  const told: string[][] = [];
  const agreeing: AgreeingHub = new AgreeingHub({
    ...{ hub: new Recorder(), server: "a", region: "eu", agreement, clock: new ManualClock(NOW) },
    ...{ report: () => {}, tellBesides: () => {} },
    tellShares: () => void told.push(Object.keys(agreeing.shares)),
  });
  const shares = { degrade: { below: 0.6, above: 0.75, dwellMs: 1000 }, shares: { eu: 1 } };
  for (const pool of ["a.example.", "b.example.", "c.example."]) agreeing.noteShares(pool, shares);
  await Promise.resolve();
  assert.deepEqual(told, [["a.example.", "b.example.", "c.example."]]);
  agreeing.noteShares("b.example.", undefined);
  await Promise.resolve();
  assert.deepEqual(told.at(-1), ["a.example.", "c.example."]);
  agreeing.noteShares("a.example.", undefined);
  agreeing.close();
  await Promise.resolve();
  assert.equal(told.length, 2);
});
