/**
 * Finds servers that call themselves alike: each writes its pulse where the other has, and what one of them reports counts
 * as the other's word. Their pulses take turns, which those of a server and its successor do not: one ends.
 *
 *     a b a b …    two of one name
 *     a a b a b b  a hand-over, at worst
 *
 * @module
 */

/** So often somebody is heard again after another one before it is believed, within so long a time. */
const TURNS = 3, WITHIN_MS = 60_000;

/** What was heard under one name. */
interface Heard {
  readonly instance: string;
  readonly before?: string;
  /** When one was heard again after the other. */
  readonly turnsMs: readonly number[];
}

/** See the module. */
export class Namesakes {
  readonly #heard = new Map<string, Heard>();

  /** A process was heard under a name. @returns Whether another one goes by it too. */
  take(name: string, instance: string | undefined, nowMs: number): boolean {
    if (instance === undefined) return false;
    const known = this.#heard.get(name) ?? { instance, turnsMs: [] };
    const isTurn = instance !== known.instance && instance === known.before;
    const turnsMs = [...known.turnsMs, ...isTurn ? [nowMs] : []].filter((atMs) => nowMs - atMs < WITHIN_MS)
      .slice(-TURNS);
    const before = instance === known.instance ? known.before : known.instance;
    this.#heard.set(name, { instance, ...before !== undefined && { before }, turnsMs });
    return turnsMs.length >= TURNS;
  }
}
