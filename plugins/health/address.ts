/**
 * From the verdicts on an address's checks to whether it is down, and until when that holds.
 *
 * @module
 */

import type { TargetKey, VerdictDeadline } from "../../core/fleet/verdict.ts";
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
  const down = targets.filter((key) => verdicts[key]?.state === "down");
  const allowed = Math.floor(failingShare * targets.length + 1e-9);
  const isDown = down.length > allowed;
  const earliestMs = isDown
    ? instants(down, deadlines, "upMs")[down.length - allowed - 1]
    : instants(targets.filter((key) => !down.includes(key)), deadlines, "downMs")[0];
  const steady = targets.every((key) => deadlines[key]?.steady ?? true);
  return { isDown, deadline: { earliestMs: earliestMs ?? Infinity, scheduledMs: Infinity, steady } };
}

/** When each target could change, ascending. */
function instants(
  targets: readonly TargetKey[],
  deadlines: Readonly<Record<TargetKey, VerdictDeadline>>,
  which: "upMs" | "downMs",
): number[] {
  return targets.map((key) => deadlines[key]?.[which] ?? Infinity).sort((a, b) => a - b);
}
