/**
 * Which names there are, asked by hash: may take one that is not there for one that is, about once in four billion, never
 * the other way round.
 *
 * @module
 */

import { hashNameText } from "./name_hash.ts";

/** A set of names' hashes: see {@linkcode hashName}. As large as there are names, four to eight octets each. */
export class NameSet {
  readonly #slots: Int32Array;
  readonly #mask: number;
  /** The hash that stands for an empty slot cannot be told from one. */
  #hasZero = false;

  /** Of folded names. */
  constructor(names: Iterable<string>, count: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, count * 1.5)));
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
    for (const name of names) this.#add(hashNameText(name));
  }

  has(hash: number): boolean {
    if (hash === 0) return this.#hasZero;
    for (let at = hash & this.#mask;; at = at + 1 & this.#mask) {
      const slot = this.#slots[at]!;
      if (slot === hash) return true;
      if (slot === 0) return false;
    }
  }

  #add(hash: number): void {
    if (hash === 0) {
      this.#hasZero = true;
      return;
    }
    let at = hash & this.#mask;
    while (this.#slots[at] !== 0 && this.#slots[at] !== hash) at = at + 1 & this.#mask;
    this.#slots[at] = hash;
  }
}
