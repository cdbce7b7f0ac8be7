import assert from "node:assert/strict";
import fc from "fast-check";
import {
  agree,
  agreeByRegion,
  type Agreement,
  agreeWithin,
  type Opinion,
  type VantageReport,
} from "../../../core/fleet/vantages.ts";
import { inRegion, type State, type VerdictDeadline } from "../../../core/fleet/verdict.ts";

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

Deno.test("agreeWithin(): two at least, whatever `vantages` says, and all of them heard", () => {
  const asia = [report("a1", "down", { region: "asia" }), report("a2", "down", { region: "asia" })];
  const one = { ...QUORUM, vantages: 1 };
  assert.equal(agreeWithin("asia", asia.slice(1), 1, one, NOW), undefined);
  assert.equal(agreeWithin("asia", asia, 2, one, NOW)!.verdict.state, "down");
  assert.equal(agreeWithin("asia", asia, 2, { ...QUORUM, vantages: 3 }, NOW), undefined);
  const unknowing = [asia[0]!, report("a2", "unknown", { region: "asia" })];
  assert.equal(agreeWithin("asia", unknowing, 2, one, NOW), undefined, "one knows nothing yet");
});

/** As a hub has it: each vantage is one of its region's. */
function byRegion(reports: readonly VantageReport[], agreement: Partial<Agreement> = {}, nowMs = NOW) {
  const counts = Map.groupBy(reports, ({ region }) => region).entries().map(([region, { length }]) =>
    [region, length] as const
  );
  const known = { all: reports.length, byRegion: new Map(counts) };
  return agreeByRegion(reports, known, { ...QUORUM, ...agreement }, nowMs);
}

const inEurope = (states: string, told: Told = {}) => said(states, { ...told, region: "eu" });

Deno.test("agreeByRegion(): what a region says otherwise stands beside what all say, and only that", () => {
  const others = [
    report("u1", "up", { region: "us" }),
    report("u2", "up", { region: "us" }),
    report("x", "up"),
  ];
  const { verdict, deadline } = byRegion([...inEurope("down down"), ...others]);
  assert.equal(verdict.state, "up");
  assert.deepEqual(verdict.regions, [{
    region: "eu",
    ...{ state: "down", sinceMs: NOW - 60_000, reason: "2 of 2 vantages: as v0 saw", ramp: 1 },
  }]);
  assert.deepEqual(deadline.regions!.map(({ region }) => region), ["eu"]);
  assert.equal(
    byRegion([...inEurope("down up"), ...others]).verdict.regions,
    undefined,
    "half is not enough",
  );
  assert.equal(byRegion([...inEurope("up up"), ...others]).verdict.regions, undefined);
  const slower = byRegion([...inEurope("up up"), report("x", "up", { ramp: 0.5 })]).verdict;
  assert.deepEqual(slower.regions!.map(({ ramp }) => ramp), [1], "nor do others' ramps hold it back");
});

Deno.test("agreeByRegion(): regions may be off, and none is a region", () => {
  const reports = [
    ...inEurope("down down"),
    ...said("up up up").map((one) => ({ ...one, vantage: `x${one.vantage}` })),
  ];
  assert.equal(byRegion(reports).verdict.regions!.length, 1);
  assert.equal(byRegion(reports, { regions: false }).verdict.regions, undefined);
  const nowhere = reports.map((one) => ({ ...one, region: one.region === "eu" ? "" : "us" }));
  assert.deepEqual(byRegion(nowhere).verdict.regions, undefined, "and three of five say up to all");
});

Deno.test("agreeByRegion(): a region that is not heard any more has what all have", () => {
  const others = said("up up up").map((one) => ({ ...one, vantage: `x${one.vantage}` }));
  const at = (ageMs: number) =>
    byRegion([...inEurope("down down", { ageMs }), ...others]).verdict.regions?.map(({ state }) => state);
  assert.deepEqual(at(14_999), ["down"]);
  assert.equal(at(15_000), undefined, "what it held is no opinion");
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

/** Vantages of three regions, of three, two and one. */
const world = ["eu", "eu", "eu", "us", "us", "asia"].map((region, i) => ({ vantage: `v${i}`, region }));

Deno.test("agreeByRegion(): of three in a region one that lies, is slow, or has a skewed clock flips nothing there", () => {
  const states = fc.constantFrom(...STATES);
  fc.assert(
    fc.property(
      ...[states, states, fc.nat(2), states, fc.constantFrom(0, 20_000, 400_000, -5000), fc.integer()],
      (inEurope, elsewhere, liar, lie, lateMs, skewMs) => {
        const reports = world.map(({ vantage, region }, i) => {
          const isLiar = i === liar, truth = region === "eu" ? inEurope : elsewhere;
          const told = { region, ageMs: isLiar ? lateMs : 0, sinceMs: NOW - 60_000 + (isLiar ? skewMs : 0) };
          return report(vantage, isLiar ? lie : truth, told);
        });
        const { verdict } = byRegion(reports);
        assert.equal(inRegion(verdict, "eu").state, inEurope);
        // The two of the other region stand by what they see, whatever Europe's three do.
        assert.equal(inRegion(verdict, "us").state, elsewhere);
        assert.equal(inRegion(verdict, "asia").state, verdict.state, "a region of one has no word");
      },
    ),
    SETTINGS,
  );
});

Deno.test("agreeByRegion(): a vantage that flaps moves nobody while the others of its region agree", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...STATES),
      fc.array(fc.constantFrom(...STATES), { maxLength: 8 }),
      (truth, flaps) => {
        for (const flap of flaps) {
          const reports = world.map(({ vantage, region }, i) =>
            report(vantage, i === 0 ? flap : truth, { region })
          );
          const { verdict } = byRegion(reports);
          assert.deepEqual([verdict.state, verdict.regions], [truth, undefined]);
        }
      },
    ),
    { seed: 5, numRuns: 200 },
  );
});

Deno.test("agreeByRegion() is what agreeWithin() says where it says something, else what agree() does", () => {
  const vantage = fc.record({
    state: fc.constantFrom(...STATES, "unknown" as const),
    region: fc.constantFrom("", "eu", "us", "asia"),
    ageMs: fc.constantFrom(0, 0, 0, 20_000, 400_000),
    ramp: fc.constantFrom(1, 1, 0.5),
  });
  const mode = fc.constantFrom("quorum" as const, "any" as const, "all" as const);
  fc.assert(
    fc.property(
      fc.array(vantage, { maxLength: 9 }),
      mode,
      fc.integer({ min: 1, max: 3 }),
      (told, mode, vantages) => {
        const reports = told.map(({ state, ...told }, i) => report(`v${i}`, state, told));
        const agreement = { ...QUORUM, mode, vantages }, { verdict } = byRegion(reports, agreement);
        const all = agree(reports, reports.length, agreement, NOW).verdict;
        assert.deepEqual([verdict.state, verdict.ramp], [all.state, all.ramp]);
        for (const region of ["eu", "us", "asia"]) {
          const count = reports.filter((one) => one.region === region).length;
          const own = agreeWithin(region, reports, count, agreement, NOW)?.verdict ?? all;
          const { state, ramp } = inRegion(verdict, region);
          assert.deepEqual([state, ramp], [own.state, own.ramp], region);
        }
      },
    ),
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

Deno.test("agreeByRegion(): before its deadlines no change that the vantages may make changes what any region has", () => {
  const vantage = fc.record({
    state: fc.constantFrom(...STATES, "unknown" as const),
    ageMs: fc.nat(14_000),
    downMs: fc.nat(30_000),
    upMs: fc.nat(30_000),
    otherMs: fc.nat(30_000),
    choice: fc.nat(9),
    region: fc.constantFrom("", "eu", "us"),
  });
  const settings = fc.record({
    told: fc.array(vantage, { minLength: 1, maxLength: 7 }),
    mode: fc.constantFrom("quorum" as const, "any" as const, "all" as const),
    vantages: fc.integer({ min: 1, max: 4 }),
    laterMs: fc.nat(30_000),
  });
  fc.assert(
    fc.property(settings, ({ told, mode, vantages, laterMs }) => {
      const reports = told.map(({ state, ageMs, downMs, upMs, otherMs, region }, i) => {
        const deadline = {
          downMs: state === "down" ? Infinity : NOW + downMs,
          upMs: state === "down" ? NOW + upMs : Infinity,
          changeMs: NOW + Math.min(state === "down" ? upMs : downMs, otherMs),
          rampMs: Infinity,
          steady: true,
        };
        return report(`v${i}`, state, { ageMs, deadline, region });
      });
      const agreement = { ...QUORUM, mode, vantages };
      const now = byRegion(reports, agreement), atMs = NOW + laterMs;
      const later = reports.map((one, i) => {
        const states = possible(one, atMs), state = states[told[i]!.choice % states.length]!;
        return { ...one, verdict: { ...one.verdict, state } };
      });
      const then = byRegion(later, agreement, atMs);
      const hold = (whose: string, was: Opinion, { verdict: { state: is } }: Opinion) => {
        const { verdict: { state }, deadline: { downMs, upMs, changeMs } } = was;
        if (state === is) return;
        assert.ok(changeMs < atMs, `${whose}: ${state} to ${is}: changeMs`);
        if (is === "down") assert.ok(downMs < atMs, `${whose}: downMs`);
        if (state === "down") assert.ok(upMs <= atMs, `${whose}: upMs`);
      };
      const alone = (reports: readonly VantageReport[], nowMs: number) =>
        agree(reports, reports.length, agreement, nowMs);
      hold("without regions", alone(reports, NOW), alone(later, atMs));
      for (const region of ["none", "eu", "us"]) {
        const of = ({ verdict, deadline }: Opinion) => {
          return { verdict: inRegion(verdict, region), deadline: inRegion(deadline, region) };
        };
        hold(region, of(now), of(then));
      }
    }),
    { seed: 5, numRuns: 20_000 },
  );
});
