/**
 * All that news have told so far: for whoever joins later.
 *
 * @module
 */

import type { ManagedPool } from "../fleet/pool_terms.ts";
import type { TargetKey } from "../fleet/verdict.ts";
import type { SharedZone } from "../zone/shared_zone.ts";
import type { FleetStatus } from "./link.ts";
import type { LeaseNews, News, ServerNews, TargetReport } from "./protocol.ts";

/** See the module. */
export class FleetKnowledge {
  readonly #servers = new Map<string, ServerNews>();
  readonly #reports = new Map<string, Map<TargetKey, TargetReport>>();
  readonly #nodes = new Map<string, NonNullable<NonNullable<News["nodes"]>[string]>>();
  readonly #pools = new Map<string, ManagedPool>();
  readonly #leases = new Map<TargetKey, LeaseNews>();
  readonly #zones = new Map<string, SharedZone>();
  #overrides: News["overrides"];
  #about: Pick<News, "revision" | "confirmedMs" | "fault"> = { revision: 0 };

  take(
    { revision, confirmedMs, fault, servers, reports, nodes, pools, leases, overrides, zones, zoneNames }:
      News,
  ): void {
    this.#about = {
      revision,
      ...confirmedMs !== undefined && { confirmedMs },
      ...fault !== undefined && { fault },
    };
    patch(this.#servers, servers);
    patch(this.#nodes, nodes);
    patch(this.#pools, pools);
    patch(this.#zones, zones);
    keepOnly(this.#zones, zoneNames);
    for (const [key, lease] of Object.entries(leases ?? {})) {
      if (lease) this.#leases.set(key, { ...this.#leases.get(key), ...lease });
      else this.#leases.delete(key);
    }
    for (const [server, changed] of Object.entries(reports ?? {})) {
      const known = this.#reports.get(server) ?? new Map();
      this.#reports.set(server, known);
      patch(known, changed);
    }
    if (overrides) this.#overrides = overrides;
  }

  /** The same news, with what is known and is not there any more told as gone. */
  completed(news: News): News {
    const { allThere } = news;
    if (!allThere) return news;
    const gone = Array.from(this.#reports).filter(([server]) => !allThere.reporters.includes(server));
    return {
      ...news,
      servers: { ...withoutThose(this.#servers, allThere.servers), ...news.servers },
      nodes: { ...withoutThose(this.#nodes, allThere.nodes), ...news.nodes },
      pools: { ...withoutThose(this.#pools, allThere.pools), ...news.pools },
      leases: { ...withoutThose(this.#leases, allThere.leases), ...news.leases },
      reports: {
        ...Object.fromEntries(gone.map(([server, reports]) => [server, withoutThose(reports, [])])),
        ...news.reports,
      },
    };
  }

  /** As news for somebody who has heard none. */
  all(): News {
    return {
      ...this.#about,
      servers: Object.fromEntries(this.#servers),
      reports: Object.fromEntries(
        Array.from(this.#reports, ([server, reports]) => [server, Object.fromEntries(reports)]),
      ),
      nodes: Object.fromEntries(this.#nodes),
      pools: Object.fromEntries(this.#pools),
      leases: Object.fromEntries(this.#leases),
      zones: Object.fromEntries(this.#zones),
      ...this.#overrides && { overrides: this.#overrides },
    };
  }

  get status(): Pick<FleetStatus, "revision" | "confirmedMs" | "fault" | "servers"> {
    return { ...this.#about, servers: Object.fromEntries(this.#servers) };
  }
}

/** What is known and not among these, each as gone. */
function withoutThose(known: ReadonlyMap<string, unknown>, there: readonly string[]): Record<string, null> {
  const names = new Set(there);
  return Object.fromEntries([...known.keys()].filter((name) => !names.has(name)).map((name) => [name, null]));
}

/** Lets go of what is not among these names, where they are told. */
export function keepOnly(known: Map<string, unknown>, names: readonly string[] | undefined): void {
  if (!names) return;
  const there = new Set(names);
  for (const name of known.keys()) if (!there.has(name)) known.delete(name);
}

function patch<K extends string, V>(
  known: Map<K, V>,
  changes: Readonly<Record<K, V | null>> | undefined,
): void {
  for (const [key, value] of Object.entries(changes ?? {}) as [K, V | null][]) {
    if (value === null) known.delete(key);
    else known.set(key, value);
  }
}
