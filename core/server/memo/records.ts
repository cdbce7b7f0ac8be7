/**
 * Remembered replies, in memory of a fixed size: records one behind the other in a ring, the oldest giving way, and an
 * index that leads to them by hash. A set of the index has four ways, and no search looks further.
 *
 * A record, in words of 32 bits, numbers of 16 bits two to a word:
 *
 *     head    see {@linkcode WORD}
 *     key     as many words as its way makes
 *     name    folded (of what is bound to its case: as it was asked), octets
 *     body    the reply from behind the question on, octets
 *
 * @module
 */

/** Where in a record's head something stands, in words from its start. */
export const WORD = Object.freeze({
  /** Octets in all, a multiple of eight. */
  SIZE: 0,
  /** Where the index leads here from; -1 = nothing does any more. */
  SLOT: 1,
  /** The packet's shape, and above it the number of the endpoint asked. */
  FORM: 2,
  WAY: 3,
  /** The type asked for, and above it the octets of the name. */
  QUESTION: 4,
  /** The octets of the names that this is the reply for, where it is not for its own name; else 0 or {@linkcode CASE_BOUND}. */
  ABSENCE: 5,
  /** The most octets that our side allows, and above it the octets of the body. */
  LIMIT: 6,
  /** The number of its ground, and the stamp that it got there. */
  GROUND: 7,
  STAMP: 8,
  /** The number of what is kept beside; 0 = nothing. Above 24 bits of it the scope, for whoever is told. */
  EXTRA: 9,
  TALLY: 10,
  /** Third and fourth octet of the reply, and above it where the ECS option's data begins in the body; 0 = nowhere. */
  FLAGS: 11,
  /** ANCOUNT, and above it NSCOUNT. */
  COUNTS: 12,
  ARCOUNT: 13,
  /** From when until when it stands, milliseconds since 1970, each a number of 64 bits. */
  MADE: 14,
  UNTIL: 16,
  /** What the packet had of options beside ECS. */
  OPTIONS: 18,
  HEAD: 19,
});

/** How {@linkcode WORD.EXTRA} is divided. */
export const EXTRA_BITS = 24, EXTRA_MASK = (1 << EXTRA_BITS) - 1;

const WAYS = 4, SLOT_WORDS = 2;

/** What a processor brings from memory at a time; most records are in three of them. */
const LINE_WORDS = 16;

/** About what a record has. */
const USUAL_OCTETS = 160;

/** The ring and its index. */
export class Records {
  /** The memory by words; records begin at multiples of eight octets. */
  readonly words: Int32Array;
  readonly times: Float64Array;
  /** By slot: a hash, and where the record begins, in words; 0 = none. */
  readonly index: Int32Array;
  /** Of a hash's bits: those that choose the set. */
  readonly mask: number;
  readonly #start: number;
  readonly #end: number;
  readonly #forget: (record: number) => void;
  #count = 0;
  /** Where the next goes, and where the oldest lies; octets. */
  #head: number;
  #tail: number;
  /** Where the records end that lie above the head, once the ring has come round; 0 = it has not. */
  #wrappedAt = 0;
  #victim = 0;

  /** In `memory` from the octet `start` on; `forget` hears of each record before it goes. */
  constructor(memory: ArrayBuffer, start: number, forget: (record: number) => void) {
    this.words = new Int32Array(memory);
    this.times = new Float64Array(memory);
    this.#start = this.#head = this.#tail = start;
    this.#end = memory.byteLength;
    this.#forget = forget;
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, (this.#end - start) / USUAL_OCTETS / WAYS)));
    this.mask = sets - 1;
    this.index = new Int32Array(sets * WAYS * SLOT_WORDS);
  }

  /** How many records there are. */
  get count(): number {
    return this.#count;
  }

  /** The first slot of the set of a hash. */
  setOf(hash: number): number {
    return (hash & this.mask) * (WAYS * SLOT_WORDS);
  }

  /**
   * Brings the records of the first `count` hashes into a processor's caches: first the index for all of them, then what it
   * leads to, so that the processor waits for several at a time. `hashes` is written over: what is read must seem to matter.
   */
  bring(hashes: Int32Array, count: number): void {
    const { words, index, mask } = this, last = words.length - 1;
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!, first = (hash & mask) * (WAYS * SLOT_WORDS);
      let record = 0;
      for (let slot = first; slot < first + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
        if (index[slot] === hash) record = index[slot + 1]!;
      }
      hashes[i] = record;
    }
    for (let i = 0; i < count; i++) {
      const record = hashes[i]!, next = Math.min(record + LINE_WORDS, last);
      hashes[i] = words[record]! + words[next]! + words[Math.min(next + LINE_WORDS, last)]!;
    }
  }

  /** Makes room for a record of so many octets that is found by `hash`; returns where it begins, in words; 0 = too large. */
  add(hash: number, octets: number): number {
    const size = octets + 7 & ~7;
    if (size > (this.#end - this.#start) / 8) return 0;
    this.#makeRoom(size);
    const record = this.#head >> 2, slot = this.#slotFor(hash);
    this.#head += size;
    this.#count++;
    this.words[record + WORD.SIZE] = size;
    this.words[record + WORD.SLOT] = slot;
    this.index[slot] = hash;
    this.index[slot + 1] = record;
    return record;
  }

  /** Lets nothing lead to a record any more. */
  drop(record: number): void {
    const slot = this.words[record + WORD.SLOT]!;
    if (slot < 0) return;
    this.#forget(record);
    this.index[slot + 1] = 0;
    this.words[record + WORD.SLOT] = -1;
  }

  clear(): void {
    while (this.#count > 0) this.#dropOldest();
    this.#head = this.#tail = this.#start;
  }

  #slotFor(hash: number): number {
    const first = this.setOf(hash);
    for (let slot = first; slot < first + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
      if (this.index[slot + 1] === 0) return slot;
    }
    const slot = first + (this.#victim++ & WAYS - 1) * SLOT_WORDS;
    this.drop(this.index[slot + 1]!);
    return slot;
  }

  #makeRoom(size: number): void {
    if (this.#head + size > this.#end) {
      while (this.#wrappedAt > 0) this.#dropOldest();
      this.#wrappedAt = this.#count > 0 ? this.#head : 0;
      this.#head = this.#start;
      if (this.#count === 0) this.#tail = this.#start;
    }
    while (this.#wrappedAt > 0 && this.#head + size > this.#tail) this.#dropOldest();
  }

  #dropOldest(): void {
    const record = this.#tail >> 2;
    this.drop(record);
    this.#tail += this.words[record + WORD.SIZE]!;
    this.#count--;
    if (this.#wrappedAt > 0 && this.#tail >= this.#wrappedAt) {
      this.#tail = this.#start;
      this.#wrappedAt = 0;
    }
  }
}
