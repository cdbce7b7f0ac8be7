/**
 * How fast real failures are found, and that load on this machine is not taken for one. `deno task test:soak`.
 *
 * MERIDIAN_SOAK_FAILURES: how many nodes are killed, and how many silenced; 50, at most 127.
 * MERIDIAN_SOAK_SECONDS: how long every core is kept busy, and the process frozen now and then; 120.
 *
 * @module
 */

import assert from "node:assert/strict";
import { havePackages } from "../../scripts/packages.ts";

const failures = Number(Deno.env.get("MERIDIAN_SOAK_FAILURES") ?? 50);
const seconds = Number(Deno.env.get("MERIDIAN_SOAK_SECONDS") ?? 120);

/** interval + fall · timeout + 1 s of the measured configuration. */
const DETECTION_MS = 2000 + 3 * 1000 + 1000;

const ignore = !await havePackages(["iproute2"]) || !await canUnshare();

/** Runs run.ts in a network namespace of its own. */
async function measure(what: string, amount: number): Promise<Record<string, any>> {
  const script = new URL("./failover/run.ts", import.meta.url).pathname;
  const args = ["-rn", Deno.execPath(), "run", "-A", script, what, `${amount}`];
  const { success, stdout } = await new Deno.Command("unshare", { args, stderr: "inherit" }).output();
  assert.ok(success);
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function canUnshare(): Promise<boolean> {
  const { success } = await new Deno.Command("unshare", { args: ["-rn", "true"] }).output();
  if (!success) console.warn("left out: this machine lets nobody make a network namespace");
  return success;
}

function summary(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return `median ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(1)} ms`;
}

Deno.test({ name: "a node that is killed or falls silent is found in time", ignore }, async () => {
  const { killedMs, silencedMs, discarded } = await measure("detect", failures);
  console.log(`${failures} killed: ${summary(killedMs)}`);
  console.log(`${failures} silenced: ${summary(silencedMs)}; ${discarded} probes thrown away`);
  assert.equal(killedMs.length + silencedMs.length, 2 * failures);
  for (const ms of [...killedMs, ...silencedMs]) {
    assert.ok(ms > 1900 && ms <= DETECTION_MS, `found down after ${ms} ms`);
  }
});

Deno.test(
  { name: "no target changes its state because this machine is busy, or stands still", ignore },
  async () => {
    const { changed, targets, probes, failed, discarded, late } = await measure("quiet", seconds);
    console.log(`${seconds} s: ${probes} probes, ${failed} failed, ${discarded} thrown away, ${late} late`);
    assert.deepEqual(changed, []);
    assert.ok(probes > targets * seconds / 4, "every target is probed on");
  },
);
