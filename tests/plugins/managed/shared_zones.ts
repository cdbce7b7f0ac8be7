/** Zones of a store as a server of its fleet knows them, without a fleet. @module */

import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { AgreeingHub } from "../../../core/membership/agreeing_hub.ts";
import type { FleetLink } from "../../../core/membership/link.ts";
import { makeAtOnce, type ZoneChanges, ZoneView } from "../../../core/membership/zone_view.ts";
import type { MemoryStore } from "../../core/management/support.ts";

/** What the fleet isolate makes of a store. */
export function followed(store: MemoryStore): ZoneChanges {
  const view = new ZoneView({
    *below(prefix) {
      for (const entry of store.entries.values()) if (entry.key.startsWith(prefix)) yield entry;
    },
  });
  for (const after of store.entries.values()) view.take({ key: after.key, after });
  return makeAtOnce(view) ?? {};
}

/** A fleet of one server that knows these zones, and hears of others when it is told. */
export function linkTo(zones: ZoneChanges): FleetLink & { tell(zones: ZoneChanges): void } {
  const agreement = { mode: "quorum", vantages: 1, freshMs: 15_000, holdMs: 300_000 } as const;
  const hubs = new Set<AgreeingHub>();
  let all = zones;
  const link = {
    join(hub: ConstructorParameters<typeof AgreeingHub>[0]["hub"]) {
      const joined = new AgreeingHub({
        ...{ hub, server: "fra", region: "eu", agreement, clock: SYSTEM_CLOCK },
        report() {},
        tellBesides() {},
      });
      joined.take({ revision: 1, zones: all });
      hubs.add(joined);
      return joined;
    },
    leave(hub: AgreeingHub) {
      hubs.delete(hub);
      hub.close();
    },
    tellDigest() {},
    show: () => () => {},
    tell(changes: ZoneChanges) {
      all = { ...all, ...changes };
      for (const hub of hubs) hub.take({ revision: 2, zones: structuredClone(changes) });
    },
    status: { server: "fra", store: "memory", revision: 1, servers: {} },
  };
  return link as unknown as FleetLink & { tell(zones: ZoneChanges): void };
}
