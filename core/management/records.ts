/**
 * Records of managed zones: RRsets that are put and deleted, one or several at once, into what must be a zone again. Each
 * change raises the SOA's serial in the same transaction, and depends on the SOA being as it was: so of two changes of a
 * zone at once the second is planned on what the first made.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { fold, formatName, type Name, parseName } from "../dns/name.ts";
import { TYPE, typeToText } from "../dns/types.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import type { Entry, Write } from "../state/store.ts";
import {
  type Asking,
  change,
  type Changed,
  checkConditions,
  eventOf,
  type Management,
  type Plan,
} from "./change.ts";
import { etagOf } from "./etag.ts";
import { mergePatch } from "./merge_patch.ts";
import { chosenBy, type Page, pageOf, type PageRequest } from "./pagination.ts";
import { ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import { idOf, type ReadChange, readChanges, readPath, readPut } from "./record_changes.ts";
import type { ResourceAnswer, Versioned } from "./resource.ts";
import {
  type ReadRRset,
  readZoneName,
  rrsetSchema,
  type RRsetValue,
  rrsetValueOf,
  storedRRset,
} from "./rrset.ts";
import { isAfter, nextSerial, serialOf, withSerial } from "./serial.ts";
import { ownerPrefix, rrsetKey, zonePrefix } from "./zone_keys.ts";
import { namesAbove, type PlacedRRset, reachesBelow, zoneProblems } from "./zone_rules.ts";
import { findZone, findZoneWhole, type FoundZone } from "./zones.ts";

/** What became of a set of changes. */
export const recordsChangedSchema = z.strictObject({
  serial: z.number().int(),
  put: z.array(rrsetSchema),
  deleted: z.array(rrsetSchema.pick({ name: true, type: true })),
}).openapi("RecordsChanged");

/** The same. */
export type RecordsChanged = z.output<typeof recordsChangedSchema>;

/** Lists, reads and changes the RRsets of zones. */
export class Records {
  readonly #management: Management;

  constructor(management: Management) {
    this.#management = management;
  }

  /** A page of a zone's RRsets, by owner as text. Filters: name, type. */
  async list(
    zone: string,
    page: PageRequest = {},
    filters: Readonly<Record<string, string>> = {},
  ): Promise<Page<Versioned<RRsetValue>>> {
    const { entries } = await findZoneWhole(this.#reader, zone), owner = ownerAsked(filters);
    const isChosen = chosenBy<RRsetValue>({
      name: ({ name }) => fold(parseName(name)) === owner,
      type: ({ type }, wanted) => type === wanted.toUpperCase(),
    }, filters);
    // A large zone is not read for the sake of one page.
    const chosen = Object.keys(filters).length === 0
      ? entries
      : entries.filter(({ value }) => isChosen(JSON.parse(value)));
    const { items, next } = pageOf(chosen, ({ key }) => key, page);
    const rrsets = items.map(({ value, revision }) => ({
      value: JSON.parse(value) as RRsetValue,
      etag: etagOf(revision),
    }));
    return next === undefined ? { items: rrsets } : { items: rrsets, next };
  }

  /** @throws {ProblemError} `not-found` */
  async get(zone: string, name: string, type: string): Promise<Versioned<RRsetValue>> {
    const reader = this.#reader, found = await findZone(reader, zone);
    const entry = await reader.get(keyIn(found, name, type));
    if (!entry) throw notFound(name, type);
    return { value: JSON.parse(entry.value), etag: etagOf(entry.revision) };
  }

  /** Makes an RRset what the body says; name and type are the path's and may be left out. */
  async put(
    zone: string,
    name: string,
    type: string,
    body: unknown,
    asking: Asking,
  ): Promise<ResourceAnswer<RRsetValue>> {
    const asked = { operation: "records.put", zone, name, type, body: body as Json };
    const done = await change(this.#management, asking, asked as Json, async () => {
      const found = await findZone(this.#management.store, zone);
      const read = readPut(found, name, type, body);
      return await this.#putPlan(found, read, await this.#checked(found, read, asking), asking);
    });
    return toldOf(done);
  }

  /** Changes some of an RRset that is there (RFC 7396): its TTL, or its RDATA. */
  async patch(
    zone: string,
    name: string,
    type: string,
    patch: unknown,
    asking: Asking,
  ): Promise<ResourceAnswer<RRsetValue>> {
    const asked = { operation: "records.patch", zone, name, type, body: patch as Json };
    const done = await change(this.#management, asking, asked, async () => {
      const found = await findZone(this.#management.store, zone);
      const before = await this.#checked(found, readPath(found, name, type), asking);
      if (!before) throw notFound(name, type);
      const read = readPut(found, name, type, mergePatch(JSON.parse(before.value), patch as Json));
      return await this.#putPlan(found, read, before, asking);
    });
    return toldOf(done);
  }

  /** Deletes an RRset. */
  async remove(
    zone: string,
    name: string,
    type: string,
    asking: Asking,
  ): Promise<ResourceAnswer<RRsetValue>> {
    const asked = { operation: "records.delete", zone, name, type };
    const { status } = await change(this.#management, asking, asked, async () => {
      const found = await findZone(this.#management.store, zone);
      const read = readPath(found, name, type);
      if (!await this.#checked(found, read, asking)) throw notFound(name, type);
      return { ...(await this.#planOf(found, [read], asking)).plan, status: 204 };
    });
    return { status };
  }

  /** Changes several RRsets at once: all of it, or nothing. If-Match names the zone's tag. */
  async change(zone: string, body: unknown, asking: Asking): Promise<ResourceAnswer<RecordsChanged>> {
    const asked = { operation: "records.change", zone, body: body as Json };
    const done = await change(this.#management, asking, asked, async () => {
      const found = await findZone(this.#management.store, zone);
      await checkConditions(
        this.#management.store,
        asking,
        found.soaEntry.revision,
        `zones/${found.value.name}`,
      );
      const { plan, changed } = await this.#planOf(found, readChanges(found, body), asking);
      return { ...plan, status: 200, value: changed as unknown as Json };
    });
    return { status: 200, value: done.value as unknown as RecordsChanged, etag: etagOf(done.revision) };
  }

  get #reader(): Reader {
    return this.#management.reader ?? this.#management.store;
  }

  /** What lies there now, when the request's conditions hold. */
  async #checked(found: FoundZone, { name, type }: ReadChange, asking: Asking): Promise<Entry | undefined> {
    const { store } = this.#management, { value } = found;
    const entry = await store.get(rrsetKey(value.name, value.generation, name, type));
    const subject = `records/${value.name}/${formatName(fold(name))}/${typeToText(type)}`;
    await checkConditions(store, asking, entry?.revision ?? 0, subject);
    return entry;
  }

  async #putPlan(
    found: FoundZone,
    read: ReadChange,
    before: Entry | undefined,
    asking: Asking,
  ): Promise<Plan> {
    const { plan, changed } = await this.#planOf(found, [read], asking);
    const value = changed.put[0] ?? rrsetValueOf(read.after!);
    return { ...plan, status: before ? 200 : 201, value: value as Json, revision: before?.revision ?? 0 };
  }

  async #planOf(
    found: FoundZone,
    changes: readonly ReadChange[],
    asking: Asking,
  ): Promise<{ plan: Omit<Plan, "status">; changed: RecordsChanged }> {
    const around = await surroundings(this.#management.store, found, changes);
    const different = changes.filter((change) => isDifferent(change, around.get(idOf(change))));
    const serial = serialAfter(found, different);
    const after = new Map<string, PlacedRRset>(around);
    for (const change of different) {
      if (change.after) after.set(idOf(change), { ...change.after, pointer: change.pointer });
      else after.delete(idOf(change));
    }
    const soaId = idOf({ name: parseName(found.value.name), type: TYPE.SOA }), soa = after.get(soaId);
    if (soa && different.length > 0) after.set(soaId, { ...soa, rdata: [withSerial(soa.rdata[0]!, serial)] });
    const problems = zoneProblems(fold(parseName(found.value.name)), [...after.values()]);
    if (problems.length > 0) throw ProblemError.invalid(problems);
    return planned(found, different, around, after.get(soaId)!, serial, asking);
  }
}

function toldOf({ status, value, revision }: Changed): ResourceAnswer<RRsetValue> {
  return { status, value: value as unknown as RRsetValue, etag: etagOf(revision) };
}

/** The owner that a list is to be of. @throws {ProblemError} `malformed` */
function ownerAsked({ name }: Readonly<Record<string, string>>): Name | undefined {
  const owner = name === undefined ? undefined : readZoneName(name);
  if (name === undefined || owner !== undefined) return owner;
  throw new ProblemError("malformed", `name: wanted a domain name, got ${JSON.stringify(name)}`);
}

/** What is written, and what is told of it. */
function planned(
  { value: { name: zone, generation }, entry, soa: soaBefore, soaEntry }: FoundZone,
  changes: readonly ReadChange[],
  before: ReadonlyMap<string, ReadRRset>,
  soa: ReadRRset,
  serial: number,
  asking: Asking,
): { plan: Omit<Plan, "status">; changed: RecordsChanged } {
  const put = changes.flatMap(({ after }) => after ? [after.type === TYPE.SOA ? soa : after] : []);
  const deleted = changes.filter(({ after }) => !after);
  const told = { serial, put: put.map(rrsetValueOf), deleted: deleted.map(shortOf) };
  if (changes.length === 0) {
    return { plan: { events: [], writes: [], conditions: [], revision: soaEntry.revision }, changed: told };
  }
  const written = put.some(({ type }) => type === TYPE.SOA) ? put : [...put, soa];
  const writes: Write[] = [
    ...written.map((rrset) => ({
      put: rrsetKey(zone, generation, rrset.name, rrset.type),
      value: canonicalJson(rrsetValueOf(rrset)),
    })),
    ...deleted.map(({ name, type }) => ({ remove: rrsetKey(zone, generation, name, type) })),
  ];
  const old = changes.flatMap((change) => before.get(idOf(change)) ?? []);
  const was = { serial: serialOf(soaBefore.rdata[0]!), rrsets: old.map(rrsetValueOf) };
  const is = { serial, rrsets: told.put };
  const subject = changes.length === 1 ? subjectOf(zone, changes[0]!) : `zones/${zone}`;
  const events = [eventOf(asking, "records.change", subject, was, is)];
  const conditions = [entry, soaEntry].map(({ key, revision }) => ({ key, revision }));
  return { plan: { events, writes, conditions }, changed: told };
}

/** RRsets that decide whether changes can be: by {@linkcode idOf}. */
async function surroundings(
  reader: Reader,
  { value: { name: zone, generation } }: FoundZone,
  changes: readonly ReadChange[],
): Promise<Map<string, ReadRRset>> {
  const origin = fold(parseName(zone));
  const isWhole = changes.some((change) => change.after && reachesBelow(change, origin));
  const prefixes = isWhole ? [zonePrefix(zone, generation)] : [
    ...new Set(changes.flatMap(({ name }) => namesAbove(name, origin))).add(origin),
  ].map((name) => ownerPrefix(zone, generation, name));
  const rrsets = new Map<string, ReadRRset>();
  for (const prefix of prefixes) {
    for (const { value } of (await reader.list(prefix)).entries) {
      const rrset = storedRRset(value);
      rrsets.set(idOf(rrset), rrset);
    }
  }
  return rrsets;
}

function isDifferent({ after, type }: ReadChange, before: ReadRRset | undefined): boolean {
  if (!after || !before) return Boolean(after) !== Boolean(before);
  const text = (rrset: ReadRRset) => canonicalJson(rrsetValueOf(rrset));
  if (type !== TYPE.SOA) return text(after) !== text(before);
  // The serial alone is no change: it is the server's.
  const serial = serialOf(before.rdata[0]!);
  const sent = after.rdata.length === 1 ? { ...after, rdata: [withSerial(after.rdata[0]!, serial)] } : after;
  return text(sent) !== text(before) || isAfter(serialOf(after.rdata[0]!), serial);
}

/** The next serial; a SOA that is put may name a later one. */
function serialAfter({ soa }: FoundZone, changes: readonly ReadChange[]): number {
  const serial = serialOf(soa.rdata[0]!);
  if (changes.length === 0) return serial;
  const put = changes.find(({ type }) => type === TYPE.SOA)?.after;
  const named = put && serialOf(put.rdata[0]!);
  return named !== undefined && isAfter(named, serial) ? named : nextSerial(serial);
}

function keyIn({ value: { name: zone, generation } }: FoundZone, name: string, type: string): string {
  const read = readPath({ value: { name: zone, generation } } as FoundZone, name, type);
  return rrsetKey(zone, generation, read.name, read.type);
}

function shortOf({ name, type }: ReadChange): Pick<RRsetValue, "name" | "type"> {
  return { name: formatName(name), type: typeToText(type) };
}

function subjectOf(zone: string, { name, type }: ReadChange): string {
  return `records/${zone}/${formatName(fold(name))}/${typeToText(type)}`;
}

function notFound(name: string, type: string): ProblemError {
  return new ProblemError("not-found", `there is no ${type} at ${name}`);
}
