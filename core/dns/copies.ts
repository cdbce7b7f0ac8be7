/**
 * Copies of octets, many to a piece of memory: a piece each costs several times as much.
 *
 * @module
 */

const PIECE_OCTETS = 1 << 14;

/** See the module. A copy keeps its whole piece, and a structured clone of it copies that: not for what is kept or posted. */
export class Copies {
  #piece = new ArrayBuffer(PIECE_OCTETS);
  #at = 0;

  /** A copy of `length` octets from `start` on. */
  take(octets: Uint8Array, start: number, length: number): Uint8Array {
    if (length > PIECE_OCTETS / 8) return octets.slice(start, start + length);
    const copy = this.room(length);
    for (let i = 0; i < length; i++) copy[i] = octets[start + i]!;
    return copy;
  }

  /** So many octets, all 0. */
  room(length: number): Uint8Array {
    if (this.#at + length > PIECE_OCTETS) {
      this.#piece = new ArrayBuffer(PIECE_OCTETS);
      this.#at = 0;
    }
    const room = new Uint8Array(this.#piece, this.#at, length);
    this.#at += length;
    return room;
  }
}
