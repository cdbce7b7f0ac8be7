import assert from "node:assert/strict";
import { fuzz } from "../../../scripts/fuzz.ts";

Deno.test("twenty thousand mutated messages break no promise of codec and responder", () => {
  const { outcomes } = fuzz(20_000, 7);
  // Were nearly all refused at the first octet, the rest would go untested.
  for (const [outcome, count] of Object.entries(outcomes)) assert.ok(count > 1_000, `${outcome}: ${count}`);
});
