/**
 * Which server block answers a question: the one with the longest zone that holds its name.
 *
 * @module
 */

import { labelCount, type Name, parent, ROOT } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";

/** The block that answers, and for which of its zones. */
export interface Route<Block> {
  readonly zone: Name;
  readonly block: Block;
}

/** Finds the route of a question; undefined when no zone holds its name, which is then refused. */
export type Router<Block> = (name: Name, type: number) => Route<Block> | undefined;

/**
 * Routes among blocks that share a port. Zones and the names asked for must be folded. Of two blocks with one
 * zone the first is taken; `checkDuplicates` has refused the second.
 *
 * The DS of a zone's apex belongs to the zone above it (RFC 4035 section 3.1.4.1): if that is served too, it
 * answers. A block for `.` does not count as the zone above, as in CoreDNS: it mostly forwards.
 */
export function makeRouter<Block extends { readonly zones: readonly Name[] }>(
  blocks: readonly Block[],
): Router<Block> {
  const routes = new Map<Name, Route<Block>>();
  for (const block of blocks) {
    for (const zone of block.zones) if (!routes.has(zone)) routes.set(zone, { zone, block });
  }
  const longest = Math.max(0, ...Array.from(routes.keys(), (zone) => zone.length));

  function nearest(name: Name): Route<Block> | undefined {
    for (;; name = parent(name)) {
      const route = name.length <= longest ? routes.get(name) : undefined;
      if (route || name === ROOT) return route;
    }
  }

  return (name, type) => {
    const route = nearest(name);
    if (type !== TYPE.DS || route?.zone !== name) return route;
    const above = nearest(parent(name));
    return above && labelCount(above.zone) > 0 ? above : route;
  };
}
