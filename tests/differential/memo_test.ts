/**
 * What is repeated is what the chain would have said, octet for octet: over many small worlds by chance, whose clocks turn,
 * whose nodes fail and recover, whose zones have all that a zone can have.
 *
 * `MEMO_SEED=123 deno test -A tests/differential/memo_test.ts` runs one world alone.
 */

import assert from "node:assert/strict";
import { compareInWorld, countedInWorld, emptyReport } from "../support/memo/soak.ts";

Deno.test("a memo before the chain says what the chain says, octet for octet", async () => {
  const only = Deno.env.get("MEMO_SEED");
  const seeds = only ? [Number(only)] : Array.from({ length: 20 }, (_, i) => i + 1);
  const report = emptyReport();
  for (const seed of seeds) await compareInWorld(seed, 1000, report);
  assert.deepEqual(report.mismatches, [], report.mismatches.join("\n\n"));
  assert.ok(report.hits > report.queries / 10, `${report.hits} of ${report.queries} were repeated`);
});

Deno.test("metrics and the query log are the same, whether replies are repeated or not", async () => {
  for (const seed of [31, 32, 33, 34]) {
    const { byMemo, byChain, hits } = await countedInWorld(seed, 1500);
    assert.ok(hits > 200, `${hits} were repeated`);
    assert.deepEqual(byMemo, byChain, `seed ${seed}`);
  }
});
