/**
 * Lines made as octets, for replies that are repeated: what is the same in all of them is copied, the rest is read off the
 * query where it lies. No line makes an object.
 *
 * Many replies have the same line but for what is read off the query, so that one prepared line serves them all.
 *
 * @module
 */

import { locate } from "../../core/fleet/locate.ts";
import type { Geography, Location } from "../../core/fleet/place.ts";
import type { Address, LineOctets, RepeatedQuery } from "../../core/plugin.ts";
import { findNetwork, valueAt } from "../../core/net/network_table.ts";
import { TimeWriter, writeIPv4, writeIPv6, writeName, writeNumber } from "./octets.ts";
import { HOLE, type Piece } from "./pieces.ts";
import type { Sampler } from "./sampler.ts";

/** The most that a hole has, names and places aside, and the most that becomes of an octet of a name. */
const HOLE_OCTETS_MAX = 64, NAME_OCTET_MAX = 5;

/** How many places a line knows the text of, until it begins anew. */
const PLACES_MAX = 4096;

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
  if ("hole" in piece) return `\x01${piece.hole}`;
  return `\x02${piece.place(undefined)}\x01${piece.place(SOMEWHERE)}`;
}

const SOMEWHERE: Location = {
  network: { family: 4, octets: new Uint8Array(4), length: 0 },
  place: { latitude: 12.345, longitude: 67.89, country: "", subdivision: "" },
  placeId: 1,
  source: "",
  special: false,
};

type PlaceText = (location: Location | undefined) => string;

const encoder = new TextEncoder();

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
  readonly #places: readonly PlaceText[];
  /** By place: what stands in the holes for it, each behind the other, and where each ends. */
  readonly #placed = new Map<number, { readonly octets: Uint8Array; readonly ends: readonly number[] }>();
  readonly #time = new TimeWriter();
  readonly #address4: Address = { family: 4, octets: new Uint8Array(4) };
  readonly #address6: Address = { family: 6, octets: new Uint8Array(16) };
  readonly #subnet = new Uint32Array(4);

  constructor(pieces: readonly Piece[], { lines, sampler, geography, bySubnet }: LineOptions) {
    [this.#lines, this.#sampler, this.#bySubnet, this.geography] = [lines, sampler, bySubnet, geography];
    let text = "";
    const ends: number[] = [], holes: number[] = [], places: PlaceText[] = [];
    for (const piece of pieces) {
      if (typeof piece === "string") {
        text += piece;
        continue;
      }
      ends.push(encoder.encode(text).length);
      holes.push("hole" in piece ? piece.hole : HOLE.PLACE);
      if ("place" in piece) places.push(piece.place);
    }
    this.#text = encoder.encode(text);
    [this.#ends, this.#holes, this.#places] = [ends, holes, places];
    this.#nameHoles = holes.filter((hole) => hole === HOLE.NAME || hole === HOLE.NAME_IN_JSON).length;
  }

  /** Writes the line of a query that was given the reply. */
  readonly write = (query: RepeatedQuery): void => {
    if (!this.#sampler.next()) return;
    const { octets, at: start, source } = query, text = this.#text, ends = this.#ends, holes = this.#holes;
    let end = start + 12;
    while (octets[end]! > 0) end += 1 + octets[end]!;
    // Behind the name are its type and class, then perhaps an OPT record.
    const opt = end + 5, { subnetAt } = query;
    const placed = this.#places.length > 0 ? this.#placedFor(query) : undefined;
    const room = text.length + HOLE_OCTETS_MAX * holes.length +
      NAME_OCTET_MAX * this.#nameHoles * (end - start) + (placed ? placed.octets.length : 0);
    const lines = this.#lines;
    let at = lines.reserve(room);
    if (at < 0) return;
    const out = lines.octets;
    let done = 0, placesDone = 0, placedDone = 0;
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
          at = this.#time.write(out, at, query.nowMs);
          break;
        case HOLE.SUBNET:
          this.#readSubnet(octets, subnetAt);
          at = octets[subnetAt + 1] === 2
            ? writeIPv6(out, at, this.#subnet)
            : writeIPv4(out, at, this.#subnet[0]!);
          out[at++] = 0x2f;
          at = writeNumber(out, at, octets[subnetAt + 2]!);
          break;
        default:
          for (const to = placed!.ends[placesDone++]!; placedDone < to; placedDone++) {
            out[at++] = placed!.octets[placedDone]!;
          }
      }
    }
    for (; done < text.length; done++) out[at++] = text[done]!;
    lines.commit(at);
  };

  /** The address of the ECS option whose data begins at `from`, zero-filled, as words. */
  #readSubnet(octets: Uint8Array, from: number): void {
    const words = this.#subnet, count = octets[from + 2]! + 7 >> 3;
    words.fill(0);
    for (let i = 0; i < count; i++) words[i >> 2]! |= octets[from + 4 + i]! << (24 - 8 * (i & 3));
  }

  /** What follows from where the client is. */
  #placedFor(query: RepeatedQuery) {
    const { geography } = this;
    let address = this.#address4, id = 0;
    if (geography) {
      address = this.#clientOf(query);
      const table = address.family === 4 ? geography.v4 : geography.v6;
      id = valueAt(table, findNetwork(table, address.octets));
    }
    return this.#placed.get(id) ?? this.#place(id, geography && locate(geography, address));
  }

  #clientOf({ octets, source, subnetAt }: RepeatedQuery): Address {
    const bySubnet = this.#bySubnet && subnetAt > 0 && octets[subnetAt + 2]! > 0;
    if (bySubnet) this.#readSubnet(octets, subnetAt);
    const isIPv6 = bySubnet ? octets[subnetAt + 1] === 2 : source.family === 6;
    const address = isIPv6 ? this.#address6 : this.#address4, words = bySubnet ? this.#subnet : source.words;
    const into = address.octets;
    for (let i = 0; i < into.length; i++) into[i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
    return address;
  }

  #place(id: number, location: Location | undefined) {
    if (this.#placed.size >= PLACES_MAX) this.#placed.clear();
    let text = "";
    const ends = this.#places.map((place) => encoder.encode(text += place(location)).length);
    const placed = { octets: encoder.encode(text), ends };
    this.#placed.set(id, placed);
    return placed;
  }
}
