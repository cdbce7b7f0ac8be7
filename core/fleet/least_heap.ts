/**
 * Whole numbers by their keys, the least first (a binary heap; ties go to the smaller number).
 *
 * @module
 */

/** A heap. */
export class LeastHeap {
  #values = new Int32Array(16);
  #keys = new Float64Array(16);
  size = 0;

  /** The value of the least key; undefined behaviour when there is none. */
  get least(): number {
    return this.#values[0]!;
  }

  /** The least key. */
  get key(): number {
    return this.#keys[0]!;
  }

  push(value: number, key: number): void {
    if (this.size === this.#values.length) this.#grow();
    let at = this.size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isLess(key, value, this.#keys[above]!, this.#values[above]!)) break;
      this.#keys[at] = this.#keys[above]!;
      this.#values[at] = this.#values[above]!;
      at = above;
    }
    this.#keys[at] = key;
    this.#values[at] = value;
  }

  /** Takes the least away. */
  pop(): void {
    const last = --this.size, key = this.#keys[last]!, value = this.#values[last]!;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= last) break;
      if (below + 1 < last && this.#isLess(below + 1, below)) below++;
      if (!isLess(this.#keys[below]!, this.#values[below]!, key, value)) break;
      this.#keys[at] = this.#keys[below]!;
      this.#values[at] = this.#values[below]!;
      at = below;
    }
    this.#keys[at] = key;
    this.#values[at] = value;
  }

  #isLess(a: number, b: number): boolean {
    return isLess(this.#keys[a]!, this.#values[a]!, this.#keys[b]!, this.#values[b]!);
  }

  #grow(): void {
    const values = new Int32Array(2 * this.#values.length), keys = new Float64Array(2 * this.#keys.length);
    values.set(this.#values);
    keys.set(this.#keys);
    [this.#values, this.#keys] = [values, keys];
  }
}

function isLess(keyA: number, valueA: number, keyB: number, valueB: number): boolean {
  return keyA < keyB || keyA === keyB && valueA < valueB;
}
