/**
 * Tells what probes found: to the log what people must know, to the metrics all of it.
 *
 * @module
 */

import type { ControlScope, Log } from "../../core/plugin.ts";
import { checkText } from "./check.ts";
import type { ProbeReport } from "./prober.ts";
import type { ProbeTarget } from "./probes/probe.ts";
import type { TargetState } from "./state.ts";

/** Where a reporter tells it. */
export interface ReporterScope {
  readonly log: Log;
  readonly count: ControlScope["count"];
}

/** Tells of all targets of a monitor. */
export class Reporter {
  readonly #scope: ReporterScope;
  /** Checks that this machine cannot run. */
  readonly #unable = new Set<string>();

  constructor(scope: ReporterScope) {
    this.#scope = scope;
  }

  /** A target's state is another one. */
  changed({ address, check }: ProbeTarget, before: TargetState, after: TargetState): void {
    const { log, count } = this.#scope, { state, reason, holdMs } = after;
    const held = state === "down" && holdMs > 0 ? `, for at least ${holdMs / 1000} s` : "";
    const is = `is ${state}${held}, was ${before.state}: ${reason}`;
    log[state === "up" ? "info" : "warn"](`health: ${address} ${checkText(check)} ${is}`);
    count("meridian_health_verdict_changes_total", { to: state });
  }

  /** A probe has ended. */
  probed({ check }: ProbeTarget, { ok, local, discarded, reason }: ProbeReport): void {
    const { count } = this.#scope, { kind } = check;
    count("meridian_health_probes_total", { kind, result: local ? "local" : ok ? "ok" : "failed" });
    if (discarded > 0) count("meridian_health_probes_discarded_total", { kind }, discarded);
    this.#sayLocal(checkText(check), local ? reason : undefined);
  }

  /** Once for every check, until it can be run again. */
  #sayLocal(check: string, reason: string | undefined): void {
    if (reason === undefined) this.#unable.delete(check);
    else if (!this.#unable.has(check)) {
      this.#unable.add(check);
      this.#scope.log.error(`health: cannot run ${check} here, its targets keep their state: ${reason}`);
    }
  }
}
