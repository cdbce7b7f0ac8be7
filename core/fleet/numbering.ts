/** Numbers for values, equal values having one. @module */

/** Gives each distinct value the next number, from 0. */
export class Numbering<T> {
  /** By number. */
  readonly values: T[] = [];
  readonly #numbers = new Map<unknown, number>();
  readonly #keyOf: (value: T) => unknown;

  /** @param keyOf What tells values apart; by default the values themselves. */
  constructor(keyOf: (value: T) => unknown = (value) => value) {
    this.#keyOf = keyOf;
  }

  /** How many there are. */
  get count(): number {
    return this.values.length;
  }

  /** The number of a value. */
  of(value: T): number {
    const key = this.#keyOf(value);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.values.push(value) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}
