/**
 * When each target is probed: the timetable as functions, and a queue that keeps it for thousands of targets.
 *
 * @module
 */

/** What the timetable needs of a target's timing. */
interface Pace {
  readonly intervalMs: number;
  readonly fall: number;
  readonly confirm: boolean;
}

/**
 * A probe may come this share of the interval early, and never late: so that bounds hold. A few targets drift apart by it; from
 * {@linkcode TOGETHER} on it is the room in which they share beats.
 */
export const JITTER = 0.1;

/** After a first failure probes start this far apart. */
const CONFIRM_GAP_MS = 1000;

/** The least time between the starts of two probes where nothing is suspected. */
export function earliestGapMs({ intervalMs }: Pace): number {
  return intervalMs * (1 - JITTER);
}

/** The least time between the starts of two probes while failures are being confirmed. */
export function failureGapMs(pace: Pace): number {
  const gapMs = earliestGapMs(pace);
  return pace.confirm ? Math.min(CONFIRM_GAP_MS, gapMs) : gapMs;
}

/**
 * When the next probe starts, from the start and the end of the last. Starts are what is evenly spaced, so that a
 * probe that waited for its timeout does not delay the next one. `unit` in [0, 1] is the jitter; `beatMs`, of which a
 * probe that is in no hurry starts at a multiple, is what {@linkcode probeBeatMs} says. Multiples are counted from
 * `beatsFromMs`, which is to be another in each process: several servers are not to probe at the same instants.
 */
export function nextProbeMs(
  pace: Pace,
  isSuspect: boolean,
  startedMs: number,
  endedMs: number,
  unit: number,
  beatMs = 0,
  beatsFromMs = 0,
): number {
  if (isSuspect && pace.confirm) return Math.max(startedMs + failureGapMs(pace), endedMs);
  const atMs = beatMs > 0
    ? beatsFromMs +
      onBeat(startedMs + earliestGapMs(pace) - beatsFromMs, pace.intervalMs * JITTER, beatMs, unit)
    : startedMs + pace.intervalMs * (1 - JITTER * unit);
  return Math.max(atMs, endedMs);
}

/** One of the multiples of `beatMs` within `roomMs` from an instant, of which there is at least one. */
function onBeat(fromMs: number, roomMs: number, beatMs: number, unit: number): number {
  const first = Math.ceil(fromMs / beatMs), last = Math.floor((fromMs + roomMs) / beatMs);
  return beatMs * Math.min(last, first + Math.floor((1 - unit) * (last - first + 1)));
}

/** So many targets at least are probed on a beat, and about so many on each. */
const TOGETHER = 8;

/**
 * The beat on which so many targets are probed; 0 = none. To wake up costs more than a probe does, so that a few start
 * together, as far as their jitter lets them. Where many did, the last ones' latency would be that of the first ones.
 */
export function probeBeatMs(intervalMs: number, count: number): number {
  if (count < TOGETHER) return 0;
  return Math.min(JITTER * intervalMs / 2, TOGETHER * intervalMs / count);
}

/** From when a process counts its beats, ms since 1970: drawn once. Of every beat each part is as likely. @param unit In [0, 1). */
export function drawBeatsFromMs(unit: number): number {
  return Math.floor(unit * BEATS_FROM_MAX_MS);
}

/** Many times the longest beat. */
const BEATS_FROM_MAX_MS = 86_400_000;

/** How far apart, on average, the first probes of many targets start. */
const FIRST_GAP_MS = 10;

/**
 * When a new target is first probed: by a hash, within a span that gives each of `count` targets its own hundredth of a
 * second, an interval at most. So thousands make no herd, and a few are all known soon: as long as some are judged and others
 * not, clients are sent away from nodes that are no worse than those they are sent to.
 */
export function firstProbeMs(key: string, intervalMs: number, count: number, nowMs: number): number {
  return nowMs + Math.floor(Math.min(intervalMs, count * FIRST_GAP_MS) * hashUnit(key));
}

/** FNV-1a of a string's code units, finished by murmur's mixer, in [0, 1). */
function hashUnit(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Keys by the instant at which they fall due: a binary heap, in which a moved or removed key's old entry is passed over. */
export class Schedule {
  readonly #heap: { readonly key: string; readonly atMs: number; readonly order: number }[] = [];
  readonly #orders = new Map<string, number>();
  #order = 0;

  /** Puts `key` at `atMs`, wherever it was before. */
  set(key: string, atMs: number): void {
    const order = this.#order++;
    this.#orders.set(key, order);
    this.#heap.push({ key, atMs, order });
    this.#rise(this.#heap.length - 1);
  }

  /** Forgets `key`. */
  delete(key: string): void {
    this.#orders.delete(key);
  }

  /** The instant of the first key; Infinity when there is none. */
  nextMs(): number {
    while (this.#heap.length > 0 && !this.#isCurrent(this.#heap[0]!)) this.#dropFirst();
    return this.#heap[0]?.atMs ?? Infinity;
  }

  /** Takes at most `limit` keys that are due, first come, first served. */
  takeDue(nowMs: number, limit: number): { key: string; atMs: number }[] {
    const due = [];
    while (due.length < limit && this.nextMs() <= nowMs) {
      const { key, atMs } = this.#heap[0]!;
      this.#dropFirst();
      this.#orders.delete(key);
      due.push({ key, atMs });
    }
    return due;
  }

  #isCurrent({ key, order }: { key: string; order: number }): boolean {
    return this.#orders.get(key) === order;
  }

  #dropFirst(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(at: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(at: number): void {
    for (;;) {
      const left = 2 * at + 1, right = left + 1;
      const least = right < this.#heap.length && this.#isBefore(right, left) ? right : left;
      if (least >= this.#heap.length || !this.#isBefore(least, at)) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#heap[a]!, second = this.#heap[b]!;
    return first.atMs < second.atMs || (first.atMs === second.atMs && first.order < second.order);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }
}
