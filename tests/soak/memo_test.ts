/**
 * The differential test of the memo at length: MERIDIAN_SOAK_QUERIES of them, a million by default, takes some minutes.
 */

import assert from "node:assert/strict";
import { compareInWorld, emptyReport } from "../support/memo/soak.ts";

const QUERIES = Number(Deno.env.get("MERIDIAN_SOAK_QUERIES") ?? 1_000_000);

Deno.test("a memo before the chain says what the chain says, at length", async () => {
  const report = emptyReport();
  for (let seed = 1001; report.queries < QUERIES; seed++) {
    await compareInWorld(seed, 4000, report);
    assert.deepEqual(report.mismatches, [], report.mismatches.join("\n\n"));
  }
  const { queries, hits, streamed, streamHits } = report;
  console.log(
    `${queries} queries, ${hits} repeated; of these ${streamed} over streams, ${streamHits} repeated`,
  );
});
