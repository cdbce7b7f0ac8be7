import assert from "node:assert/strict";
import { outcomeOf } from "../../../plugins/prometheus/decision_meter.ts";

Deno.test("outcomeOf() keeps what there are few of", () => {
  for (
    const [why, outcome] of [
      ["nearest", "nearest"],
      ["ring", "ring"],
      ["unlocated all", "unlocated"],
      ["all-down last-known-good", "all-down last-known-good"],
      ["spill to other.example.: all-down fail-open", "spill"],
      ["no node has an IPv6 address", "none"],
    ] as const
  ) assert.equal(outcomeOf(why), outcome);
});
