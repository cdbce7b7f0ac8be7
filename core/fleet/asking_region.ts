/**
 * Which region a client counts to: where that region's own verdicts differ from everyone's, it is answered by those.
 *
 * @module
 */

import { vectorOf } from "./distance.ts";
import { nearestMembers } from "./near_table.ts";
import type { Place } from "./place.ts";
import type { PoolView } from "./view.ts";

/**
 * The region of the pool's node that is nearest to a place, "" where that has none. Health plays no part, nor whether the
 * node is out of answers: a region's borders do not move with its trouble.
 */
export function regionAt({ members }: PoolView, place: Place): string {
  const [nearest] = nearestMembers(members, vectorOf(place), 1);
  return nearest === undefined ? "" : members[nearest]!.node.region;
}
