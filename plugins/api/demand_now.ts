/**
 * What client networks ask for, by the version of demand that is current: read once for each.
 *
 * @module
 */

import { type ClientDemand, packDemand } from "../../core/fleet/client_places.ts";
import { currentDemand, currentNumber, type DemandVersion } from "../../core/management/demand.ts";
import { readerOf } from "../../core/management/reader.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";

/** See the module. */
export interface CurrentDemand {
  readonly version: Pick<DemandVersion, "number" | "source">;
  readonly packed: ClientDemand;
}

const known = new WeakMap<object, CurrentDemand>();

/** The current one; undefined where there is none. */
export async function demandOf({ member: { replica } }: FleetScope): Promise<CurrentDemand | undefined> {
  const reader = readerOf(replica), number = await currentNumber(reader), before = known.get(replica);
  if (number === undefined || before?.version.number === number) {
    return number === undefined ? undefined : before;
  }
  const current = await currentDemand(reader);
  if (!current) return undefined;
  const now = { version: current, packed: packDemand(current.networks) };
  known.set(replica, now);
  return now;
}
