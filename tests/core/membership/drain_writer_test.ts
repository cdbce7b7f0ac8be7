import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { TtlsByPool } from "../../../core/fleet/ttl_bounds.ts";
import {
  drainedAt,
  nodeWitnessesOf,
  type ServerDrains,
  witnessesOf,
} from "../../../core/management/drained.ts";
import type { OverrideValue } from "../../../core/management/overrides.ts";
import { sweep } from "../../../core/management/sweep.ts";
import { DrainWriter } from "../../../core/membership/drain_writer.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { emptyWorld, MemoryStore, NOW_MS } from "../management/support.ts";

const POOL = "entry.example.", TTLS: TtlsByPool = { [POOL]: { min: 5, max: 60 } };
const at = (seconds: number) => new Date(NOW_MS + seconds * 1000).toISOString();

const drainOf = (more: Partial<OverrideValue> = {}): OverrideValue => ({
  ...{ id: "d1", target: { pool: POOL }, state: "drain", from: at(0), until: at(3600), reason: "kernel" },
  ...{ actor: "token:anna", created: at(0), ...more },
});

/** A store with overrides, and the writer of one server. */
class Stage {
  readonly clock = new ManualClock(NOW_MS);
  readonly store: MemoryStore;
  readonly errors: string[] = [];
  readonly writer: DrainWriter;

  constructor(store = new MemoryStore(), instance = "i1") {
    this.store = store;
    this.writer = new DrainWriter({
      ...{ store, instance, server: "fra", clock: this.clock },
      log: { error: (message) => void this.errors.push(message) },
      replica: {
        get: (key) => store.entries.get(key),
        *below(prefix) {
          for (const entry of store.entries.values()) if (entry.key.startsWith(prefix)) yield entry;
        },
      },
      besides: () => ({ nodes: [], pools: [{ name: POOL, select: {} }] }),
    });
  }

  put(override: OverrideValue): number {
    this.store.apply([{ put: KEYS.override(override.id), value: JSON.stringify(override) }]);
    return this.store.revision;
  }

  get written(): ServerDrains | undefined {
    const entry = this.store.entries.get(KEYS.drains("fra"));
    return entry && JSON.parse(entry.value);
  }
}

/** Lets what was begun be written. */
const settled = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

Deno.test("a server tells since when it answers by a drain, once it does, and how long what it said may be kept", async () => {
  const stage = new Stage(), { writer, clock } = stage;
  writer.take({ revision: 0, draining: {}, ttls: TTLS });
  await settled();
  assert.deepEqual(stage.written?.drains, {});
  const revision = stage.put(drainOf());
  writer.take({ revision: revision - 1, draining: {}, ttls: TTLS });
  await settled();
  assert.deepEqual(stage.written?.drains, {}, "it does not answer by it yet");
  clock.advanceTo(NOW_MS + 2000);
  writer.take({ revision, draining: {}, ttls: TTLS });
  await settled();
  const { what: _, ...seen } = stage.written!.drains["d1"]!;
  assert.deepEqual(seen, { sinceMs: NOW_MS + 2000, ttl: { min: 5, max: 60 } });
});

Deno.test("a drain that gets another end is the same; one for others, or that is put back, is another", async () => {
  const stage = new Stage(), { writer, clock } = stage;
  const since = async (override: OverrideValue) => {
    clock.advanceTo(clock.nowMs() + 1000);
    writer.take({ revision: stage.put(override), draining: {}, ttls: TTLS });
    await settled();
    return (stage.written!.drains["d1"]?.sinceMs ?? NaN) - NOW_MS;
  };
  assert.equal(await since(drainOf()), 1000);
  assert.equal(await since(drainOf({ until: at(7200), reason: "longer" })), 1000);
  assert.equal(await since(drainOf({ target: { region: "eu" } })), 3000);
  assert.equal(await since(drainOf({ state: "up" })), NaN);
  assert.equal(await since(drainOf({ until: at(-1) })), NaN, "it has ended");
});

Deno.test("answers of before a shorter TTL was configured are kept as long as they were", async () => {
  const stage = new Stage(), { writer, clock } = stage;
  writer.take({ revision: 0, draining: {}, ttls: { [POOL]: { min: 30, max: 600 } } });
  writer.take({ revision: 0, draining: {}, ttls: TTLS });
  clock.advanceTo(NOW_MS + 599_000);
  writer.take({ revision: stage.put(drainOf()), draining: {}, ttls: TTLS });
  await settled();
  assert.deepEqual(stage.written!.drains["d1"]!.ttl, { min: 30, max: 600 });
  clock.advanceTo(NOW_MS + 601_000);
  writer.take({ revision: stage.put(drainOf({ id: "d2" })), draining: {}, ttls: TTLS });
  await settled();
  assert.deepEqual(stage.written!.drains["d2"]!.ttl, { min: 5, max: 60 });
});

Deno.test("the process after goes on from what was said; one that ends says so, and not for the next one", async () => {
  const store = new MemoryStore(), one = new Stage(store), revision = one.put(drainOf());
  one.writer.take({ revision, draining: {}, ttls: TTLS });
  await settled();
  const { sinceMs } = one.written!.drains["d1"]!, two = new Stage(store, "i2");
  two.clock.advanceTo(NOW_MS + 9000);
  two.writer.take({ revision, draining: {}, ttls: TTLS });
  await settled();
  assert.deepEqual([two.written!.instance, two.written!.drains["d1"]!.sinceMs], ["i2", sinceMs]);
  await one.writer.close();
  assert.equal(two.written!.leftMs, undefined);
  await two.writer.close();
  assert.equal(two.written!.leftMs, NOW_MS + 9000);
});

Deno.test("a node that wants no new clients is told of for as long as it is left out, anew each time", async () => {
  const stage = new Stage(), { writer, clock } = stage;
  const told = async (draining: Record<string, number>) => {
    clock.advanceTo(clock.nowMs() + 1000);
    writer.take({ revision: 0, draining, ttls: TTLS });
    await settled();
    const done = drainedAt(
      NOW_MS,
      nodeWitnessesOf("n1", draining["n1"] ?? NOW_MS, ["fra"], () => stage.written),
      clock.nowMs(),
    );
    return done.state === "spreading" ? done.state : (done.drainedMs - NOW_MS) / 1000;
  };
  stage.store.apply([{
    put: KEYS.node("n1"),
    value: JSON.stringify({ id: "n1", addresses: ["192.0.2.1"], location: { latitude: 0, longitude: 0 } }),
  }]);
  assert.equal(await told({}), "spreading");
  assert.equal(await told({ n1: NOW_MS }), 2 + 60);
  assert.equal(await told({ n1: NOW_MS, n2: NOW_MS }), 2 + 60);
  assert.equal(await told({}), "spreading");
  assert.equal(await told({ n1: NOW_MS }), 5 + 60, "it has served meanwhile");
  assert.equal(await told({ n1: NOW_MS + 3500 }), 6 + 60, "another wish");
});

Deno.test("what the store could not take is told when it is there again", async () => {
  const stage = new Stage(), { writer, clock, store } = stage, revision = stage.put(drainOf());
  store.isGone = true;
  writer.take({ revision, draining: {}, ttls: TTLS });
  await settled();
  assert.equal(stage.written, undefined);
  store.isGone = false;
  clock.advanceTo(NOW_MS + 1000);
  await settled();
  assert.equal(stage.written!.drains["d1"]!.sinceMs, NOW_MS);
  assert.deepEqual(stage.errors, []);
});

Deno.test("what the network kept back does not take the place of what was said later", async () => {
  const stage = new Stage(), { writer, clock, store } = stage;
  store.unheard = "kept";
  writer.take({ revision: stage.put(drainOf()), draining: {}, ttls: TTLS });
  await settled();
  store.unheard = undefined;
  writer.take({ revision: stage.put(drainOf({ state: "up" })), draining: {}, ttls: TTLS });
  clock.advanceTo(NOW_MS + 1000);
  await settled();
  assert.deepEqual(stage.written!.drains, {});
  store.deliver();
  await settled();
  assert.deepEqual(stage.written!.drains, {});
});

Deno.test("what stands is said anew each day; what a server said that has been gone for a week is taken away", async () => {
  const stage = new Stage(), { writer, clock, store } = stage, world = emptyWorld(store), day = 86_400_000;
  writer.take({ revision: 0, draining: {}, ttls: TTLS });
  await settled();
  for (let i = 1; i <= 8; i++) {
    clock.advanceTo(NOW_MS + i * day);
    await settled();
  }
  assert.equal(stage.written!.atMs, NOW_MS + 8 * day);
  const swept = async (days: number) => {
    world.clock.advanceTo(NOW_MS + days * day);
    return (await sweep(world, "waw")).drains;
  };
  assert.equal(await swept(15), 0);
  store.apply([{ put: KEYS.server("fra"), value: "{}" }]);
  assert.equal(await swept(16), 0, "it is there");
  store.apply([{ remove: KEYS.server("fra") }]);
  assert.equal(await swept(16), 1);
  assert.equal(stage.written, undefined);
});

Deno.test("a drain is done when what any server said before has expired; one announced in time ends soon after its start", async () => {
  const stage = new Stage(), drain = drainOf({ from: at(300) });
  stage.writer.take({ revision: stage.put(drain), draining: {}, ttls: TTLS });
  await settled();
  const told = (override: OverrideValue, servers = ["fra"], inS = 0) =>
    drainedAt(
      Date.parse(override.from),
      witnessesOf(override, servers, (server) => server === "fra" ? stage.written : undefined),
      NOW_MS + inS * 1000,
    );
  // Known five minutes before: nothing given since outlives its start by more than the least TTL.
  assert.deepEqual(told(drain), { state: "expiring", drainedMs: NOW_MS + 305_000 });
  assert.deepEqual(told(drain, ["fra"], 305), { state: "drained", drainedMs: NOW_MS + 305_000 });
  assert.deepEqual(told(drain, ["fra", "waw"]), { state: "spreading", waitingFor: ["waw"] });
  assert.deepEqual(told({ ...drain, target: { node: "n1" } }), { state: "spreading", waitingFor: ["fra"] });
  const late = drainOf({ id: "d2", from: at(10) });
  stage.writer.take({ revision: stage.put(late), draining: {}, ttls: TTLS });
  await settled();
  assert.deepEqual(told(late), { state: "expiring", drainedMs: NOW_MS + 60_000 });
});
