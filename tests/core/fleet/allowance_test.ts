import assert from "node:assert/strict";
import { Allowance } from "../../../core/fleet/allowance.ts";

Deno.test("an allowance fills with time, up to a limit", () => {
  const allowance = new Allowance(10, 100);
  assert.equal(allowance.at(1000), 100);
  allowance.take(90);
  assert.equal(allowance.at(1000), 10);
  assert.equal(allowance.at(1002), 30);
  assert.equal(allowance.at(5000), 100);
});

Deno.test("an allowance that was overdrawn gives nothing until that has been made up for", () => {
  const allowance = new Allowance(10, 100);
  assert.equal(allowance.at(0), 100);
  allowance.take(150);
  assert.equal(allowance.at(4), 0);
  assert.equal(allowance.at(6), 10);
});

Deno.test("an allowance lasts when the clock is set back", () => {
  const allowance = new Allowance(10, 100);
  allowance.at(5000);
  allowance.take(60);
  assert.equal(allowance.at(0), 40);
  assert.equal(allowance.at(1), 50);
});
