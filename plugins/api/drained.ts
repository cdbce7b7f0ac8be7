/**
 * How far drains are, told with the override that says so.
 *
 * @module
 */

import {
  drainedAt,
  isDrain,
  nodeWitnessesOf,
  type ServerDrains,
  witnessesOf,
} from "../../core/management/drained.ts";
import {
  effectOf,
  factsOf,
  type FleetFacts,
  isFor,
  poolsOf,
  standingIn,
} from "../../core/management/effective.ts";
import type { OverrideBody, OverrideValue } from "../../core/management/overrides.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import { KEYS, namePart, PREFIXES } from "../../core/state/keys.ts";
import { objectIn } from "../../core/state/object_in.ts";

/**
 * An override with how far it is, where it takes nodes out of answers and has not ended. `isWhole`: also with where it takes
 * none out, for which the whole fleet has to be looked at.
 */
export function withDrained(scope: FleetScope, override: OverrideValue, isWhole: boolean): OverrideBody {
  const nowMs = scope.clock.nowMs();
  if (!isDrain(override) || Date.parse(override.until) <= nowMs) return override;
  const startMs = Date.parse(override.from), said = (server: string) => drainsOf(scope, server);
  const heard = idsBelow(scope, PREFIXES.servers), known = idsBelow(scope, PREFIXES.drains);
  const found = drainedAt(startMs, witnessesOf(override, heard, said), nowMs);
  const unheard = known.filter((id) => !heard.includes(id) && said(id)?.leftMs === undefined);
  const { exceptNodes, emptyPools } = isWhole
    ? whereNot(scope, override, Math.max(startMs, nowMs))
    : { exceptNodes: [], emptyPools: [] };
  return {
    ...override,
    drained: {
      state: found.state,
      ...found.state === "spreading"
        ? { waitingFor: [...found.waitingFor] }
        : { drainedAt: new Date(found.drainedMs).toISOString() },
      ...unheard.length > 0 && { unheard },
      ...exceptNodes.length > 0 && { exceptNodes },
      ...emptyPools.length > 0 && { emptyPools },
    },
  };
}

/** For how long answers may still name a node that wants no new clients since `drainingMs`; undefined = that is not known. */
export function drainedInMs(scope: FleetScope, id: string, drainingMs: number): number | undefined {
  const nowMs = scope.clock.nowMs(), heard = idsBelow(scope, PREFIXES.servers);
  const found = drainedAt(
    drainingMs,
    nodeWitnessesOf(id, drainingMs, heard, (server) => drainsOf(scope, server)),
    nowMs,
  );
  return found.state === "spreading" ? undefined : Math.max(0, found.drainedMs - nowMs);
}

function drainsOf({ member: { replica } }: FleetScope, server: string): ServerDrains | undefined {
  const entry = replica.get(KEYS.drains(server));
  return entry && objectIn(entry.value) as ServerDrains | undefined;
}

function idsBelow({ member: { replica } }: FleetScope, prefix: string): string[] {
  return Array.from(replica.below(prefix), ({ key }) => namePart(key.slice(prefix.length))).sort();
}

/** Nodes that it is for and that somebody else keeps in answers, and pools where it leaves nobody. */
function whereNot(
  { member: { replica, besides } }: FleetScope,
  override: OverrideValue,
  atMs: number,
): { readonly exceptNodes: string[]; readonly emptyPools: string[] } {
  const entries = [PREFIXES.nodes, PREFIXES.pools, PREFIXES.overrides]
    .flatMap((prefix) => [...replica.below(prefix)]);
  const facts: FleetFacts = factsOf(entries, besides), pools = poolsOf(override.target, facts);
  const nodes = [...effectOf(facts, atMs).nodes.values()];
  const serves = (node: typeof nodes[number]) =>
    pools.some((pool) => node.pools.includes(pool) && standingIn(node, pool).state === "up");
  return {
    exceptNodes: nodes.filter((node) => isFor(override, node.node, node.pools) && serves(node))
      .map(({ node: { id } }) => id).slice(0, NAMED_MAX),
    emptyPools: pools.filter((pool) =>
      !nodes.some((node) => node.pools.includes(pool) && standingIn(node, pool).state === "up")
    ),
  };
}

/** So many nodes are named at most. */
const NAMED_MAX = 100;
