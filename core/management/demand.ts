/**
 * What client networks ask for, in versions: a map from networks to demand that all servers take from the store, so that all
 * decide alike. Without one, every network counts by its addresses.
 *
 *     demand/current -> { number }     demand/versions/N -> what it is     demand/rows/ID/0001 … its networks
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { formatPrefix, parsePrefix } from "../net/address.ts";
import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Store, Write } from "../state/store.ts";
import { type Asking, change, checkConditions, eventOf, type Management, type Plan } from "./change.ts";
import { etagOf } from "./etag.ts";
import { type Page, pageOf, type PageRequest } from "./pagination.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import type { ResourceAnswer } from "./resource.ts";
import { oneOf, pointerTo, readAs, shown, wanted } from "./schema.ts";
import { stage, unstage } from "./staging.ts";
import { beganMs, newGeneration } from "./zone_keys.ts";

/** How many networks a version may have. */
export const NETWORKS_MAX = 500_000;

/** Networks of one row: so that a row is some tens of kilooctets. */
const ROW_NETWORKS = 2000;

/** For so long rows may be there before a version names them. */
const STAGING_MS = 3_600_000;

/** What is given. */
export const demandSchema = z.strictObject({
  source: oneOf(["logs", "given"]),
  networks: z.record(
    z.string(),
    z.number(wanted("a number, at least 0")).min(0, wanted("a number, at least 0")),
  )
    .openapi({
      example: { "198.51.100.0/24": 120.5 },
      description: "queries a second, or any unit, by network",
    }),
}).openapi("Demand");

/** A version, as it is told. */
export const demandVersionSchema = z.object({
  number: z.number().int(),
  source: z.enum(["logs", "given"]),
  networks: z.number().int().openapi({ description: "how many there are" }),
  total: z.number().openapi({ description: "what they ask for together" }),
  digest: z.string().openapi({ description: "SHA-256 of the networks and what they ask for" }),
  actor: z.string(),
  at: z.string().openapi({ format: "date-time" }),
  isCurrent: z.boolean(),
}).openapi("DemandVersion");

/** A version: without its networks. */
export interface DemandVersion {
  readonly number: number;
  readonly source: "logs" | "given";
  /** How many there are, and what they ask for together. */
  readonly networks: number;
  readonly total: number;
  /** SHA-256 of the networks and what they ask for. */
  readonly digest: string;
  readonly actor: string;
  /** ISO 8601. */
  readonly at: string;
  /** Where the rows lie. */
  readonly rows: string;
}

/** Keeps versions of demand. */
export class Demands {
  readonly #management: Management;

  constructor(management: Management) {
    this.#management = management;
  }

  /** Keeps a version, and makes it the current one. */
  async put(body: unknown, asking: Asking): Promise<ResourceAnswer<DemandVersion>> {
    const { store, clock, newId } = this.#management, { source, networks } = readDemand(body);
    const digest = digestOf(networks), rows = newGeneration(clock.nowMs(), newId());
    const total = Object.values(networks).reduce((sum, one) => sum + one, 0);
    const count = Object.keys(networks).length, at = new Date(clock.nowMs()).toISOString();
    let isStaged = false;
    return await this.#change("put", asking, { source, digest }, async () => {
      const current = await store.get(KEYS.demandCurrent);
      await checkConditions(store, asking, current?.revision ?? 0, "demand/current");
      if (!isStaged) await stage(store, rowsOf(rows, networks));
      isStaged = true;
      const number = await this.#nextNumber(), key = KEYS.demandVersion(number), { actor } = asking;
      const version: DemandVersion = { number, source, networks: count, total, digest, actor, at, rows };
      const value = version as unknown as Json;
      return {
        events: [
          eventOf(asking, "demand.put", "demand/current", current && JSON.parse(current.value), value),
        ],
        writes: [
          { put: key, value: canonicalJson(value) },
          { put: KEYS.demandCurrent, value: canonicalJson({ number }) },
        ],
        conditions: [{ key, revision: 0 }, { key: KEYS.demandCurrent, revision: current?.revision ?? 0 }],
        ...{ status: 201, value },
      };
    });
  }

  /** Makes another version the current one. @throws {ProblemError} `not-found` */
  use(number: number, asking: Asking): Promise<ResourceAnswer<DemandVersion>> {
    return this.#change("use", asking, { number }, async () => {
      const { store } = this.#management, version = await this.get(number);
      const current = await store.get(KEYS.demandCurrent);
      await checkConditions(store, asking, current?.revision ?? 0, "demand/current");
      const before = current && JSON.parse(current.value);
      return {
        events: [eventOf(asking, "demand.use", "demand/current", before, { number })],
        writes: [{ put: KEYS.demandCurrent, value: canonicalJson({ number }) }],
        conditions: [{ key: KEYS.demandCurrent, revision: current?.revision ?? 0 }],
        ...{ status: 200, value: version as unknown as Json },
      };
    });
  }

  /** From now on no version is the current one. */
  clear(asking: Asking): Promise<ResourceAnswer<DemandVersion>> {
    return this.#change("clear", asking, {}, async () => {
      const { store } = this.#management, current = await store.get(KEYS.demandCurrent);
      await checkConditions(store, asking, current?.revision ?? 0, "demand/current");
      if (!current) return { events: [], writes: [], conditions: [], status: 204 };
      return {
        events: [eventOf(asking, "demand.clear", "demand/current", JSON.parse(current.value))],
        writes: [{ remove: KEYS.demandCurrent }],
        conditions: [{ key: KEYS.demandCurrent, revision: current.revision }],
        status: 204,
      };
    });
  }

  /** Takes a version away; its networks go some time later. @throws {ProblemError} `not-found`, `conflict`: it is the current one. */
  remove(number: number, asking: Asking): Promise<ResourceAnswer<DemandVersion>> {
    return this.#change("delete", asking, { number }, async () => {
      const { store } = this.#management, version = await this.get(number);
      const key = KEYS.demandVersion(number), entry = await store.get(key);
      const current = await store.get(KEYS.demandCurrent);
      if (current && JSON.parse(current.value).number === number) {
        throw new ProblemError(
          "conflict",
          `version ${number} of demand is the current one: use another first`,
        );
      }
      const before = version as unknown as Json;
      return {
        events: [eventOf(asking, "demand.delete", `demand/versions/${number}`, before)],
        writes: [{ remove: key }],
        conditions: [
          { key, revision: entry?.revision ?? 0 },
          { key: KEYS.demandCurrent, revision: current?.revision ?? 0 },
        ],
        status: 204,
      };
    });
  }

  /** @throws {ProblemError} `not-found` */
  async get(number: number): Promise<DemandVersion> {
    const isNumber = Number.isSafeInteger(number) && number > 0;
    const entry = isNumber ? await this.#management.store.get(KEYS.demandVersion(number)) : undefined;
    if (!entry) throw new ProblemError("not-found", `there is no version ${number} of demand`);
    return JSON.parse(entry.value);
  }

  /** Versions, the newest first. */
  async list(page: PageRequest = {}): Promise<Page<DemandVersion>> {
    const { entries } = await this.#management.store.list(PREFIXES.demandVersions);
    const versions = entries.map(({ value }) => JSON.parse(value) as DemandVersion).reverse();
    return pageOf(versions, ({ number }) => String(1e12 - number).padStart(13, "0"), page);
  }

  async #nextNumber(): Promise<number> {
    const { entries } = await this.#management.store.list(PREFIXES.demandVersions);
    return entries.reduce(
      (most, { value }) => Math.max(most, (JSON.parse(value) as DemandVersion).number),
      0,
    ) + 1;
  }

  async #change(
    verb: string,
    asking: Asking,
    asked: Readonly<Record<string, Json>>,
    plan: () => Promise<Plan>,
  ): Promise<ResourceAnswer<DemandVersion>> {
    const operation = { operation: `demand.${verb}`, ...asked, ifMatch: asking.ifMatch };
    const { status, value, revision } = await change(this.#management, asking, operation, plan);
    if (value === undefined) return { status };
    return { status, value: value as unknown as DemandVersion, etag: etagOf(revision) };
  }
}

/** Networks, in canonical text, and what each asks for; of the current version. Undefined where there is none. */
export async function currentDemand(
  reader: Reader,
): Promise<
  (Pick<DemandVersion, "number" | "source"> & { readonly networks: ReadonlyMap<string, number> }) | undefined
> {
  const number = await currentNumber(reader);
  const version = number !== undefined && await reader.get(KEYS.demandVersion(number));
  if (!version) return undefined;
  const told = JSON.parse(version.value) as DemandVersion;
  return { number: told.number, source: told.source, networks: await networksOf(reader, told) };
}

/** The number of the current version; undefined where there is none. */
export async function currentNumber(reader: Reader): Promise<number | undefined> {
  const current = await reader.get(KEYS.demandCurrent);
  return current && (JSON.parse(current.value) as { number: number }).number;
}

/** The networks of a version, in canonical text, and what each asks for. */
export async function networksOf(
  reader: Reader,
  { rows }: Pick<DemandVersion, "rows">,
): Promise<ReadonlyMap<string, number>> {
  const networks = new Map<string, number>();
  for (const { value } of (await reader.list(KEYS.demandRows(rows))).entries) {
    for (const [network, demand] of Object.entries(JSON.parse(value) as Record<string, number>)) {
      networks.set(network, demand);
    }
  }
  return networks;
}

/** Removes rows that no version names; how many. To be run now and then by any server. */
export async function sweepDemand(store: Store, nowMs: number): Promise<number> {
  const { entries: rows } = await store.list(PREFIXES.demandRows);
  const { entries: versions } = await store.list(PREFIXES.demandVersions);
  const named = new Set(versions.map(({ value }) => (JSON.parse(value) as DemandVersion).rows));
  const left = rows.filter(({ key }) => {
    const id = namePart(key.slice(PREFIXES.demandRows.length).split("/", 1)[0]!);
    return !named.has(id) && nowMs - beganMs(id) > STAGING_MS;
  });
  await unstage(store, left.map(({ key }) => key));
  return left.length;
}

function readDemand(body: unknown): { source: "logs" | "given"; networks: Record<string, number> } {
  const { source, networks } = readAs(demandSchema, body), problems: FieldProblem[] = [];
  const read: Record<string, number> = {}, entries = Object.entries(networks);
  if (entries.length === 0) problems.push({ pointer: "/networks", detail: "wanted at least one network" });
  if (entries.length > NETWORKS_MAX) {
    throw new ProblemError("too-large", `wanted at most ${NETWORKS_MAX} networks, got ${entries.length}`);
  }
  for (const [text, demand] of entries) {
    const prefix = parsePrefix(text), pointer = pointerTo("networks", text);
    const network = prefix && formatPrefix(prefix);
    if (!network) {
      problems.push({ pointer, detail: `wanted a network such as 198.51.100.0/24, got ${shown(text)}` });
    } else if (Object.hasOwn(read, network)) problems.push({ pointer, detail: `${network} is there twice` });
    else read[network] = demand;
  }
  if (problems.length > 0) throw ProblemError.invalid(problems.slice(0, 100));
  return { source, networks: read };
}

function* rowsOf(id: string, networks: Readonly<Record<string, number>>): Generator<Write> {
  const entries = Object.entries(networks).sort(([a], [b]) => a < b ? -1 : 1);
  for (let at = 0, row = 0; at < entries.length; at += ROW_NETWORKS, row++) {
    const value = canonicalJson(Object.fromEntries(entries.slice(at, at + ROW_NETWORKS)));
    yield { put: `${KEYS.demandRows(id)}${String(row).padStart(6, "0")}`, value };
  }
}
