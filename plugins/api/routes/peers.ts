/** `/v1/peers`: which other nodes of its pools a node had best speak to. See core/fleet/peers.ts. @module */

import { z } from "@hono/zod-openapi";
import {
  bestPeers,
  type PeerHealth,
  type PeerHealths,
  type PeerPool,
  roundTripsOf,
} from "../../../core/fleet/peers.ts";
import type { Node, Override } from "../../../core/fleet/node.ts";
import { effectiveFleet } from "../../../core/management/effective.ts";
import { ProblemError } from "../../../core/management/problem.ts";
import type { FleetScope } from "../../../core/membership/fleet_half.ts";
import type { LoadBucket, NodeLoad } from "../../../core/registry/hearings.ts";
import { PREFIXES } from "../../../core/state/keys.ts";
import { objectIn } from "../../../core/state/object_in.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { demand } from "./request.ts";

/** How long what is known of the fleet is taken for the same: a thousand nodes ask for their peers at a time. */
const KEPT_MS = 1000;

const COUNT_MAX = 100;

/** Adds the route. */
export function addPeerRoutes(app: App, { scope }: Services): void {
  const knowledge = new PeerKnowledge(scope);
  app.get("/v1/peers", async (context) => {
    const { node: id = context.get("actor").node, count = "3", view = "any" } = context.req.query();
    if (id === undefined) {
      throw new ProblemError("malformed", "node: wanted the node whose peers: ?node=fra1");
    }
    demand(context, { resource: "peers", verb: "read", node: id });
    if (view !== "any" && view !== "overlay") {
      throw new ProblemError("malformed", `view: wanted any or overlay, got ${view}`);
    }
    const number = Number(count);
    if (!Number.isInteger(number) || number < 1 || number > COUNT_MAX) {
      throw new ProblemError("malformed", `count: wanted a number from 1 to ${COUNT_MAX}, got ${count}`);
    }
    const { nodes, pools, roundTrips, healths, overrides } = await knowledge.now();
    const node = nodes.get(id);
    if (!node) throw new ProblemError("not-found", `there is no node "${id}"`);
    const current = context.req.query("current")?.split(",");
    return context.json(
      bestPeers(node, pools.filter((pool) => pool.nodes.includes(node)), roundTrips, healths, {
        ...{ nowMs: scope.clock.nowMs(), count: number, view, overrides },
        ...current && { current },
      }),
    );
  });
  describeRoutes(app, z.object({}), [{
    ...{ method: "get", path: "/v1/peers", tag: "nodes", summary: "which other nodes one had best speak to" },
    query: z.object({
      node: z.string().optional().openapi({ description: "whose peers; a node's own, if not said" }),
      count: z.string().optional().openapi({ description: `1 to ${COUNT_MAX}, 3 if not said` }),
      view: z.enum(["any", "overlay"]).optional(),
      current: z.string().optional().openapi({ description: "those it has now, with commas between" }),
    }),
    gives: { "application/json": z.any() },
  }]);
}

interface Known {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly pools: readonly PeerPool[];
  readonly overrides: readonly Override[];
  readonly roundTrips: ReturnType<typeof roundTripsOf>;
  readonly healths: PeerHealths;
}

interface NodeChecks {
  readonly node: string;
  readonly checks: readonly { readonly state: PeerHealth["state"] }[];
}

/** What is known of nodes, worked out at most once a second. */
class PeerKnowledge {
  readonly #scope: FleetScope;
  #kept: { readonly untilMs: number; readonly known: Promise<Known> } | undefined;

  constructor(scope: FleetScope) {
    this.#scope = scope;
  }

  now(): Promise<Known> {
    const nowMs = this.#scope.clock.nowMs();
    // A clock that was set back is no reason to keep it for longer.
    if (!this.#kept || nowMs >= this.#kept.untilMs || this.#kept.untilMs - nowMs > KEPT_MS) {
      this.#kept = { untilMs: nowMs + KEPT_MS, known: this.#workOut(nowMs) };
    }
    return this.#kept.known;
  }

  async #workOut(nowMs: number): Promise<Known> {
    const { replica, besides } = this.#scope.member;
    const entries = [PREFIXES.nodes, PREFIXES.pools, PREFIXES.overrides].flatMap((
      prefix,
    ) => [...replica.below(prefix)]);
    const known = {
      nodes: besides.nodes,
      pools: besides.pools.map((pool) => ({ ...pool, members: undefined })),
      takers: besides.takers,
    };
    const { nodes, overrides } = effectiveFleet(entries, nowMs, known);
    const byPool = new Map<string, Node[]>();
    for (const { node, pools } of nodes.values()) {
      for (const pool of pools) byPool.set(pool, [...byPool.get(pool) ?? [], node]);
    }
    const loads = this.#loads();
    return {
      nodes: new Map(Array.from(nodes, ([id, { node }]) => [id, node])),
      pools: Array.from(byPool, ([name, nodes]) => ({ name, nodes })),
      overrides,
      roundTrips: roundTripsOf(
        Array.from(loads).flatMap(([from, { load, atMs }]) =>
          (load.peers ?? []).map(({ node, rttMs }) => ({ from, to: node, rttMs, atMs }))
        ),
      ),
      healths: await this.#healths(loads),
    };
  }

  /** What nodes said last of how busy they are and how far others. */
  #loads(): Map<string, { readonly load: NodeLoad; readonly atMs: number }> {
    const loads = new Map<string, { load: NodeLoad; atMs: number }>();
    for (const { value } of this.#scope.member.replica.below(PREFIXES.load)) {
      const { atMs = 0, load = {} } = (objectIn(value) ?? {}) as Partial<LoadBucket>;
      for (const [id, one] of Object.entries(load)) {
        if ((loads.get(id)?.atMs ?? 0) < atMs) loads.set(id, { load: one, atMs });
      }
    }
    return loads;
  }

  /** Where this server does not answer nothing is known, which counts as up. */
  async #status(): Promise<{ readonly nodes?: readonly NodeChecks[] }> {
    return await this.#scope.ask("status").catch(() => ({})) as { nodes?: readonly NodeChecks[] };
  }

  async #healths(loads: ReadonlyMap<string, { readonly load: NodeLoad }>): Promise<PeerHealths> {
    const states = new Map<string, PeerHealth["state"]>();
    const { nodes = [] } = await this.#status();
    for (const { node, checks } of nodes) {
      const state = worst(checks.map(({ state }) => state)), before = states.get(node);
      // Reached by one of its addresses it can be spoken to.
      states.set(node, before === undefined ? state : best([before, state]));
    }
    return ({ id }) => {
      const cpu = loads.get(id)?.load.cpu;
      return { state: states.get(id) ?? "unknown", ...cpu !== undefined && { load: cpu } };
    };
  }
}

const WORST_FIRST = ["down", "degraded", "unknown", "up"] as const;

function worst(states: readonly PeerHealth["state"][]): PeerHealth["state"] {
  return WORST_FIRST.find((state) => states.includes(state)) ?? "up";
}

function best(states: readonly PeerHealth["state"][]): PeerHealth["state"] {
  return WORST_FIRST.findLast((state) => states.includes(state)) ?? "up";
}
