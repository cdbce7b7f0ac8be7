/**
 * Lines made as octets, for replies that are repeated: what is the same in all of them is copied, the rest is read off the
 * query where it lies. No line makes an object.
 *
 * Many replies have the same line but for what is read off the query, so that one prepared line serves them all.
 *
 * @module
 */

import type { Geography } from "../../core/fleet/place.ts";
import type { LineOctets, RepeatedQuery, Repeater, Selection } from "../../core/plugin.ts";
import { TimeWriter, writeDecimal, writeIPv4, writeIPv6, writeName, writeNumber } from "./octets.ts";
import { NONE } from "./format.ts";
import { HOLE, type Piece } from "./pieces.ts";
import { type Places, placesOf, type PlaceWriter } from "./places.ts";
import type { Sampler } from "./sampler.ts";

/** The most that a hole has, names and places aside, and the most that becomes of an octet of a name. */
const HOLE_OCTETS_MAX = 64, NAME_OCTET_MAX = 5;

/** How many lines are kept, until all begin anew. */
const LINES_MAX = 4096;

/** Where lines of one kind go, and which there are. */
export interface LineOptions {
  readonly lines: LineOctets;
  readonly sampler: Sampler;
  /** Where places come from, if anywhere. */
  readonly geography: Geography | undefined;
  /** Whether ECS decides where a client is. */
  readonly bySubnet: boolean;
}

/** The prepared lines of one `log`. */
export class PreparedLines {
  readonly #known = new Map<string, PreparedLine>();

  /** The line of these pieces, new or not. */
  lineOf(pieces: readonly Piece[], options: LineOptions): PreparedLine {
    const key = `${options.bySubnet}\0${pieces.map(keyOf).join("\0")}`, known = this.#known.get(key);
    if (known && known.geography === options.geography) return known;
    if (this.#known.size >= LINES_MAX) this.#known.clear();
    const line = new PreparedLine(pieces, options);
    this.#known.set(key, line);
    return line;
  }
}

/** Tells pieces apart; those that follow from places by what they say of nowhere, and of somewhere. */
function keyOf(piece: Piece): string {
  if (typeof piece === "string") return piece;
  const { hole, selection } = piece;
  return `\x01${hole}\x01${selection?.distanceKmFrom?.(undefined)}\x01${
    selection?.distanceKmFrom?.(SOMEWHERE)
  }`;
}

const SOMEWHERE = { latitude: 12.345, longitude: 67.89 };

const encoder = new TextEncoder();

/** What all lines use, one after the other: the address of an ECS option, where a client is, the time. */
const SUBNET = new Uint32Array(4), POINT = { latitude: 0.5, longitude: 0.5 }, TIME = new TimeWriter();

/** See the module. Long and flat, for each nanosecond is spent for every reply. */
export class PreparedLine {
  readonly geography: Geography | undefined;
  readonly #lines: LineOctets;
  readonly #sampler: Sampler;
  readonly #bySubnet: boolean;
  /** All that stands, and where in it each hole is. */
  readonly #text: Uint8Array;
  readonly #ends: readonly number[];
  readonly #holes: readonly number[];
  readonly #nameHoles: number;
  /** Of each hole that tells a distance. */
  readonly #selections: readonly (Selection | undefined)[];
  /** Where places are looked up, if a hole follows from one, and what writes them, if a hole tells one. */
  readonly #places: Places | undefined;
  readonly #placeWriter: PlaceWriter | undefined;
  /** What the line has at the most, but for its name. */
  readonly #octetsMax: number;

  constructor(pieces: readonly Piece[], { lines, sampler, geography, bySubnet }: LineOptions) {
    [this.#lines, this.#sampler, this.#bySubnet, this.geography] = [lines, sampler, bySubnet, geography];
    let text = "";
    const ends: number[] = [], holes: number[] = [], selections: (Selection | undefined)[] = [];
    for (const piece of pieces) {
      if (typeof piece === "string") {
        text += piece;
        continue;
      }
      ends.push(encoder.encode(text).length);
      holes.push(piece.hole);
      selections.push(piece.selection);
    }
    this.#text = encoder.encode(text);
    [this.#ends, this.#holes, this.#selections] = [ends, holes, selections];
    this.#nameHoles = holes.filter((hole) => hole === HOLE.NAME || hole === HOLE.NAME_IN_JSON).length;
    const places = geography && placesOf(geography);
    const located = holes.filter((hole) => hole === HOLE.LOCATION || hole === HOLE.LOCATION_IN_JSON);
    this.#places = holes.some((hole) => hole >= HOLE.LOCATION && hole <= HOLE.KM_IN_JSON)
      ? places
      : undefined;
    if (located.length > 0) this.#placeWriter = places?.writer(located[0] === HOLE.LOCATION_IN_JSON);
    this.#octetsMax = this.#text.length + HOLE_OCTETS_MAX * holes.length +
      (this.#placeWriter?.octetsMax ?? 0) * located.length;
    this.write = Object.assign((query: RepeatedQuery) => this.#write(query), { skips: sampler });
  }

  /** Writes the line of a query that was given the reply, if it is to have one. */
  readonly write: Repeater;

  #write(query: RepeatedQuery): void {
    if (!this.#sampler.next()) return;
    const { octets, at: start, source } = query, text = this.#text, ends = this.#ends, holes = this.#holes;
    let end = start + 12;
    while (octets[end]! > 0) end += 1 + octets[end]!;
    // Behind the name are its type and class, then perhaps an OPT record.
    const opt = end + 5, { subnetAt } = query;
    const lines = this.#lines;
    let at = lines.reserve(this.#octetsMax + NAME_OCTET_MAX * this.#nameHoles * (end - start));
    if (at < 0) return;
    const out = lines.octets, places = this.#places, placeWriter = this.#placeWriter;
    let isPoint = false;
    if (places !== undefined) {
      const place = this.#placeFor(query);
      // Each of these is in no cache, mostly: all are asked for before any is waited for.
      isPoint = places.readPoint(place, POINT);
      if (placeWriter !== undefined) placeWriter.look(place);
    }
    let done = 0;
    for (let i = 0; i < holes.length; i++) {
      for (const to = ends[i]!; done < to; done++) out[at++] = text[done]!;
      switch (holes[i]) {
        case HOLE.REMOTE:
          if (source.family === 6) {
            out[at++] = 0x5b;
            at = writeIPv6(out, at, source.words);
            out[at++] = 0x5d;
          } else at = writeIPv4(out, at, source.words[0]!);
          break;
        case HOLE.ADDRESS:
          at = source.family === 6 ? writeIPv6(out, at, source.words) : writeIPv4(out, at, source.words[0]!);
          break;
        case HOLE.PORT:
          at = writeNumber(out, at, source.port);
          break;
        case HOLE.ID:
          at = writeNumber(out, at, octets[start]! << 8 | octets[start + 1]!);
          break;
        case HOLE.NAME:
          at = writeName(out, at, octets, start + 12, false);
          break;
        case HOLE.NAME_IN_JSON:
          at = writeName(out, at, octets, start + 12, true);
          break;
        case HOLE.SIZE:
          at = writeNumber(out, at, query.length);
          break;
        case HOLE.PAYLOAD:
          at = writeNumber(out, at, octets[opt + 3]! << 8 | octets[opt + 4]!);
          break;
        case HOLE.PAYLOAD_MIN_512:
          at = writeNumber(out, at, Math.max(512, octets[opt + 3]! << 8 | octets[opt + 4]!));
          break;
        case HOLE.REPLY_SIZE:
          at = writeNumber(out, at, query.replyOctets);
          break;
        case HOLE.TIME:
          at = TIME.write(out, at, query.nowMs);
          break;
        case HOLE.SUBNET:
          readSubnet(octets, subnetAt);
          at = octets[subnetAt + 1] === 2 ? writeIPv6(out, at, SUBNET) : writeIPv4(out, at, SUBNET[0]!);
          out[at++] = 0x2f;
          at = writeNumber(out, at, octets[subnetAt + 2]!);
          break;
        case HOLE.SCOPE:
          at = writeNumber(out, at, query.scopePrefixLength);
          break;
        case HOLE.LOCATION:
        case HOLE.LOCATION_IN_JSON:
          if (placeWriter !== undefined) at = placeWriter.write(out, at);
          else out[at++] = 0x2d;
          break;
        default:
          at = this.#writeDistance(out, at, i, isPoint);
      }
    }
    for (; done < text.length; done++) out[at++] = text[done]!;
    lines.commit(at);
  }

  /** The number of the place where the client is. */
  #placeFor({ octets, source, subnetAt }: RepeatedQuery): number {
    const places = this.#places!;
    if (!this.#bySubnet || subnetAt === 0 || octets[subnetAt + 2] === 0) {
      return places.placeOf(source.words, source.family === 6);
    }
    readSubnet(octets, subnetAt);
    return places.placeOf(SUBNET, octets[subnetAt + 1] === 2);
  }

  /** How far it is from a place to the node chosen, as hole `i` has it. */
  #writeDistance(out: Uint8Array, at: number, i: number, isPoint: boolean): number {
    const selection = this.#selections[i]!, hole = this.#holes[i]!;
    const km = selection.distanceKmFrom!(isPoint ? POINT : undefined);
    if (hole === HOLE.KM_IN_JSON) {
      return km === undefined ? at : writeDecimal(out, copy(out, at, KM_MEMBER), km);
    }
    if (hole === HOLE.KM) {
      return km === undefined ? copy(out, at, UNKNOWN) : writeDecimal(out, at, Math.round(km));
    }
    if (km === undefined) return at;
    return copy(out, writeDecimal(out, copy(out, at, BEFORE_KM), Math.round(km)), BEHIND_KM);
  }
}

const KM_MEMBER = encoder.encode(',"distanceKm":'), UNKNOWN = encoder.encode(NONE);
const BEFORE_KM = encoder.encode(", "), BEHIND_KM = encoder.encode(" km");

function copy(out: Uint8Array, at: number, text: Uint8Array): number {
  for (let i = 0; i < text.length; i++) out[at++] = text[i]!;
  return at;
}

/** Reads the address of the ECS option whose data begins at `from` into {@linkcode SUBNET}, zero-filled. */
function readSubnet(octets: Uint8Array, from: number): void {
  const count = octets[from + 2]! + 7 >> 3;
  // A call of fill() takes longer.
  for (let i = 0; i < 4; i++) SUBNET[i] = 0;
  for (let i = 0; i < count; i++) SUBNET[i >> 2]! |= octets[from + 4 + i]! << (24 - 8 * (i & 3));
}
