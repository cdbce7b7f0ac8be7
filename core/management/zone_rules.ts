/**
 * Whether changed records still make a zone: the rules of core/zone, on as much of the zone as a change can break.
 *
 * @module
 */

import { fold, formatName, type Name, parent } from "../dns/name.ts";
import { TYPE, typeToText } from "../dns/types.ts";
import { makeZone } from "../zone/make_zone.ts";
import type { ZoneRecord } from "../zone/master_file.ts";
import type { FieldProblem } from "./problem.ts";
import type { ReadRRset } from "./rrset.ts";

/** An RRset, and the pointer to it where a request has it. */
export interface PlacedRRset extends ReadRRset {
  readonly pointer?: string;
}

/** Names that decide whether something may stand at `owner`: itself and those above it, up to the apex. */
export function namesAbove(owner: Name, origin: Name): Name[] {
  const names = [fold(owner)];
  while (names.at(-1) !== origin) names.push(parent(names.at(-1)!));
  return names;
}

/** Whether an RRset hides or forbids what lies below its owner, so that all of that must be looked at. */
export function reachesBelow({ name, type }: Pick<ReadRRset, "name" | "type">, origin: Name): boolean {
  return type === TYPE.DNAME || (type === TYPE.NS && fold(name) !== origin);
}

/**
 * What keeps RRsets from being a zone. They have to be all of their owners', of the owners' above up to the apex, and all
 * below those of which {@linkcode reachesBelow} is true.
 */
export function zoneProblems(origin: Name, rrsets: readonly PlacedRRset[]): FieldProblem[] {
  const { zone, errors } = makeZone(origin, rrsets.flatMap(recordsOf));
  if (!zone) {
    return errors.map(({ at, message }) => ({
      pointer: rrsets[at.line - 1]?.pointer ?? "",
      detail: message,
    }));
  }
  const changed = rrsets.find((rrset) => rrset.pointer !== undefined && reachesBelow(rrset, origin));
  return rrsets.flatMap((rrset) => {
    const { name, type, pointer = changed?.pointer ?? "" } = rrset;
    if (zone.nodes.get(fold(name))?.rrsets.has(type)) return [];
    const what = `${typeToText(type)} at ${formatName(name)} is hidden by a delegation`;
    return [{ pointer, detail: `${what}: wanted nothing there but the addresses of name servers` }];
  });
}

/** Positions say which of the RRsets, from 1. */
function recordsOf({ name, type, ttl, rdata }: PlacedRRset, index: number): ZoneRecord[] {
  return rdata.map((octets, i) => {
    return { name, type, ttl, rdata: octets, at: { file: "", line: index + 1, column: i + 1 } };
  });
}
