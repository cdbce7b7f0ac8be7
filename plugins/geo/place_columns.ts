/**
 * Gathers distinct places into the columns of a geography. A city database has half a million: they are found again
 * by a hash table over the columns themselves, without an object or a string for any of them.
 *
 * @module
 */

import { coordinatesOf, type Place, type PlaceTable, type Precision } from "../../core/fleet/place.ts";

/** Takes places, gives each distinct one a number from 1 on. */
export class PlaceColumns {
  #count = 1;
  #latitude = new Float64Array(1024);
  #longitude = new Float64Array(1024);
  #country = new Uint16Array(1024);
  #subdivision = new Uint16Array(1024);
  #source = new Uint8Array(1024);
  #hash = new Int32Array(1024);
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
    const inCountry = this.#countries.of(country), inSubdivision = this.#subdivisions.of(subdivision);
    const mask = this.#slots.length - 1;
    const hash = hashOf(latitude, longitude, inCountry, inSubdivision, source);
    let slot = hash & mask;
    for (let id = 0; (id = this.#slots[slot]!) !== 0; slot = slot + 1 & mask) {
      const isSame = this.#latitude[id] === latitude && this.#longitude[id] === longitude &&
        this.#country[id] === inCountry && this.#subdivision[id] === inSubdivision &&
        this.#source[id] === source;
      if (isSame) return id;
    }
    const id = this.#count++;
    this.#latitude[id] = latitude;
    this.#longitude[id] = longitude;
    this.#country[id] = inCountry;
    this.#subdivision[id] = inSubdivision;
    this.#source[id] = source;
    this.#hash[id] = hash;
    this.#slots[slot] = id;
    if (this.#count === this.#latitude.length) this.#grow();
    return id;
  }

  /** The columns, in shared memory. */
  finish(): PlaceTable {
    const count = this.#count;
    return {
      count,
      latitude: coordinatesOf(this.#latitude.subarray(0, count)),
      longitude: coordinatesOf(this.#longitude.subarray(0, count)),
      country: copied(this.#country, new Uint16Array(new SharedArrayBuffer(count * 2))),
      subdivision: copied(this.#subdivision, new Uint16Array(new SharedArrayBuffer(count * 2))),
      source: copied(this.#source, new Uint8Array(new SharedArrayBuffer(count))),
      countries: this.#countries.texts,
      subdivisions: this.#subdivisions.texts,
      sourceNames: this.#sourceNames,
    };
  }

  #grow(): void {
    const capacity = this.#latitude.length * 2;
    this.#latitude = copied(this.#latitude, new Float64Array(capacity));
    this.#longitude = copied(this.#longitude, new Float64Array(capacity));
    this.#country = copied(this.#country, new Uint16Array(capacity));
    this.#subdivision = copied(this.#subdivision, new Uint16Array(capacity));
    this.#source = copied(this.#source, new Uint8Array(capacity));
    this.#hash = copied(this.#hash, new Int32Array(capacity));
    this.#slots = new Uint32Array(capacity * 2);
    const mask = this.#slots.length - 1;
    for (let id = 1; id < this.#count; id++) {
      let slot = this.#hash[id]! & mask;
      while (this.#slots[slot] !== 0) slot = slot + 1 & mask;
      this.#slots[slot] = id;
    }
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

type Column = Int32Array | Float64Array | Uint16Array | Uint8Array;

const doubles = new Float64Array(2);
const words = new Uint32Array(doubles.buffer);

/** FNV-1a over the 32-bit words of a place, stirred after each of its parts. */
function hashOf(latitude: number, longitude: number, country: number, subdivision: number, source: number) {
  doubles[0] = latitude;
  doubles[1] = longitude;
  let hash = stirred(Math.imul(0x811c9dc5 ^ words[0]!, PRIME) ^ words[1]!);
  hash = stirred(Math.imul(hash ^ words[2]!, PRIME) ^ words[3]!);
  return stirred(hash ^ (country << 16 | subdivision) ^ source << 8);
}

function stirred(hash: number): number {
  hash = Math.imul(hash, PRIME);
  return hash ^ hash >>> 15;
}

const PRIME = 0x01000193;

/** As much of `from` as there is room for. */
function copied<A extends Column>(from: Column, to: A): A {
  to.set(from.subarray(0, to.length));
  return to;
}
