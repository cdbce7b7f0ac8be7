/**
 * How soon a fleet of real servers comes to the same after random faults: each in a network namespace of its own, over an etcd of
 * three members. `deno task test:soak`.
 *
 * MERIDIAN_SOAK_SCHEDULES: how many schedules of faults; 5. Each takes half a minute.
 * MERIDIAN_SOAK_SEED: of the first of them; 1.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ensurePackages } from "../../scripts/packages.ts";
import { PROBE_BOUND_MS } from "../support/lab/fleet.ts";
import { inNamespaces } from "../support/lab/network.ts";

const schedules = Deno.env.get("MERIDIAN_SOAK_SCHEDULES") ?? "5",
  seed = Deno.env.get("MERIDIAN_SOAK_SEED") ?? "1";

/** What may come on top of the time in which something can be found, and how long servers may differ. */
const BEYOND_MS = 500, EQUAL_MS = 1000, LEASE_MS = 30_000;

function summary(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `median ${sorted[sorted.length >> 1] ?? 0} ms, most ${sorted.at(-1) ?? 0} ms, of ${sorted.length}`;
}

Deno.test({
  name: "after random faults every server's answers change in time, and from equal digests",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await ensurePackages(["etcd-server", "openssl"]);
    const { stdout } = await inNamespaces(new URL("./convergence/run.ts", import.meta.url), schedules, seed);
    const { killedMs, equalMs, healedMs, silentMs, disagreedMs, empty } = JSON.parse(stdout);
    console.log(
      `node killed, until a server's answers are without it: ${
        summary(killedMs)
      } (at most ${PROBE_BOUND_MS})`,
    );
    console.log(`agent silent, from its last heartbeat on: ${summary(silentMs)} (lease ${LEASE_MS})`);
    console.log(`from the first server's answers to equal digests: ${summary(equalMs)}`);
    console.log(`two that see the store, at odds: ${summary(disagreedMs)}`);
    console.log(`after the last fault is mended, until all are equal: ${summary(healedMs)}`);
    assert.ok(Math.max(...killedMs) <= PROBE_BOUND_MS + BEYOND_MS);
    assert.ok(Math.max(...silentMs) <= LEASE_MS + BEYOND_MS);
    assert.ok(Math.max(...equalMs) <= EQUAL_MS);
    assert.ok(Math.max(0, ...disagreedMs) <= EQUAL_MS);
    assert.equal(empty, 0, "answers that were empty");
  },
});
