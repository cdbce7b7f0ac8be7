/**
 * From the verdicts on an address's checks to whether it is down, and until when that holds. The rule is the pools'.
 *
 * @module
 */

import { addressDeadline } from "../../core/fleet/deadline.ts";
import type { TargetKey } from "../../core/fleet/verdict.ts";
import { healthOf } from "../../core/fleet/view.ts";
import type { Deadline, Snapshot } from "../../core/plugin.ts";

/** How an address stands: `earliestMs` is when it could go down, or stop being down. */
export interface Standing {
  readonly isDown: boolean;
  readonly deadline: Deadline;
}

/** An address is down when the share of its checks that are down exceeds `failingShare`. */
export function standing(
  targets: readonly TargetKey[],
  failingShare: number,
  { verdicts, deadlines }: Pick<Snapshot, "verdicts" | "deadlines">,
): Standing {
  const health = healthOf(targets, failingShare, verdicts);
  const { downMs, upMs, steady } = addressDeadline(health, deadlines);
  const isDown = health.state === "down";
  return { isDown, deadline: { earliestMs: isDown ? upMs : downMs, scheduledMs: Infinity, steady } };
}
