/**
 * What client networks ask for, by the version of demand that is current: read once for each.
 *
 * @module
 */

import { type ClientDemand, packDemand } from "../../core/fleet/client_places.ts";
import { currentDemand, currentNumber, type DemandVersion } from "../../core/management/demand.ts";
import { type Reader, readerOf } from "../../core/management/reader.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import { othersTurn } from "./routes/slowly.ts";

/** See the module. */
export interface CurrentDemand {
  readonly version: Pick<DemandVersion, "number" | "source">;
  readonly packed: ClientDemand;
}

/** Of one version several may ask at once. */
const known = new WeakMap<
  object,
  { readonly number: number; readonly demand: Promise<CurrentDemand | undefined> }
>();

/** The current one; undefined where there is none. */
export async function demandOf({ member: { replica } }: FleetScope): Promise<CurrentDemand | undefined> {
  const reader = readerOf(replica), number = await currentNumber(reader), before = known.get(replica);
  if (number === undefined) return undefined;
  if (before?.number === number) return await before.demand;
  const demand = read(reader).catch((error) => {
    known.delete(replica);
    throw error;
  });
  known.set(replica, { number, demand });
  return await demand;
}

async function read(reader: Reader): Promise<CurrentDemand | undefined> {
  const current = await currentDemand(reader, othersTurn);
  return current && { version: current, packed: packDemand(current.networks) };
}
