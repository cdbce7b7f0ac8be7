/**
 * Where a zone's RRsets lie: below its name and its generation. A zone that is imported gets a new generation, which nobody
 * sees until the zone names it; so one write exchanges the whole of it.
 *
 *     zones/example.org.                        { generation: "mk3x…", … }
 *     records/example.org.@mk3x…/www…/A         seen
 *     records/example.org.@mk2a…/www…/A         left over, to be swept
 *
 * @module
 */

import { fold, formatName, type Name } from "../dns/name.ts";
import { typeToText } from "../dns/types.ts";
import { keyPart, KEYS, namePart, PREFIXES } from "../state/keys.ts";

/** The name and the generation of a zone. An `@` stands in no name in this form without a backslash before it. */
function generationOf(zone: string, generation: string): string {
  return `${zone}@${generation}`;
}

/** Where an RRset lies. `owner` in any case. */
export function rrsetKey(zone: string, generation: string, owner: Name, type: number): string {
  return KEYS.rrset(generationOf(zone, generation), formatName(fold(owner)), typeToText(type));
}

/** Below which all RRsets of a zone lie. */
export function zonePrefix(zone: string, generation: string): string {
  return `${PREFIXES.records}${keyPart(generationOf(zone, generation))}/`;
}

/** Below which those of an owner lie. */
export function ownerPrefix(zone: string, generation: string, owner: Name): string {
  return `${zonePrefix(zone, generation)}${keyPart(formatName(fold(owner)))}/`;
}

/** The zone and the generation of which a key is. */
export function zoneOfKey(key: string): { readonly zone: string; readonly generation: string } {
  const name = namePart(key.slice(PREFIXES.records.length).split("/", 1)[0]!), at = name.lastIndexOf("@");
  return { zone: name.slice(0, at), generation: name.slice(at + 1) };
}

/** A generation that begins now; `id` is nobody else's. */
export function newGeneration(nowMs: number, id: string): string {
  return `${nowMs.toString(36)}-${id}`;
}

/** When a generation began, milliseconds since 1970. */
export function beganMs(generation: string): number {
  return parseInt(generation, 36);
}
