/**
 * Identical questions that are under way at the same time share one answer, and so one exchange: a forger gets one
 * query to guess at, not as many as he asks for (the birthday attack, RFC 5452 section 5).
 *
 * @module
 */

/** Work under way, by key. */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  /** How many different keys are under way. */
  get size(): number {
    return this.#underWay.size;
  }

  /** What `work` comes to, or what the same work already under way does. */
  do(key: string, work: () => Promise<T>): Promise<T> {
    const shared = this.#underWay.get(key);
    if (shared) return shared;
    const own = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, own);
    return own;
  }
}
