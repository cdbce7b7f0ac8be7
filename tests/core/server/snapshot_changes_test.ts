import { NO_TARGETS } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import { changesBetween, withChanges } from "../../../core/server/snapshot_changes.ts";
import type { PoolState } from "../../../core/fleet/pool.ts";
import { CITIES, node, POOL, pool, snapshot } from "../fleet/make.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../../core/snapshot.ts";

const FIRST: Snapshot = {
  ...EMPTY_SNAPSHOT,
  epoch: 1,
  publishedMs: 1000,
  slots: { "1/hosts": { lines: ["192.0.2.1 www.example.org"] }, "2/cookie": [new Uint8Array(16)] },
};

Deno.test("changesBetween() has the slot that changed, not its neighbours", () => {
  const secrets = [new Uint8Array(16).fill(1)];
  const second = { ...FIRST, epoch: 2, slots: { ...FIRST.slots, "2/cookie": secrets } };
  assert.deepEqual(changesBetween(FIRST, second), {
    parts: { epoch: 2 },
    tables: { slots: { entries: { "2/cookie": secrets }, removed: [] } },
  });
});

Deno.test("changesBetween() has nothing where nothing changed", () => {
  assert.deepEqual(changesBetween(FIRST, { ...FIRST }), { parts: {}, tables: {} });
});

Deno.test("withChanges() makes each snapshot of the one before, also where entries went", () => {
  const snapshots: Snapshot[] = [
    EMPTY_SNAPSHOT,
    FIRST,
    { ...FIRST, epoch: 2, slots: { "2/cookie": FIRST.slots["2/cookie"] } },
    { ...FIRST, epoch: 3, verdicts: NO_TARGETS, overrides: [], slots: {} },
  ];
  let made = EMPTY_SNAPSHOT;
  for (const [i, snapshot] of snapshots.entries()) {
    made = withChanges(made, structuredClone(changesBetween(snapshots[i - 1] ?? EMPTY_SNAPSHOT, snapshot)));
    assert.deepEqual(made, snapshot);
  }
});

Deno.test("withChanges() leaves what did not change as it is, so that memos of it stand", () => {
  const second = { ...FIRST, slots: { ...FIRST.slots, "1/hosts": {} } };
  const made = withChanges(FIRST, changesBetween(FIRST, second));
  assert.equal(made.slots["2/cookie"], FIRST.slots["2/cookie"]);
  assert.equal(made.pools, FIRST.pools);
});

Deno.test("changesBetween() has of a large map in a slot what changed in it, and what went", () => {
  const zones = new Map(Array.from({ length: 100 }, (_, i) => [`z${i}`, { serial: 1 }]));
  const before = { ...FIRST, slots: { ...FIRST.slots, "1/file": { zones, more: 1 } } };
  const later = new Map([...zones, ["z5", { serial: 2 }], ["new", { serial: 1 }]]);
  later.delete("z9");
  const after = { ...before, slots: { ...before.slots, "1/file": { zones: later, more: 2 } } };
  const changes = changesBetween(before, after);
  assert.deepEqual(changes.tables.slots, {
    entries: { "1/file": { more: 2 } },
    removed: [],
    maps: {
      "1/file": {
        zones: { entries: new Map([["z5", { serial: 2 }], ["new", { serial: 1 }]]), removed: ["z9"] },
      },
    },
  });
  const made = withChanges(before, structuredClone(changes)),
    slot = made.slots["1/file"] as typeof before.slots["1/file"];
  assert.deepEqual(slot, after.slots["1/file"]);
  assert.equal(slot.zones.get("z1"), zones.get("z1"));
});

Deno.test("changesBetween() has of a pool what changed, so that its nodes stay what they are for whoever has them", () => {
  const before = snapshot([pool([node("paris", CITIES["paris"]!)])]), { nodes } = before.pools[POOL]!;
  const flipped = { ...before.pools[POOL]!, epoch: 2, lastServing: { 4: ["paris"], 6: [] } };
  const after = { ...before, pools: { ...before.pools, [POOL]: flipped } };
  const changes = structuredClone(changesBetween(before, after));
  assert.deepEqual(changes.tables.pools, {
    entries: { [POOL]: { epoch: 2, lastServing: flipped.lastServing } },
    removed: [],
    partial: [POOL],
  });
  const made = withChanges(before, changes);
  assert.deepEqual(made, after);
  assert.equal(made.pools[POOL]!.nodes, nodes);
});

Deno.test("changesBetween() has all of a pool that is new, or that has lost a property", () => {
  const one = pool([node("paris", CITIES["paris"]!)]), before = snapshot([one]);
  const { failingShare: _, ...less } = before.pools[POOL]!;
  for (const pools of [{ ...before.pools, new: before.pools[POOL]! }, { [POOL]: less as PoolState }]) {
    const after = { ...before, pools }, changes = structuredClone(changesBetween(before, after));
    assert.equal(changes.tables.pools!.partial, undefined);
    assert.deepEqual(withChanges(before, changes), after);
  }
});
