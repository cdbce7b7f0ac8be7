/**
 * Which nodes served when nodes last did: what `all-down last-known-good` falls back on.
 *
 * @module
 */

/**
 * How long before the last of them a node may have gone down and still count. Probes find a fault that takes
 * everything away one node after the other, in the course of an interval and its confirmations; the one that was asked
 * last is no better than the others, and must not get the whole world's queries.
 */
export const TOGETHER_MS = 30_000;

/** All that is followed of one pool and family. Plain data. */
export interface ServingMemory {
  readonly ids: readonly string[];
  readonly serving: readonly string[];
  /** By node id. */
  readonly servedUntilMs: Readonly<Record<string, number>>;
}

/** Follows one pool and family. The first nodes may come from an earlier process. */
export class LastServing {
  #ids: readonly string[];
  #serving: readonly string[];
  readonly #servedUntilMs: Map<string, number>;

  constructor(ids: readonly string[], { serving, servedUntilMs }: Partial<ServingMemory> = {}) {
    this.#ids = ids;
    this.#serving = serving ?? [];
    this.#servedUntilMs = new Map(Object.entries(servedUntilMs ?? {}));
  }

  /** What another one goes on from. */
  get memory(): ServingMemory {
    const servedUntilMs = Object.fromEntries(this.#servedUntilMs);
    return { ids: this.#ids, serving: this.#serving, servedUntilMs };
  }

  /**
   * Takes up who serves from now on, undefined while the pool is all-down.
   *
   * @returns Ids, ascending: those who serve, with those who did until TOGETHER_MS ago; while all-down, of that moment.
   */
  update(serving: readonly string[] | undefined, nowMs: number): readonly string[] {
    for (const id of this.#serving) this.#servedUntilMs.set(id, nowMs);
    const hadNone = this.#serving.length === 0;
    this.#serving = serving ?? [];
    if (hadNone && this.#serving.length === 0) return this.#ids;
    for (const id of this.#serving) this.#servedUntilMs.set(id, nowMs);
    for (const [id, untilMs] of this.#servedUntilMs) {
      if (untilMs < nowMs - TOGETHER_MS) this.#servedUntilMs.delete(id);
    }
    const ids = [...this.#servedUntilMs.keys()].sort();
    if (ids.join() !== this.#ids.join()) this.#ids = ids;
    return this.#ids;
  }

  /** Takes up that those who served, if any, still do: as {@linkcode update} would, but for nearly nothing. */
  keepOn(nowMs: number): readonly string[] {
    const nobodyToForget = this.#servedUntilMs.size === this.#serving.length;
    return this.#serving.length === 0 || nobodyToForget ? this.#ids : this.update(this.#serving, nowMs);
  }
}
