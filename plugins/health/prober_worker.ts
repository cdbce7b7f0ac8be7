/**
 * The worker in which probes run, so that nothing else that the process does makes them late, and the other way
 * round. Knows no schedule and no state: jobs come in, reports go out.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import type { Check } from "./check.ts";
import { LAG_TICK_MS, LagMeter } from "./lag.ts";
import type { ProbeReport, WorkerJob } from "./prober.ts";
import { probe, type ProbeLimits, type ProbeResult, type ProbeTarget } from "./probes/probe.ts";

/** A target that fails under constant lag must go down some day: after so many retries the failure stands. */
const RETRIES_MAX = 5;

/** Reports are gathered for so long. */
const GATHER_MS = 5;

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
  const lag = new LagMeter(performance.now());
  setInterval(() => lag.tick(performance.now()), LAG_TICK_MS);
  const checks = new Map<number, Check>();
  let reports: ProbeReport[] = [];

  const report = (one: ProbeReport) => {
    if (reports.push(one) > 1) return;
    setTimeout(() => {
      scope.postMessage(reports);
      reports = [];
    }, GATHER_MS);
  };

  scope.onmessage = ({ data }: MessageEvent<readonly WorkerJob[]>) => {
    for (const { id, address, check, checkId, timeoutMs } of data) {
      if (check) checks.set(checkId, check);
      const known = checks.get(checkId);
      if (!known) {
        report({ id, ...UNTOLD });
        continue;
      }
      probeFairly({ address, check: known }, { timeoutMs }, lag, () => performance.now())
        .then((result) => report({ id, ...result }));
    }
  };
}

if (typeof DedicatedWorkerGlobalScope !== "undefined" && self instanceof DedicatedWorkerGlobalScope) {
  serve(self);
}
