/**
 * A fleet as its store has it when it is asked, for a server that stands alone: registered nodes, managed pools, overrides
 * and zones. Who lives and what servers find is left out: whoever starts such a server supposes that.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { FleetHub } from "../fleet/hub.ts";
import type { Log } from "../plugin.ts";
import { Entries } from "../state/entries.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { Entry, Store } from "../state/store.ts";
import { AgreeingHub } from "./agreeing_hub.ts";
import { FleetView } from "./fleet_view.ts";
import type { ServersFleet } from "./link.ts";
import { checkVersion } from "./member.ts";
import type { MembershipOptions } from "./options.ts";
import type { News } from "./protocol.ts";
import { makeAtOnce, ZoneView } from "./zone_view.ts";

/** What one is read with. */
export interface StoredFleetOptions {
  /** As the Corefile has it. */
  readonly membership: MembershipOptions;
  readonly clock: Clock;
  /** Told what cannot be read, and is left out as servers leave it out. */
  readonly log: Pick<Log, "error">;
}

/** Read in this order: records belong to zones. */
const READ = [PREFIXES.nodes, PREFIXES.pools, PREFIXES.overrides, PREFIXES.zones, PREFIXES.records];

/** See the module. */
export class StoredFleet implements ServersFleet {
  readonly #options: StoredFleetOptions;
  readonly #view = new FleetView();
  readonly #news: News;

  private constructor(options: StoredFleetOptions, revision: number, entries: readonly Entry[]) {
    this.#options = options;
    const all = new Entries(), zones = new ZoneView(all);
    for (const entry of entries) all.set(entry);
    for (const entry of entries) this.#take(entry, zones);
    const nodes = this.#view.changedNodes(), pools = this.#view.changedPools(), made = makeAtOnce(zones);
    this.#news = { revision, ...nodes && { nodes }, ...pools && { pools }, ...made && { zones: made } };
  }

  /**
   * Reads it; nothing is written.
   *
   * @throws {StoreUnavailableError} It cannot be had.
   * @throws {StoreRefusedError} It is newer than this program.
   * @throws {NotWholeError} Half of an import lies there.
   */
  static async read(store: Store, options: StoredFleetOptions): Promise<StoredFleet> {
    const schema = await store.get(KEYS.schema), entries: Entry[] = [];
    if (schema) checkVersion(schema.value);
    let revision = 0;
    for (const prefix of READ) {
      const listing = await store.list(prefix);
      for (const entry of listing.entries) entries.push(entry);
      revision = listing.revision;
    }
    return new StoredFleet(options, revision, entries);
  }

  join(hub: FleetHub): AgreeingHub {
    const { membership: { server, region, agreement }, clock } = this.#options;
    const agreeing: AgreeingHub = new AgreeingHub({
      ...{ hub, server, region, agreement, clock, report: () => {} },
      // Labels, pools and regions of overrides come to nodes, those of the Corefile's lists too.
      tellBesides: (besides) => {
        this.#view.takeBesides(besides);
        const overrides = this.#view.changedOverrides(clock.nowMs());
        if (overrides) agreeing.take({ revision: this.#news.revision, overrides });
      },
    });
    agreeing.take(this.#news);
    return agreeing;
  }

  leave(hub: AgreeingHub): void {
    hub.close();
  }

  /** To nobody. */
  show(): () => void {
    return () => {};
  }

  get status(): ServersFleet["status"] {
    const { membership: { server, store } } = this.#options;
    return { server, store: store.kind, revision: this.#news.revision, servers: {} };
  }

  request(): Promise<never> {
    return Promise.reject(new Error("this server stands alone"));
  }

  #take(after: Entry, zones: ZoneView): void {
    try {
      zones.take({ key: after.key, after });
      this.#view.take({ key: after.key, after });
    } catch (error) {
      this.#options.log.error(`What the store says of ${after.key} cannot be used: ${error}`);
    }
  }
}
