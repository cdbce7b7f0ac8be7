import { byTarget } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import { deadlineOf } from "../../../core/fleet/deadline.ts";
import type { Choice } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import type { VerdictDeadlines } from "../../../core/fleet/verdict.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { choose, ids, NOW_MS, POOL } from "./make.ts";
import {
  type RandomNode,
  randomPlace,
  type RandomPool,
  randomPool,
  snapshotOf,
  SPARE,
} from "./random_fleet.ts";

/** When things may befall a node, in milliseconds from now, and which of them do. */
const fate = fc.record({
  downMs: fc.integer({ min: 1, max: 12 }),
  upMs: fc.integer({ min: 1, max: 12 }),
  changeMs: fc.integer({ min: 1, max: 12 }),
  rampMs: fc.integer({ min: 1, max: 12 }),
  window: fc.option(fc.tuple(fc.integer({ min: -3, max: 12 }), fc.integer({ min: 1, max: 12 })), { freq: 2 }),
  happens: fc.constantFrom("nothing", "down", "up", "change", "ramp", "up in a ramp"),
});
type Fate = typeof fate extends fc.Arbitrary<infer T> ? T : never;

/** The node with its calendar. */
function planned(node: RandomNode, { window }: Fate): RandomNode {
  if (!window) return node;
  const [from, length] = window;
  const fromMs = NOW_MS + from;
  return { ...node, maintenance: [{ fromMs, untilMs: fromMs + length, reason: "" }] };
}

/** The node as it may be `afterMs` from now. */
function befallen(node: RandomNode, fate: Fate, afterMs: number): RandomNode {
  const isDown = node.state === "down";
  switch (fate.happens) {
    case "down":
      return !isDown && fate.downMs <= afterMs ? { ...node, state: "down" } : node;
    case "up":
      return isDown && fate.upMs <= afterMs ? { ...node, state: "up", ramp: 1 } : node;
    case "up in a ramp":
      return isDown && fate.upMs <= afterMs ? { ...node, state: "up", ramp: 0.1 } : node;
    case "change":
      if (isDown || changeOf(node, fate) > afterMs) return node;
      return { ...node, state: node.state === "degraded" ? "up" : "degraded" };
    case "ramp":
      return node.ramp < 1 && fate.rampMs <= afterMs ? { ...node, ramp: Math.min(1, node.ramp + 0.5) } : node;
    case "nothing":
      return node;
  }
}

/** Any change: the least of all. */
function changeOf({ state, ramp }: RandomNode, { downMs, upMs, changeMs, rampMs }: Fate): number {
  return Math.min(changeMs, state === "down" ? upMs : downMs, ramp < 1 ? rampMs : Infinity);
}

function deadlinesOf(
  snapshot: Snapshot,
  name: string,
  pool: RandomPool,
  fates: readonly Fate[],
): VerdictDeadlines {
  return byTarget(Object.fromEntries(
    snapshot.pools[name]!.nodes.map(({ id, ipv4 }) => {
      const i = Number(id.slice(1)), node = pool.nodes[i]!, { downMs, upMs, rampMs } = fates[i]!;
      const isDown = node.state === "down";
      return [snapshot.pools[name]!.targets[ipv4!]![0]!, {
        downMs: NOW_MS + (isDown ? Infinity : downMs),
        upMs: NOW_MS + (isDown ? upMs : Infinity),
        changeMs: NOW_MS + changeOf(node, fates[i]!),
        rampMs: NOW_MS + (node.ramp < 1 ? rampMs : Infinity),
        steady: true,
      }];
    }),
  ));
}

function said(choice: Choice): string {
  return `${choice.outcome} ${ids(choice).toSorted()}`;
}

/** While all-down, the memory stays; else it is of who serves now. */
function remembering(pool: RandomPool, snapshot: Snapshot, name: string): RandomPool {
  const view = viewsAt(snapshot, 4, NOW_MS)(name)!;
  if (view.allDown) return pool;
  return {
    ...pool,
    nodes: pool.nodes.map((node, i) => ({
      ...node,
      remembered: view.serving.some(({ node }) => node.id === `n${i}`),
    })),
  };
}

Deno.test("deadlineOf() is no later than anything that changes an answer, in whatever order things happen", () => {
  let changed = 0;
  const fates = fc.array(fate, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(
      ...[
        randomPool(true),
        randomPool(false),
        fates,
        fates,
        randomPlace,
        fc.nat(65535),
        fc.integer({ min: 1, max: 14 }),
      ],
      (main, spare, mainFates, spareFates, at, leafNumber, afterMs) => {
        const leaf = `10.${leafNumber >> 8}.${leafNumber & 255}.0/24`;
        const plan = (pool: RandomPool, fates: Fate[]) => ({
          ...pool,
          nodes: pool.nodes.map((node, i) => planned(node, fates[i]!)),
        });
        const [mainNow, spareNow] = [plan(main, mainFates), plan(spare, spareFates)];
        const now = snapshotOf(mainNow, spareNow);
        const told = {
          ...deadlinesOf(now, POOL, mainNow, mainFates),
          ...deadlinesOf(now, SPARE, spareNow, spareFates),
        };
        const choice = choose(now, at, { leaf });
        const { earliestMs } = deadlineOf(choice.consulted(), viewsAt(now, 4, NOW_MS), told);
        const later = (pool: RandomPool, name: string, fates: Fate[]) => {
          const kept = remembering(pool, now, name);
          return { ...kept, nodes: kept.nodes.map((node, i) => befallen(node, fates[i]!, afterMs)) };
        };
        const then = snapshotOf(later(mainNow, POOL, mainFates), later(spareNow, SPARE, spareFates));
        const after = choose(then, at, { leaf, nowMs: NOW_MS + afterMs });
        if (said(after) === said(choice)) return;
        changed++;
        assert.ok(
          earliestMs <= NOW_MS + afterMs,
          `${said(choice)} (${choice.why}) became ${said(after)} after ${afterMs} ms, deadline ${
            earliestMs - NOW_MS
          } ms`,
        );
      },
    ),
    { numRuns: 6000, seed: 3 },
  );
  assert.ok(changed > 1000, `only ${changed} answers changed`);
});
