import { byTarget } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import {
  type Answer,
  type AnswerScope,
  type Decision,
  emptyAnswer,
  formatAddress,
  parseAddress,
  parseName,
  type RRset,
} from "../../../core/plugin.ts";
import type { State, VerdictDeadline } from "../../../core/fleet/verdict.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { standing } from "../../../plugins/health/address.ts";
import { answerer } from "../../../plugins/health/answering.ts";
import { contextOf } from "../../support/context.ts";
import { configOf } from "./support.ts";

/** An RRset from lines as in a zone file. */
function rrset(lines: string, more: Partial<RRset> = {}): RRset {
  const fields = lines.trim().split("\n").map((line) => line.trim().split(/\s+/));
  const [name, ttl, , type] = fields[0]!;
  return {
    name: parseName(name!),
    type: type === "A" ? 1 : type === "AAAA" ? 28 : 16,
    ttl: Number(ttl),
    rdata: fields.map((line) => parseAddress(line[4]!)?.octets ?? new TextEncoder().encode(line[4]!)),
    ...more,
  };
}

const WWW = rrset(`
  www.example.org. 300 IN A 192.0.2.1
  www.example.org. 300 IN A 192.0.2.2
  www.example.org. 300 IN A 192.0.2.3`);
const ALONE = rrset("www.example.org. 300 IN A 192.0.2.1");

const far: VerdictDeadline = { downMs: 9000, upMs: Infinity, changeMs: 9000, rampMs: Infinity, steady: true };
const near: VerdictDeadline = { ...far, downMs: 5000, changeMs: 5000, steady: false };
const down: VerdictDeadline = {
  downMs: Infinity,
  upMs: 7000,
  changeMs: 7000,
  rampMs: Infinity,
  steady: true,
};

/** The answer of a block that watches 192.0.2.1, .2, .3 under one check, whose verdicts are given by last octet. */
function ask(section: RRset, states: Record<string, [State, VerdictDeadline]>) {
  const decisions: Decision[] = [];
  const counted: string[] = [];
  const config = configOf("health {\ncheck tcp 80\nwatch www.example.org\n}");
  const entries = Object.entries(states).map(([octet, [state, deadline]]) => ({
    key: `192.0.2.${octet} tcp 80`,
    state,
    deadline,
  }));
  const snapshot = {
    ...EMPTY_SNAPSHOT,
    verdicts: byTarget(Object.fromEntries(
      entries.map(({ key, state }) => [key, { state, sinceMs: 0, reason: "", ramp: 1 }]),
    )),
    deadlines: byTarget(Object.fromEntries(entries.map(({ key, deadline }) => [key, deadline]))),
  };
  const published = {
    addresses: Object.fromEntries(
      ["1", "2", "3"].map((octet) => [`192.0.2.${octet}`, [`192.0.2.${octet} tcp 80`]]),
    ),
  };
  const scope = {
    published: () => published,
    series: (name: string, labels: Record<string, string>) => ({
      record: () => counted.push(`${name} ${labels.pool}`),
    }),
  } as unknown as AnswerScope;
  const below = emptyAnswer(0, { answer: [section] });
  const context = contextOf({ snapshot, record: (decision) => decisions.push(decision) });
  const plugin = answerer(config, scope)!;
  const answer = plugin.answer(context, () => below) as Answer;
  const sent = { octets: 0, flags: 0, plugin: "health", durationMs: 0 };
  for (const { series, value } of plugin.tallies!(context, answer, sent)) series.record(value);
  const addresses = answer.answer[0]!.rdata.map((octets) => formatAddress(parseAddressOctets(octets)));
  const told = decisions.map(({ what }) => what);
  return { answer, below, addresses, decisions: told, counted, nowMs: context.nowMs };
}

function parseAddressOctets(octets: Uint8Array) {
  return { family: octets.length === 4 ? 4 : 6, octets } as const;
}

Deno.test("health leaves out what is down, and says until when that holds", () => {
  const { answer, addresses, decisions, counted, nowMs } = ask(WWW, {
    1: ["up", far],
    2: ["down", down],
    3: ["unknown", near],
  });
  assert.deepEqual(addresses, ["192.0.2.1", "192.0.2.3"]);
  const deadline = { earliestMs: 5000, scheduledMs: Infinity, steady: false };
  assert.deepEqual(answer.answer[0]!.deadline, deadline);
  assert.deepEqual(answer.dependence, { scopePrefixLength: 0, deadline, keys: [], untilMs: nowMs });
  assert.deepEqual(decisions, ["left out 192.0.2.2: down"]);
  assert.deepEqual(counted, []);
});

Deno.test("an address that was left out counts with the time at which it could come back", () => {
  const { answer } = ask(WWW, { 1: ["up", far], 2: ["down", down], 3: ["degraded", far] });
  assert.deepEqual(answer.answer[0]!.deadline, { earliestMs: 7000, scheduledMs: Infinity, steady: true });
});

Deno.test("when all are down all stay, which is counted and said", () => {
  const { answer, addresses, decisions, counted } = ask(WWW, {
    1: ["down", down],
    2: ["down", down],
    3: ["down", down],
  });
  assert.deepEqual(addresses, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  assert.equal(answer.answer[0]!.deadline!.earliestMs, 7000);
  assert.deepEqual(decisions, ["every address of www.example.org. is down: kept them all"]);
  assert.deepEqual(counted, ["meridian_fail_open_answers_total www.example.org."]);
});

Deno.test("addresses that nobody watches count as up", () => {
  const mixed = rrset("www.example.org. 300 IN A 192.0.2.1\nwww.example.org. 300 IN A 192.0.2.99");
  const { addresses } = ask(mixed, { 1: ["down", down] });
  assert.deepEqual(addresses, ["192.0.2.99"]);
});

Deno.test("an RRset of one address cannot change: no deadline, but fail-open is counted", () => {
  const { answer, below, counted, nowMs } = ask(ALONE, { 1: ["down", down] });
  assert.deepEqual(answer.answer, below.answer);
  assert.deepEqual(answer.dependence, { ...below.dependence, untilMs: nowMs });
  assert.equal(counted.length, 1);
});

const untouched: [string, RRset][] = [
  ["an RRset that a pool owns", { ...WWW, pool: "entry.example.org." }],
  ["an RRset of another type", rrset("www.example.org. 300 IN TXT hello")],
  [
    "addresses that nobody watches",
    rrset("www.example.org. 300 IN A 198.51.100.1\nwww.example.org. 300 IN A 198.51.100.2"),
  ],
  [
    "IPv6 addresses that nobody watches",
    rrset("www.example.org. 300 IN AAAA 2001:db8::1\nwww.example.org. 300 IN AAAA 2001:db8::2"),
  ],
];

for (const [name, section] of untouched) {
  Deno.test(`health does not touch ${name}`, () => {
    const { answer, below } = ask(section, { 1: ["down", down], 2: ["up", near], 3: ["up", near] });
    assert.equal(answer, below);
  });
}

Deno.test("without names to watch there is no answering half", () => {
  assert.equal(answerer(configOf("health {\ncheck tcp 80\n}"), {} as AnswerScope), undefined);
  assert.equal(answerer(configOf("health"), {} as AnswerScope), undefined);
});

// standing(): the verdicts and deadlines of an address's checks, up to three of them.
const verdicts = { u: "up", d: "down", D: "degraded", "?": "unknown" } as const;
const standings: [string, number[], number, boolean, number][] = [
  ["u", [5], 0, false, 5],
  ["uu", [5, 3], 0, false, 3],
  ["ud", [5, 3], 0, true, 3],
  ["dd", [5, 3], 0, true, 5],
  ["D?", [5, 3], 0, false, 3],
  ["ud", [5, 3], 0.5, false, 5],
  ["dd", [5, 3], 0.5, true, 3],
  ["ddu", [5, 3, 1], 0.5, true, 3],
  ["ddd", [5, 3, 1], 0.5, true, 3],
  ["ddd", [5, 3, 1], 0.34, true, 3],
  ["ddd", [5, 3, 1], 1, false, Infinity],
  ["", [], 0, false, Infinity],
];

for (const [states, instants, share, isDown, earliestMs] of standings) {
  Deno.test(`standing() of "${states}" at ${instants} ms with a share of ${share}`, () => {
    const keys = [...states].map((_, i) => `${i}`);
    const found = standing(keys, share, {
      verdicts: byTarget(Object.fromEntries(keys.map((key, i) => [key, {
        state: verdicts[states[i] as keyof typeof verdicts],
        sinceMs: 0,
        reason: "",
        ramp: 1,
      }]))),
      deadlines: byTarget(Object.fromEntries(keys.map((key, i) => {
        const isTargetDown = states[i] === "d";
        return [key, {
          downMs: isTargetDown ? Infinity : instants[i]!,
          upMs: isTargetDown ? instants[i]! : Infinity,
          changeMs: instants[i]!,
          rampMs: Infinity,
          steady: true,
        }];
      }))),
    });
    assert.deepEqual([found.isDown, found.deadline.earliestMs], [isDown, earliestMs]);
  });
}
