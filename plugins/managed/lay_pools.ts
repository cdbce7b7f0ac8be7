/**
 * Names of pools in a zone that people change while the server runs. A record in a pool's way is no reason to leave the zone
 * as it was: the pool, which the Corefile names, goes first, and the log says so.
 *
 * @module
 */

import type { Name, OwnedName } from "../../core/plugin.ts";
import { TYPE } from "../../core/dns/types.ts";
import { laidOver, layOwnedNames, type Zone, type ZoneNode } from "../../core/zone/zone.ts";

/** What to lay over a zone, and what there is to be said of records that are at odds with pools. */
export interface LaidPools {
  readonly laid: ReadonlyMap<Name, ZoneNode>;
  readonly complaints: readonly string[];
}

/** A pool below a delegation or a DNAME is not answered: who made those said that what is below is not the zone's. */
export function layPools(zone: Zone, owned: readonly OwnedName[]): LaidPools {
  const { laid, conflicts } = layOwnedNames(zone, owned);
  if (conflicts.length === 0) return { laid, complaints: [] };
  const cleared = new Map<Name, ZoneNode>();
  for (const { record } of conflicts) {
    if (!record || record.type === TYPE.NS || record.type === TYPE.DNAME) continue;
    const types = owned.flatMap(({ name, types }) => name === record.name ? types : []);
    cleared.set(record.name, without(zone.nodes.get(record.name)!, [TYPE.CNAME, ...types]));
  }
  const again = layOwnedNames({ ...zone, nodes: laidOver(zone.nodes, cleared) }, owned);
  const left = new Set(again.conflicts.map(({ message }) => message));
  const complaints = conflicts.map(({ message }) =>
    `${message}: ${left.has(message) ? "the pool is not answered there" : "the pool is answered instead"}`
  );
  return { laid: new Map([...cleared, ...again.laid]), complaints };
}

function without({ name, rrsets }: ZoneNode, types: readonly number[]): ZoneNode {
  return { name, rrsets: new Map([...rrsets].filter(([type]) => !types.includes(type))) };
}
