/**
 * Entries by key, within a number of them and of octets.
 *
 * What makes room is the entry that was used least recently, but in two parts: what was asked for once stands on trial,
 * and only what was asked for again is kept among the proven, which take up to four fifths. So a flood of names that
 * nobody asks for twice drives out its own kind: it costs two queries, not one, to drive out anything that is used.
 * Random eviction, CoreDNS's choice, falls on the used and the useless alike.
 *
 * @module
 */

/** The share of the room that what was asked for again may take. */
const PROVEN_SHARE = 0.8;

/** What a store keeps. */
interface Sized {
  readonly octets: number;
}

/** See the module. */
export class Store<E extends Sized> {
  readonly #entriesMax: number;
  readonly #octetsMax: number;
  readonly #onEvicted: () => void;
  /** Both from the least recently used on: a Map keeps the order in which keys were put in. */
  readonly #trial = new Map<string, E>();
  readonly #proven = new Map<string, E>();
  #octets = 0;

  constructor(entriesMax: number, octetsMax: number, onEvicted: () => void) {
    this.#entriesMax = entriesMax;
    this.#octetsMax = octetsMax;
    this.#onEvicted = onEvicted;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#trial.size + this.#proven.size;
  }

  /** What they take up. */
  get octets(): number {
    return this.#octets;
  }

  /** The entry, left where it stands. */
  peek(key: string): E | undefined {
    return this.#proven.get(key) ?? this.#trial.get(key);
  }

  /** Notes that an entry was of use. */
  use(key: string): void {
    const entry = this.peek(key);
    if (!entry) return;
    this.#trial.delete(key);
    this.#proven.delete(key);
    this.#proven.set(key, entry);
    if (this.#proven.size <= PROVEN_SHARE * this.#entriesMax) return;
    const [oldestKey, oldest] = first(this.#proven)!;
    this.#proven.delete(oldestKey);
    this.#trial.set(oldestKey, oldest);
  }

  /** Puts an entry in, in the place of the one with its key; evicts until there is room. Too large a one is left out. */
  set(key: string, entry: E): void {
    const isProven = this.#proven.has(key);
    this.delete(key);
    if (entry.octets > this.#octetsMax) return;
    while (this.size >= this.#entriesMax || this.#octets + entry.octets > this.#octetsMax) this.#evict();
    (isProven ? this.#proven : this.#trial).set(key, entry);
    this.#octets += entry.octets;
  }

  /** Takes an entry out. */
  delete(key: string): void {
    const entry = this.peek(key);
    if (!entry) return;
    this.#trial.delete(key);
    this.#proven.delete(key);
    this.#octets -= entry.octets;
  }

  #evict(): void {
    const [key] = first(this.#trial) ?? first(this.#proven)!;
    this.delete(key);
    this.#onEvicted();
  }
}

function first<K, V>(map: Map<K, V>): [K, V] | undefined {
  for (const entry of map) return entry;
  return undefined;
}
