/**
 * A store of a test's own with a ledger over it, a clock that is turned by hand, and randomness that repeats.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Actor, Grant } from "../../../core/access/actor.ts";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import type { AuditRecord } from "../../../core/state/audit.ts";
import { PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import type { Store } from "../../../core/state/store.ts";

/** What most of access control is made from. */
export interface World {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: ManualClock;
  readonly random: (count: number) => Uint8Array;
  /** What has been recorded so far, in order. */
  records(): Promise<AuditRecord[]>;
}

/** Runs a test in a world of its own. */
export async function withWorld(run: (world: World) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), clock = new ManualClock(Date.UTC(2026, 10, 23));
  const store = openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
  const ledger = new Ledger({ store, server: "fra", clock });
  const records = async () =>
    (await store.list(PREFIXES.audit)).entries.map(({ value }) => JSON.parse(value) as AuditRecord);
  try {
    await run({ store, ledger, clock, random: repeatable(), records });
  } finally {
    await store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Octets that look random, and are the same in each run. */
export function repeatable(seed = 1): (count: number) => Uint8Array {
  let round = 0;
  return (count) => {
    const octets: number[] = [];
    while (octets.length < count) octets.push(...createHash("sha256").update(`${seed} ${round++}`).digest());
    return new Uint8Array(octets.slice(0, count));
  };
}

/** Somebody with grants. */
export function person(name: string, ...grants: Grant[]): Actor {
  return { id: `oidc:${name}`, way: "oidc", grants, people: [name] };
}
