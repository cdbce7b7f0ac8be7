/**
 * What stands before a change that moves traffic: what it would make of the fleet is looked at first. One that would leave
 * a pool without anybody is refused, unless that is meant; and whoever only wants to know gets told, and nothing is changed.
 *
 * @module
 */

import type { Critical } from "../../core/access/critical.ts";
import type { Management } from "../../core/management/change.ts";
import { type Counted, countedOf } from "../../core/management/counted.ts";
import {
  emptied,
  movesAsked,
  type Preview,
  preview,
  refuseEmptied,
  type Serves,
} from "../../core/management/preview.ts";
import type { MovesAsked } from "../../core/management/moves_job.ts";
import { managedPool } from "../../core/management/pools.ts";
import type { PoolPolicy } from "../../core/fleet/pool.ts";
import { policyOf } from "../../core/fleet/pool_terms.ts";
import type { PreviewJson } from "../../core/management/preview_schema.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import { namePart, PREFIXES } from "../../core/state/keys.ts";
import type { AuditEvent } from "../../core/state/audit.ts";
import type { Ledger } from "../../core/state/ledger.ts";
import { type Entry, keyOf, type Write } from "../../core/state/store.ts";
import { type CurrentDemand, demandOf } from "./demand_now.ts";

/** How a change is guarded. */
export interface GuardOptions {
  /** Pools that may be left without anybody. */
  readonly acknowledged: readonly string[];
  /** Nothing is to be changed: {@linkcode Previewed} is thrown instead. */
  readonly isPreview: boolean;
  /** Throws where whoever asks may not do what is about to be written. */
  check?(events: readonly AuditEvent[]): void;
  /** Why what is about to be written would wait for a second person; nothing where it would not. */
  whyWaits?(writes: readonly Write[]): readonly Critical[];
}

/** Thrown where only the preview was wanted. */
export class Previewed extends Error {
  constructor(readonly preview: PreviewJson) {
    super("nothing was changed");
  }
}

/** The same operations, guarded. */
export async function guarded(
  management: Management,
  scope: FleetScope,
  { acknowledged, isPreview, check, whyWaits = () => [] }: GuardOptions,
): Promise<Management> {
  const serves = await servesNow(scope);
  const { ledger } = management;
  const write: Ledger["write"] = async (events, writes, conditions) => {
    check?.(events);
    const found = previewsOf(scope, writes, serves);
    if (isPreview) throw new Previewed(await jsonOf(scope, worstOf(found), writes, whyWaits(writes)));
    for (const { pools } of found) refuseEmptied(pools, acknowledged);
    return await ledger.write(events, writes, conditions);
  };
  return { ...management, ledger: { write } };
}

/** What writes would move, for who is to agree to them: as a preview tells it. */
export async function countMoves(scope: FleetScope, writes: readonly Write[]): Promise<Counted> {
  const found = previewsOf(scope, writes, await servesNow(scope));
  return countedOf(await jsonOf(scope, worstOf(found), writes, []));
}

/** The first that leaves a pool with nobody, or else what is at once. */
function worstOf(found: readonly Preview[]): Preview {
  return found.find(({ pools }) => emptied(pools).length > 0) ?? found[0]!;
}

async function jsonOf(
  scope: FleetScope,
  found: Preview,
  writes: readonly Write[],
  critical: readonly Critical[],
): Promise<PreviewJson> {
  const { atMs, changes, pools } = found, demand = await demandOf(scope);
  return {
    ...{
      at: new Date(atMs).toISOString(),
      changes: [...changes],
      pools: [...pools],
      emptied: emptied(pools),
    },
    ...await movesOf(scope, movesAsked(found, policiesIn(writes, scope)), demand),
    weighedBy: demand
      ? { by: "demand", number: demand.version.number, source: demand.version.source }
      : { by: "addresses" },
    approval: { isWanted: critical.length > 0, critical: critical.map(({ what }) => what) },
  };
}

/** Client networks that would be answered by others, as this server counts them. */
async function movesOf(
  { ask, log }: FleetScope,
  asked: MovesAsked,
  demand: CurrentDemand | undefined,
): Promise<Pick<PreviewJson, "moves" | "movesUnknown">> {
  try {
    const moves: unknown = await ask("moves", { ...asked, ...demand && { demand: demand.packed } });
    if (!Array.isArray(moves)) throw new Error("the server did not tell");
    return { moves };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.warn(`api: what a change would move is not known: ${why}`);
    return { movesUnknown: why };
  }
}

/** Policies of pools that are about to be written; null = it would be gone. One of the Corefile's name answers nothing. */
function policiesIn(
  writes: readonly Write[],
  { member: { besides } }: FleetScope,
): Record<string, PoolPolicy | null> {
  const own = new Set(besides.pools.map(({ name }) => name));
  return Object.fromEntries(writes.flatMap((write) => {
    const key = keyOf(write);
    if (!key.startsWith(PREFIXES.pools)) return [];
    const name = namePart(key.slice(PREFIXES.pools.length));
    if (own.has(name)) return [];
    return [[name, "put" in write ? policyOf(name, managedPool(JSON.parse(write.value))) : null]];
  }));
}

/** So many instants are looked at. */
const INSTANTS_MAX = 32;

/** When writes begin to hold, and whenever something else begins or ends after that: what is left then may be nobody. */
function previewsOf(
  { member: { replica, besides }, clock }: FleetScope,
  writes: readonly Write[],
  serves: Serves,
): Preview[] {
  const entries = [PREFIXES.nodes, PREFIXES.pools, PREFIXES.overrides].flatMap((
    prefix,
  ): Entry[] => [...replica.below(prefix)]);
  const known = {
    nodes: besides.nodes,
    pools: besides.pools.map((pool) => ({ ...pool, members: undefined })),
    takers: besides.takers,
  };
  const found = [preview(entries, writes, beginMs(writes, clock.nowMs()), known, serves)];
  for (let next = found[0]!.after.nextMs; next < Infinity && found.length < INSTANTS_MAX;) {
    const one = preview(entries, writes, next, known, serves);
    found.push(one);
    next = one.after.nextMs;
  }
  return found;
}

/** When writes begin to hold: an override in the future changes nothing before. */
export function beginMs(writes: readonly Write[], nowMs: number): number {
  const begins = writes.flatMap((write) =>
    "put" in write && write.put.startsWith(PREFIXES.overrides)
      ? [Date.parse(JSON.parse(write.value).from)]
      : []
  );
  return Math.max(nowMs, ...begins.filter((atMs) => !Number.isNaN(atMs)));
}

/** What this server's checks say; where it does not answer, everybody serves. */
async function servesNow(scope: FleetScope): Promise<Serves> {
  const down = new Set<string>(), up = new Set<string>();
  try {
    const { nodes } = await scope.ask("status") as {
      nodes: readonly { pool: string; node: string; checks: readonly { state: string }[] }[];
    };
    // A node serves while one of its addresses does.
    for (const { pool, node, checks } of nodes) {
      (checks.some(({ state }) => state === "down") ? down : up).add(`${pool} ${node}`);
    }
  } catch (error) {
    scope.log.warn(`api: what checks say is not known, a change is looked at without: ${error}`);
  }
  return (node, pool) => !down.has(`${pool} ${node}`) || up.has(`${pool} ${node}`);
}
