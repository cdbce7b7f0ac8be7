/**
 * Whole zones as master files (RFC 1035 section 5): out of the store, and into it in the place of what is there, all at
 * once.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { fold, formatName, labels, type Name } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { Rest } from "../state/audit_log.ts";
import type { Store, Write } from "../state/store.ts";
import { makeZone } from "../zone/make_zone.ts";
import { parseMasterFile, type ZoneFileError } from "../zone/master_file.ts";
import { type Asking, change, checkConditions, eventOf, type Management } from "./change.ts";
import { etagOf } from "./etag.ts";
import { ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import type { ResourceAnswer } from "./resource.ts";
import { type ReadRRset, readZoneName, rrsetValueOf, storedRRset, TTL_MAX } from "./rrset.ts";
import { isAfter, nextSerial, serialOf, withSerial } from "./serial.ts";
import { stage, unstage } from "./staging.ts";
import { beganMs, newGeneration, rrsetKey, zoneOfKey, zonePrefix } from "./zone_keys.ts";
import { findZone, findZoneWhole, type FoundZone, ttlProblems, type ZoneValue } from "./zones.ts";

/** What became of an import. `warnings`: `LINE:COLUMN: what`, of what was left out and what looks wrong. */
export const importedSchema = z.strictObject({
  name: z.string(),
  serial: z.number().int(),
  rrsets: z.number().int(),
  warnings: z.array(z.string()),
}).openapi("ImportedZone");

/** The same. */
export type Imported = z.output<typeof importedSchema>;

/** How much a file may have. */
const LIMITS = { includes: 0, records: 500_000, generated: 100_000 };

/** For so long something may be staged before it is taken to be left over. */
const STAGING_MS = 3_600_000;

/** A zone as a master file: SOA first, then owners in canonical order (RFC 4034 section 6.1). */
export async function exportZone(reader: Reader, name: string): Promise<string> {
  const { value, entries } = await findZoneWhole(reader, name);
  const rrsets = entries.map((entry) => storedRRset(entry.value)).sort(byOwner);
  const lines = rrsets.flatMap((rrset) => {
    const { name, type, ttl, rdata } = rrsetValueOf(rrset);
    return rdata.map((one) => `${name} ${ttl} IN ${type} ${one}`);
  });
  return [`$ORIGIN ${value.name}`, ...lines, ""].join("\n");
}

/**
 * Makes a zone what a master file says, whether it is there or not. The serial is the file's where that comes after the one
 * that is there, else the next. `$INCLUDE` is refused.
 */
export async function importZone(
  management: Management,
  name: string,
  text: string,
  asking: Asking,
): Promise<ResourceAnswer<Imported>> {
  const { store, clock, newId, rest } = management, origin = readZoneName(name);
  if (!origin) throw ProblemError.invalid([{ pointer: "/name", detail: "wanted a domain name" }]);
  const zone = formatName(origin), { rrsets, warnings } = readFile(origin, text);
  const generation = newGeneration(clock.nowMs(), newId());
  let isStaged = false, left: string | undefined;
  const asked = { operation: "zones.import", zone, text: digestOf(text), ifMatch: asking.ifMatch };
  const done = await change(management, asking, asked as Json, async () => {
    const found = await findOrNot(store, zone);
    await checkConditions(store, asking, found?.soaEntry.revision ?? 0, `zones/${zone}`);
    const value: ZoneValue = { name: zone, generation, ttl: found?.value.ttl ?? { min: 0, max: TTL_MAX } };
    checkTtls(value, rrsets);
    if (!isStaged) {
      await stage(
        store,
        rrsets.filter(({ type }) => type !== TYPE.SOA).values().map((one) => put(value, one)),
        rest,
      );
    }
    isStaged = true;
    left = found?.value.generation;
    const soa = soaAfter(rrsets.find(({ type }) => type === TYPE.SOA)!, found);
    const told = { name: zone, serial: serialOf(soa.rdata[0]!), rrsets: rrsets.length, warnings };
    const before = found && { serial: serialOf(found.soa.rdata[0]!), generation: found.value.generation };
    const { warnings: _, ...after } = { ...told, generation, digest: digestOf(text) };
    const key = KEYS.zone(zone), soaPut = put(value, soa);
    return {
      events: [eventOf(asking, "zone.import", `zones/${zone}`, before, after)],
      writes: [{ put: key, value: canonicalJson(value) }, soaPut],
      conditions: found
        ? [found.entry, found.soaEntry].map(({ key, revision }) => ({ key, revision }))
        : [{ key, revision: 0 }],
      ...{ status: found ? 200 : 201, value: told },
    };
  });
  if (left !== undefined) await removeGeneration(store, zone, left, rest);
  return { status: done.status, value: done.value as unknown as Imported, etag: etagOf(done.revision) };
}

/** Removes records that no zone names any more; how many. To be run now and then by any server. */
export async function sweepRecords(store: Store, nowMs: number, rest?: Rest): Promise<number> {
  const { entries: records } = await store.list(PREFIXES.records);
  // Looked at after the records: a generation that is named meanwhile is found named.
  const { entries: zones } = await store.list(PREFIXES.zones);
  const named = new Set(zones.map(({ value }) => {
    const { name, generation } = JSON.parse(value) as ZoneValue;
    return `${name} ${generation}`;
  }));
  const left = records.filter(({ key }) => {
    const { zone, generation } = zoneOfKey(key);
    return !named.has(`${zone} ${generation}`) && nowMs - beganMs(generation) > STAGING_MS;
  });
  await unstage(store, left.map(({ key }) => key), rest);
  return left.length;
}

async function removeGeneration(store: Store, zone: string, generation: string, rest?: Rest): Promise<void> {
  const { entries } = await store.list(zonePrefix(zone, generation));
  await unstage(store, entries.map(({ key }) => key), rest);
}

function readFile(origin: Name, text: string): { rrsets: ReadRRset[]; warnings: string[] } {
  const file = parseMasterFile(text, { file: "", origin, limits: LIMITS });
  failOn(file.errors);
  const made = makeZone(origin, file.records);
  failOn(made.errors);
  const rrsets = [...made.zone!.nodes].flatMap(([, { rrsets }]) => [...rrsets.values()]);
  return { rrsets, warnings: [...file.warnings, ...made.warnings].map(lineOf) };
}

function failOn(errors: readonly ZoneFileError[]): void {
  if (errors.length === 0) return;
  throw ProblemError.invalid(errors.map((error) => ({ pointer: "", detail: lineOf(error) })));
}

function lineOf({ at, message }: ZoneFileError): string {
  return `${at.line}:${at.column}: ${message}`;
}

function checkTtls(zone: ZoneValue, rrsets: readonly ReadRRset[]): void {
  const problems = rrsets.flatMap((rrset) => {
    const { name, type } = rrsetValueOf(rrset);
    return ttlProblems(zone, rrset.ttl, "").map(({ pointer, detail }) => {
      return { pointer, detail: `${type} at ${name}: ${detail}` };
    });
  });
  if (problems.length > 0) throw ProblemError.invalid(problems.slice(0, 100));
}

function soaAfter(soa: ReadRRset, found: FoundZone | undefined): ReadRRset {
  if (!found) return soa;
  const now = serialOf(found.soa.rdata[0]!), said = serialOf(soa.rdata[0]!);
  return { ...soa, rdata: [withSerial(soa.rdata[0]!, isAfter(said, now) ? said : nextSerial(now))] };
}

function put({ name, generation }: ZoneValue, rrset: ReadRRset): Write {
  const value = canonicalJson(rrsetValueOf(rrset));
  return { put: rrsetKey(name, generation, rrset.name, rrset.type), value };
}

async function findOrNot(store: Store, zone: string): Promise<FoundZone | undefined> {
  return await store.get(KEYS.zone(zone)) ? await findZone(store, zone) : undefined;
}

function byOwner(a: ReadRRset, b: ReadRRset): number {
  const rank = ({ type }: ReadRRset) => type === TYPE.SOA ? -1 : type;
  return compareNames(a.name, b.name) || rank(a) - rank(b);
}

function compareNames(a: Name, b: Name): number {
  const [left, right] = [a, b].map((name) => labels(fold(name)).reverse()) as [string[], string[]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i]! < right[i]! ? -1 : 1;
  }
  return left.length - right.length;
}
