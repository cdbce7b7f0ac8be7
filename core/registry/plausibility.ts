/**
 * Whether a node can be where it says that it is: by where its public addresses are known to be, and by how fast light is.
 * It flags what looks wrong, for a person to look at; it refuses nothing.
 *
 * @module
 */

import { metresBetween } from "../fleet/distance.ts";
import type { Place, Precision } from "../fleet/place.ts";

/** Where geo data has an address. */
export interface LocatedAddress {
  readonly address: string;
  readonly place: Place;
  readonly precision: Precision;
  /** Who says so. */
  readonly source: string;
}

/** A round trip between the node and one of known place. */
export interface MeasuredPeer {
  readonly node: string;
  readonly place: Place;
  /** The least that was measured, milliseconds. */
  readonly rttMs: number;
}

/** What cannot be true of a declared place. */
export interface PlaceFlag {
  readonly kind: "country" | "far" | "faster-than-light";
  /** For people. */
  readonly reason: string;
}

/**
 * How far a packet gets and back in a millisecond, at most, kilometres: light in fibre makes about 200 a millisecond. Air
 * and microwave links are half as fast again, and clocks are coarse: what is told is beyond that.
 */
export const KM_PER_RTT_MS = 150;

/** How far geo data is off at most where it is right, kilometres: cities are told by the middle of a network's users. */
const CITY_KM = 500;

/** For countries alone: their data have one point for each, which may lie on the other side of it. */
const COUNTRY_KM = 3000;

/** What cannot be true of `declared`; none when all of it can. */
export function placeFlags(
  declared: Place,
  located: readonly LocatedAddress[],
  peers: readonly MeasuredPeer[] = [],
): PlaceFlag[] {
  return [
    ...located.flatMap((address) => addressFlags(declared, address)),
    ...peers.flatMap((peer) => timeFlags(declared, peer)),
  ];
}

function addressFlags(declared: Place, { address, place, precision, source }: LocatedAddress): PlaceFlag[] {
  const km = kmBetween(declared, place);
  if (declared.country !== "" && place.country !== "" && declared.country !== place.country) {
    const reason = `${address} is in ${place.country} by ${source}, and the node says ${declared.country}`;
    return [{ kind: "country", reason }];
  }
  const allowed = precision === "country" ? COUNTRY_KM : CITY_KM;
  if (km <= allowed) return [];
  const reason = `${address} is ${km} km from the place that the node says, by ${source} (${precision})`;
  return [{ kind: "far", reason }];
}

function timeFlags(declared: Place, { node, place, rttMs }: MeasuredPeer): PlaceFlag[] {
  const km = kmBetween(declared, place), reach = Math.floor(rttMs * KM_PER_RTT_MS);
  if (km <= reach) return [];
  const reason =
    `${node} answers within ${rttMs} ms, in which nothing gets further than ${reach} km and back; ` +
    `by what both say they are ${km} km apart`;
  return [{ kind: "faster-than-light", reason }];
}

function kmBetween(a: Place, b: Place): number {
  return Math.round(metresBetween(a, b) / 1000);
}

/**
 * What round trips tell of the places of all nodes, by node: those between two that cannot both be where they say. Which of
 * them is wrong nobody knows from one; who stands in many is likelier it.
 *
 * @param measured What each node measured, by its id.
 */
export function timeFlagsOf(
  places: ReadonlyMap<string, Place>,
  measured: ReadonlyMap<string, readonly { readonly node: string; readonly rttMs: number }[]>,
): Map<string, PlaceFlag[]> {
  const flags = new Map<string, PlaceFlag[]>();
  const flag = (id: string, declared: Place, peer: MeasuredPeer) => {
    const found = timeFlags(declared, peer);
    if (found.length > 0) flags.set(id, [...flags.get(id) ?? [], ...found]);
  };
  for (const [id, times] of measured) {
    const place = places.get(id);
    for (const { node, rttMs } of times) {
      const other = places.get(node);
      if (!place || !other || node === id) continue;
      flag(id, place, { node, place: other, rttMs });
      flag(node, other, { node: id, place, rttMs });
    }
  }
  return flags;
}
