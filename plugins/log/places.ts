/**
 * Where clients are, written as octets: what stands for a country, a subdivision and a source is made once, so that no line
 * makes a string, however many places there are.
 *
 * @module
 */

import { findIPv4, findIPv6, valueAt } from "../../core/net/network_table.ts";
import {
  degreesAt,
  type Geography,
  type GeographySource,
  SPECIAL_CLASS_FIRST,
} from "../../core/fleet/place.ts";
import { NONE, printable } from "./format.ts";
import { ascii } from "./json.ts";
import { writeDecimal } from "./octets.ts";

/** The most that a coordinate has. */
const DECIMAL_OCTETS_MAX = 32;

/** What stands for each part of a location, one behind the other; between the last two the coordinates, if they are told. */
interface Form {
  readonly unknown: string;
  special(name: string): string;
  country(country: string): string;
  subdivision(subdivision: string): string;
  /** What stands before the longitude; undefined = coordinates are not told. */
  readonly between?: string;
  source(source: Pick<GeographySource, "name" | "precision">): string;
}

/** As `locationText` has it. */
const TEXT: Form = {
  unknown: NONE,
  special: (name) => printable(`special:${name}`),
  country: (country) => printable(`${country || NONE}/`),
  subdivision: (subdivision) => printable(`${subdivision || NONE}/`),
  source: ({ precision }) => printable(precision),
};

/** As `locationValue` has it, a member behind others. */
const JSON_MEMBER: Form = {
  unknown: ',"location":{"source":"no data"}',
  special: (name) => `,"location":{"source":${quoted(name)},"special":true}`,
  country: (country) => `,"location":{${country && `"country":${quoted(country)},`}`,
  subdivision: (subdivision) => `${subdivision && `"subdivision":${quoted(subdivision)},`}"latitudeDegrees":`,
  between: ',"longitudeDegrees":',
  source: ({ name, precision }) => `,"precision":${quoted(precision)},"source":${quoted(name)}}`,
};

function quoted(text: string): string {
  return ascii(JSON.stringify(text));
}

/** Finds and writes the places of one geography. */
export class Places {
  readonly geography: Geography;
  #text: PlaceWriter | undefined;
  #member: PlaceWriter | undefined;

  constructor(geography: Geography) {
    this.geography = geography;
  }

  /** As text, or as a member of JSON. */
  writer(isJson: boolean): PlaceWriter {
    if (isJson) return this.#member ??= new PlaceWriter(this.geography, JSON_MEMBER);
    return this.#text ??= new PlaceWriter(this.geography, TEXT);
  }

  /** The number of the place of an address in words: 0 = unknown; there may be special ones. */
  placeOf(words: ArrayLike<number>, isIPv6: boolean): number {
    const { v4, v6 } = this.geography;
    return isIPv6
      ? valueAt(v6, findIPv6(v6, words[0]!, words[1]!, words[2]!, words[3]!))
      : valueAt(v4, findIPv4(v4, words[0]!));
  }

  /** Reads the degrees of a place; false where it is no point on the earth. */
  readPoint(id: number, into: { latitude: number; longitude: number }): boolean {
    if (id === 0 || id >= SPECIAL_CLASS_FIRST) return false;
    const { latitude, longitude } = this.geography.places;
    into.latitude = degreesAt(latitude, id);
    into.longitude = degreesAt(longitude, id);
    return true;
  }
}

/** Writes the location that each place has, in one form. */
export class PlaceWriter {
  /** The most that it writes. */
  readonly octetsMax: number;
  readonly #geography: Geography;
  /** What stands for nothing, countries, subdivisions, sources, special blocks and between coordinates, and where each begins. */
  readonly #octets: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #subdivisions: number;
  readonly #sources: number;
  readonly #specials: number;
  readonly #between: number;
  readonly #tellsPoint: boolean;
  /** Which texts make up the location taken up last: one, or -1 and three, with its number. */
  #whole = 0;
  #country = 0;
  #subdivision = 0;
  #source = 0;
  #id = 0;

  constructor(geography: Geography, form: Form) {
    const { places: { countries, subdivisions, sourceNames }, specialNames } = geography;
    const texts = [
      form.unknown,
      ...countries.map(form.country),
      ...subdivisions.map(form.subdivision),
      ...sourceNames.map(form.source),
      ...specialNames.map(form.special),
      form.between ?? "",
    ];
    const encoded = texts.map((text) => encoder.encode(text));
    this.#geography = geography;
    this.#starts = new Uint32Array(texts.length + 1);
    encoded.forEach(({ length }, i) => this.#starts[i + 1] = this.#starts[i]! + length);
    this.#octets = new Uint8Array(this.#starts.at(-1)!);
    encoded.forEach((octets, i) => this.#octets.set(octets, this.#starts[i]));
    this.#subdivisions = 1 + countries.length;
    this.#sources = this.#subdivisions + subdivisions.length;
    this.#specials = this.#sources + sourceNames.length;
    this.#between = this.#specials + specialNames.length;
    this.#tellsPoint = form.between !== undefined;
    const longest = encoded.reduce((most, { length }) => Math.max(most, length), 0);
    this.octetsMax = 4 * longest + 2 * DECIMAL_OCTETS_MAX;
  }

  /** Takes up a place: {@linkcode write} writes its location. */
  look(id: number): void {
    if (id === 0 || id >= SPECIAL_CLASS_FIRST) {
      this.#whole = id === 0 ? 0 : this.#specials + id - SPECIAL_CLASS_FIRST;
      return;
    }
    const { places } = this.#geography;
    this.#whole = -1;
    this.#country = 1 + places.country[id]!;
    this.#subdivision = this.#subdivisions + places.subdivision[id]!;
    this.#source = this.#sources + places.source[id]!;
    this.#id = id;
  }

  /** Writes the location at `at`, and gives where it ended. */
  write(out: Uint8Array, at: number): number {
    if (this.#whole >= 0) return this.#copy(out, at, this.#whole);
    at = this.#copy(out, at, this.#country);
    at = this.#copy(out, at, this.#subdivision);
    if (this.#tellsPoint) {
      const { latitude, longitude } = this.#geography.places;
      at = writeDecimal(out, at, degreesAt(latitude, this.#id));
      at = this.#copy(out, at, this.#between);
      at = writeDecimal(out, at, degreesAt(longitude, this.#id));
    }
    return this.#copy(out, at, this.#source);
  }

  #copy(out: Uint8Array, at: number, text: number): number {
    const octets = this.#octets, to = this.#starts[text + 1]!;
    for (let from = this.#starts[text]!; from < to; from++) out[at++] = octets[from]!;
    return at;
  }
}

const encoder = new TextEncoder();

const known = new WeakMap<Geography, Places>();

/** The places of a geography; the same each time. */
export function placesOf(geography: Geography): Places {
  let places = known.get(geography);
  if (!places) known.set(geography, places = new Places(geography));
  return places;
}
