/**
 * The control half: takes the zones of the store as they come, and publishes them.
 *
 * @module
 */

import {
  type ControlScope,
  fold,
  formatName,
  isWithin,
  type Name,
  type OwnedName,
  parent,
  parseName,
  ROOT,
} from "../../core/plugin.ts";
import { TYPE } from "../../core/dns/types.ts";
import type { PoolNodes } from "../../core/fleet/hub.ts";
import { openZone, pack, type PackedZone } from "../../core/zone/packed_zone.ts";
import type { SharedZone } from "../../core/zone/shared_zone.ts";
import { layOwnedNames, synthesizeZone } from "../../core/zone/zone.ts";
import type { LoadedZone, ZoneData } from "../../core/zone/zones.ts";
import { layPools } from "./lay_pools.ts";
import type { ManagedConfig } from "./mod.ts";
import { ZonesDigest } from "./zones_digest.ts";

/** Where zones come from, instead of a file. */
const STORE = "the store";

/** Publishes what there is, and what becomes of it. In a server that only explains there is no store. */
export function start(config: ManagedConfig, scope: ControlScope): void {
  const keeper = new Keeper(config, scope);
  if (scope.fleet.onZones) scope.fleet.onZones((zones) => keeper.take(zones));
  else keeper.take([]);
  scope.fleet.onPools((pools) => keeper.takePools(pools));
  scope.onScrape(() => keeper.show());
}

class Keeper {
  readonly #config: ManagedConfig;
  readonly #scope: ControlScope;
  /** As they were told last, by apex. */
  readonly #told = new Map<Name, SharedZone>();
  readonly #zones = new Map<Name, LoadedZone>();
  /** Stand in for zones that are not there, for the sake of pools in them. */
  #standIns: ReadonlyMap<Name, LoadedZone> = new Map();
  /** Complaints about pools, by apex, so that none is made twice while it stands. */
  readonly #said = new Map<Name, string>();
  /** What servers that answer alike have alike: see core/fleet/digest.ts. */
  readonly #digest = new ZonesDigest();
  /** Names of the Corefile's pools, and of managed ones. */
  #owned: readonly OwnedName[];
  /** Of managed pools alone. */
  #managed: ReadonlyMap<string, OwnedName> = new Map();
  /** Managed pools that cannot be answered, of which it has been said. */
  readonly #hidden = new Set<string>();
  /** Whether zones have come or gone since stand-ins were made. */
  #hasOthers = true;
  #isPublished = false;

  constructor(config: ManagedConfig, scope: ControlScope) {
    [this.#config, this.#scope, this.#owned] = [config, scope, scope.facts.owned];
  }

  /** All pools of the process: in the same turn as their nodes, so that nobody sees a name without its pool. */
  takePools(pools: readonly PoolNodes[]): void {
    const { facts } = this.#scope, before = this.#managed;
    const own = pools.filter(({ isManaged, block }) => isManaged && block === facts.key)
      .map(({ policy: { name } }) => name);
    if (own.length === before.size && own.every((name) => before.has(name))) return;
    const managed = new Map(own.map((pool) => [pool, before.get(pool) ?? ownedBy(pool)]));
    const changed = [
      ...managed.values().filter(({ pool }) => !before.has(pool)),
      ...before.values().filter(({ pool }) => !managed.has(pool)),
    ];
    this.#managed = managed;
    this.#owned = [...facts.owned, ...managed.values()];
    this.#hasOthers = true;
    for (const [origin, served] of this.#zones) {
      if (!changed.some(({ name }) => isWithin(name, origin))) continue;
      const zone = this.#withPools(origin, { ...served.zone, laid: new Map() });
      this.#zones.set(origin, { ...served, zone });
    }
    if (this.#isPublished) this.#publish();
  }

  /** All zones that the store has. */
  take(all: readonly SharedZone[]): void {
    const zones = all.filter(({ origin }) => this.#isReachable(origin));
    let changed = !this.#isPublished;
    for (const zone of zones) changed = this.#takeOne(zone) || changed;
    changed = this.#letGo(new Set(zones.map(({ origin }) => origin))) || changed;
    if (changed) this.#publish();
  }

  /** Whether some name of a zone may be asked for. */
  #isReachable(origin: Name): boolean {
    return this.#config.zones.some((zone) => isWithin(origin, zone) || isWithin(zone, origin));
  }

  /** @returns Whether there is something to publish. */
  #takeOne(now: SharedZone): boolean {
    const { origin, refused } = now, before = this.#told.get(origin);
    if (now === before) return false;
    this.#told.set(origin, now);
    if (refused !== undefined && refused !== before?.refused) this.#complain(origin, now);
    const isNew = now.zone !== undefined && now.zone !== before?.zone;
    if (isNew) this.#serve(origin, now.zone, now);
    const served = this.#zones.get(origin);
    if (!served) return false;
    const { refused: _, ...sound } = served;
    this.#zones.set(origin, refused === undefined ? sound : { ...sound, refused });
    return isNew || refused !== before?.refused;
  }

  #serve(
    origin: Name,
    zone: PackedZone,
    { serial, generation = "" }: Pick<SharedZone, "serial" | "generation">,
  ): void {
    const { log, count, clock } = this.#scope, before = this.#zones.get(origin);
    this.#zones.set(origin, {
      zone: this.#withPools(origin, zone),
      ...{ serial, fallthrough: this.#config.fallthrough, path: STORE, loadedMs: clock.nowMs() },
    });
    if (!before) this.#hasOthers = true;
    this.#digest.set(origin, serial, generation);
    count("meridian_managed_updates_total", { outcome: "taken" });
    const what = `managed: serving ${formatName(origin)}, serial ${serial}`;
    if (before) log.debug(`${what}, after ${before.serial}`);
    else log.info(what);
  }

  /** The zone with the names of pools laid over it; complains of what is in their way. */
  #withPools(origin: Name, zone: PackedZone): PackedZone {
    const { laid, complaints } = layPools(openZone(zone), this.#owned), said = complaints.join("; ");
    if (said !== "" && said !== this.#said.get(origin)) {
      this.#scope.log.error(`managed: ${formatName(origin)}: ${said}`);
    }
    this.#said.set(origin, said);
    return laid.size > 0 ? { ...zone, laid } : zone;
  }

  #complain(origin: Name, { refused }: SharedZone): void {
    const served = this.#zones.get(origin);
    const serving = served
      ? `serving serial ${served.serial} of ${new Date(served.loadedMs).toISOString()}`
      : "it is not served";
    this.#scope.count("meridian_managed_updates_total", { outcome: "refused" });
    this.#scope.log.error(
      `managed: zone ${formatName(origin)} cannot be taken as it is in the store, ${serving}: ${refused}`,
    );
  }

  /** @returns Whether a zone that was served is no more. */
  #letGo(there: ReadonlySet<Name>): boolean {
    let changed = false;
    for (const origin of this.#told.keys()) {
      if (there.has(origin)) continue;
      this.#told.delete(origin);
      this.#said.delete(origin);
      const gone = this.#zones.get(origin);
      if (gone) {
        this.#zones.delete(origin);
        this.#digest.delete(origin);
        changed = this.#hasOthers = true;
      }
      this.#scope.log.info(
        `managed: zone ${formatName(origin)} is gone from the store, and no longer served`,
      );
    }
    return changed;
  }

  #publish(): void {
    this.#isPublished = true;
    if (this.#hasOthers) this.#standIn();
    this.#hasOthers = false;
    const zones = new Map([...this.#standIns, ...this.#zones]);
    this.#scope.publish({ zones, digest: this.#digest.text } satisfies ZoneData & { digest: string });
  }

  /** A zone that was never sound is not served, and refused all the same. */
  show(): void {
    const refused = this.#told.values().filter(({ refused }) => refused !== undefined).toArray();
    this.#scope.gauge("meridian_managed_zones", this.#zones.size);
    this.#scope.gauge("meridian_managed_refused_zones", refused.length);
  }

  /** Pools are answered by way of a zone: where theirs is not there, by one that has nothing else, and leaves the rest alone. */
  #standIn(): void {
    const { log } = this.#scope, before = this.#standIns;
    const bare = this.#owned.filter((own) => !this.#isCovered(own)), origins = new Map<Name, OwnedName[]>();
    this.#complainOfHidden();
    for (const own of bare) {
      const origin = closest(this.#config.zones, own.name);
      if (origin !== undefined) origins.set(origin, [...origins.get(origin) ?? [], own]);
    }
    this.#standIns = new Map(Array.from(origins, ([origin, pools]) => {
      const isNew = !before.has(origin);
      if (isNew) {
        log.warn(
          `managed: ${formatName(origin)} is not in the store: its SOA and NS are made up for its pools`,
        );
      }
      return [origin, this.#madeUp(origin, pools)];
    }));
  }

  /** Whether a name is in a zone that is served, here or by another plugin. */
  #isCovered(own: OwnedName): boolean {
    return this.#isServed(own) || this.#isOfAnother(own);
  }

  #isServed({ name }: OwnedName): boolean {
    for (let above = name;; above = parent(above)) {
      if (this.#zones.has(above)) return true;
      if (above === ROOT) return false;
    }
  }

  /** Names of managed pools are laid over zones here alone: another plugin's lay theirs when they are read. */
  #complainOfHidden(): void {
    for (const own of this.#managed.values()) {
      const isHidden = !this.#isServed(own) && this.#isOfAnother(own), { pool } = own;
      if (isHidden && !this.#hidden.has(pool)) {
        this.#scope.log.error(
          `managed: pool ${pool} is not answered: it lies in a zone of another plugin, and not in the store's`,
        );
      }
      if (isHidden) this.#hidden.add(pool);
      else this.#hidden.delete(pool);
    }
    for (const pool of this.#hidden) if (!this.#managed.has(pool)) this.#hidden.delete(pool);
  }

  #isOfAnother({ name }: OwnedName): boolean {
    const holders = (zones: readonly Name[]) => zones.filter((zone) => isWithin(name, zone)).length;
    return holders(this.#scope.facts.dataZones) > holders(this.#config.zones);
  }

  #madeUp(origin: Name, pools: readonly OwnedName[]): LoadedZone {
    const zone = synthesizeZone(origin), { laid } = layOwnedNames(zone, pools);
    return {
      zone: { ...pack(zone), laid },
      ...{ serial: 1, fallthrough: [ROOT], path: "", loadedMs: this.#scope.clock.nowMs() },
    };
  }
}

/** The name of a managed pool. */
function ownedBy(pool: string): OwnedName {
  return { name: fold(parseName(pool)), types: [TYPE.A, TYPE.AAAA], pool };
}

/** The longest of some zones that holds a name. */
function closest(zones: readonly Name[], name: Name): Name | undefined {
  return zones.filter((zone) => isWithin(name, zone)).toSorted((a, b) => b.length - a.length)[0];
}
