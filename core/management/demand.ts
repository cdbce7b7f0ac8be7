/**
 * What client networks ask for, in versions: a map from networks to demand that all servers take from the store, so that all
 * decide alike. Without one, every network counts by its addresses.
 *
 *     demand/current -> { number }     demand/versions/N -> what it is     demand/rows/ID/0001 … its networks
 *
 * @module
 */

import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import { formatPrefix, parsePrefix } from "../net/address.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { AuditEvent } from "../state/audit.ts";
import type { Rest } from "../state/audit_log.ts";
import type { Entry, Store, Write } from "../state/store.ts";
import { type Asking, change, checkConditions, eventOf, type Management, type Plan } from "./change.ts";
import { etagOf } from "./etag.ts";
import { isObject } from "./merge_patch.ts";
import { type Page, pageOf, type PageRequest } from "./pagination.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import type { ResourceAnswer } from "./resource.ts";
import { oneOf, pointerTo, readAs, shown, wanted } from "./schema.ts";
import { nobodyWaits, stage, unstage } from "./staging.ts";
import { beganMs, newGeneration } from "./zone_keys.ts";

/** How many networks a version may have. */
export const NETWORKS_MAX = 500_000;

/** Networks of one row: so that a row is some tens of kilooctets. */
const ROW_NETWORKS = 2000;

/** So many versions are kept: the oldest goes when one more comes, for every server has all of them in memory. */
export const VERSIONS_MAX = 8;

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

/** The same of half a million networks: those are looked at one by one, so that others have a turn in between. */
const bodySchema = demandSchema.extend({
  networks: z.custom<Readonly<Record<string, unknown>>>(
    (value) => isObject(value as Json | undefined),
    wanted("networks, and what each asks for"),
  ),
});

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
    const { store, clock, newId, rest = nobodyWaits } = this.#management;
    const { source, networks } = await readDemand(body, rest);
    const digest = await digestOfNetworks(networks, rest), rows = newGeneration(clock.nowMs(), newId());
    const total = networks.reduce((sum, [, one]) => sum + one, 0);
    const count = networks.length, at = new Date(clock.nowMs()).toISOString();
    let isStaged = false;
    return await this.#change("put", asking, { source, digest }, async () => {
      const current = await store.get(KEYS.demandCurrent);
      await checkConditions(store, asking, current?.revision ?? 0, "demand/current");
      if (!isStaged) await stage(store, rowsOf(rows, networks), rest);
      isStaged = true;
      const { number, tooMany } = await this.#room(current && JSON.parse(current.value).number);
      const key = KEYS.demandVersion(number), { actor } = asking;
      const version: DemandVersion = { number, source, networks: count, total, digest, actor, at, rows };
      const value = version as unknown as Json;
      return {
        events: [
          eventOf(asking, "demand.put", "demand/current", current && JSON.parse(current.value), value),
          ...tooMany.map(({ value }) =>
            removalOf({ ...asking, reason: `only ${VERSIONS_MAX} are kept` }, value)
          ),
        ],
        writes: [
          { put: key, value: canonicalJson(value) },
          { put: KEYS.demandCurrent, value: canonicalJson({ number }) },
          ...tooMany.map(({ entry }) => ({ remove: entry.key })),
        ],
        conditions: [
          { key, revision: 0 },
          { key: KEYS.demandCurrent, revision: current?.revision ?? 0 },
          ...tooMany.map(({ entry: { key, revision } }) => ({ key, revision })),
        ],
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
      return {
        events: [removalOf(asking, version)],
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

  /** The next number, and the versions that go for it: the oldest, but the current one. */
  async #room(current: number | undefined): Promise<{
    readonly number: number;
    readonly tooMany: readonly { readonly entry: Entry; readonly value: DemandVersion }[];
  }> {
    const { entries } = await this.#management.store.list(PREFIXES.demandVersions);
    const all = entries.map((entry) => ({ entry, value: JSON.parse(entry.value) as DemandVersion }))
      .sort((a, b) => a.value.number - b.value.number);
    const old = all.filter(({ value: { number } }) => number !== current);
    return {
      number: (all.at(-1)?.value.number ?? 0) + 1,
      tooMany: old.slice(0, Math.max(0, all.length + 1 - VERSIONS_MAX)),
    };
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

function removalOf(asking: Asking, version: DemandVersion): AuditEvent {
  return eventOf(asking, "demand.delete", `demand/versions/${version.number}`, version as unknown as Json);
}

/** Networks, in canonical text, and what each asks for; of the current version. Undefined where there is none. */
export async function currentDemand(
  reader: Reader,
  rest: Rest = nobodyWaits,
): Promise<
  (Pick<DemandVersion, "number" | "source"> & { readonly networks: ReadonlyMap<string, number> }) | undefined
> {
  const number = await currentNumber(reader);
  const version = number !== undefined && await reader.get(KEYS.demandVersion(number));
  if (!version) return undefined;
  const told = JSON.parse(version.value) as DemandVersion;
  return { number: told.number, source: told.source, networks: await networksOf(reader, told, rest) };
}

/** The number of the current version; undefined where there is none. */
export async function currentNumber(reader: Reader): Promise<number | undefined> {
  const current = await reader.get(KEYS.demandCurrent);
  return current && (JSON.parse(current.value) as { number: number }).number;
}

/** A version as it was given, in pieces of text that are JSON together. */
export async function* demandText(
  reader: Reader,
  { rows, source }: Pick<DemandVersion, "rows" | "source">,
): AsyncGenerator<string> {
  yield '{"networks":{';
  let isFirst = true;
  for (const { value } of (await reader.list(KEYS.demandRows(rows))).entries) {
    if (value.length <= 2) continue;
    yield `${isFirst ? "" : ","}${value.slice(1, -1)}`;
    isFirst = false;
  }
  yield `},"source":${JSON.stringify(source)}}`;
}

/** The networks of a version, in canonical text, and what each asks for. */
export async function networksOf(
  reader: Reader,
  { rows }: Pick<DemandVersion, "rows">,
  rest: Rest = nobodyWaits,
): Promise<ReadonlyMap<string, number>> {
  const networks = new Map<string, number>();
  for (const { value } of (await reader.list(KEYS.demandRows(rows))).entries) {
    for (const [network, demand] of Object.entries(JSON.parse(value) as Record<string, number>)) {
      networks.set(network, demand);
    }
    await rest();
  }
  return networks;
}

/** Removes rows that no version names; how many. To be run now and then by any server. */
export async function sweepDemand(store: Store, nowMs: number, rest?: Rest): Promise<number> {
  const { entries: rows } = await store.list(PREFIXES.demandRows);
  const { entries: versions } = await store.list(PREFIXES.demandVersions);
  const named = new Set(versions.map(({ value }) => (JSON.parse(value) as DemandVersion).rows));
  const left = rows.filter(({ key }) => {
    const id = namePart(key.slice(PREFIXES.demandRows.length).split("/", 1)[0]!);
    return !named.has(id) && nowMs - beganMs(id) > STAGING_MS;
  });
  await unstage(store, left.map(({ key }) => key), rest);
  return left.length;
}

/** Networks in canonical text and what each asks for, in the order of text. */
type Networks = readonly (readonly [network: string, demand: number])[];

async function readDemand(
  body: unknown,
  rest: Rest,
): Promise<{ readonly source: "logs" | "given"; readonly networks: Networks }> {
  const { source, networks: given } = readAs(bodySchema, body), problems: FieldProblem[] = [];
  const read = new Map<string, number>(), texts = Object.keys(given);
  if (texts.length === 0) problems.push({ pointer: "/networks", detail: "wanted at least one network" });
  if (texts.length > NETWORKS_MAX) {
    throw new ProblemError("too-large", `wanted at most ${NETWORKS_MAX} networks, got ${texts.length}`);
  }
  for (const [i, text] of texts.entries()) {
    const demand = given[text], prefix = parsePrefix(text), network = prefix && formatPrefix(prefix);
    const fault = faultIn(text, demand, network, read);
    if (fault !== undefined) problems.push({ pointer: pointerTo("networks", text), detail: fault });
    else read.set(network!, demand as number);
    if (problems.length === PROBLEMS_MAX) break;
    if (i % ROW_NETWORKS === ROW_NETWORKS - 1) await rest();
  }
  if (problems.length > 0) throw ProblemError.invalid(problems);
  return { source, networks: [...read].sort(([a], [b]) => a < b ? -1 : 1) };
}

/** So many are told. */
const PROBLEMS_MAX = 100;

function faultIn(
  text: string,
  demand: unknown,
  network: string | undefined,
  read: ReadonlyMap<string, number>,
): string | undefined {
  if (!network) return `wanted a network such as 198.51.100.0/24, got ${shown(text)}`;
  if (read.has(network)) return `${network} is there twice`;
  if (typeof demand === "number" && demand >= 0) return undefined;
  return `wanted a number, at least 0, got ${shown(demand)}`;
}

/** What `digestOf` says of them as an object. */
async function digestOfNetworks(networks: Networks, rest: Rest): Promise<string> {
  const hash = createHash("sha256").update("{");
  for (let at = 0; at < networks.length; at += ROW_NETWORKS) {
    const pairs = networks.slice(at, at + ROW_NETWORKS).map(([network, demand]) =>
      `${JSON.stringify(network)}:${canonicalJson(demand)}`
    );
    hash.update(`${at > 0 ? "," : ""}${pairs.join(",")}`);
    await rest();
  }
  return hash.update("}").digest("hex");
}

function* rowsOf(id: string, networks: Networks): Generator<Write> {
  for (let at = 0, row = 0; at < networks.length; at += ROW_NETWORKS, row++) {
    const value = canonicalJson(Object.fromEntries(networks.slice(at, at + ROW_NETWORKS)));
    yield { put: `${KEYS.demandRows(id)}${String(row).padStart(6, "0")}`, value };
  }
}
