/**
 * Fills the RRset of a pool: which addresses, for which clients, until when.
 *
 * @module
 */

import type { Consulted } from "../../core/fleet/consulted.ts";
import { deadlineOf } from "../../core/fleet/deadline.ts";
import { isCurrent, type Partition } from "../../core/fleet/partition.ts";
import type { Chosen } from "../../core/fleet/picking.ts";
import type { Location } from "../../core/fleet/place.ts";
import { leafHash } from "../../core/fleet/rendezvous.ts";
import { type Choice, type Client, select, spillPath } from "../../core/fleet/select.ts";
import { type PoolView, type Views, viewsAt } from "../../core/fleet/view.ts";
import { TYPE } from "../../core/dns/types.ts";
import { findNetwork, lengthAt, valueAt } from "../../core/net/network_table.ts";
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
  readonly scopeFrom: "partition" | "leaf" | "same for every client" | "no locations here";
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
  const scope = scopeOf(choice, context, location, geography, partition);
  const { consulted, scopeFrom } = scope;
  const deadline = deadlineOf(consulted, views, context.snapshot.deadlines);
  return {
    choice,
    family,
    rdata: rdataOf(choice.chosen),
    dependence: dependsOn(scope, deadline, spillPath(views, pool)),
    selection: selectionOf(choice),
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
  const client: Client = {
    place: location?.place,
    placeId: location?.placeId ?? 0,
    leaf: leafHash(leaf),
    ...geography && { places: geography.places },
  };
  return { client, location, leaf };
}

interface Scope {
  readonly scopePrefixLength: number;
  readonly consulted: readonly Consulted[];
  readonly scopeFrom: Because["scopeFrom"];
  readonly clients?: ClientTable;
}

/** The client's block where the partition is current, and what all of it consulted; else the leaf. */
function scopeOf(
  choice: Choice,
  context: QueryContext,
  location: Location | undefined,
  geography: Geography | undefined,
  partition: Partition | undefined,
): Scope {
  if (!location) {
    return { scopePrefixLength: 0, consulted: choice.consulted(), scopeFrom: "no locations here" };
  }
  if (geography && partition && isCurrent(partition, context.snapshot, geography.epoch, context.nowMs)) {
    return scopeInPartition(partition, context);
  }
  // Distance never decides whether there is an answer: that is refused when the Corefile is read.
  return choice.outcome !== "nodes"
    ? { scopePrefixLength: 0, consulted: choice.consulted(), scopeFrom: "same for every client" }
    : { scopePrefixLength: location.network.length, consulted: choice.consulted(), scopeFrom: "leaf" };
}

function scopeInPartition({ tailored, blocks, consulted, clients }: Partition, context: QueryContext): Scope {
  const told = clients ? { clients } : {};
  if (!tailored) {
    return { scopePrefixLength: 0, consulted: consulted[0]!, scopeFrom: "same for every client", ...told };
  }
  const { family, octets } = clientAddress(context).address;
  const table = blocks[family];
  const block = findNetwork(table, octets);
  return {
    scopePrefixLength: lengthAt(table, block),
    consulted: consulted[valueAt(table, block)]!,
    scopeFrom: "partition",
    ...told,
  };
}

/** @param path Every pool that the choice came by, and those that it might have. */
function dependsOn(
  { scopePrefixLength, scopeFrom, clients }: Scope,
  deadline: Deadline,
  path: readonly PoolView[],
): Dependence {
  const untilMs = Math.min(...path.map(({ untilMs }) => untilMs));
  return {
    scopePrefixLength,
    deadline,
    keys: scopeFrom === "partition" || scopeFrom === "leaf" ? ["tailored"] : [],
    ...untilMs < Infinity && { untilMs },
    pools: path.map(({ name }) => name),
    ...clients && { clients },
  };
}

function rdataOf(chosen: readonly Chosen[]): readonly Uint8Array[] {
  return [...new Map(chosen.map(({ member }) => [member.address, member.octets])).values()];
}

function selectionOf({ pool, chosen, why, allDown }: Choice): Selection {
  const distanceM = chosen[0]?.distanceM;
  return {
    pool,
    nodes: chosen.map(({ member }) => member.node.id),
    why,
    ...distanceM !== undefined && { distanceKm: distanceM / 1000 },
    ...allDown.length > 0 && { allDown },
  };
}
