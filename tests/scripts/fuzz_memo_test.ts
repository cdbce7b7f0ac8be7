import assert from "node:assert/strict";
import { fuzzMemo } from "../../scripts/fuzz_memo.ts";

Deno.test("what is answered in place to twenty thousand mutated messages is what the chain says", async () => {
  const { repeated, answered, silent } = await fuzzMemo(5_000, 7);
  for (const [what, count] of Object.entries({ repeated, answered, silent })) {
    assert.ok(count > 500, `${what}: ${count}`);
  }
});
