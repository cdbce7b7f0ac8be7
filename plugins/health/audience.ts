/**
 * Tells servers what has become of the targets that their blocks want probed. There are two while one replaces the other:
 * the monitor goes on, and both must know the same.
 *
 * @module
 */

import type { FleetHub } from "../../core/fleet/hub.ts";
import type { TargetKey, Verdict, VerdictDeadline } from "../../core/fleet/verdict.ts";

/** The part of a hub that is told. */
export type Hub = Pick<FleetHub, "setVerdicts" | "setDeadlines">;

/** What is known of targets; undefined = nothing any more. */
export interface News {
  readonly verdicts: Readonly<Record<TargetKey, Verdict | undefined>>;
  readonly deadlines: Readonly<Record<TargetKey, VerdictDeadline | undefined>>;
}

/** Who wants to know what. */
export class Audience {
  #wanted: ReadonlyMap<Hub, ReadonlySet<TargetKey>> = new Map();

  /** Takes up who wants to know what from now on. Who is new to a target is told of it at once; who leaves it, that it has gone. */
  change(
    wanted: ReadonlyMap<Hub, ReadonlySet<TargetKey>>,
    known: (key: TargetKey) => { verdict: Verdict; deadline: VerdictDeadline | undefined },
  ): void {
    const before = this.#wanted;
    this.#wanted = wanted;
    for (const [hub, keys] of wanted) {
      const verdicts: Record<TargetKey, Verdict | undefined> = {};
      const deadlines: Record<TargetKey, VerdictDeadline | undefined> = {};
      const had = before.get(hub);
      for (const key of keys) {
        if (!had?.has(key)) ({ verdict: verdicts[key], deadline: deadlines[key] } = known(key));
      }
      for (const key of had ?? []) {
        if (!keys.has(key)) verdicts[key] = deadlines[key] = undefined;
      }
      tell(hub, { verdicts, deadlines });
    }
  }

  /** Tells each what it wants to know. */
  tell({ verdicts, deadlines }: News): void {
    for (const [hub, keys] of this.#wanted) {
      tell(hub, { verdicts: among(keys, verdicts), deadlines: among(keys, deadlines) });
    }
  }
}

function tell(hub: Hub, { verdicts, deadlines }: News): void {
  if (Object.keys(deadlines).length > 0) hub.setDeadlines(deadlines);
  if (Object.keys(verdicts).length > 0) hub.setVerdicts(verdicts);
}

function among<T>(
  keys: ReadonlySet<TargetKey>,
  values: Readonly<Record<TargetKey, T>>,
): Record<TargetKey, T> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => keys.has(key)));
}
