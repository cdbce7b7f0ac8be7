import assert from "node:assert/strict";
import { formatExplanation } from "../../core/command/explain_text.ts";
import type { Explanation } from "../../core/explain.ts";
import type { ConsultedFacts, NodeFacts, PoolFacts } from "../../core/fleet/facts.ts";

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const NEVER = {
  downMs: Infinity,
  upMs: Infinity,
  changeMs: Infinity,
  rampMs: Infinity,
  nextScheduleMs: Infinity,
};

function explanationOf(facts: Partial<PoolFacts>, more: Partial<Explanation> = {}): Explanation {
  const pool = {
    pool: "entry.example.",
    family: 4,
    leaf: "192.0.2.0/24",
    nodes: [],
    consulted: [],
    ...facts,
  };
  return {
    question: "entry.example. A",
    client: "192.0.2.0/24",
    nowMs: NOW_MS,
    rcode: "NOERROR",
    answer: ["entry.example. 5 IN A 198.51.100.1"],
    authority: [],
    additional: [],
    scopePrefixLength: 20,
    selections: [],
    decisions: [{
      plugin: "anycast",
      what: "pool entry.example. (IPv4): fra1 (nearest, 12 km)",
      facts: { ...pool, scope: { prefixLength: 20, from: "partition" } },
    }],
    ...more,
  };
}

function node(more: Partial<NodeFacts>): NodeFacts {
  return {
    pool: "entry.example.",
    id: "fra1",
    address: "198.51.100.1",
    distanceKm: 12.3,
    bonus: 0,
    score: 0.999,
    rank: 1,
    state: "up",
    checks: [],
    ramp: 1,
    weight: 1,
    serving: true,
    chosen: 1,
    ...more,
  };
}

function consulted(more: Partial<ConsultedFacts>): ConsultedFacts {
  return { pool: "entry.example.", node: "fra1", for: [], steady: true, ...NEVER, ...more };
}

/** The lines below the decision's own. */
function linesOf(facts: Partial<PoolFacts>): string[] {
  return formatExplanation(explanationOf(facts)).split("\n").slice(5);
}

Deno.test("formatExplanation() shows the reply, each step, and the nodes in order of rank", () => {
  const sinceMs = NOW_MS - 125_000;
  const down = {
    target: "198.51.100.1 tcp 443",
    state: "down",
    sinceMs,
    reason: "connection refused",
    ramp: 1,
  } as const;
  const up = { ...down, target: "198.51.100.2 tcp 443 intervalMs=2000", state: "up", reason: "" } as const;
  const nodes = [
    node({ state: "down", checks: [down], serving: false, chosen: 0, whyNot: "down: connection refused" }),
    node({ id: "ams1", address: "198.51.100.2", distanceKm: 365.4, rank: 2, checks: [up] }),
  ];
  const explained = formatExplanation(explanationOf({ nodes }));
  assert.equal(
    explained,
    `entry.example. A asked by 192.0.2.0/24: NOERROR, scope /20
    entry.example. 5 IN A 198.51.100.1

anycast: pool entry.example. (IPv4): fra1 (nearest, 12 km)
    client in 192.0.2.0/24; the answer holds for its /20 (partition)

    RANK  NODE  ADDRESS        KM  STATE  CHECKS                                          CHOSEN
       1  fra1  198.51.100.1   12  down   tcp 443 down for 2 min 5 s: connection refused  no, down: connection refused
       2  ams1  198.51.100.2  365  up     tcp 443 up for 2 min 5 s                        #1`,
  );
});

Deno.test("formatExplanation() leaves out columns that say nothing, and shows them when they do", () => {
  assert.match(linesOf({ nodes: [node({})] })[1]!, /RANK +NODE +ADDRESS +KM +STATE +CHOSEN$/);
  const telling = node({ weight: 3, ramp: 0.3, bonus: 0.5 });
  assert.match(linesOf({ nodes: [telling] })[1]!, /KM +SCORE +WEIGHT +RAMP +STATE/);
  assert.match(linesOf({ nodes: [telling] })[2]!, / 12 +0\.999 +3 +30 % +up +#1$/);
  const { distanceKm: _, ...unlocated } = node({});
  assert.doesNotMatch(linesOf({ nodes: [unlocated] })[1]!, /KM/);
});

Deno.test("formatExplanation() says which region's verdicts decided, and what everyone's or others' are", () => {
  const pool = "entry.example.", region = "eu", sinceMs = NOW_MS - 5000, reason = "2 of 2 vantages: refused";
  const down = { target: "198.51.100.1 tcp 443", state: "down", sinceMs, reason, ramp: 1 } as const;
  const own = node({ checks: [{ ...down, region, globally: "up" }] });
  const [line, , , row] = linesOf({ regions: [{ pool, region, decides: true }], nodes: [own] });
  assert.match(line!, /^ {4}region eu has verdicts of its own on nodes of entry\.example\., which decide$/);
  assert.match(row!, /by region eu: tcp 443 down for 5\.0 s: 2 of 2 vantages: refused, globally up +#1$/);
  const all = node({ checks: [{ ...down, state: "up", regions: [{ region, ...down }] }] });
  const lines = linesOf({
    regions: [{ pool, region, decides: false }],
    nodes: [all],
    consulted: [consulted({ region, for: ["up"], upMs: NOW_MS + 2000 })],
  });
  assert.match(lines[0]!, /region eu would leave nobody of entry\.example\.: everyone's verdicts decide$/);
  assert.match(lines[3]!, / tcp 443 up for 5\.0 s, by region eu down +#1$/);
  assert.match(lines.at(-1)!, /fra1 by region eu +come up +in 2\.0 s/);
});

Deno.test("formatExplanation() names the pools when an answer was spilled", () => {
  const nodes = [
    node({ chosen: 0, whyNot: "another pool answers" }),
    node({ pool: "spill.example.", id: "ams1" }),
  ];
  const [, heading, first, second] = linesOf({ nodes });
  assert.match(heading!, /^ {4}POOL +RANK/);
  assert.match(first!, /^ {4}entry\.example\. +1 .* no, another pool answers$/);
  assert.match(second!, /^ {4}spill\.example\. +1 +ams1/);
});

Deno.test("formatExplanation() shows what could change first, as seconds from now, and not what never does", () => {
  const lines = linesOf({
    consulted: [
      consulted({ node: "fra1", for: ["up"], upMs: NOW_MS + 31_000 }),
      consulted({ node: "ams1", for: ["down", "change"], downMs: NOW_MS + 4500, steady: false }),
      consulted({ node: "lon1", for: ["calendar"], nextScheduleMs: NOW_MS + 3_600_000 }),
    ],
  });
  assert.deepEqual(lines.slice(1).map((line) => line.trim().replace(/ {2,}/g, " | ")), [
    "CONSULTED | COULD | AT THE EARLIEST | SO FAR",
    "ams1 | go down | in 4.5 s | under way",
    "fra1 | come up | in 31 s | steady",
    "lon1 | come or go by its calendar | in 1 h 0 min | steady",
  ]);
});

Deno.test("formatExplanation() reads what has been JSON: an instant that never comes is null there", () => {
  const deadline = { earliestMs: NOW_MS + 7000, scheduledMs: Infinity, steady: true };
  const explanation = explanationOf({
    nodes: [node({})],
    consulted: [consulted({ for: ["down", "up"], downMs: NOW_MS + 7000 })],
  }, { dependence: { scopePrefixLength: 20, deadline, keys: [] } });
  const again = JSON.parse(JSON.stringify(explanation));
  assert.equal(formatExplanation(again), formatExplanation(explanation));
  assert.match(formatExplanation(again), /^could change at the earliest in 7\.0 s, steady$/m);
});

Deno.test("formatExplanation() tells records of other sections by name", () => {
  const authority = ["example. 300 IN SOA ns1.example. hostmaster.example. 1 2 3 4 5"];
  const text = formatExplanation(explanationOf({}, { answer: [], authority, rcode: "NXDOMAIN" }));
  assert.match(text, /NXDOMAIN, scope \/20\n {2}authority:\n {4}example\. 300 IN SOA /);
});
