import { byTarget, NO_TARGETS, ofTarget, targetEntries, withTargets } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import { poolView } from "../../../core/fleet/view.ts";
import type { PoolState } from "../../../core/fleet/pool.ts";
import type { Verdict } from "../../../core/fleet/verdict.ts";
import { overridesByNode, segmentOfAll } from "../../../core/fleet/schedule.ts";
import { servingIds } from "../../../core/fleet/serving.ts";
import { CITIES, node, NOW_MS, override, policy, POOL, pool, snapshot, verdicts } from "./make.ts";

const A = node("a", CITIES.paris), B = node("b", CITIES.london), C = node("c", CITIES.sydney);

function view(state: PoolState, more: Parameters<typeof snapshot>[1] = {}, nowMs = NOW_MS) {
  return poolView(snapshot([state], more), POOL, 4, nowMs)!;
}

Deno.test("poolView() has the nodes with an address of the family, ascending by id", () => {
  const both = node("z", CITIES.paris, { ipv6: "2001:db8::1" });
  const state = pool([both, C, B, A]);
  assert.deepEqual(view(state).members.map(({ node }) => node.id), ["a", "b", "c", "z"]);
  const v6 = poolView(snapshot([state]), POOL, 6, NOW_MS)!;
  assert.deepEqual(v6.members.map(({ address }) => address), ["2001:db8::1"]);
  assert.equal(v6.members[0]!.octets.length, 16);
  assert.equal(poolView(snapshot([state]), "other.", 4, NOW_MS), undefined);
});

Deno.test("poolView() counts unknown and degraded as serving, and degraded at half the weight", () => {
  const said = verdicts([A, B, C], { a: "degraded", b: "down", c: "unknown" });
  const { members, serving } = view(pool([A, B, C]), { verdicts: said });
  assert.deepEqual(members.map(({ state, serving, weight }) => [state, serving, weight]), [
    ["degraded", true, 0.5],
    ["down", false, 1],
    ["unknown", true, 1],
  ]);
  assert.deepEqual(serving.map(({ node }) => node.id), ["a", "c"]);
});

Deno.test("poolView() has a weight that an override says, and one of its pool before one of all", () => {
  const one = override("a", "weight", { weight: 6 });
  const here = override("a", "weight", { weight: 8, pool: POOL }), elsewhere = { ...here, pool: "other." };
  const weight = (overrides: readonly ReturnType<typeof override>[], nowMs = NOW_MS) =>
    view(pool([A]), { overrides }, nowMs).members[0]!;
  assert.deepEqual([weight([one]).weight, weight([one]).out], [6, undefined]);
  assert.deepEqual([weight([one, here]).weight, weight([elsewhere]).weight], [8, 1]);
  assert.equal(weight([one]).nextScheduleMs, one.untilMs);
  assert.equal(weight([one], one.untilMs).weight, 1);
  const degraded = view(pool([A]), { overrides: [one], verdicts: verdicts([A], { a: "degraded" }) });
  assert.equal(degraded.members[0]!.weight, 3);
});

Deno.test("poolView() adds to a node's distance its own price, whatever it is called", () => {
  const odd = node("constructor", CITIES.paris),
    degradation = { regions: ["eu"], prices: { a: 7 }, mayEndMs: Infinity };
  assert.deepEqual(view(pool([A, odd], {}, { degradation })).members.map(({ priceM }) => priceM), [7, 0]);
});

Deno.test("poolView() has a node out where an override of its pool says so, and in against one of all", () => {
  const out = (...overrides: ReturnType<typeof override>[]) =>
    view(pool([A]), { overrides }).members[0]!.out !== undefined;
  const down = override("a", "down"), up = override("a", "up");
  assert.equal(out({ ...down, pool: POOL }), true);
  assert.equal(out({ ...down, pool: "other." }), false);
  assert.equal(out(down, { ...up, pool: POOL }), false);
  assert.equal(out(up, { ...down, pool: POOL }), true);
});

Deno.test("poolView() takes a node without checks for up", () => {
  const [member] = view(pool([A], {}, { targets: {} })).members;
  assert.deepEqual([member!.state, member!.serving], ["up", true]);
});

Deno.test("poolView() tolerates the share of failing checks, and then degrades", () => {
  const down: Verdict = { state: "down", sinceMs: 0, reason: "refused", ramp: 1 };
  const state = (failingShare: number) =>
    pool([A], {}, { targets: { [A.ipv4!]: ["x", "y", "z"] }, failingShare });
  const stateWith = (failingShare: number, count: number) =>
    view(state(failingShare), {
      verdicts: byTarget(Object.fromEntries(["x", "y", "z"].slice(0, count).map((target) => [target, down]))),
    }).members[0]!;
  assert.equal(stateWith(0, 1).state, "down");
  assert.equal(stateWith(0.4, 1).state, "degraded");
  assert.equal(stateWith(0.4, 2).state, "down");
  assert.equal(stateWith(0.4, 3).recoveriesMissing, 2);
  assert.equal(stateWith(1, 3).state, "degraded");
});

Deno.test("poolView() ramps up an address that was down, not one that a check let serve all along", () => {
  const check = (state: Verdict["state"], ramp: number): Verdict => ({ state, sinceMs: 0, reason: "", ramp });
  const rampOf = (failingShare: number, x: Verdict, y: Verdict) =>
    view(pool([A], {}, { targets: { [A.ipv4!]: ["x", "y"] }, failingShare }), {
      verdicts: byTarget({ x, y }),
    })
      .members[0]!.ramp;
  assert.equal(rampOf(0, check("up", 0.1), check("up", 0.5)), 0.1);
  assert.equal(rampOf(0.5, check("up", 0.1), check("up", 1)), 1);
  assert.equal(rampOf(0.5, check("down", 1), check("up", 0.3)), 0.3);
  assert.equal(rampOf(0.5, check("up", 0.1), check("up", 0.5)), 0.5);
  assert.equal(rampOf(1, check("down", 1), check("up", 0.1)), 1);
});

Deno.test("poolView() has nodes out by state, maintenance and override, and an override up against both", () => {
  const window = { fromMs: NOW_MS - 5, untilMs: NOW_MS + 5, reason: "kernel" };
  const out = (more: Partial<typeof A>, ...overrides: ReturnType<typeof override>[]) =>
    view(pool([{ ...A, ...more }]), { overrides }).members[0]!.out;
  assert.equal(out({}), undefined);
  assert.equal(out({ state: "drain" }), "state drain");
  assert.equal(out({ maintenance: [window] }), "maintenance: kernel");
  assert.equal(out({}, override("a", "drain")), "override drain by ada: test");
  assert.equal(out({}, override("b", "drain")), undefined);
  assert.equal(out({}, override("a", "down", { untilMs: NOW_MS })), undefined);
  assert.equal(out({ state: "down", maintenance: [window] }, override("a", "up")), undefined);
  assert.equal(out({}, override("a", "up"), override("a", "down")), "override down by ada: test");
});

Deno.test("poolView() stands until the next instant in a calendar, start included and end not", () => {
  const window = { fromMs: NOW_MS + 100, untilMs: NOW_MS + 200, reason: "" };
  const shot = snapshot([pool([A, { ...B, maintenance: [window] }])]);
  const at = (afterMs: number) => poolView(shot, POOL, 4, NOW_MS + afterMs)!;
  assert.deepEqual([at(0).fromMs, at(0).untilMs], [-Infinity, NOW_MS + 100]);
  assert.equal(at(99), at(0));
  assert.equal(at(100).members[1]!.out, "maintenance");
  assert.deepEqual([at(100).fromMs, at(199).untilMs], [NOW_MS + 100, NOW_MS + 200]);
  assert.equal(at(200).members[1]!.out, undefined);
  assert.equal(at(0).members[1]!.nextScheduleMs, NOW_MS + 100);
});

Deno.test("poolView() is the same object while what it shows is the same, and another when a verdict is", () => {
  const state = pool([A, B]);
  const said = verdicts([A, B], { a: "up", b: "up" });
  const first = snapshot([state], { verdicts: said });
  const view = poolView(first, POOL, 4, NOW_MS);
  assert.equal(poolView({ ...first, deadlines: [...NO_TARGETS] }, POOL, 4, NOW_MS), view);
  assert.equal(
    poolView(
      { ...first, verdicts: withTargets(said, { other: ofTarget(said, `tcp ${A.ipv4}`)! }) },
      POOL,
      4,
      NOW_MS,
    ),
    view,
  );
  const changed = {
    ...first,
    verdicts: withTargets(said, Object.fromEntries(targetEntries(verdicts([A], { a: "down" })))),
  };
  assert.deepEqual(poolView(changed, POOL, 4, NOW_MS)!.serving.map(({ node }) => node.id), ["b"]);
});

Deno.test("poolView() is all-down below the threshold, and knows how many are missing or must be lost", () => {
  const nodes = [A, B, C, node("d", CITIES.perth)];
  const at = (threshold: number, ...down: string[]) => {
    const said = verdicts(nodes, Object.fromEntries(down.map((id) => [id, "down"])));
    const { allDown, missing, mustBeLost } = view(pool(nodes, { threshold }), { verdicts: said });
    return [allDown, missing, mustBeLost];
  };
  assert.deepEqual(at(0), [false, 0, Infinity]);
  assert.deepEqual(at(0, "a", "b", "c", "d"), [true, 1, Infinity]);
  assert.deepEqual(at(0.5), [false, 0, 3]);
  assert.deepEqual(at(0.5, "a", "b"), [false, 0, 1]);
  assert.deepEqual(at(0.5, "a", "b", "c"), [true, 1, Infinity]);
  assert.deepEqual(at(1, "a", "b", "c"), [true, 3, Infinity]);
});

Deno.test("servingIds() names those known to serve, and nobody while the pool is all-down or unknown", () => {
  const state = pool([C, B, A]);
  const shot = (states: Parameters<typeof verdicts>[1]) => ({
    verdicts: verdicts([A, B, C], states),
    overrides: [],
  });
  const up = { a: "up", c: "up" } as const;
  assert.deepEqual(servingIds(shot({ ...up, b: "down" }), state, policy(), 4, NOW_MS), ["a", "c"]);
  assert.deepEqual(servingIds(shot({ a: "up" }), state, policy(), 4, NOW_MS), ["a"]);
  assert.equal(servingIds(shot({ a: "down", b: "down", c: "down" }), state, policy(), 4, NOW_MS), undefined);
  assert.equal(
    servingIds(shot({ ...up, b: "down" }), state, policy({ threshold: 0.9 }), 4, NOW_MS),
    undefined,
  );
  assert.equal(servingIds(shot({}), state, policy(), 6, NOW_MS), undefined);
});

Deno.test("segmentOfAll() lasts from the latest start or end that has been to the earliest to come", () => {
  const busy = { ...A, maintenance: [{ fromMs: NOW_MS + 50, untilMs: NOW_MS + 90, reason: "" }] };
  const forced = overridesByNode([override("b", "drain", { fromMs: NOW_MS, untilMs: NOW_MS + 70 })]);
  const at = (nowMs: number) => segmentOfAll([busy, B], forced, nowMs);
  assert.deepEqual(at(NOW_MS), { fromMs: NOW_MS, untilMs: NOW_MS + 50 });
  assert.deepEqual(at(NOW_MS + 50), { fromMs: NOW_MS + 50, untilMs: NOW_MS + 70 });
  assert.deepEqual(at(NOW_MS + 90), { fromMs: NOW_MS + 90, untilMs: Infinity });
});
