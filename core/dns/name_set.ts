/**
 * Which names there are, asked by hash: may take one that is not there for one that is, about once in four billion, never
 * the other way round.
 *
 * @module
 */

import { hashNameText } from "./name_hash.ts";

/** A set of names' hashes: see {@linkcode hashName}. As large as there are names, four to eight octets each. */
export class NameSet {
  #slots: Int32Array;
  #mask: number;
  #size = 0;
  /** The hash that stands for an empty slot cannot be told from one. */
  #hasZero = false;

  /** Of folded names, about `count` of them in the end. */
  constructor(names: Iterable<string>, count: number) {
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(8, count * 1.5))));
    this.#mask = this.#slots.length - 1;
    for (const name of names) this.add(name);
  }

  has(hash: number): boolean {
    if (hash === 0) return this.#hasZero;
    for (let at = hash & this.#mask;; at = at + 1 & this.#mask) {
      const slot = this.#slots[at]!;
      if (slot === hash) return true;
      if (slot === 0) return false;
    }
  }

  /** Adds a folded name. */
  add(name: string): void {
    const hash = hashNameText(name);
    if (hash === 0) this.#hasZero = true;
    else this.#put(hash);
    if (this.#size > this.#slots.length * 0.8) this.#grow();
  }

  #put(hash: number): void {
    let at = hash & this.#mask;
    while (this.#slots[at] !== 0 && this.#slots[at] !== hash) at = at + 1 & this.#mask;
    if (this.#slots[at] === 0) this.#size++;
    this.#slots[at] = hash;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length);
    this.#mask = this.#slots.length - 1;
    this.#size = 0;
    for (const hash of before) if (hash !== 0) this.#put(hash);
  }
}
