/**
 * Managed zones as servers answer from them: the records of each, out of entries of the store, to be made a zone by the
 * same rules as those of a master file.
 *
 * @module
 */

import { fold, type Name, parseName } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { PREFIXES } from "../state/keys.ts";
import type { Entry } from "../state/store.ts";
import type { ZoneRecord } from "../zone/master_file.ts";
import { type ReadRRset, storedRRset } from "./rrset.ts";
import { serialOf } from "./serial.ts";
import { zoneOfKey } from "./zone_keys.ts";
import type { ZoneValue } from "./zones.ts";

/** A zone's records. */
export interface ManagedZone {
  /** Folded. */
  readonly origin: Name;
  readonly serial: number;
  /** For {@linkcode makeZone}; positions name keys of the store. */
  readonly records: readonly ZoneRecord[];
  /** Keys that cannot be read. */
  readonly unreadable: readonly string[];
}

/** Every zone that entries of the store have whole: with a SOA, and of the generation that the zone names. */
export function managedZones(entries: Iterable<Entry>): ManagedZone[] {
  const zones = new Map<string, ZoneValue>(), byZone = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (entry.key.startsWith(PREFIXES.zones)) {
      const value = JSON.parse(entry.value) as ZoneValue;
      zones.set(value.name, value);
    } else if (entry.key.startsWith(PREFIXES.records)) {
      const { zone, generation } = zoneOfKey(entry.key), id = `${zone} ${generation}`;
      const same = byZone.get(id);
      if (same) same.push(entry);
      else byZone.set(id, [entry]);
    }
  }
  return [...zones.values()].flatMap((zone) => {
    const made = managedZone(zone, byZone.get(`${zone.name} ${zone.generation}`) ?? []);
    return made ?? [];
  });
}

/** One zone, of the entries of its generation; undefined where they have no SOA. */
export function managedZone({ name }: ZoneValue, entries: readonly Entry[]): ManagedZone | undefined {
  const unreadable: string[] = [], records: ZoneRecord[] = [];
  const origin = fold(parseName(name));
  let serial: number | undefined;
  for (const { key, value } of entries) {
    const rrset = readOrNot(value);
    if (!rrset) unreadable.push(key);
    else records.push(...recordsOf(rrset, key));
    if (rrset?.type === TYPE.SOA && fold(rrset.name) === origin) serial = serialOf(rrset.rdata[0]!);
  }
  return serial === undefined ? undefined : { origin, serial, records, unreadable };
}

function readOrNot(value: string): ReadRRset | undefined {
  try {
    return storedRRset(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

function recordsOf({ name, type, ttl, rdata }: ReadRRset, key: string): ZoneRecord[] {
  return rdata.map((octets, i) => ({
    ...{ name, type, ttl, rdata: octets },
    at: { file: key, line: i + 1, column: 1 },
  }));
}
