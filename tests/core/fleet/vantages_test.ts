import assert from "node:assert/strict";
import fc from "fast-check";
import { agree, type Agreement, agreeWithin, type VantageReport } from "../../../core/fleet/vantages.ts";
import type { State, VerdictDeadline } from "../../../core/fleet/verdict.ts";

const NOW = 1_000_000;
const QUORUM: Agreement = { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 };

interface Told {
  readonly ageMs?: number;
  readonly sinceMs?: number;
  readonly ramp?: number;
  readonly region?: string;
  readonly deadline?: VerdictDeadline;
}

function report(vantage: string, state: State, told: Told = {}): VantageReport {
  const { ageMs = 0, sinceMs = NOW - 60_000, ramp = 1, region = "", deadline } = told;
  return {
    ...{ vantage, region, heardMs: NOW - ageMs, ...deadline && { deadline } },
    verdict: { state, sinceMs, reason: `as ${vantage} saw`, ramp },
  };
}

/** `up up down` as the reports of three. */
function said(states: string, told: Told = {}): VantageReport[] {
  return states.split(" ").map((state, i) => report(`v${i}`, state as State, told));
}

const stateOf = (
  reports: readonly VantageReport[],
  agreement: Partial<Agreement> = {},
  known = reports.length,
) => agree(reports, known, { ...QUORUM, ...agreement }, NOW).verdict.state;

Deno.test("agree(): more than half make a target down, and no fewer", () => {
  const table: [string, State][] = [
    ["up", "up"],
    ["down", "down"],
    ["down up", "up"],
    ["down down", "down"],
    ["down up up", "up"],
    ["down down up", "down"],
    ["down down up up", "up"],
    ["down down down up up", "down"],
    ["degraded degraded up", "degraded"],
    ["down degraded up", "degraded"],
    ["down degraded degraded up", "degraded"],
  ];
  for (const [states, expected] of table) assert.equal(stateOf(said(states)), expected, states);
});

Deno.test("agree(): any takes more than 18 % for up, all takes everybody", () => {
  assert.equal(stateOf(said("down down down down down up"), { mode: "any" }), "down", "1 of 6 is 17 %");
  assert.equal(stateOf(said("down down down down up"), { mode: "any" }), "up", "1 of 5 is 20 %");
  assert.equal(stateOf(said("down down down down degraded"), { mode: "any" }), "degraded");
  assert.equal(stateOf(said("up up up up down"), { mode: "all" }), "down");
  assert.equal(stateOf(said("up up degraded"), { mode: "all" }), "degraded");
  assert.equal(stateOf(said("up up up"), { mode: "all" }), "up");
});

Deno.test("agree(): who knows nothing says nothing", () => {
  assert.equal(stateOf(said("unknown down down")), "down");
  assert.equal(stateOf(said("unknown unknown")), "unknown");
  assert.equal(stateOf([]), "unknown");
});

Deno.test("agree(): a lone server decides by itself, one of several does not", () => {
  assert.equal(stateOf(said("down"), {}, 1), "down");
  const [agreed] = [agree(said("down"), 3, QUORUM, NOW)];
  assert.equal(agreed.verdict.state, "unknown");
  assert.equal(agreed.basis, "none");
});

Deno.test("agree(): what is old is held while too little is fresh, then nothing is known", () => {
  const own = report("own", "down"),
    others = (ageMs: number) => [report("a", "up", { ageMs }), report("b", "up", { ageMs })];
  const table: [number, string, State][] = [
    [0, "fresh", "up"],
    [14_999, "fresh", "up"],
    [15_000, "held", "up"],
    [299_999, "held", "up"],
    [300_000, "none", "unknown"],
  ];
  for (const [ageMs, basis, state] of table) {
    const agreed = agree([own, ...others(ageMs)], 3, QUORUM, NOW);
    assert.equal(agreed.basis, basis, `${ageMs} ms`);
    assert.equal(agreed.verdict.state, state, `${ageMs} ms`);
  }
});

Deno.test("agree(): a verdict has the time and the words of who made it so, and the slowest ramp", () => {
  const { verdict } = agree(
    [
      report("a", "down", { sinceMs: NOW - 9000 }),
      report("b", "down", { sinceMs: NOW - 4000 }),
      report("c", "up", { sinceMs: NOW - 1000 }),
    ],
    3,
    QUORUM,
    NOW,
  );
  assert.deepEqual(verdict, {
    state: "down",
    sinceMs: NOW - 4000,
    reason: "2 of 3 vantages: as b saw",
    ramp: 1,
  });
  const recovering = agree(
    [report("a", "up", { ramp: 0.3 }), report("b", "up"), report("c", "down")],
    3,
    QUORUM,
    NOW,
  );
  assert.equal(recovering.verdict.ramp, 0.3);
});

Deno.test("agreeWithin(): a region decides for itself where it has vantages enough that are heard", () => {
  const reports = [
    report("a1", "down", { region: "asia" }),
    report("a2", "down", { region: "asia" }),
    report("e1", "up", { region: "eu" }),
    report("e2", "up", { region: "eu" }),
    report("e3", "up", { region: "eu" }),
    report("u1", "up", { region: "us" }),
  ];
  assert.equal(agree(reports, 6, QUORUM, NOW).verdict.state, "up");
  assert.equal(agreeWithin("asia", reports, 2, QUORUM, NOW)!.verdict.state, "down");
  assert.equal(agreeWithin("eu", reports, 3, QUORUM, NOW)!.verdict.state, "up");
  assert.equal(agreeWithin("us", reports, 1, QUORUM, NOW), undefined, "one vantage is too few");
  const silent = reports.map((one) => one.vantage === "a1" ? { ...one, heardMs: NOW - 20_000 } : one);
  assert.equal(agreeWithin("asia", silent, 2, QUORUM, NOW), undefined, "one of two is not heard");
});

const STATES = ["up", "degraded", "down"] as const;
const SETTINGS = { seed: 5, numRuns: 2000 };

Deno.test("agree(): of three in quorum one that lies never flips what the others agree on", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...STATES),
      fc.constantFrom(...STATES, "unknown" as const),
      fc.nat(2),
      (truth, lie, liar) => {
        const reports = [0, 1, 2].map((i) => report(`v${i}`, i === liar ? lie : truth));
        assert.equal(agree(reports, 3, QUORUM, NOW).verdict.state, truth);
      },
    ),
    SETTINGS,
  );
});

Deno.test("agree(): the order in which reports come makes no difference", () => {
  const reports = fc.array(fc.record({ state: fc.constantFrom(...STATES), ageMs: fc.nat(400_000) }), {
    maxLength: 7,
  });
  fc.assert(
    fc.property(reports, fc.infiniteStream(fc.nat(100)), (told, order) => {
      const all = told.map(({ state, ageMs }, i) => report(`v${i}`, state, { ageMs, sinceMs: NOW - i }));
      const shuffled = all.map((one) => ({ one, at: order.next().value! })).toSorted((a, b) => a.at - b.at)
        .map(({ one }) => one);
      assert.deepEqual(agree(shuffled, all.length, QUORUM, NOW), agree(all, all.length, QUORUM, NOW));
    }),
    SETTINGS,
  );
});

/** What a vantage may come to say before an instant, given what it told of its deadlines. */
function possible({ verdict, deadline }: VantageReport, atMs: number): State[] {
  const { downMs, upMs, changeMs } = deadline!;
  const states: State[] = [verdict.state];
  if (verdict.state === "down") {
    if (upMs < atMs) states.push("up", "degraded");
  } else {
    if (downMs < atMs) states.push("down");
    if (changeMs < atMs) {
      states.push(...(["up", "degraded"] as const).filter((state) => state !== verdict.state));
    }
  }
  return states;
}

Deno.test("agree(): before its deadlines no change that the vantages may make changes the whole", () => {
  const vantage = fc.record({
    state: fc.constantFrom(...STATES, "unknown" as const),
    ageMs: fc.nat(14_000),
    downMs: fc.nat(30_000),
    upMs: fc.nat(30_000),
    otherMs: fc.nat(30_000),
    choice: fc.nat(9),
  });
  const settings = fc.record({
    told: fc.array(vantage, { minLength: 1, maxLength: 6 }),
    mode: fc.constantFrom("quorum" as const, "any" as const, "all" as const),
    vantages: fc.integer({ min: 1, max: 4 }),
    laterMs: fc.nat(30_000),
  });
  fc.assert(
    fc.property(settings, ({ told, mode, vantages, laterMs }) => {
      const reports = told.map(({ state, ageMs, downMs, upMs, otherMs }, i) => {
        const deadline = {
          downMs: state === "down" ? Infinity : NOW + downMs,
          upMs: state === "down" ? NOW + upMs : Infinity,
          changeMs: NOW + Math.min(state === "down" ? upMs : downMs, otherMs),
          rampMs: Infinity,
          steady: true,
        };
        return report(`v${i}`, state, { ageMs, deadline });
      });
      const agreement = { ...QUORUM, mode, vantages };
      const now = agree(reports, reports.length, agreement, NOW), atMs = NOW + laterMs;
      const later = reports.map((one, i) => {
        const states = possible(one, atMs), state = states[told[i]!.choice % states.length]!;
        return { ...one, verdict: { ...one.verdict, state } };
      });
      const then = agree(later, reports.length, agreement, atMs).verdict.state;
      if (then === now.verdict.state) return;
      assert.ok(now.deadline.changeMs < atMs, `${now.verdict.state} to ${then}: changeMs`);
      if (then === "down") assert.ok(now.deadline.downMs < atMs, "downMs");
      if (now.verdict.state === "down") assert.ok(now.deadline.upMs <= atMs, "upMs");
    }),
    { seed: 5, numRuns: 20_000 },
  );
});
