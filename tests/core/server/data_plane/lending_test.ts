import assert from "node:assert/strict";
import type { Loan } from "../../../../core/server/answering.ts";
import { Lending } from "../../../../core/server/data_plane/lending.ts";
import { until } from "../../../support/until.ts";

const loan = (value: unknown) => (): Loan => ({ block: "1", plugin: "cache", value });

function makeLending() {
  const sent: unknown[][] = [], clock = { nowMs: 0 };
  const send = (loans: readonly Loan[]) => void sent.push(loans.map(({ value }) => value));
  return { sent, clock, lending: new Lending(send, () => clock.nowMs) };
}

Deno.test("loans go together, and no more of them than there is room for, which are not even made", async () => {
  const { lending, sent } = makeLending();
  for (let i = 0; i < 32; i++) assert.ok(lending.take(loan(i), 100));
  assert.equal(lending.take(() => assert.fail("made"), 100), false);
  assert.equal(sent.length, 0);
  await until("loans", () => sent.length > 0);
  assert.deepEqual(sent.slice(), [Array.from({ length: 32 }, (_, i) => i)]);
  assert.ok(lending.take(loan("again"), 100));
  lending.close();
});

Deno.test("loans are bounded by what they take up as well", async () => {
  const { lending, sent } = makeLending();
  assert.ok(lending.take(loan(1), 100_000));
  assert.equal(lending.take(loan(2), 100_000), false);
  await until("a loan", () => sent.length > 0);
  assert.ok(lending.take(loan(2), 100_000));
  lending.close();
  assert.equal(sent.length, 1);
});

Deno.test("loans do not wait for a timer that is late", () => {
  const { lending, sent, clock } = makeLending();
  for (let i = 0; i < 32; i++) assert.ok(lending.take(loan(i), 100));
  clock.nowMs = 9;
  assert.equal(lending.take(loan("early"), 100), false);
  clock.nowMs = 10;
  assert.ok(lending.take(loan("next"), 100));
  assert.deepEqual(sent.map(({ length }) => length), [32]);
  clock.nowMs = 19;
  for (let i = 1; i < 32; i++) assert.ok(lending.take(loan(i), 100));
  assert.equal(lending.take(loan("full"), 100), false, "gathered anew");
  lending.close();
});
