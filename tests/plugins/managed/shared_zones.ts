/** Zones of a store as a server of its fleet knows them, without a fleet. @module */

import type { FleetLink } from "../../../core/membership/link.ts";
import { makeAtOnce, type ZoneChanges, ZoneView } from "../../../core/membership/zone_view.ts";
import type { MemoryStore } from "../../core/management/support.ts";
import { toldLink } from "../../support/told_link.ts";

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
  const link = toldLink({ zones });
  return { ...link, tell: (zones: ZoneChanges) => link.tell({ zones }) } as unknown as ReturnType<
    typeof linkTo
  >;
}
