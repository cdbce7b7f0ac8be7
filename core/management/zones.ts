/**
 * Zones that are managed through the store: their names, bounds of TTLs, and which generation of records is theirs.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { fold, formatName, parseName, prepend } from "../dns/name.ts";
import { TYPE, typeToText } from "../dns/types.ts";
import { parseRdata } from "../dns/rdata.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import { objectIn } from "../state/object_in.ts";
import type { Entry } from "../state/store.ts";
import { type Asking, change, checkConditions, eventOf, type Management, type Plan } from "./change.ts";
import { etagOf } from "./etag.ts";
import { type Page, pageOf, type PageRequest } from "./pagination.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import type { ResourceAnswer, Versioned } from "./resource.ts";
import {
  Faults,
  type ReadRRset,
  readZoneName,
  type RRsetValue,
  rrsetValueOf,
  storedRRset,
  TTL_MAX,
  ttlSchema,
} from "./rrset.ts";
import { readAs, text } from "./schema.ts";
import { serialOf } from "./serial.ts";
import { newGeneration, rrsetKey, zonePrefix } from "./zone_keys.ts";
import { zoneProblems } from "./zone_rules.ts";

const boundsSchema = z.strictObject({ min: ttlSchema.optional(), max: ttlSchema.optional() });

/** What a zone is made of, to begin with. */
export const newZoneSchema = z.strictObject({
  name: text("a zone's name", 255).openapi({ example: "example.org." }),
  nameServers: z.array(text("a name server's name", 255)).min(1).max(13)
    .openapi({ example: ["ns1.example.org.", "ns2.example.net."] }),
  mailbox: text("a mailbox as a domain name", 255).optional().openapi({ example: "hostmaster.example.org." }),
  ttl: boundsSchema.optional().openapi({ description: "bounds of all TTLs, in seconds" }),
}).openapi("NewZone");

/** A zone. */
export const zoneSchema = z.strictObject({
  name: z.string(),
  generation: z.string().openapi({ readOnly: true }),
  ttl: z.strictObject({ min: ttlSchema, max: ttlSchema }),
  serial: z.number().int().optional().openapi({ readOnly: true, description: "of the SOA" }),
}).openapi("Zone");

/** A zone as it lies in the store, without its serial, which its SOA has. */
export type ZoneValue = Omit<z.output<typeof zoneSchema>, "serial">;

/** A zone, its SOA, and what they lie in the store as. */
export interface FoundZone {
  readonly value: ZoneValue;
  readonly entry: Entry;
  readonly soa: ReadRRset;
  /** Written with each change of the zone: its revision is the zone's. */
  readonly soaEntry: Entry;
}

/** Fields of a SOA that is made up, in seconds: refresh, retry, expire, minimum. */
const TIMERS = "7200 3600 1209600 60";
const APEX_TTL = 3600;

/** Lists, reads, makes and removes zones. */
export class Zones {
  readonly #management: Management;

  constructor(management: Management) {
    this.#management = management;
  }

  /** A page of them, by name. */
  async list(page: PageRequest = {}): Promise<Page<Versioned<ZoneValue & { serial: number }>>> {
    const reader = this.#management.reader ?? this.#management.store;
    const { entries } = await reader.list(PREFIXES.zones);
    const named = entries.filter(({ value }) => typeof objectIn(value)?.name === "string");
    const { items, next } = pageOf(named, ({ key }) => key, page);
    const zones = await Promise.all(
      items.map(async ({ value }) => toldOf(await findZone(reader, (JSON.parse(value) as ZoneValue).name))),
    );
    return next === undefined ? { items: zones } : { items: zones, next };
  }

  /** @throws {ProblemError} `not-found` */
  async get(name: string): Promise<Versioned<ZoneValue & { serial: number }>> {
    return toldOf(await findZone(this.#management.reader ?? this.#management.store, name));
  }

  /** Makes a zone with SOA and NS. */
  create(body: unknown, asking: Asking): Promise<ResourceAnswer<ZoneValue & { serial: number }>> {
    const { store, clock, newId } = this.#management;
    const generation = newGeneration(clock.nowMs(), newId());
    return this.#change("create", asking, { body: body as Json }, async () => {
      const asked = newZone(body, generation), { name } = asked.value;
      if (await store.get(KEYS.zone(name))) throw new ProblemError("exists", `zone ${name} is there already`);
      return creation(asked, asking);
    });
  }

  /** Makes a zone, or sets the bounds of TTLs of one that is there: the rest of it is in its records. */
  put(name: string, body: unknown, asking: Asking): Promise<ResourceAnswer<ZoneValue & { serial: number }>> {
    const { store, clock, newId } = this.#management;
    const generation = newGeneration(clock.nowMs(), newId());
    return this.#change("put", asking, { name, body: body as Json }, async () => {
      const asked = newZone({ name, ...body as object }, generation);
      const key = KEYS.zone(asked.value.name);
      if (readZoneName(name) !== fold(parseName(asked.value.name))) {
        throw ProblemError.invalid([{ pointer: "/name", detail: `wanted ${name}, as the path has it` }]);
      }
      const found = await store.get(key) && await findZone(store, name);
      await checkConditions(store, asking, found ? found.soaEntry.revision : 0, `zones/${asked.value.name}`);
      if (!found) return creation(asked, asking);
      const isMailboxAsked = (body as { mailbox?: unknown }).mailbox !== undefined;
      const rrsets = asked.rrsets.filter(({ type }) => type !== TYPE.SOA || isMailboxAsked);
      return await this.#boundsPlan(found, { ...asked, rrsets }, asking);
    });
  }

  /** Removes a zone; its records are swept by {@linkcode sweepRecords}. */
  remove(name: string, asking: Asking): Promise<ResourceAnswer<ZoneValue & { serial: number }>> {
    return this.#change("delete", asking, { name }, async () => {
      const { store } = this.#management, { value, entry, soa, soaEntry } = await findZone(store, name);
      const subject = `zones/${value.name}`;
      await checkConditions(store, asking, soaEntry.revision, subject);
      const before = { ...value, serial: serialOf(soa.rdata[0]!) };
      return {
        events: [eventOf(asking, "zone.delete", subject, before)],
        writes: [{ remove: entry.key }, { remove: soaEntry.key }],
        conditions: [entry, soaEntry].map(({ key, revision }) => ({ key, revision })),
        status: 204,
      };
    });
  }

  async #boundsPlan(found: FoundZone, { value: { ttl }, rrsets }: NewZone, asking: Asking): Promise<Plan> {
    const { store } = this.#management, { value: before, entry, soa, soaEntry } = found;
    const value = { ...before, ttl }, { name, generation } = before;
    const { entries } = await store.list(zonePrefix(name, generation));
    const there = entries.map((entry) => JSON.parse(entry.value) as RRsetValue);
    const apart = rrsets.filter((asked) => !isSaidBy(asked, there)).map(({ type }) => typeToText(type));
    if (apart.length > 0) {
      throw new ProblemError("fixed", `zone ${name} has another ${apart.join(" and ")}: change its records`);
    }
    const problems = there.flatMap((one) =>
      ttlProblems(value, one.ttl, "/ttl").map(({ pointer, detail }) => ({
        pointer,
        detail: `${one.type} at ${one.name}: ${detail}`,
      }))
    );
    if (problems.length > 0) throw ProblemError.invalid(problems.slice(0, 100));
    const told = { ...value, serial: serialOf(soa.rdata[0]!) }, text = canonicalJson(value);
    if (text === canonicalJson(before)) {
      return {
        events: [],
        writes: [],
        conditions: [],
        status: 200,
        value: told,
        revision: soaEntry.revision,
      };
    }
    return {
      events: [eventOf(asking, "zone.update", `zones/${name}`, before, value)],
      // The SOA's revision is the zone's.
      writes: [{ put: entry.key, value: text }, { put: soaEntry.key, value: soaEntry.value }],
      conditions: [entry, soaEntry].map(({ key, revision }) => ({ key, revision })),
      ...{ status: 200, value: told },
    };
  }

  async #change(
    verb: string,
    asking: Asking,
    asked: Readonly<Record<string, Json>>,
    plan: Parameters<typeof change>[3],
  ): Promise<ResourceAnswer<ZoneValue & { serial: number }>> {
    const { ifMatch } = asking;
    const done = await change(
      this.#management,
      asking,
      { operation: `zones.${verb}`, ...asked, ifMatch },
      plan,
    );
    if (done.value === undefined) return { status: done.status };
    const value = done.value as unknown as ZoneValue & { serial: number };
    return { status: done.status, value, etag: etagOf(done.revision) };
  }
}

/** So often a zone is looked for again that was exchanged while it was read. */
const ATTEMPTS = 5;

/** A zone by any way of writing its name. @throws {ProblemError} `not-found` */
export async function findZone(reader: Reader, name: string): Promise<FoundZone> {
  const origin = readZoneName(name), key = origin && KEYS.zone(formatName(origin));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = key && await reader.get(key);
    if (!entry) throw new ProblemError("not-found", `there is no zone ${JSON.stringify(name)}`);
    const found = await withSoa(reader, entry);
    if (found) return found;
  }
  throw new ProblemError("conflict", `zone ${name} is being changed: ask again`);
}

/** A zone and all its RRsets, of one generation. @throws {ProblemError} `not-found` */
export async function findZoneWhole(
  reader: Reader,
  name: string,
): Promise<{ readonly value: ZoneValue; readonly entries: readonly Entry[] }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { value } = await findZone(reader, name);
    const { entries } = await reader.list(zonePrefix(value.name, value.generation));
    // A generation is removed once the zone has another.
    const after = await reader.get(KEYS.zone(value.name));
    if (after && (JSON.parse(after.value) as ZoneValue).generation === value.generation) {
      return { value, entries };
    }
  }
  throw new ProblemError("conflict", `zone ${name} is being changed: ask again`);
}

async function withSoa(reader: Reader, entry: Entry): Promise<FoundZone | undefined> {
  const value = JSON.parse(entry.value) as ZoneValue;
  const soaEntry = await reader.get(rrsetKey(value.name, value.generation, parseName(value.name), TYPE.SOA));
  return soaEntry && { value, entry, soaEntry, soa: storedRRset(soaEntry.value) };
}

function toldOf({ value, soa, soaEntry }: FoundZone): Versioned<ZoneValue & { serial: number }> {
  return { value: { ...value, serial: serialOf(soa.rdata[0]!) }, etag: etagOf(soaEntry.revision) };
}

/** Problems of a TTL that is outside its zone's bounds. */
export function ttlProblems({ ttl: { min, max } }: ZoneValue, ttl: number, pointer: string): FieldProblem[] {
  if (ttl >= min && ttl <= max) return [];
  return [{ pointer, detail: `wanted seconds from ${min} to ${max}, the zone's bounds, got ${ttl}` }];
}

/** A zone that is to be made. */
interface NewZone {
  readonly value: ZoneValue;
  readonly rrsets: readonly ReadRRset[];
}

function creation({ value, rrsets }: NewZone, asking: Asking): Plan {
  const key = KEYS.zone(value.name), after = { ...value, rrsets: rrsets.map(rrsetValueOf) };
  return {
    events: [eventOf(asking, "zone.create", `zones/${value.name}`, undefined, after)],
    writes: [
      { put: key, value: canonicalJson(value) },
      ...rrsets.map((rrset) => ({
        put: rrsetKey(value.name, value.generation, rrset.name, rrset.type),
        value: canonicalJson(rrsetValueOf(rrset)),
      })),
    ],
    conditions: [{ key, revision: 0 }],
    status: 201,
    value: { ...value, serial: 1 },
  };
}

/** Whether a zone has what was asked for: all its name servers and no others, its mailbox. */
function isSaidBy(asked: ReadRRset, there: readonly RRsetValue[]): boolean {
  const { name, type, rdata } = rrsetValueOf(asked);
  const is = there.find((one) => one.type === type && one.name.toLowerCase() === name.toLowerCase());
  if (type !== "SOA") return canonicalJson(rdata.toSorted()) === canonicalJson(is?.rdata.toSorted() ?? []);
  // Which name server stands first is not what was asked for.
  return rdata[0]!.split(" ")[1] === (is?.rdata[0] ?? "").split(" ")[1];
}

/** What a body says, with its apex. */
function newZone(body: unknown, generation: string): NewZone {
  const { name, nameServers, mailbox, ttl } = readAs(newZoneSchema, body);
  const origin = readZoneName(name), faults = new Faults();
  if (!origin) throw ProblemError.invalid([{ pointer: "/name", detail: "wanted a domain name" }]);
  const value = {
    name: formatName(origin),
    generation,
    ttl: { min: ttl?.min ?? 0, max: ttl?.max ?? TTL_MAX },
  };
  if (value.ttl.min > value.ttl.max) faults.add("/ttl/max", "wanted at least min");
  const hosts = nameServers.flatMap((server, i) => nameIn(server, `/nameServers/${i}`, faults) ?? []);
  const contact = mailbox === undefined
    ? formatName(prepend("hostmaster", origin))
    : nameIn(mailbox, "/mailbox", faults);
  if (faults.found.length > 0) throw ProblemError.invalid(faults.found);
  const soa = parseRdata(TYPE.SOA, wordsOf(`${hosts[0]} ${contact} 1 ${TIMERS}`));
  const ttlSeconds = Math.min(Math.max(APEX_TTL, value.ttl.min), value.ttl.max);
  const rrsets = [
    { name: origin, type: TYPE.SOA, ttl: ttlSeconds, rdata: [soa] },
    {
      name: origin,
      type: TYPE.NS,
      ttl: ttlSeconds,
      rdata: hosts.map((host) => parseRdata(TYPE.NS, wordsOf(host))),
    },
  ];
  const problems = zoneProblems(origin, rrsets);
  if (problems.length > 0) throw ProblemError.invalid(problems);
  return { value, rrsets };
}

function nameIn(text: string, at: string, faults: Faults): string | undefined {
  try {
    return formatName(parseName(text));
  } catch (error) {
    return faults.add(at, (error as Error).message);
  }
}

function wordsOf(line: string): { text: string; quoted: false }[] {
  return line.split(" ").map((text) => ({ text, quoted: false }));
}
