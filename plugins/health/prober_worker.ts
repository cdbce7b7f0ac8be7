/**
 * The worker in which probes run, so that nothing else that the process does makes them late, and the other way
 * round. Knows no schedule and no state: jobs come in, reports go out.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import type { Check } from "./check.ts";
import { Gathering } from "./gathering.ts";
import { LagMeter, LagWatch } from "./lag.ts";
import { afterwards, type ProbeReport, type WorkerJob } from "./prober.ts";
import { probe, type ProbeLimits, type ProbeResult, type ProbeTarget } from "./probes/probe.ts";

/** A target that fails under constant lag must go down some day: after so many retries the failure stands. */
const RETRIES_MAX = 5;

/**
 * Probes until there is an outcome to trust: a failure during which this isolate lagged is thrown away and tried
 * again at once.
 */
export async function probeFairly(
  target: ProbeTarget,
  limits: ProbeLimits,
  lag: Pick<LagMeter, "laggedSince">,
  nowMs: () => number,
  run: (target: ProbeTarget, limits: ProbeLimits) => Promise<ProbeResult> = probe,
): Promise<Omit<ProbeReport, "id">> {
  for (let discarded = 0;; discarded++) {
    const startedMs = nowMs();
    const result = await run(target, limits);
    const lagged = lag.laggedSince(startedMs, nowMs());
    if (result.ok || !lagged || discarded === RETRIES_MAX) return { ...result, lagged, discarded };
  }
}

/** The outcome of a job whose check this worker was never told: it says nothing of the target. */
const UNTOLD: Omit<ProbeReport, "id"> = Object.freeze({
  ok: false,
  latencyMs: 0,
  reason: "the probing worker was not told the check",
  local: true,
  lagged: false,
  discarded: 0,
});

/** Answers the messages of the control half. */
function serve(scope: DedicatedWorkerGlobalScope): void {
  const lag = new LagMeter(performance.now()), watch = new LagWatch(lag);
  const gathering = new Gathering((reports) => scope.postMessage(reports), afterwards);
  const checks = new Map<number, Check>();

  const run = ({ address, check, checkId, timeoutMs }: WorkerJob) => {
    if (check) checks.set(checkId, check);
    const known = checks.get(checkId);
    if (!known) return Promise.resolve(UNTOLD);
    return watch.during(() =>
      probeFairly({ address, check: known }, { timeoutMs }, lag, () => performance.now())
    );
  };

  scope.onmessage = ({ data }: MessageEvent<readonly WorkerJob[]>) => {
    gathering.expect(data.length);
    for (const job of data) run(job).then((result) => gathering.take({ id: job.id, ...result }));
  };
}

if (typeof DedicatedWorkerGlobalScope !== "undefined" && self instanceof DedicatedWorkerGlobalScope) {
  serve(self);
}
