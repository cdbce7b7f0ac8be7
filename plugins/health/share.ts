/**
 * One monitor for all server blocks of a process.
 *
 * @module
 */

import type { ControlScope } from "../../core/plugin.ts";
import { Monitor } from "./monitor.ts";
import type { MakeProber } from "./prober.ts";

/** By the identity of the process: a server that replaces another has the same. */
const monitors = new WeakMap<object, Monitor>();

/**
 * The one monitor of a process, made by its first owner: so that two blocks that probe the same target share it, and a new
 * configuration takes over what the old one knows.
 */
export function shareMonitor(scope: ControlScope, makeProber: MakeProber): Monitor {
  const { clock, random, log, count, observe, stateDirectory, process: { identity } } = scope;
  const options = {
    ...{ clock, random, log, count, observe, makeProber },
    onServing: (then: () => void) => scope.onServing(then),
    ...(stateDirectory && { stateDirectory }),
  };
  const shared = monitors.get(identity) ?? new Monitor(options);
  monitors.set(identity, shared);
  shared.takeOver(scope.inherited);
  scope.bequeath(() => ({ toJSON: () => shared.handOver() }));
  return shared;
}

/** Lets go of it; the last to do so closes it. */
export async function releaseMonitor({ process: { identity } }: ControlScope, owner: object): Promise<void> {
  const shared = monitors.get(identity);
  if (!shared?.release(owner)) return;
  monitors.delete(identity);
  await shared.close();
}
