/**
 * Ranks an RRset that a plugin below gave: each address is a node.
 *
 * @module
 */

import { NO_TARGETS } from "../../core/fleet/by_target.ts";
import { deadlineOf } from "../../core/fleet/deadline.ts";
import type { Node, Override } from "../../core/fleet/node.ts";
import type { Geography, Place } from "../../core/fleet/place.ts";
import { select } from "../../core/fleet/select.ts";
import { holdsAt, makeView, type PoolView } from "../../core/fleet/view.ts";
import { TYPE } from "../../core/dns/types.ts";
import {
  addressFromOctets,
  type Answer,
  type AnswerScope,
  both,
  type Deadline,
  type Dependence,
  earlier,
  fold,
  formatAddress,
  NEVER,
  type QueryContext,
  type RRset,
  type Selection,
} from "../../core/plugin.ts";
import { clientOf, familyOf } from "./fill.ts";
import type { PoolConfig } from "./parse.ts";
import type { AnycastData } from "./published.ts";

/** The answer with the address RRsets of the pools' names put in order and cut to the pools' number. */
export function rankBelow(
  answer: Answer,
  context: QueryContext,
  pools: readonly PoolConfig[],
  scope: AnswerScope,
): Answer {
  const poolOf = ({ name, type }: RRset) =>
    type === TYPE.A || type === TYPE.AAAA
      ? pools.find(({ owners }) => owners.includes(fold(name)))
      : undefined;
  const alias = answer.answer.findIndex((rrset) => poolOf(rrset) && fold(rrset.name) !== context.name);
  if (alias >= 0) return rankBehindAlias(answer, alias, poolOf, context, scope);
  return rankAll(answer, poolOf, context, scope);
}

/**
 * An alias to a pool's name stands alone when the query carried ECS (RFC 7871 section 7.2.1): a resolver would keep the whole
 * chain under the last scope.
 */
function rankBehindAlias(
  answer: Answer,
  index: number,
  poolOf: (rrset: RRset) => PoolConfig | undefined,
  context: QueryContext,
  scope: AnswerScope,
): Answer {
  const dependence = both(answer.dependence, { scopePrefixLength: 0, deadline: NEVER, keys: ["tailored"] });
  if (context.ecs && context.edns?.clientSubnet) {
    return { ...answer, answer: answer.answer.slice(0, index), dependence };
  }
  return rankAll({ ...answer, dependence }, poolOf, context, scope);
}

function rankAll(
  answer: Answer,
  poolOf: (rrset: RRset) => PoolConfig | undefined,
  context: QueryContext,
  scope: AnswerScope,
): Answer {
  let { dependence } = answer;
  const selections: Selection[] = [];
  const section = answer.answer.map((rrset) => {
    const pool = poolOf(rrset);
    if (!pool || rrset.rdata.length < 2) return rrset;
    const ranked = rankOne(rrset, pool, context, scope);
    dependence = both(dependence, ranked.dependence);
    selections.push(ranked.selection);
    context.record?.({
      plugin: "anycast",
      what:
        `ranked ${rrset.rdata.length} addresses of ${pool.policy.name}: ${
          ranked.selection.nodes.join(", ")
        } ` +
        `(${ranked.selection.why})`,
    });
    return ranked.rrset;
  });
  if (selections.length === 0) return answer;
  return {
    ...answer,
    answer: section,
    dependence,
    selections: [...answer.selections ?? [], ...selections],
  };
}

function rankOne(
  rrset: RRset,
  { policy, nodes }: PoolConfig,
  context: QueryContext,
  scope: AnswerScope,
): { rrset: RRset; dependence: Dependence; selection: Selection } {
  const { lists } = (scope.published(context.snapshot) ?? { lists: {} }) as AnycastData;
  const listed = nodes.path === undefined ? NO_NODES : lists[nodes.path] ?? NO_NODES;
  const geography = scope.geography(context.snapshot);
  const { client, location, leaf } = clientOf(context, geography);
  const { view, unplaced } = keptStanding(rrset, { listed, geography, policy }, context);
  const isPlaced = unplaced.length < rrset.rdata.length;
  const choice = select((name) => name === view.name ? view : undefined, view.name, {
    place: isPlaced ? client.place : undefined,
    placeId: 0,
    leaf: client.leaf,
  });
  const rdata = choice.chosen.map(({ member }) => member.octets);
  // Nodes that nobody can place come last, in the order they came in.
  if (isPlaced) {
    rdata.push(...unplaced.slice(0, Math.max(0, policy.answers - rdata.length)));
  }
  const own = deadlineOf(choice.consulted(), () => view, context.snapshot.deadlines);
  return {
    rrset: { ...rrset, rdata: rdata.length > 0 ? rdata : rrset.rdata, ...withDeadline(rrset.deadline, own) },
    // The order is promised, too, so that the leaf it is, though the set be the same for everyone.
    dependence: {
      scopePrefixLength: location ? leaf.length : 0,
      deadline: own,
      keys: location ? ["tailored"] : [],
      ...view.untilMs < Infinity && { untilMs: view.untilMs },
      pools: [view.name],
    },
    selection: {
      pool: view.name,
      nodes: choice.chosen.map(({ member }) => member.node.id),
      why: choice.why,
      ...choice.chosen[0]?.distanceM !== undefined && { distanceKm: choice.chosen[0].distanceM / 1000 },
    },
  };
}

/** A deadline only where something can change: the TTL of the others stays the zone's. */
function withDeadline(theirs: Deadline | undefined, own: Deadline): { deadline?: Deadline } {
  const deadline = theirs ? earlier(theirs, own) : own;
  return deadline.earliestMs === Infinity && deadline.steady ? {} : { deadline };
}

const NO_NODES: readonly Node[] = Object.freeze([]);

/** What the nodes of an RRset are made from, beside its addresses. */
interface Sources {
  readonly listed: readonly Node[];
  readonly geography: Geography | undefined;
  readonly policy: PoolConfig["policy"];
}

/** The nodes of an RRset as they stand: those that somebody can place, or all, if nobody can place any. */
interface Standing {
  readonly view: PoolView;
  /** The addresses that nobody can place, in the order they came in. */
  readonly unplaced: readonly Uint8Array[];
}

/** By the data of an RRset, which nobody changes: a zone gives the same for every query. */
const standings = new WeakMap<
  RRset["rdata"],
  Standing & Sources & { readonly overrides: readonly Override[] }
>();

/** Made anew only where a source, an override or the calendar has changed: parsing and sorting take longer than choosing. */
function keptStanding(rrset: RRset, sources: Sources, context: QueryContext): Standing {
  const { overrides } = context.snapshot;
  const kept = standings.get(rrset.rdata);
  if (
    kept && kept.listed === sources.listed && kept.geography === sources.geography &&
    kept.policy === sources.policy && kept.overrides === overrides && holdsAt(kept.view, context.nowMs)
  ) return kept;
  const made = standingOf(rrset, sources, context);
  standings.set(rrset.rdata, { ...made, ...sources, overrides });
  return made;
}

function standingOf({ rdata, type }: RRset, { listed, policy }: Sources, context: QueryContext): Standing {
  const found = rdata.map((octets) => nodeAt(octets, listed, context));
  const placed = found.filter(({ isPlaced }) => isPlaced);
  const nodes = (placed.length > 0 ? placed : found).map(({ node }) => node);
  return {
    view: viewOf(nodes, policy, type, context),
    unplaced: rdata.filter((_, i) => !found[i]!.isPlaced),
  };
}

/** The node of an address: from the list, else made of where the address is. */
function nodeAt(
  octets: Uint8Array,
  listed: readonly Node[],
  { locateAddress }: QueryContext,
): { node: Node; isPlaced: boolean } {
  const address = addressFromOctets(octets);
  const text = formatAddress(address);
  const known = listed.find(({ ipv4, ipv6 }) => ipv4 === text || ipv6 === text);
  if (known) return { node: known, isPlaced: true };
  const place = locateAddress?.(address).place;
  return { node: madeNode(text, octets.length === 4, place), isPlaced: place !== undefined };
}

const NOWHERE: Place = Object.freeze({ latitude: 0, longitude: 0, country: "", subdivision: "" });

function madeNode(address: string, isIPv4: boolean, place: Place = NOWHERE): Node {
  return {
    id: address,
    ...isIPv4 ? { ipv4: address } : { ipv6: address },
    place,
    region: "",
    capacity: 0,
    weight: 1,
    labels: {},
    overlay: [],
    state: "up",
    maintenance: [],
  };
}

function viewOf(
  nodes: readonly Node[],
  policy: PoolConfig["policy"],
  type: number,
  { snapshot, nowMs }: QueryContext,
): PoolView {
  const sorted = [...new Set(nodes)].sort((a, b) => a.id < b.id ? -1 : 1);
  const state = {
    ...{ policy, epoch: 0, nodes: sorted, targets: {}, failingShare: 0 },
    lastServing: { 4: [], 6: [] },
  };
  return makeView(state, { verdicts: NO_TARGETS, overrides: snapshot.overrides }, familyOf(type), nowMs);
}
