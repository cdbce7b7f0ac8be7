import assert from "node:assert/strict";
import {
  type Answer,
  type Deadline,
  emptyAnswer,
  INDEPENDENT,
  NEVER,
  parseName,
  type RRset,
} from "../../../core/plugin.ts";
import { answerer, parse, type TtlConfig, withTtls } from "../../../plugins/ttl/mod.ts";
import { contextOf } from "../../support/context.ts";
import { parsed } from "../health/support.ts";

const NOW = 1_700_000_000_000;
const FIVE_TO_SIXTY: TtlConfig = { min: 5, max: 60, strict: false };
const STRICT: TtlConfig = { ...FIVE_TO_SIXTY, strict: true };

/** A deadline in seconds from now. */
function deadline(earliest: number, scheduled = Infinity, steady = false): Deadline {
  return { earliestMs: NOW + earliest * 1000, scheduledMs: NOW + scheduled * 1000, steady };
}

/** An RRset of `www.example.org.` with a TTL of 300. */
function rrset(type: number, more: Partial<RRset> = {}): RRset {
  return {
    name: parseName("www.example.org"),
    type,
    ttl: 300,
    rdata: [new Uint8Array([192, 0, 2, 1])],
    ...more,
  };
}

const [A, SOA, NS] = [1, 6, 2];

// Seconds: earliest, scheduled, steady; the TTL by `ttl 5 60`, and by `ttl 5 60 strict`.
const rows: [number, number, boolean, number, number][] = [
  [30, Infinity, true, 60, 30],
  [30, Infinity, false, 30, 30],
  [30.999, Infinity, false, 30, 30],
  [2, Infinity, false, 5, 5],
  [-7, Infinity, false, 5, 5],
  [-7, Infinity, true, 60, 5],
  [600, Infinity, false, 60, 60],
  [Infinity, Infinity, false, 60, 60],
  [Infinity, Infinity, true, 60, 60],
  [20, 60, true, 60, 20],
  [20, 59.999, true, 20, 20],
  [40, 40, true, 40, 40],
  [3, 40, true, 5, 5],
];

for (const [earliest, scheduled, steady, ttl, strictTtl] of rows) {
  const name = `earliest ${earliest} s, scheduled ${scheduled} s, ${steady ? "steady" : "stirring"}`;
  Deno.test(`withTtls(): ${name}: ${ttl}, strict ${strictTtl}`, () => {
    const answer = emptyAnswer(0, {
      answer: [rrset(A, { deadline: deadline(earliest, scheduled, steady) })],
    });
    const ttls = [FIVE_TO_SIXTY, STRICT].map((config) => withTtls(answer, config, NOW).answer[0]!.ttl);
    assert.deepEqual(ttls, [ttl, strictTtl]);
  });
}

/** TTLs of an answer by section, `answer | authority | additional`. */
function ttls({ answer, authority, additional }: Answer): string {
  return [answer, authority, additional].map((section) => section.map(({ ttl }) => ttl).join(" ")).join(
    " | ",
  );
}

/** An answer that depends on `when`. */
function depending(when: Deadline, more: Partial<Answer>): Answer {
  return emptyAnswer(0, { ...more, dependence: { ...INDEPENDENT, deadline: when } });
}

const soon = deadline(20);
const answers: [string, Answer, string][] = [
  [
    "what has no deadline keeps its TTL",
    emptyAnswer(0, { answer: [rrset(A)], authority: [rrset(NS)] }),
    "300 | 300 | ",
  ],
  [
    "each RRset goes by its own deadline",
    depending(soon, {
      answer: [rrset(A, { deadline: soon }), rrset(A)],
      additional: [rrset(A, { deadline: deadline(40) })],
    }),
    "20 300 |  | 40",
  ],
  [
    "a declared deadline that never comes",
    emptyAnswer(0, { answer: [rrset(A, { deadline: NEVER })] }),
    "60 |  | ",
  ],
  ["the SOA of a NODATA that health brought about", depending(soon, { authority: [rrset(SOA)] }), " | 20 | "],
  [
    "the SOA behind a CNAME that nothing changes",
    depending(soon, { answer: [rrset(5)], authority: [rrset(SOA)] }),
    "300 | 20 | ",
  ],
  [
    "nothing but the SOA",
    depending(soon, { authority: [rrset(SOA), rrset(47), rrset(46)] }),
    " | 20 300 300 | ",
  ],
  ["the SOA of a static NODATA keeps its TTL", emptyAnswer(0, { authority: [rrset(SOA)] }), " | 300 | "],
  [
    "nor does a clone of NEVER touch it",
    depending(structuredClone(NEVER), { authority: [rrset(SOA)] }),
    " | 300 | ",
  ],
  [
    "an SOA beside an RRset with a deadline keeps its TTL",
    depending(soon, { answer: [rrset(A, { deadline: soon })], authority: [rrset(SOA)] }),
    "20 | 300 | ",
  ],
  ["an SOA that was asked for keeps its TTL", depending(soon, { answer: [rrset(SOA)] }), "300 |  | "],
];

for (const [name, answer, expected] of answers) {
  Deno.test(`withTtls(): ${name}`, () => assert.equal(ttls(withTtls(answer, FIVE_TO_SIXTY, NOW)), expected));
}

Deno.test("ttl changes no other part of an answer", () => {
  const below = depending(soon, { answer: [rrset(A, { deadline: soon })] });
  const answer = withTtls(below, FIVE_TO_SIXTY, NOW);
  const { dependence, ...rest } = answer;
  assert.deepEqual(
    { ...rest, dependence: below.dependence, answer: [{ ...answer.answer[0]!, ttl: 300 }] },
    below,
  );
  assert.deepEqual({ ...dependence, untilMs: undefined }, { ...below.dependence, untilMs: undefined });
});

Deno.test("an answer stands until one of its TTLs would be another, and no longer", () => {
  const quiet = { earliestMs: NOW + 100_000, scheduledMs: NOW + 90_500, steady: true };
  const stirring = { ...soon, earliestMs: NOW + 20_700, steady: false };
  const deadlines = [quiet, { ...quiet, scheduledMs: Infinity }, stirring, {
    ...stirring,
    earliestMs: NOW + 5500,
  }, NEVER];
  for (const strict of [true, false]) {
    for (const deadline of deadlines) {
      const config = { ...FIVE_TO_SIXTY, strict };
      const at = (nowMs: number) =>
        withTtls(depending(deadline, { answer: [rrset(A, { deadline })] }), config, nowMs);
      const { untilMs = Infinity } = at(NOW).dependence;
      const ttlAt = (nowMs: number) => at(nowMs).answer[0]!.ttl;
      const held = untilMs === Infinity ? NOW + 1e9 : untilMs;
      for (const nowMs of [NOW, NOW + 1, (NOW + held) / 2, held]) assert.equal(ttlAt(nowMs), ttlAt(NOW));
      if (untilMs < Infinity && deadline === stirring) assert.notEqual(ttlAt(untilMs + 1), ttlAt(NOW));
    }
  }
});

Deno.test("ttl reckons from the time of the query, and makes no promise of what needs none", () => {
  const context = contextOf({ nowMs: NOW + 8000 });
  const plugin = answerer(FIVE_TO_SIXTY);
  const answer = plugin.answer(context, () => emptyAnswer(0, { answer: [rrset(A, { deadline: soon })] }));
  assert.equal((answer as Answer).answer[0]!.ttl, 12);
});

const configs: [string, TtlConfig][] = [
  ["ttl", { min: 5, max: 60, strict: false }],
  ["ttl strict", { min: 5, max: 60, strict: true }],
  ["ttl 1 300", { min: 1, max: 300, strict: false }],
  ["ttl 10s 5m strict", { min: 10, max: 300, strict: true }],
  ["ttl 0 0", { min: 0, max: 0, strict: false }],
];

for (const [line, config] of configs) {
  Deno.test(`parse() reads ${line}`, () => assert.deepEqual(parsed(line, parse), { config, complaints: [] }));
}

const wrong: [string, string][] = [
  ["ttl 5", "2:5 Wrong argument count or unexpected line ending after '5': ttl wants MAX"],
  ["ttl 60 5", "2:8 ttl: MAX must be at least MIN, 60s: got '5'"],
  ["ttl 1500ms 5", "2:5 ttl: MIN must be whole seconds: got '1500ms'"],
  ["ttl five 60", "2:5 ttl: MIN must be a duration such as 500ms, 10s or 1m30s: got 'five'"],
  [
    "ttl 5 60 strickt",
    "2:10 Wrong argument count or unexpected line ending after 'strickt': ttl takes no more here",
  ],
  ["ttl {\nmin 5\n}", "3:1 ttl: unknown property 'min'; ttl has no options"],
  ["ttl\nttl", "3:1 ttl: stands twice in this server block: want it once"],
];

for (const [line, complaint] of wrong) {
  Deno.test(`parse() says what is wrong with ${JSON.stringify(line)}`, () => {
    assert.deepEqual(parsed(line, parse).complaints, [complaint]);
  });
}
