/**
 * Gathers distinct places into the columns of a geography. A city database has half a million: they are found again
 * by a hash table over the columns themselves, without an object or a string for any of them.
 *
 * @module
 */

import type { Coordinates, Place, PlaceTable, Precision } from "../../core/fleet/place.ts";

/** Takes places, gives each distinct one a number from 1 on. */
export class PlaceColumns {
  #count = 1;
  #latitude = new Float64Array(1024);
  #longitude = new Float64Array(1024);
  #country = new Uint16Array(1024);
  #subdivision = new Uint16Array(1024);
  #source = new Uint8Array(1024);
  /** Numbers of places by hash, at the first free slot from there on; 0 = free. Twice as long as the columns. */
  #slots = new Uint32Array(2048);
  readonly #countries = new Numbering(0x1_0000, "countries");
  readonly #subdivisions = new Numbering(0x1_0000, "subdivisions");
  readonly #sources = new Numbering(0x100, "sources");
  readonly #sourceNames: { name: string; precision: Precision }[] = [];

  constructor() {
    // Row 0 stands for no place; its country and subdivision are the empty ones.
    this.#countries.of("");
    this.#subdivisions.of("");
  }

  /** The number of a source at a precision, for {@linkcode add}. */
  source(name: string, precision: Precision): number {
    const number = this.#sources.of(`${precision} ${name}`);
    this.#sourceNames[number] ??= { name, precision };
    return number;
  }

  /** The number of a place as a source tells it. */
  add({ latitude, longitude, country, subdivision }: Place, source: number): number {
    const place = [
      latitude,
      longitude,
      this.#countries.of(country),
      this.#subdivisions.of(subdivision),
      source,
    ];
    const slot = this.#slotOf(place);
    if (this.#slots[slot] !== 0) return this.#slots[slot]!;
    const id = this.#count++;
    this.#latitude[id] = latitude;
    this.#longitude[id] = longitude;
    this.#country[id] = place[2]!;
    this.#subdivision[id] = place[3]!;
    this.#source[id] = source;
    this.#slots[slot] = id;
    if (this.#count === this.#latitude.length) this.#grow();
    return id;
  }

  /** The columns, in shared memory. */
  finish(): PlaceTable {
    const count = this.#count;
    return {
      count,
      latitude: coordinates(this.#latitude.subarray(0, count)),
      longitude: coordinates(this.#longitude.subarray(0, count)),
      country: copied(this.#country, new Uint16Array(new SharedArrayBuffer(count * 2))),
      subdivision: copied(this.#subdivision, new Uint16Array(new SharedArrayBuffer(count * 2))),
      source: copied(this.#source, new Uint8Array(new SharedArrayBuffer(count))),
      countries: this.#countries.texts,
      subdivisions: this.#subdivisions.texts,
      sourceNames: this.#sourceNames,
    };
  }

  #row(id: number): number[] {
    return [
      this.#latitude[id]!,
      this.#longitude[id]!,
      this.#country[id]!,
      this.#subdivision[id]!,
      this.#source[id]!,
    ];
  }

  /** The slot that holds the place, or the free one where it belongs. */
  #slotOf(place: readonly number[]): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(place) & mask;; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]!;
      if (id === 0 || this.#row(id).every((value, i) => value === place[i])) return slot;
    }
  }

  #grow(): void {
    const capacity = this.#latitude.length * 2;
    this.#latitude = copied(this.#latitude, new Float64Array(capacity));
    this.#longitude = copied(this.#longitude, new Float64Array(capacity));
    this.#country = copied(this.#country, new Uint16Array(capacity));
    this.#subdivision = copied(this.#subdivision, new Uint16Array(capacity));
    this.#source = copied(this.#source, new Uint8Array(capacity));
    this.#slots = new Uint32Array(capacity * 2);
    for (let id = 1; id < this.#count; id++) this.#slots[this.#slotOf(this.#row(id))] = id;
  }
}

/** Texts, each with the number of its first coming. */
class Numbering {
  readonly texts: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #most: number;
  readonly #what: string;

  constructor(most: number, what: string) {
    this.#most = most;
    this.#what = what;
  }

  of(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (this.texts.length === this.#most) {
      throw new RangeError(`Cannot hold more than ${this.#most} ${this.#what}: got '${text}'`);
    }
    this.#numbers.set(text, this.texts.length);
    return this.texts.push(text) - 1;
  }
}

/** Databases often have floats of 32 bits. */
function coordinates(degrees: Float64Array): Coordinates {
  const isExact = degrees.every((number) => Math.fround(number) === number);
  const { length } = degrees;
  return isExact
    ? copied(degrees, new Float32Array(new SharedArrayBuffer(length * 4)))
    : copied(degrees, new Float64Array(new SharedArrayBuffer(length * 8)));
}

type Column = Float32Array | Float64Array | Uint16Array | Uint8Array;

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);

/** FNV-1a over the 32-bit words of the numbers, its bits stirred at the end. */
function hashOf(numbers: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const number of numbers) {
    doubles[0] = number;
    hash = Math.imul(Math.imul(hash ^ words[0]!, 0x01000193) ^ words[1]!, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** As much of `from` as there is room for. */
function copied<A extends Column>(from: Column, to: A): A {
  to.set(from.subarray(0, to.length));
  return to;
}
