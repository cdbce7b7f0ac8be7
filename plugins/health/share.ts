/**
 * One monitor for all server blocks of a process.
 *
 * @module
 */

import type { FleetHub } from "../../core/fleet/hub.ts";
import type { ControlScope } from "../../core/plugin.ts";
import { Monitor } from "./monitor.ts";
import type { MakeProber } from "./prober.ts";

const monitors = new WeakMap<FleetHub, Monitor>();

/**
 * The one monitor of a process's fleet, made by its first owner: so that two blocks that probe the same target
 * share it, and a new configuration takes over what the old one knows.
 */
export function shareMonitor(scope: ControlScope, makeProber: MakeProber): Monitor {
  const { clock, random, fleet, log, count, observe, stateDirectory } = scope;
  const options = {
    ...{ clock, random, fleet, log, count, observe, makeProber },
    ...(stateDirectory && { stateDirectory }),
  };
  const shared = monitors.get(fleet) ?? new Monitor(options);
  monitors.set(fleet, shared);
  return shared;
}

/** Lets go of it; the last to do so closes it. */
export async function releaseMonitor(fleet: FleetHub, owner: object): Promise<void> {
  const shared = monitors.get(fleet);
  if (!shared?.release(owner)) return;
  monitors.delete(fleet);
  await shared.close();
}
