/**
 * Servers of the fleet, and what their checks say: to be read, not to be changed.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import type { State } from "../fleet/verdict.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import { chosenBy, type Page, pageOf, type PageRequest } from "./pagination.ts";
import { ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";

/** A server. */
export const serverSchema = z.object({
  id: z.string().openapi({ example: "fra" }),
  region: z.string(),
  url: z.string(),
  version: z.string(),
  digest: z.string().openapi({ description: "of all that it answers by; equal digests, equal answers" }),
  pulse: z.string().openapi({ format: "date-time", description: "when it last told, by its own clock" }),
}).openapi("Server");

/** A server as JSON has it. */
export type ServerValue = z.output<typeof serverSchema>;

/** Servers whose leases last. */
export async function listServers(
  reader: Reader,
  page: PageRequest = {},
  filters: Readonly<Record<string, string>> = {},
): Promise<Page<ServerValue>> {
  const { entries } = await reader.list(PREFIXES.servers);
  const isChosen = chosenBy<ServerValue>({ region: ({ region }, wanted) => region === wanted }, filters);
  const servers = entries.map(({ key, value }) => serverOf(key, JSON.parse(value))).filter(isChosen);
  return pageOf(servers, ({ id }) => id, page);
}

/** @throws {ProblemError} `not-found` */
export async function getServer(reader: Reader, id: string): Promise<ServerValue> {
  const entry = await reader.get(KEYS.server(id));
  if (!entry) throw new ProblemError("not-found", `there is no server ${JSON.stringify(id)}`);
  return serverOf(entry.key, JSON.parse(entry.value));
}

function serverOf(key: string, value: Readonly<Record<string, unknown>>): ServerValue {
  const text = (field: string) => typeof value[field] === "string" ? value[field] : "";
  return {
    id: namePart(key.slice(PREFIXES.servers.length)),
    region: text("region"),
    url: text("url"),
    version: text("version"),
    digest: text("digest"),
    pulse: new Date(typeof value["nowMs"] === "number" ? value["nowMs"] : 0).toISOString(),
  };
}

/** What checks say of one address of a node. */
export interface AddressHealth {
  readonly node: string;
  readonly pools: readonly string[];
  readonly address: string;
  /** Address and check. */
  readonly target: string;
  readonly state: State;
  /** ISO 8601. */
  readonly since: string;
  readonly reason: string;
}

/** How many are what. */
export interface HealthSummary {
  readonly states: Readonly<Record<State, number>>;
  /** Those that are not up, worst first, at most {@linkcode NOT_UP_MAX}. */
  readonly notUp: readonly AddressHealth[];
}

/** So many of those that are not up a summary names. */
export const NOT_UP_MAX = 100;

const WORST_FIRST: readonly State[] = ["down", "degraded", "unknown", "up"];

/** Counts what checks say. */
export function healthSummary(addresses: Iterable<AddressHealth>): HealthSummary {
  const states = { up: 0, degraded: 0, down: 0, unknown: 0 }, notUp: AddressHealth[] = [];
  for (const one of addresses) {
    states[one.state]++;
    if (one.state !== "up") notUp.push(one);
  }
  const rank = ({ state }: AddressHealth) => WORST_FIRST.indexOf(state);
  notUp.sort((a, b) => rank(a) - rank(b) || (a.target < b.target ? -1 : 1));
  return { states, notUp: notUp.slice(0, NOT_UP_MAX) };
}

/** A page of what checks say, by target. Filters: node, pool, state. */
export function listHealth(
  addresses: Iterable<AddressHealth>,
  page: PageRequest = {},
  filters: Readonly<Record<string, string>> = {},
): Page<AddressHealth> {
  const isChosen = chosenBy<AddressHealth>({
    node: ({ node }, wanted) => node === wanted,
    pool: ({ pools }, wanted) => pools.includes(wanted),
    state: ({ state }, wanted) => state === wanted,
  }, filters);
  const chosen = [...addresses].filter(isChosen).sort((a, b) => a.target < b.target ? -1 : 1);
  return pageOf(chosen, ({ target }) => target, page);
}
