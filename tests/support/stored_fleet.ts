/**
 * A store with a fleet in it, for what reads one while no server runs.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../../core/clock.ts";
import type { Asking, Management } from "../../core/management/change.ts";
import { nodeKind } from "../../core/management/nodes.ts";
import { overrideKind } from "../../core/management/overrides.ts";
import { poolKind } from "../../core/management/pools.ts";
import { Resources } from "../../core/management/resource.ts";
import { Zones } from "../../core/management/zones.ts";
import { SCHEMA_VERSION } from "../../core/membership/member.ts";
import { KEYS } from "../../core/state/keys.ts";
import { Ledger } from "../../core/state/ledger.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";

/** What there is in it, as the interface takes it. */
export interface StoredParts {
  readonly zone: string;
  readonly nodes: readonly object[];
  readonly pools: readonly object[];
  readonly overrides?: readonly object[];
}

const ASKING: Asking = { actor: "local:test" };

/** Makes a store of SQLite at `file` that has them. */
export async function storeWith(
  file: string,
  { zone, nodes, pools, overrides = [] }: StoredParts,
): Promise<void> {
  const store = openSqliteStore(file, SYSTEM_CLOCK), clock = SYSTEM_CLOCK;
  let number = 0;
  const management: Management = {
    ...{ store, clock, ledger: new Ledger({ store, server: "test", clock }) },
    newId: () => `id${String(++number).padStart(4, "0")}`,
  };
  try {
    await store.transact([{ put: KEYS.schema, value: JSON.stringify({ version: SCHEMA_VERSION }) }]);
    await new Zones(management).create({ name: zone, nameServers: ["ns.example.net."] }, ASKING);
    const taker = { block: "", zones: [zone], checks: [], nodes: [], registered: true };
    const kinds = [
      [new Resources(management, nodeKind()), nodes],
      [new Resources(management, poolKind(() => ({ pools: [], takers: [taker] }))), pools],
      [new Resources(management, overrideKind()), overrides],
    ] as const;
    for (const [resources, values] of kinds) {
      for (const value of values) await resources.create(value, ASKING);
    }
  } finally {
    await store.close();
  }
}
