/**
 * The managed zones of a fleet, out of the store, followed change by change and made as servers answer from them: here,
 * where nobody waits, for a large zone takes a while.
 *
 * @module
 */

import { fold, type Name, parseName } from "../dns/name.ts";
import { typeFromText } from "../dns/types.ts";
import { namePart, PREFIXES } from "../state/keys.ts";
import { type ReadRRset, storedRRset } from "../management/rrset.ts";
import { zoneOfKey, zonePrefix } from "../management/zone_keys.ts";
import type { ZoneValue } from "../management/zones.ts";
import type { Difference, Replica } from "../state/replica.ts";
import type { Entry } from "../state/store.ts";
import { summarize } from "../zone/load.ts";
import { makeZoneInSteps } from "../zone/make_zone.ts";
import type { ZoneFileError, ZoneRecord } from "../zone/master_file.ts";
import { packInSteps } from "../zone/packed_zone.ts";
import { changing, type ChangingZone, patchZone, type RRsetChange } from "../zone/patch_zone.ts";
import type { SharedZone } from "../zone/shared_zone.ts";
import { each, finish, type Steps } from "../zone/steps.ts";
import { soaSerial } from "../zone/zone.ts";

/** Zones that are others than before, by name; null = no more. */
export type ZoneChanges = Readonly<Record<string, SharedZone | null>>;

/** A zone that is followed. */
interface Followed {
  readonly name: string;
  readonly origin: Name;
  readonly generation: string;
  /** As it is known: absent where it has to be made of all its records. */
  made?: ChangingZone;
  /** What has changed since then, by key. */
  readonly changed: Map<string, Entry | undefined>;
  /** Whether names in it are spelled otherwise than folded. */
  isSpelled: boolean;
  shared: SharedZone;
}

/** See the module. */
export class ZoneView {
  readonly #replica: Pick<Replica, "below">;
  readonly #zones = new Map<string, Followed>();
  /** Zones to be made, by name. */
  readonly #due = new Set<string>();
  #changes: Record<string, SharedZone | null> = {};

  constructor(replica: Pick<Replica, "below">) {
    this.#replica = replica;
  }

  /** Takes what concerns it. @throws {SyntaxError} What of it cannot be read; what was there stays. */
  take({ key, after }: Difference): void {
    if (key.startsWith(PREFIXES.records)) this.#takeRRset(key, after);
    else if (key.startsWith(PREFIXES.zones)) {
      this.#takeZone(namePart(key.slice(PREFIXES.zones.length)), after);
    }
  }

  /** All zones that there are, made or not. */
  get names(): readonly string[] {
    return [...this.#zones.keys()];
  }

  /** Whether there is something to be made. */
  get isDue(): boolean {
    return this.#due.size > 0;
  }

  /** Zones that are others than when this was asked last; undefined where none is. */
  changes(): ZoneChanges | undefined {
    const changes = this.#changes;
    this.#changes = {};
    return Object.keys(changes).length > 0 ? changes : undefined;
  }

  /** Makes what is due, each zone as it was at one moment. One at a time. */
  *make(): Steps<void> {
    const due = [...this.#due].flatMap((name) => this.#zones.get(name) ?? []);
    this.#due.clear();
    const work = due.map((zone) => ({ zone, changed: takeAll(zone.changed) }));
    const whole = this.#entriesOf(due.filter(({ made }) => !made));
    for (const { zone, changed } of work) {
      const before = zone.shared;
      const entries = whole.get(zone);
      if (entries) yield* makeWhole(zone, entries);
      else if (changed.size === 0) continue;
      else if (!(yield* patch(zone, changed))) yield* makeWhole(zone, this.#entriesOf([zone]).get(zone)!);
      // It may be another one by now.
      if (this.#zones.get(zone.name) === zone && zone.shared !== before) {
        this.#changes[zone.name] = zone.shared;
      }
    }
  }

  #takeZone(name: string, after: Entry | undefined): void {
    if (!after) {
      this.#due.delete(name);
      if (this.#zones.delete(name)) this.#changes[name] = null;
      return;
    }
    const { generation } = JSON.parse(after.value) as ZoneValue, before = this.#zones.get(name);
    if (before?.generation === generation) return;
    const origin = fold(parseName(name));
    const shared = before?.shared ?? { origin, serial: 0 };
    this.#zones.set(name, { name, origin, generation, changed: new Map(), isSpelled: false, shared });
    this.#due.add(name);
  }

  #takeRRset(key: string, after: Entry | undefined): void {
    const { zone: name, generation } = zoneOfKey(key), zone = this.#zones.get(name);
    // Nobody sees a generation that the zone does not name.
    if (zone?.generation !== generation) return;
    zone.changed.set(key, after);
    this.#due.add(name);
  }

  /** All records of some zones, as they are now. */
  #entriesOf(zones: readonly Followed[]): Map<Followed, Entry[]> {
    const found = new Map(zones.map((zone): [Followed, Entry[]] => [zone, []]));
    if (zones.length === 0) return found;
    const byPrefix = new Map(zones.map((zone) => [zonePrefix(zone.name, zone.generation), found.get(zone)!]));
    for (const entry of this.#replica.below(PREFIXES.records)) {
      byPrefix.get(entry.key.slice(0, entry.key.indexOf("/", PREFIXES.records.length) + 1))?.push(entry);
    }
    for (const zone of zones) zone.changed.clear();
    return found;
  }
}

function takeAll(changed: Map<string, Entry | undefined>): ReadonlyMap<string, Entry | undefined> {
  const all = new Map(changed);
  changed.clear();
  return all;
}

/** Makes a zone of all its records. */
function* makeWhole(zone: Followed, entries: readonly Entry[]): Steps<void> {
  delete zone.made;
  const errors: ZoneFileError[] = [], rrsets: { readonly rrset: ReadRRset; readonly key: string }[] = [];
  zone.isSpelled = false;
  yield* each(entries, ({ key, value }) => {
    const rrset = readOrTell(key, value, errors);
    if (!rrset) return;
    rrsets.push({ rrset, key });
    zone.isSpelled ||= fold(rrset.name) !== rrset.name;
  });
  if (errors.length > 0) return refuse(zone, errors);
  // Which comes first decides how an owner is spelled: so it has to be the same everywhere.
  rrsets.sort((a, b) => a.rrset.type - b.rrset.type);
  const records: ZoneRecord[] = [];
  yield* each(rrsets, ({ rrset, key }) => void records.push(...recordsOf(rrset, key)));
  const made = yield* makeZoneInSteps(zone.origin, records, { file: zone.name, line: 1, column: 1 });
  if (!made.zone) return refuse(zone, made.errors);
  yield* share(zone, changing(made.zone));
}

/** Makes a zone of what it was and what has changed. @returns Whether that could be done. */
function* patch(zone: Followed, changed: ReadonlyMap<string, Entry | undefined>): Steps<boolean> {
  if (changed.size > PATCHES_MAX) return false;
  const changes: RRsetChange[] = [];
  for (const [key, after] of changed) {
    const change = changeOf(zone, key, after);
    if (!change) return false;
    changes.push(change);
  }
  const made = patchZone(zone.made!, changes);
  if (made) yield* share(zone, made);
  return made !== undefined;
}

/** So many RRsets are changed one by one; of more the zone is made anew. */
const PATCHES_MAX = 1000;

function changeOf(zone: Followed, key: string, after: Entry | undefined): RRsetChange | undefined {
  if (!after) {
    // Who goes may have been the one by whom the others are spelled.
    return zone.isSpelled ? undefined : removalOf(key);
  }
  const rrset = readOrTell(key, after.value, []);
  if (!rrset) return undefined;
  const owner = fold(rrset.name);
  zone.isSpelled ||= owner !== rrset.name;
  return { owner, type: rrset.type, after: rrset };
}

function removalOf(key: string): RRsetChange | undefined {
  const [owner, type] = key.slice(PREFIXES.records.length).split("/").slice(1);
  const number = typeFromText(type!);
  return number === undefined ? undefined : { owner: fold(parseName(namePart(owner!))), type: number };
}

function* share(zone: Followed, made: ChangingZone): Steps<void> {
  zone.made = made;
  const packed = yield* packInSteps(made);
  zone.shared = {
    ...{ origin: zone.origin, zone: packed, serial: soaSerial(made), generation: zone.generation },
  };
}

/** What is sound stays. */
function refuse(zone: Followed, errors: readonly ZoneFileError[]): void {
  const { refused: _, ...sound } = zone.shared;
  zone.shared = { ...sound, refused: summarize(errors) };
}

function readOrTell(key: string, value: string, errors: ZoneFileError[]): ReadRRset | undefined {
  try {
    return storedRRset(value);
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : error}`;
    errors.push({ at: { file: key, line: 1, column: 1 }, message });
    return undefined;
  }
}

/** Positions name keys of the store. */
function recordsOf({ name, type, ttl, rdata }: ReadRRset, key: string): ZoneRecord[] {
  const at = { file: key, line: 1, column: 1 };
  return rdata.map((octets) => ({ name, type, ttl, rdata: octets, at }));
}

/** {@linkcode ZoneView.make}, at once. */
export function makeAtOnce(view: ZoneView): ZoneChanges | undefined {
  finish(view.make());
  return view.changes();
}
