import assert from "node:assert/strict";
import { type Hearing, livenessOf, type Pulse } from "../../../core/fleet/liveness.ts";

const NOW = 10_000_000, TERMS = { leaseMs: 30_000, pulseMs: 15_000, holdMs: 300_000 };

const heard = (server: string, ageMs: number): Hearing => ({ server, heardMs: NOW - ageMs });
const pulses = (ages: Record<string, number | "ended">): ReadonlyMap<string, Pulse> =>
  new Map(
    Object.entries(ages).map(([server, age]) => [
      server,
      age === "ended" ? { atMs: NOW - 60_000, hasEnded: true } : { atMs: NOW - age, hasEnded: false },
    ]),
  );
const stateOf = (hearings: Hearing[], ages: Record<string, number | "ended">, afterMs = 0) =>
  livenessOf(hearings, pulses(ages), TERMS, NOW + afterMs).state;

Deno.test("a node lives for a lease after it was last heard, by whomever", () => {
  assert.equal(stateOf([heard("a", 29_999)], { a: 0 }), "alive");
  assert.equal(stateOf([heard("a", 30_000)], { a: 0 }), "gone");
  assert.equal(stateOf([heard("a", 90_000), heard("b", 10_000)], { a: 0, b: 0 }), "alive");
  assert.equal(livenessOf([heard("a", 10_000)], pulses({ a: 0 }), TERMS, NOW).untilMs, NOW + 20_000);
});

Deno.test("that nothing was heard is news only from a server that could have told", () => {
  // It last told 20 s after it heard the node: the lease had 10 s to go.
  assert.equal(stateOf([heard("a", 100_000)], { a: 80_000 }), "alive");
  assert.equal(stateOf([heard("a", 100_000)], { a: 70_000 }), "gone");
  assert.equal(stateOf([heard("a", 400_000)], { a: 380_000 }), "unknown");
  assert.equal(livenessOf([heard("a", 100_000)], pulses({ a: 80_000 }), TERMS, NOW).untilMs, NOW + 220_000);
});

Deno.test("a node whose server is gone has a lease to find another one", () => {
  const hearings = [heard("a", 65_000)];
  assert.equal(livenessOf(hearings, pulses({ a: "ended" }), TERMS, NOW - 30_001).state, "alive");
  assert.equal(livenessOf(hearings, pulses({ a: "ended" }), TERMS, NOW - 30_000).state, "gone");
  assert.equal(stateOf([heard("a", 29_999)], {}), "alive");
  assert.equal(stateOf([heard("a", 30_000)], {}), "gone");
});

Deno.test("a node that said that it leaves is gone at once, and back when it is heard again", () => {
  const left = { ...heard("a", 5000), leftMs: NOW - 5000 };
  assert.equal(stateOf([left], { a: 0 }), "left");
  assert.equal(stateOf([left, heard("b", 1000)], { a: 0, b: 0 }), "alive");
  assert.equal(stateOf([{ ...heard("a", 1000), leftMs: NOW - 5000 }], { a: 0 }), "alive");
});

Deno.test("what is told holds until it says, when nothing more is heard", () => {
  const table: [Hearing[], Record<string, number | "ended">][] = [
    [[heard("a", 10_000)], { a: 0 }],
    [[heard("a", 100_000)], { a: 80_000 }],
    [[heard("a", 20_000)], { a: "ended" }],
  ];
  for (const [hearings, ages] of table) {
    const { state, untilMs } = livenessOf(hearings, pulses(ages), TERMS, NOW);
    assert.ok(untilMs > NOW);
    for (let atMs = NOW; atMs < untilMs; atMs += (untilMs - NOW) / 7) {
      assert.equal(livenessOf(hearings, pulses(ages), TERMS, atMs).state, state);
    }
    // Who can tell by then tells that nothing was heard.
    const told = new Map([...pulses(ages)].map(([server, pulse]) => [
      server,
      pulse.hasEnded ? pulse : { ...pulse, atMs: Math.max(pulse.atMs, ages[server] === 0 ? untilMs : 0) },
    ]));
    assert.notEqual(livenessOf(hearings, told, TERMS, untilMs).state, state);
  }
});
