import { byTarget, targetEntries } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import { deadlineOf } from "../../../core/fleet/deadline.ts";
import type { Choice } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { type Opinion, withRegions } from "../../../core/fleet/vantages.ts";
import type { VerdictDeadline, VerdictDeadlines } from "../../../core/fleet/verdict.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { choose, ids, NOW_MS, POOL } from "./make.ts";
import {
  type RandomNode,
  randomPlace,
  type RandomPool,
  randomPool,
  regionalPool,
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
function befallen<T extends Said>(node: T, fate: Fate, afterMs: number): T {
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
function changeOf({ state, ramp }: Said, { downMs, upMs, changeMs, rampMs }: Fate): number {
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
      const i = Number(id.slice(1)), node = pool.nodes[i]!;
      const opinion = (said: Said, fate: Fate): Opinion => {
        const verdict = { state: said.state, ramp: said.ramp, sinceMs: 0, reason: "" };
        return { verdict, deadline: deadlineOfOne(said, fate) };
      };
      // What befalls a region's opinion is what befalls some other node.
      const owns = Object.entries(node.saidIn ?? {}).map(([region, own], j) =>
        [region, opinion(own, fates[regionalFate(i, j)]!)] as const
      );
      const { deadline } = withRegions(opinion(node, fates[i]!), new Map(owns));
      return [snapshot.pools[name]!.targets[ipv4!]![0]!, deadline];
    }),
  ));
}

type Said = Pick<RandomNode, "state" | "ramp">;

function regionalFate(node: number, region: number): number {
  return (node + 3 + 2 * region) % FATES;
}

const FATES = 8;

function deadlineOfOne(said: Said, fate: Fate): VerdictDeadline {
  const isDown = said.state === "down", { downMs, upMs, rampMs } = fate;
  return {
    downMs: NOW_MS + (isDown ? Infinity : downMs),
    upMs: NOW_MS + (isDown ? upMs : Infinity),
    changeMs: NOW_MS + changeOf(said, fate),
    rampMs: NOW_MS + (said.ramp < 1 ? rampMs : Infinity),
    steady: true,
  };
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
  const changed = check(randomPool(true), randomPool(false), { numRuns: 6000, seed: 3 });
  assert.ok(changed > 1000, `only ${changed} answers changed`);
});

Deno.test("deadlineOf() is no later than what regions say otherwise, come to say, or no longer say", () => {
  const changed = check(regionalPool(true, 1, 3), regionalPool(false, 1, 3), { numRuns: 4000, seed: 4 });
  assert.ok(changed > 600, `only ${changed} answers changed`);
});

/** @returns How many answers changed. */
function check(
  mains: fc.Arbitrary<RandomPool>,
  spares: fc.Arbitrary<RandomPool>,
  runs: { readonly numRuns: number; readonly seed: number },
): number {
  let changed = 0;
  const fates = fc.array(fate, { minLength: FATES, maxLength: FATES });
  fc.assert(
    fc.property(
      ...[
        mains,
        spares,
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
        const told = byTarget(Object.fromEntries([
          ...targetEntries(deadlinesOf(now, POOL, mainNow, mainFates)),
          ...targetEntries(deadlinesOf(now, SPARE, spareNow, spareFates)),
        ]));
        const choice = choose(now, at, { leaf });
        const { earliestMs } = deadlineOf(choice.consulted(), viewsAt(now, 4, NOW_MS), told);
        const later = (pool: RandomPool, name: string, fates: Fate[]) => {
          const kept = remembering(pool, now, name);
          return {
            ...kept,
            nodes: kept.nodes.map((node, i) => ({
              ...befallen(node, fates[i]!, afterMs),
              ...node.saidIn && {
                saidIn: Object.fromEntries(
                  Object.entries(node.saidIn).map((
                    [region, own],
                    j,
                  ) => [region, befallen(own, fates[regionalFate(i, j)]!, afterMs)]),
                ),
              },
            })),
          };
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
    runs,
  );
  return changed;
}
