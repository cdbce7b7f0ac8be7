/**
 * Which server block answers a question: the one with the longest zone that holds its name.
 *
 * @module
 */

import { isWithin, labelCount, type Name, parent, ROOT } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";

/** The block that answers, and for which of its zones. */
export interface Route<Block> {
  readonly zone: Name;
  readonly block: Block;
}

/**
 * Finds the route of a question; undefined when no zone holds its name, which is then refused. `admits` says whether a
 * block takes the query.
 */
export type Router<Block> = (
  name: Name,
  type: number,
  admits?: (block: Block, zone: Name) => boolean,
) => Route<Block> | undefined;

/**
 * Routes among blocks that share a port. Zones and the names asked for must be folded. Of several blocks with one zone
 * the first that admits the query is taken; if none does, the zone above is looked at.
 *
 * The DS of a zone's apex belongs to the zone above it (RFC 4035 section 3.1.4.1): if that is served too, it
 * answers. A block for `.` does not count as the zone above, as in CoreDNS: it mostly forwards.
 */
export function makeRouter<Block extends { readonly zones: readonly Name[] }>(
  blocks: readonly Block[],
): Router<Block> {
  const routes = new Map<Name, Route<Block>[]>();
  for (const block of blocks) {
    for (const zone of block.zones) routes.set(zone, [...routes.get(zone) ?? [], { zone, block }]);
  }
  const longest = Math.max(0, ...Array.from(routes.keys(), (zone) => zone.length));

  // Longest first. To look whether each of a few holds a name is cheaper than to make a string of each name above it.
  const few = routes.size <= FEW ? [...routes].sort(([a], [b]) => b.length - a.length) : undefined;

  function nearest(name: Name, admits: (block: Block, zone: Name) => boolean): Route<Block> | undefined {
    if (few) return nearestOf(few, name, admits);
    for (;; name = parent(name)) {
      const route = name.length <= longest ? admitting(routes.get(name), admits) : undefined;
      if (route || name === ROOT) return route;
    }
  }

  return (name, type, admits = () => true) => {
    const route = nearest(name, admits);
    if (type !== TYPE.DS || route?.zone !== name) return route;
    const above = nearest(parent(name), admits);
    return above && labelCount(above.zone) > 0 ? above : route;
  };
}

const FEW = 4;

function nearestOf<Block>(
  routes: readonly (readonly [Name, readonly Route<Block>[]])[],
  name: Name,
  admits: (block: Block, zone: Name) => boolean,
): Route<Block> | undefined {
  for (const [zone, there] of routes) {
    const route = isWithin(name, zone) ? admitting(there, admits) : undefined;
    if (route) return route;
  }
  return undefined;
}

function admitting<Block>(
  there: readonly Route<Block>[] | undefined,
  admits: (block: Block, zone: Name) => boolean,
): Route<Block> | undefined {
  if (there) { for (const route of there) if (admits(route.block, route.zone)) return route; }
  return undefined;
}
