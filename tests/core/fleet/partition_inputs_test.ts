import assert from "node:assert/strict";
import { makePartition } from "../../../core/fleet/partition.ts";
import { madeFrom } from "../../../core/fleet/partition_inputs.ts";
import { CITIES, geography, node, NOW_MS, POOL, pool, snapshot, verdicts } from "./make.ts";

Deno.test("madeFrom() is what would be made, of either family, and of nothing else that serves", () => {
  const nodes = [CITIES.london, CITIES.sydney, CITIES.perth].map((at, i) =>
    node(`n${i}`, at, { ipv4: `192.0.2.${i + 1}`, ipv6: `2001:db8::${i + 1}` })
  );
  const world = geography([CITIES.paris, CITIES.singapore], { "0.0.0.0/1": 1, "128.0.0.0/1": 2 });
  const jobOf = (family: 4 | 6, epoch: number, states: Parameters<typeof verdicts>[1]) => ({
    snapshot: snapshot([pool(nodes, {}, { epoch })], { verdicts: verdicts(nodes, states) }),
    ...{ geography: world, pool: POOL, family, nowMs: NOW_MS },
  });
  const made = makePartition(jobOf(4, 1, {}))!;
  for (const family of [4, 6] as const) {
    const later = jobOf(family, 2, { n0: "up", n1: "degraded" });
    assert.deepEqual(madeFrom(made, later), makePartition(later));
  }
  assert.equal(madeFrom(made, jobOf(4, 2, { n2: "down" })), undefined);
  // What the check of an IPv4 address says is nothing to IPv6.
  assert.notEqual(madeFrom(made, jobOf(6, 2, { n2: "down" })), undefined);
  assert.equal(madeFrom(made, { ...jobOf(4, 2, {}), geography: { ...world, epoch: 99 } }), undefined);
  assert.equal(madeFrom(undefined, jobOf(4, 1, {})), undefined);
});
