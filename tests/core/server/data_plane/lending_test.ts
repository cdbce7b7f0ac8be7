import assert from "node:assert/strict";
import type { Loan } from "../../../../core/server/answering.ts";
import { Lending } from "../../../../core/server/data_plane/lending.ts";
import { until } from "../../../support/until.ts";

const loan = (value: unknown) => (): Loan => ({ block: "1", plugin: "cache", value });

function makeLending() {
  const sent: unknown[][] = [];
  return { sent, lending: new Lending((loans) => sent.push(loans.map(({ value }) => value))) };
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
