import assert from "node:assert/strict";
import { Tally } from "../../core/tally.ts";
import { contextOf } from "../support/context.ts";

const series = { record() {} };
const noted = (value: number) => ({ series, value });

/** Adds samples of queries, each named by a letter, and reads them: `a1 b2 ?a` gives what there is of a. */
function play(steps: string): number[][] {
  const tally = new Tally(), contexts: Record<string, ReturnType<typeof contextOf>> = {};
  const told: number[][] = [];
  for (const step of steps.split(" ")) {
    const letter = step.replace(/[\d?]/g, "");
    const context = contexts[letter] ??= contextOf({ octets: new Uint8Array(12) });
    if (step.startsWith("?")) told.push(tally.of({ ...context }).map(({ value }) => value));
    else tally.add({ ...context }, noted(Number(step.slice(1))));
  }
  return told;
}

Deno.test("a tally has what was noted of a query, under whatever name, and of no other", () => {
  assert.deepEqual(play("a1 a2 ?a b3 ?b ?c"), [[1, 2], [3], []]);
});

Deno.test("queries that wait keep what was noted of them while others come and go", () => {
  assert.deepEqual(play("a1 b2 ?b a3 c4 ?a ?c"), [[2], [1, 3], [4]]);
  assert.deepEqual(play("a1 b2 c3 ?a ?b ?c"), [[1], [2], [3]]);
});

Deno.test("a tally may be asked again before the next query comes", () => {
  assert.deepEqual(play("a1 ?a ?a b2 ?b"), [[1], [1], [2]]);
});

Deno.test("what nobody sent is not noted", () => {
  const tally = new Tally(), context = contextOf({ rehearsed: true });
  tally.add(context, noted(1));
  assert.deepEqual(tally.of(context), []);
});
