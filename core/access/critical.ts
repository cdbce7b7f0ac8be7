/**
 * Which changes one person must not make alone. A pure rule.
 *
 * @module
 */

import type { Action, Resource, Verb } from "./actor.ts";

/** What a change does, as it can be told beforehand. */
export interface Effect {
  /** What it takes to be allowed; at least one. */
  readonly actions: readonly Action[];
  /** The pools whose nodes it takes out of answers, or gives back. */
  readonly pools?: readonly PoolEffect[];
}

/**
 * How many nodes of a pool people keep out of answers: forced down or drained, by override or by the node's own state, or
 * with the node taken away; not those that probes found down.
 */
export interface PoolEffect {
  readonly name: string;
  /** How many it has, before the change. */
  readonly nodes: number;
  readonly outBefore: number;
  readonly outAfter: number;
}

/** One reason why a change is critical. */
export interface Critical {
  readonly kind: "configuration" | "pool-deleted" | "pool-forced" | "tokens" | "keys" | "state" | "audit";
  /** The pool, where it is about one. */
  readonly pool?: string;
  /** The share of its nodes that would be out, of `pool-forced`. */
  readonly outShare?: number;
  /** In words. */
  readonly what: string;
}

/** More of a pool than this is most of it. */
const MOST = 0.5;

/** Changes that always are, of which resource and with which verbs. */
const ALWAYS: readonly (Critical & { readonly of: Resource; readonly verbs: readonly Verb[] })[] = [
  {
    ...{ of: "configuration", verbs: ["apply"] },
    ...{ kind: "configuration", what: "takes effect on every server" },
  },
  // To take a token back makes nobody mightier, and must not wait when one has leaked.
  { of: "tokens", verbs: ["create", "update"], kind: "tokens", what: "gives somebody rights" },
  {
    of: "secrets",
    verbs: ["create", "update", "delete"],
    kind: "keys",
    what: "changes a key or another secret",
  },
  { of: "audit", verbs: ["delete"], kind: "audit", what: "takes records out of the audit log" },
  { of: "state", verbs: ["apply"], kind: "state", what: "replaces what the whole fleet knows" },
];

/** Why a change is critical; nothing where it is not. */
export function whyCritical({ actions, pools = [] }: Effect): readonly Critical[] {
  return [...actions.flatMap(byAction), ...pools.flatMap(byPool)];
}

/** Whether what is critical now is no more than what was approved: of the same kinds, of the same pools, of no larger shares. */
export function isCovered(now: readonly Critical[], approved: readonly Critical[]): boolean {
  return now.every((one) =>
    approved.some((other) =>
      other.kind === one.kind && other.pool === one.pool && (one.outShare ?? 0) <= (other.outShare ?? 0)
    )
  );
}

function byAction({ resource, verb, pools = [] }: Action): Critical[] {
  if (resource === "pools" && verb === "delete") {
    return pools.map((pool) => ({ kind: "pool-deleted", pool, what: `takes pool ${pool} away` }));
  }
  return ALWAYS.filter(({ of, verbs }) => of === resource && verbs.includes(verb))
    .map(({ kind, what }) => ({ kind, what }));
}

/** One node after the other is the same as all at once: what counts is how many are out in the end. */
function byPool({ name, nodes, outBefore, outAfter }: PoolEffect): Critical[] {
  if (nodes === 0 || outAfter <= outBefore || outAfter / nodes <= MOST) return [];
  const what = `leaves ${nodes - outAfter} of ${nodes} nodes of pool ${name} in answers`;
  return [{ kind: "pool-forced", pool: name, outShare: outAfter / nodes, what }];
}
