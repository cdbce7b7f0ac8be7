/**
 * What an answer looked at, so that its deadline can be told: decision 0001, "Deadlines". Plain data, and apart
 * from the deadlines themselves, which move with every probe.
 *
 * @module
 */

/** What of one pool was looked at. */
export interface Consulted {
  readonly pool: string;
  /** By which region's verdicts; absent = by everyone's. */
  readonly region?: string;
  /** For each member of the pool's view, by index: the sum of what of it was looked at. 0 = nothing. */
  readonly looks: Uint8Array;
}

/** What may be looked at of a member; its calendar always is, too. */
export const LOOK = Object.freeze({
  /** When it could become down. */
  down: 1,
  /** When it could stop being down. */
  up: 2,
  /** Any change. */
  change: 4,
  /** Its next ramp step. */
  ramp: 8,
  /** Whether it stays among those that keep the pool from being all-down. */
  threshold: 16,
  /** Nothing but the calendar. */
  calendar: 32,
});

/** All that any of some answers looked at. */
export function unite(all: readonly (readonly Consulted[])[]): readonly Consulted[] {
  const byView = new Map<string, Consulted>();
  for (const one of all.flat()) {
    const key = viewKey(one), united = byView.get(key)?.looks;
    if (!united) byView.set(key, { ...one, looks: one.looks.slice() });
    else one.looks.forEach((look, i) => united[i]! |= look);
  }
  const united = [...byView.values()];
  // Leaves on either side of a border come to the same in whatever order they are met.
  return united.some(({ region }) => region !== undefined) ? united.sort(byKey) : united;
}

function byKey(a: Consulted, b: Consulted): number {
  return viewKey(a) < viewKey(b) ? -1 : 1;
}

/** Written out: of which pool, and by whose verdicts. No name of a pool has a blank. */
export function viewKey({ pool, region }: Omit<Consulted, "looks">): string {
  return region === undefined ? pool : `${pool} ${region}`;
}
