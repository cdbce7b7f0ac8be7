/**
 * The data section of a MaxMind DB file: typed values, some of them pointers to others.
 *
 * Only what is asked for is read; the rest is stepped over. Every offset is checked, so that a corrupt file ends in
 * an {@linkcode MmdbError}, never in a loop.
 *
 * @module
 */

/** A MaxMind DB file that is none, is cut short, or contradicts itself. */
export class MmdbError extends Error {
  override readonly name = "MmdbError";
}

/** The format's numbers of types that are told apart here. */
const POINTER = 1, TEXT = 2, DOUBLE = 3, UINT16 = 5, UINT32 = 6, MAP = 7, INT32 = 8, UINT64 = 9;
const ARRAY = 11, BOOLEAN = 14, FLOAT = 15;

/** What is added to a size or a pointer by how many octets follow the control octet. */
const SIZE_BASES = [0, 29, 285, 65_821], POINTER_BASES = [0, 0, 2048, 526_336, 0];

/** How deep maps and arrays may nest. Real files have four levels. */
const DEPTH_MAX = 32;

/** How many values one search may step over. Real records have some hundred. */
const STEPS_MAX = 20_000;

/** How many texts are kept that were read before: a power of two. */
const KEPT_TEXTS = 4096;

/** Where a value was not found. */
export const NOWHERE = -1;

/** Reads values in `octets` from `start` to `end`, where pointers count from `start`. */
export class MmdbData {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  /** Where they begin. */
  readonly start: number;
  /** Where they end: one past the last. */
  readonly end: number;
  readonly #origin: number;
  /** The head read last: its type, its size (in octets, or entries of a map or array), where what follows begins. */
  #type = 0;
  #size = 0;
  #at = 0;
  #steps = 0;
  /** Some texts, by the lowest bits of where they begin. */
  readonly #keptAts = new Float64Array(KEPT_TEXTS);
  readonly #keptTexts: string[] = new Array(KEPT_TEXTS).fill("");

  /** `origin`: where in the file `octets` begin, for messages. */
  constructor(octets: Uint8Array, start: number, end: number, origin = 0) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    this.start = start;
    this.end = end;
    this.#origin = origin;
  }

  /** Where the value under keys of maps and indices of arrays begins, or {@linkcode NOWHERE}. */
  find(at: number, ...path: readonly (string | number)[]): number {
    this.#steps = 0;
    for (const step of path) {
      if (at === NOWHERE) break;
      at = typeof step === "string" ? this.#inMap(at, step) : this.#inArray(at, step);
    }
    return at;
  }

  /** {@linkcode find} of one key. */
  under(at: number, key: string): number {
    if (at === NOWHERE) return NOWHERE;
    this.#steps = 0;
    return this.#inMap(at, key);
  }

  /**
   * Puts into `found` where the value of each of some keys of the map at an offset begins, or {@linkcode NOWHERE}: the same as
   * {@linkcode find} for each, in one go. @returns `found`.
   */
  fields(at: number, keys: readonly string[], found: Float64Array): Float64Array {
    this.#steps = 0;
    for (let i = 0; i < found.length; i++) found[i] = NOWHERE;
    if (this.#open(at) !== MAP) return found;
    const entries = this.#size;
    at = this.#at;
    for (let i = 0; i < entries; i++) {
      const value = this.#after(at, 0);
      if (this.#open(at) !== TEXT) this.#refuse(at, "a map's key to be text");
      const key = this.#keyOf(keys);
      if (key !== NOWHERE && found[key] === NOWHERE) found[key] = value;
      at = this.#after(value, 0);
    }
    return found;
  }

  /** Where the value at an offset ends; so that all of it is there. */
  endOf(at: number): number {
    this.#steps = 0;
    return this.#after(at, 0);
  }

  /** The text at an offset; undefined where there is none. */
  text(at: number): string | undefined {
    if (at === NOWHERE) return undefined;
    return this.#open(at) === TEXT ? this.#opened() : undefined;
  }

  /** The text opened last. Records point to what others have said: much is read again and again. */
  #opened(): string {
    const place = this.#at & KEPT_TEXTS - 1;
    if (this.#keptAts[place] === this.#at) return this.#keptTexts[place]!;
    this.#keptAts[place] = this.#at;
    return this.#keptTexts[place] = decoder.decode(this.#octets.subarray(this.#at, this.#at + this.#size));
  }

  /** The number at an offset; undefined where there is none. */
  number(at: number): number | undefined {
    if (at === NOWHERE) return undefined;
    switch (this.#open(at)) {
      case DOUBLE:
        return this.#size === 8 ? this.#view.getFloat64(this.#at) : this.#refuse(at, "a double of 8 octets");
      case FLOAT:
        return this.#size === 4 ? this.#view.getFloat32(this.#at) : this.#refuse(at, "a float of 4 octets");
      case INT32:
        return this.#unsigned(at, 4) | 0;
      case UINT16:
      case UINT32:
      case UINT64:
        return this.#unsigned(at, 8);
      default:
        return undefined;
    }
  }

  /** An integer is as long as it needs to be, at most `octetsMax`. */
  #unsigned(at: number, octetsMax: number): number {
    if (this.#size > octetsMax) this.#refuse(at, `an integer of at most ${octetsMax} octets`);
    let value = 0;
    for (let i = 0; i < this.#size; i++) value = value * 256 + this.#octets[this.#at + i]!;
    return value;
  }

  #inMap(at: number, key: string): number {
    if (this.#open(at) !== MAP) return NOWHERE;
    const entries = this.#size;
    at = this.#at;
    for (let i = 0; i < entries; i++) {
      const value = this.#after(at, 0);
      if (this.#open(at) !== TEXT) this.#refuse(at, "a map's key to be text");
      if (this.#reads(key)) return value;
      at = this.#after(value, 0);
    }
    return NOWHERE;
  }

  #inArray(at: number, index: number): number {
    if (this.#open(at) !== ARRAY || index >= this.#size) return NOWHERE;
    at = this.#at;
    for (let i = 0; i < index; i++) at = this.#after(at, 0);
    return at;
  }

  /** Which of `keys` the text opened last is, or {@linkcode NOWHERE}. */
  #keyOf(keys: readonly string[]): number {
    const size = this.#size;
    for (let i = 0; i < keys.length; i++) if (keys[i]!.length === size && this.#reads(keys[i]!)) return i;
    return NOWHERE;
  }

  /** Whether the text opened last is `key`, which is ASCII. */
  #reads(key: string): boolean {
    if (this.#size !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (this.#octets[this.#at + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  /** Where the value after the one at `at` begins. */
  #after(at: number, depth: number): number {
    if (depth > DEPTH_MAX) this.#refuse(at, `values nested at most ${DEPTH_MAX} deep`);
    if (++this.#steps > STEPS_MAX) this.#refuse(at, `a record of at most ${STEPS_MAX} values`);
    this.#head(at);
    let next = this.#at;
    if (this.#type === POINTER || this.#type === BOOLEAN) return next;
    if (this.#type !== MAP && this.#type !== ARRAY) return next + this.#size;
    const values = this.#type === MAP ? this.#size * 2 : this.#size;
    for (let i = 0; i < values; i++) next = this.#after(next, depth + 1);
    return next;
  }

  /** Reads the head of the value at `at`, or of the one that it points to. @returns The value's type. */
  #open(at: number): number {
    this.#head(at);
    if (this.#type !== POINTER) return this.#type;
    const target = this.start + this.#size;
    this.#head(target);
    return this.#type === POINTER ? this.#refuse(target, "a value where a pointer points") : this.#type;
  }

  /** Reads a control octet and what belongs to it. A pointer's size is where it points. */
  #head(at: number): void {
    const control = this.#octet(at++);
    let type = control >> 5;
    if (type >= TEXT && type < MAP && (control & 31) < 29) return this.#short(type, control & 31, at);
    if (type === POINTER) return this.#pointer(control, at);
    if (type === 0) type = 7 + this.#octet(at++);
    let size = control & 31;
    const more = Math.max(0, size - 28);
    if (more > 0) {
      size = SIZE_BASES[more]! + this.#count(at, more, 0);
      at += more;
    }
    const counted = type === MAP || type === ARRAY || type === BOOLEAN;
    if (!counted && at + size > this.end) this.#refuse(at, `${size} octets more`);
    this.#type = type;
    this.#size = size;
    this.#at = at;
  }

  /** A text or a number with all of its head in one octet: as most are. */
  #short(type: number, size: number, at: number): void {
    if (at + size > this.end) this.#refuse(at, `${size} octets more`);
    this.#type = type;
    this.#size = size;
    this.#at = at;
  }

  #pointer(control: number, at: number): void {
    const octets = ((control >> 3) & 3) + 1;
    this.#type = POINTER;
    this.#size = POINTER_BASES[octets]! + this.#count(at, octets, octets < 4 ? control & 7 : 0);
    this.#at = at + octets;
  }

  /** The number of `octets` octets behind the bits `high`. */
  #count(at: number, octets: number, high: number): number {
    for (let i = 0; i < octets; i++) high = high * 256 + this.#octet(at + i);
    return high;
  }

  #octet(at: number): number {
    if (at < this.start || at >= this.end) this.#refuse(at, "its data to reach so far");
    return this.#octets[at]!;
  }

  #refuse(at: number, wanted: string): never {
    throw new MmdbError(`it is cut short or corrupt at octet ${this.#origin + at}: wanted ${wanted}`);
  }
}

const decoder = new TextDecoder();
