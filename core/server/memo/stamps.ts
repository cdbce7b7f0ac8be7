/**
 * Which remembered replies still stand. What replies depended on is kept once for all that depended on the same; a change
 * gives those another number, and whoever bears the old one is no longer found.
 *
 * @module
 */

/** What a reply stands and falls with. */
export interface Ground {
  /** Keys of the server blocks whose plugins were asked. */
  readonly blocks: readonly string[];
  readonly pools: readonly string[];
  /** It may have addresses that are probed, though no pool has them. */
  readonly watches: boolean;
  /** Its TTLs count down: any other deadline changes them. */
  readonly volatile: boolean;
}

/** How many grounds are kept at a time. */
const GROUNDS_MAX = 4096;

/** The grounds, numbered. */
export class Stamps {
  /** By a ground's number: what a reply made now bears. */
  readonly current = new Int32Array(GROUNDS_MAX);
  readonly #grounds: Ground[] = [];
  readonly #numbers = new Map<string, number>();
  #latest: Ground | undefined;
  #latestNumber = 0;

  /** Whether there is no room for another ground: everything must be forgotten first. */
  get isFull(): boolean {
    return this.#grounds.length >= GROUNDS_MAX;
  }

  clear(): void {
    this.#grounds.length = 0;
    this.#numbers.clear();
    this.#latest = undefined;
  }

  numberOf(ground: Ground): number {
    if (this.#latest && isSame(this.#latest, ground)) return this.#latestNumber;
    const { blocks, pools, watches, volatile } = ground;
    const key = `${blocks} ${watches} ${volatile} ${pools.join(" ")}`;
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, number = this.#grounds.push(ground) - 1);
    this.#latest = ground;
    return this.#latestNumber = number;
  }

  /** Ends what stands on such grounds. */
  end(isAffected: (ground: Ground) => boolean): void {
    for (let i = 0; i < this.#grounds.length; i++) if (isAffected(this.#grounds[i]!)) this.current[i]!++;
  }
}

function isSame(a: Ground, b: Ground): boolean {
  return a.watches === b.watches && a.volatile === b.volatile && areSame(a.blocks, b.blocks) &&
    areSame(a.pools, b.pools);
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
