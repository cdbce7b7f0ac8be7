import assert from "node:assert/strict";
import {
  describeLease,
  type Heard,
  LEASE_TERMS,
  type LeaseEntry,
  leaseOf,
} from "../../../core/registry/lease.ts";
import { livenessOfAll, LivenessView } from "../../../core/registry/liveness_view.ts";
import { KEYS } from "../../../core/state/keys.ts";

const NOW = Date.UTC(2026, 10, 23, 12), RECORD = { registeredMs: NOW - 3_600_000, server: "fra", said: "" };

/** Heard so long ago by a server that had noted all until so long ago; seconds. */
const heard = (server: string, ago: number, told: number | "ended", more: Partial<Heard> = {}): Heard => ({
  ...{ server, heardMs: NOW - ago * 1000, ownMs: NOW - ago * 1000, leaseMs: LEASE_TERMS.leaseMs },
  ...{ toldMs: told === "ended" ? 0 : NOW - told * 1000, isThere: told !== "ended" },
  ...more,
});
const entry = (heards: Heard[], record = {}) =>
  leaseOf("n", { ...RECORD, ...record }, heards, LEASE_TERMS, NOW);

const table: [what: string, heards: Heard[], state: LeaseEntry["state"], verdict: string][] = [
  ["heard just now", [heard("fra", 1, 0)], "alive", "up"],
  ["silent for a lease, and that is told", [heard("fra", 30, 0)], "gone", "down"],
  ["silent for a lease, and nobody has told", [heard("fra", 31, 2)], "alive", "up"],
  ["silent, by a server of which nothing is heard", [heard("fra", 100, 80)], "alive", "up"],
  ["the same, long ago", [heard("fra", 400, 380)], "unknown", "unknown"],
  ["heard by a server that is gone", [heard("fra", 29, "ended")], "alive", "up"],
  ["the same, a lease ago", [heard("fra", 31, "ended")], "gone", "down"],
  ["moved to another server", [heard("fra", 40, 0), heard("ams", 5, 0)], "alive", "up"],
  ["died there", [heard("fra", 60, 50), heard("ams", 40, 0)], "gone", "down"],
  [
    "one of two that heard it at about the same time cannot tell",
    [
      ...[heard("fra", 32, 0), heard("ams", 34, 20)],
    ],
    "alive",
    "up",
  ],
  [
    "silent for the lease of others, not for its own",
    [heard("fra", 40, 0, { leaseMs: 60_000 })],
    "alive",
    "up",
  ],
  ["silent for its own, which is shorter", [heard("fra", 11, 0, { leaseMs: 10_000 })], "gone", "down"],
  [
    "a shorter lease, by a server that is gone",
    [heard("fra", 11, "ended", { leaseMs: 10_000 })],
    "gone",
    "down",
  ],
  [
    "heard for longer by one than by another one later",
    [heard("fra", 20, 0, { leaseMs: 60_000 }), heard("ams", 12, 0, { leaseMs: 10_000 })],
    "alive",
    "up",
  ],
  ["drains", [heard("fra", 1, 0, { drainingMs: NOW - 9000 })], "draining", "down"],
  ["drained, and died", [heard("fra", 31, 0, { drainingMs: NOW - 60_000 })], "gone", "down"],
];
for (const [what, heards, state, verdict] of table) {
  Deno.test(`a node is ${state}: ${what}`, () => {
    const found = entry(heards);
    assert.deepEqual([found.state, found.verdict.state, found.target], [state, verdict, "lease n"]);
    assert.deepEqual(entry(heards.toReversed()), found);
  });
}

Deno.test("a lease says why, by the clock of who heard the node; and to people by theirs", () => {
  const gone = entry([heard("fra", 42, 0)]);
  assert.equal(
    gone.verdict.reason,
    "lease ended at 2026-11-23T11:59:48.000Z: last heard at 2026-11-23T11:59:18.000Z by fra",
  );
  assert.equal(gone.verdict.sinceMs, NOW - 12_000);
  assert.equal(describeLease(gone, NOW), "lease ended 12 s ago: last heard by fra");
  assert.equal(describeLease(entry([heard("fra", 1, 0)]), NOW), "lease held: last heard by fra");
  assert.equal(describeLease(entry([heard("fra", 1, 0)], { leftMs: NOW - 3000 }), NOW), "left 3 s ago");
});

Deno.test("a deadline is the end of the lease, as far as it is known", () => {
  assert.equal(entry([heard("fra", 1, 0)]).deadline.downMs, NOW + 29_000);
  assert.equal(entry([heard("fra", 1, 0, { leaseMs: 60_000 })]).deadline.downMs, NOW + 59_000);
  assert.equal(entry([heard("fra", 20, 0), heard("ams", 5, 0)]).deadline.downMs, NOW + 25_000);
  // Who should have told may tell at any time.
  assert.equal(entry([heard("fra", 31, 2)]).deadline.downMs, NOW - 1000);
  assert.deepEqual(entry([heard("fra", 31, 0)]).deadline.downMs, Infinity);
});

/** A view with entries of a store put into it. */
function viewOf(entries: Record<string, object>, nowMs: number): LivenessView {
  const view = new LivenessView();
  view.take(differences(entries), nowMs);
  view.changes(nowMs);
  return view;
}

const differences = (entries: Record<string, object | undefined>) =>
  Object.entries(entries).map(([key, value]) => ({
    key,
    ...value && { after: { key, value: JSON.stringify(value), revision: 1, version: 1 } },
  }));

const FLEET = {
  [KEYS.server("fra")]: { nowMs: NOW, notedMs: NOW },
  [KEYS.node("n")]: { origin: "registry" },
  [KEYS.registration("n")]: RECORD,
  [KEYS.alive("fra", 3)]: { atMs: NOW, heard: { n: NOW - 1000 } },
};

Deno.test("while the store is away nodes are as they were, then nobody can tell; they are never gone", () => {
  const view = viewOf(FLEET, NOW), states: (string | undefined)[] = [];
  for (let s = 0; s <= 400; s++) {
    view.changes(NOW + s * 1000);
    const state = view.entry("n")?.state;
    if (states.at(-1) !== state) states.push(state);
    if (state === "unknown") assert.ok(s >= 300);
  }
  assert.deepEqual(states, ["alive", "unknown"]);
  // The server is back, and tells that nothing was heard meanwhile.
  view.take(
    differences({ [KEYS.server("fra")]: { nowMs: NOW + 401_000, notedMs: NOW + 401_000 } }),
    NOW + 401_000,
  );
  assert.deepEqual(view.changes(NOW + 401_000).verdicts["lease n"]?.state, "down");
});

Deno.test("another lease for the same heartbeat is news, and who gave the one that ended is named", () => {
  const view = viewOf(FLEET, NOW),
    bucket = (more: object) => ({
      [KEYS.alive("fra", 3)]: { atMs: NOW, heard: { n: NOW - 1000 }, ...more },
    });
  view.take(differences(bucket({ leases: { n: 60_000 } })), NOW);
  assert.equal(view.changes(NOW).deadlines["lease n"]?.downMs, NOW + 59_000);
  for (const leaseMs of [-5, 0, "x", 1e300, null]) {
    view.take(differences(bucket({ leaseMs })), NOW);
    view.changes(NOW);
    assert.equal(view.entry("n")?.deadline.downMs, NOW + 29_000, `${leaseMs}`);
  }
  const { heardBy, verdict } = entry([
    heard("fra", 65, 0, { leaseMs: 60_000 }),
    heard("ams", 20, 0, { leaseMs: 10_000 }),
  ]);
  assert.equal(heardBy.server, "fra");
  assert.match(
    verdict.reason,
    /^lease ended at 2026-11-23T11:59:55.000Z: heard at 2026-11-23T11:58:55.000Z by fra/,
  );
});

Deno.test("who registered has the lease that it was told, before anybody has written that it was heard", () => {
  for (const [leaseMs, state] of [[undefined, "gone"], [60_000, "alive"], [12_000, "gone"]] as const) {
    const record = { ...RECORD, registeredMs: NOW - 40_000, ...leaseMs !== undefined && { leaseMs } };
    const view = viewOf({
      [KEYS.server("fra")]: { nowMs: NOW, notedMs: NOW },
      [KEYS.node("n")]: { origin: "registry" },
      [KEYS.registration("n")]: record,
    }, NOW);
    assert.equal(view.entry("n")?.state, state);
  }
});

Deno.test("changes are told once; time makes some too", () => {
  const view = new LivenessView();
  view.take(differences(FLEET), NOW);
  assert.equal(view.nextMs, -Infinity);
  assert.equal(view.changes(NOW).verdicts["lease n"]?.state, "up");
  assert.deepEqual(view.changes(NOW), { verdicts: {}, deadlines: {} });
  assert.equal(view.nextMs, NOW + 29_000);
  view.take(
    differences({ [KEYS.alive("fra", 3)]: { atMs: NOW + 9000, heard: { n: NOW + 9000 } } }),
    NOW + 9000,
  );
  const { verdicts, deadlines } = view.changes(NOW + 9000);
  assert.deepEqual([verdicts, deadlines["lease n"]?.downMs], [{}, NOW + 39_000]);
});

Deno.test("a node that is removed has no lease, nor one that never registered", () => {
  const view = viewOf(FLEET, NOW);
  view.take(differences({ [KEYS.node("n")]: undefined }), NOW);
  assert.deepEqual(view.changes(NOW), {
    verdicts: { "lease n": undefined },
    deadlines: { "lease n": undefined },
  });
  assert.deepEqual([...view.entries()], []);
  view.take(differences({ [KEYS.node("operators")]: {} }), NOW);
  assert.deepEqual(view.changes(NOW).verdicts, {});
});

Deno.test("a node that an operator made has no lease of one that went before it, until it registers", () => {
  const view = viewOf(FLEET, NOW),
    state = (record: object) => {
      const changed = differences({ [KEYS.node("n")]: record });
      view.take(changed, NOW);
      view.changes(NOW);
      const before = differences(FLEET).filter(({ key }) => key !== KEYS.node("n"));
      const all = livenessOfAll([...before, ...changed].map(({ after }) => after!), view.servers, NOW);
      assert.equal(all.get("n")?.state, view.entry("n")?.state);
      return view.entry("n")?.state;
    };
  assert.equal(state({ origin: "api" }), undefined);
  assert.equal(state({ origin: "api", publicKey: "its own" }), "alive");
  assert.equal(state({ origin: "formation" }), "alive");
});

Deno.test("a server whose clock is set back, or forth, loses no node by it", () => {
  for (const jumpMs of [-3_600_000, 3_600_000]) {
    const view = viewOf(FLEET, NOW), own = (ms: number) => NOW + ms + jumpMs;
    // It moves what it has noted along with its clock.
    view.take(
      differences({ [KEYS.alive("fra", 3)]: { atMs: own(2000), heard: { n: own(-1000) } } }),
      NOW + 2000,
    );
    view.take(differences({ [KEYS.server("fra")]: { nowMs: own(5000), notedMs: own(5000) } }), NOW + 5000);
    for (let ms = 5000; ms < 28_000; ms += 1000) {
      view.changes(NOW + ms);
      assert.equal(view.entry("n")!.state, "alive", `${jumpMs} ${ms}`);
    }
  }
});

/** What kills a table by node that looks up what JSON did not say. */
const EVERYBODYS = ["constructor", "toString", "valueOf", "hasOwnProperty"];

Deno.test("a node that is called as what every object has drains with nobody else", () => {
  for (const id of EVERYBODYS) {
    const entries = {
      ...{ [KEYS.server("fra")]: { nowMs: NOW, notedMs: NOW }, [KEYS.registration(id)]: RECORD },
      ...{
        [KEYS.node(id)]: { token: "t1" },
        [KEYS.node("n")]: { token: "t1" },
        [KEYS.registration("n")]: RECORD,
      },
      [KEYS.alive("fra", 3)]: { atMs: NOW, heard: { [id]: NOW - 1000, n: NOW - 1000 }, draining: { n: NOW } },
    };
    const view = viewOf(entries, NOW),
      all = livenessOfAll(
        differences(entries).map(({ after }) => after!),
        view.servers,
        NOW,
      );
    for (const entryOf of [(id: string) => view.entry(id), (id: string) => all.get(id)]) {
      assert.deepEqual([entryOf(id)?.state, entryOf("n")?.state], ["alive", "draining"], id);
    }
  }
});

Deno.test("a node of which the store says what cannot be is told, once, and has no lease; others have theirs", () => {
  const faults: string[] = [], view = new LivenessView(LEASE_TERMS, (id) => void faults.push(id));
  const entries = {
    ...{ ...FLEET, [KEYS.node("bad")]: { token: "t1" } },
    [KEYS.registration("bad")]: { ...RECORD, leftMs: 1e300 },
    [KEYS.alive("fra", 3)]: { atMs: NOW, heard: { n: NOW - 1000, bad: "yesterday" } },
  };
  view.take(differences(entries), NOW);
  assert.equal(view.changes(NOW).verdicts["lease n"]?.state, "up");
  view.take(differences({ [KEYS.registration("bad")]: { ...RECORD, leftMs: 2e300 } }), NOW);
  view.changes(NOW);
  assert.deepEqual([faults, view.entry("bad")], [["bad"], undefined]);
  assert.throws(() => view.take(differences({ [KEYS.alive("fra", 3)]: { atMs: NOW, heard: null } }), NOW));
  view.take(differences({ [KEYS.registration("bad")]: RECORD }), NOW);
  assert.equal(view.changes(NOW).verdicts["lease bad"]?.state, "down");
});
