/**
 * Fills the RRset of a pool: which addresses, for which clients, until when.
 *
 * @module
 */

import type { Draft } from "../../core/answer.ts";
import { Allowance } from "../../core/fleet/allowance.ts";
import type { Consulted } from "../../core/fleet/consulted.ts";
import { rowOf } from "../../core/fleet/client_table.ts";
import { deadlineOf } from "../../core/fleet/deadline.ts";
import { vectorMetres, vectorOf } from "../../core/fleet/distance.ts";
import { isCurrent, type Partition } from "../../core/fleet/partition.ts";
import type { Chosen } from "../../core/fleet/picking.ts";
import type { Location } from "../../core/fleet/place.ts";
import { changedSince, looksAtAny } from "../../core/fleet/plain_basis.ts";
import { surroundings } from "../../core/fleet/surroundings.ts";
import { leafHash } from "../../core/fleet/rendezvous.ts";
import { type Choice, type Client, placeOf, select, spillPath } from "../../core/fleet/select.ts";
import { isMemberOf, type Member, type PoolView, type Views, viewsAt } from "../../core/fleet/view.ts";
import { TYPE } from "../../core/dns/types.ts";
import { findNetwork, lengthAt, valueAt } from "../../core/net/network_table.ts";
import { DEEP_ROW } from "../../core/net/network_rows.ts";
import {
  clientAddress,
  type ClientTable,
  type Deadline,
  type Dependence,
  type Family,
  type Prefix,
  type QueryContext,
  type Selection,
} from "../../core/plugin.ts";
import type { Geography } from "../../core/fleet/place.ts";

/** What a pool comes to for one query. */
export interface Filled {
  readonly choice: Choice;
  readonly family: Family;
  /** Best first, each address once. */
  readonly rdata: readonly Uint8Array[];
  readonly dependence: Dependence;
  readonly selection: Selection;
  /** What the dependence was derived from, for explanations. */
  readonly because: Because;
}

/** Where a scope comes from, and what the deadline is the earliest of. */
export interface Because {
  readonly client: Client;
  readonly leaf: Prefix;
  readonly location: Location | undefined;
  readonly scopeFrom: "partition" | "leaves around" | "leaf" | "same for every client" | "no locations here";
  readonly consulted: readonly Consulted[];
  readonly views: Views;
}

/** A TTL for where no `ttl` plugin sets one, seconds. */
export const TTL_WITHOUT_PLUGIN = 60;

/** The family of the addresses of a type. */
export function familyOf(type: number): Family {
  return type === TYPE.AAAA ? 6 : 4;
}

/** Chooses for the client of a query. */
export function fill(
  pool: string,
  family: Family,
  context: QueryContext,
  geography: Geography | undefined,
  partition: Partition | undefined,
): Filled {
  const views = viewsAt(context.snapshot, family, context.nowMs);
  const { client, location, leaf } = clientOf(context, geography);
  const choice = select(views, pool, client);
  const path = spillPath(views, pool);
  const scope = scopeOf(choice, context, location, geography, partition, path[0]!) ??
    around(choice, { context, location: location!, geography: geography!, views, path });
  const { consulted, scopeFrom } = scope;
  const deadline = deadlineOf(consulted, views, context.snapshot.deadlines);
  return {
    choice,
    family,
    rdata: rdataOf(choice.chosen),
    dependence: dependsOn(scope, deadline, path),
    selection: selectionOf(choice, path),
    because: { client, leaf, location, scopeFrom, consulted, views },
  };
}

/** The leaf of every client where there is no geography: scopes are 0 there, so no hash may tell two clients apart. */
const NO_GEOGRAPHY_LEAF: Prefix = Object.freeze({ family: 4, octets: new Uint8Array(4), length: 0 });

/** Where the client is, and its leaf. */
export function clientOf(
  context: QueryContext,
  geography: Geography | undefined,
): { client: Client; location: Location | undefined; leaf: Prefix } {
  const location = context.locate?.();
  const leaf = location?.network ?? NO_GEOGRAPHY_LEAF;
  const place = location?.place, placeId = location?.placeId ?? 0, hash = leafHash(leaf);
  const client: Client = geography
    ? { place, placeId, leaf: hash, places: geography.places }
    : { place, placeId, leaf: hash };
  return { client, location, leaf };
}

interface Scope {
  readonly scopePrefixLength: number;
  readonly consulted: readonly Consulted[];
  readonly scopeFrom: Because["scopeFrom"];
  readonly clients?: ClientTable;
  /** Until when the scope is this one. */
  readonly untilMs?: number;
}

/** The client's block by the partition, and what all of it consulted; undefined where there is none that still says it. */
function scopeOf(
  choice: Choice,
  context: QueryContext,
  location: Location | undefined,
  geography: Geography | undefined,
  partition: Partition | undefined,
  view: PoolView,
): Scope | undefined {
  if (!location || !geography) {
    return { scopePrefixLength: 0, consulted: choice.consulted(), scopeFrom: "no locations here" };
  }
  if (partition && isCurrent(partition, context.snapshot, geography.epoch, context.nowMs)) {
    return scopeInPartition(partition, context);
  }
  if (choice.outcome === "nodes" && partition?.basis && partition.geographyEpoch === geography.epoch) {
    const changed = changedSince(partition.basis, view);
    const before = changed && scopeInPartition(partition, context);
    if (before && !looksAtAny(before.consulted, changed)) return before;
  }
  // Distance never decides whether there is an answer: that is refused when the Corefile is read.
  return choice.outcome === "nodes"
    ? undefined
    : { scopePrefixLength: 0, consulted: choice.consulted(), scopeFrom: "same for every client" };
}

function scopeInPartition(
  { tailored, rows, blocks, consulted }: Partition,
  context: QueryContext,
): Scope | undefined {
  if (!tailored) {
    const scopeFrom = "same for every client", looked = consulted[0]!;
    return rows
      ? { scopePrefixLength: 0, consulted: looked, scopeFrom, clients: rows.clients }
      : { scopePrefixLength: 0, consulted: looked, scopeFrom };
  }
  const { address } = clientAddress(context);
  if (rows) {
    const { clients } = rows, row = rowOf(clients, address);
    if (row === DEEP_ROW) return undefined;
    const looked = consulted[rows.consulted[row]!]!;
    return { scopePrefixLength: rows.scopes[row]!, consulted: looked, scopeFrom: "partition", clients };
  }
  const table = blocks![address.family], block = findNetwork(table, address.octets);
  return {
    scopePrefixLength: lengthAt(table, block),
    consulted: consulted[valueAt(table, block)]!,
    scopeFrom: "partition",
  };
}

/** The client's block by the leaves around its own; its leaf, while it takes too long to tell. */
function around(
  choice: Choice,
  { context: { nowMs, rehearsed }, location: { network }, geography, views, path }: {
    readonly context: QueryContext;
    readonly location: Location;
    readonly geography: Geography;
    readonly views: Views;
    readonly path: readonly PoolView[];
  },
): Scope {
  // Who asks what would be answered takes none of it.
  const allowance = rehearsed ? undefined : { of: looking, nowMs };
  const found = surroundings(views, path, geography, network, allowance);
  if (found) {
    const { prefixLength, consulted, isWhole } = found;
    const scopeFrom = isWhole ? "same for every client" : "leaves around";
    return { scopePrefixLength: prefixLength, consulted, scopeFrom };
  }
  const consulted = choice.consulted(), untilMs = nowMs + TRY_AGAIN_MS;
  return { scopePrefixLength: network.length, consulted, scopeFrom: "leaf", untilMs };
}

/** In steps: about a twentieth of a core. What is not used is saved up for a second. */
const looking = new Allowance(2048, 2048 * 1000);

/** More is known when the next one asks, so that a scope that is longer than need be is not told for long. */
const TRY_AGAIN_MS = 500;

/** @param path Every pool that the choice came by, and those that it might have. */
function dependsOn(
  { scopePrefixLength, scopeFrom, clients, untilMs = Infinity }: Scope,
  deadline: Deadline,
  path: readonly PoolView[],
): Dependence {
  for (const view of path) if (view.untilMs < untilMs) untilMs = view.untilMs;
  const isSame = scopeFrom === "same for every client" || scopeFrom === "no locations here";
  const keys = isSame ? NO_KEYS : TAILORED;
  const pools = path.map(({ name }) => name);
  const dependence: Draft<Dependence> = { scopePrefixLength, deadline, keys, pools };
  if (untilMs < Infinity) dependence.untilMs = untilMs;
  if (clients) dependence.clients = clients;
  return dependence;
}

const NO_KEYS: Dependence["keys"] = Object.freeze([]);
const TAILORED: Dependence["keys"] = Object.freeze(["tailored"] as const);

function rdataOf(chosen: readonly Chosen[]): readonly Uint8Array[] {
  const rdata = chosen.map(({ member }) => member.octets);
  // Nodes that share an address are rare.
  return areApart(chosen)
    ? rdata
    : [...new Map(chosen.map(({ member }, i) => [member.address, rdata[i]!])).values()];
}

/** Whether no two have an address in common, as far as that is told by a look at each pair of a few. */
function areApart(chosen: readonly Chosen[]): boolean {
  if (chosen.length > FEW) return false;
  for (let i = 1; i < chosen.length; i++) {
    for (let other = 0; other < i; other++) {
      if (chosen[i]!.member.address === chosen[other]!.member.address) return false;
    }
  }
  return true;
}

const FEW = 8;

/** @param path Every pool that the choice may have come from. */
function selectionOf({ pool, chosen, why, allDown }: Choice, path: readonly PoolView[]): Selection {
  const selection: Draft<Selection> = { pool, nodes: chosen.map(({ member }) => member.node.id), why };
  const first = chosen[0];
  if (first?.distanceM !== undefined) {
    selection.distanceKm = first.distanceM / 1000;
    selection.distanceKmFrom = distanceTo(first.member, path);
  }
  if (allDown.length > 0) selection.allDown = allDown;
  return selection;
}

/** How far it is for others who get the same answer elsewhere. */
function distanceTo(member: Member, path: readonly PoolView[]): NonNullable<Selection["distanceKmFrom"]> {
  const view = path.find((view) => isMemberOf(view, member));
  const assumed = view && placeOf(view, { place: undefined });
  return (place = assumed) => place && vectorMetres(vectorOf(place), member.vector) / 1000;
}
