/**
 * Verdicts that somebody gives, for a server that does not probe.
 *
 * @module
 */

import type { State, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import type { Publisher } from "./publisher.ts";

/** Gives the targets of the named nodes or addresses that state for good. */
export function tellVerdicts(
  publisher: Publisher,
  states: Readonly<Record<string, State>>,
  sinceMs: number,
): void {
  const verdicts: Record<string, Verdict | undefined> = {};
  const deadlines: Record<string, VerdictDeadline> = {};
  for (const { nodes, targets } of Object.values(publisher.snapshot.pools)) {
    for (const { id, ipv4, ipv6 } of nodes) {
      for (const address of [ipv4, ipv6].filter((address) => address !== undefined)) {
        const state = states[id] ?? states[address];
        for (const key of targets[address] ?? []) {
          deadlines[key] = NEVER;
          if (state) verdicts[key] = { state, sinceMs, reason: "as told", ramp: 1 };
        }
      }
    }
  }
  publisher.setVerdicts(verdicts);
  publisher.setDeadlines(deadlines);
  publisher.flush();
}

const NEVER: VerdictDeadline = Object.freeze({
  downMs: Infinity,
  upMs: Infinity,
  changeMs: Infinity,
  rampMs: Infinity,
  steady: true,
});
