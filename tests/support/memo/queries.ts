/**
 * Packets by chance, for a memo: names that are there and that are not, in all cases, with all that a packet may have beside
 * its question, sound or not. Most come again, from elsewhere.
 *
 * @module
 */

import { OPTION, TYPE } from "../../../core/dns/types.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { Endpoint } from "../../../core/server/arrival.ts";
import type { Chance } from "../random_world.ts";

/** A packet, and between whom. */
export interface RandomQuery {
  readonly octets: Uint8Array;
  readonly source: Endpoint;
  readonly server: Endpoint;
}

/** Where queries come to. */
export const SERVERS: readonly Endpoint[] = ["127.0.0.1", "::1"].map((text) => ({
  address: parseAddress(text)!,
  port: 1053,
}));

/** How many come again. */
const RECENT = 48;

/** Makes packets that ask for `names`, in wire form, and for others near them. */
export class RandomQueries {
  readonly #chance: Chance;
  readonly #names: readonly string[];
  readonly #favourites: readonly string[];
  readonly #hosts: readonly Endpoint[];
  readonly #recent: RandomQuery[] = [];
  #made = 0;

  /** `favourites` are asked for as they stand, and for addresses. */
  constructor(
    chance: Chance,
    names: readonly string[],
    favourites: readonly string[],
    hosts: readonly string[],
  ) {
    this.#chance = chance;
    this.#names = names;
    this.#favourites = favourites;
    this.#hosts = hosts.map((text, i) => ({ address: parseAddress(text)!, port: 1024 + i }));
  }

  next(): RandomQuery {
    const chance = this.#chance;
    const isNew = this.#recent.length < RECENT || chance.is(0.25);
    const made = isNew
      ? {
        octets: this.#packet(),
        source: chance.of(...this.#hosts),
        server: chance.of(SERVERS[0]!, ...SERVERS),
      }
      : this.#again(chance.of(...this.#recent));
    if (isNew) this.#recent[this.#made++ % RECENT] = made;
    return made;
  }

  /** The same question with another ID, at times from elsewhere, in other case, or for a client beside the one before. */
  #again({ octets: before, source, server }: RandomQuery): RandomQuery {
    const chance = this.#chance, octets = before.slice();
    octets[0] = chance.whole(0, 255);
    octets[1] = chance.whole(0, 255);
    if (octets.length > 20 && chance.is(0.3)) {
      const at = chance.whole(13, octets.length - 1), lower = octets[at]! | 0x20;
      if (lower >= 0x61 && lower <= 0x7a) octets[at]! ^= 0x20;
    }
    if (octets.length > 40 && chance.is(0.4)) {
      octets[octets.length - chance.whole(1, 3)] = chance.whole(0, 255);
    }
    return { octets, source: chance.is(0.5) ? source : chance.of(...this.#hosts), server };
  }

  #packet(): Uint8Array {
    const chance = this.#chance, isOdd = chance.is(0.04), isFavourite = chance.is(0.4);
    const opt = chance.is(0.7) ? this.#opt() : [];
    const flags = [chance.of(0, 1, 1), chance.of(0, 0, 0x20, 0x10)];
    if (isOdd && chance.is(0.3)) flags[chance.whole(0, 1)] = chance.whole(0, 255);
    const counts = [0, 1, 0, 0, 0, 0, 0, opt.length > 0 ? 1 : 0];
    if (isOdd && chance.is(0.2)) counts[chance.whole(0, 7)] = chance.of(0, 1, 2);
    const octets = [
      ...[chance.whole(0, 255), chance.whole(0, 255), ...flags, ...counts],
      ...octetsOf(isFavourite ? chance.of(...this.#favourites) : this.#name()),
      ...u16(isFavourite ? chance.of(TYPE.A, TYPE.A, TYPE.AAAA) : this.#type()),
      ...u16(chance.is(0.01) ? chance.of(3, 255) : 1),
      ...opt,
    ];
    if (isOdd && chance.is(0.2)) octets.push(chance.whole(0, 255));
    if (isOdd && chance.is(0.1)) octets.length = chance.whole(0, octets.length);
    if (isOdd && chance.is(0.2)) octets[chance.whole(0, octets.length - 1)] = chance.whole(0, 255);
    return Uint8Array.from(octets);
  }

  #type(): number {
    const { A, AAAA, TXT, MX, NS, SOA, CNAME, DNAME, DS, ANY, SRV, AXFR } = TYPE;
    return this.#chance.of(A, A, A, AAAA, AAAA, TXT, MX, NS, SOA, CNAME, DNAME, DS, ANY, SRV, AXFR, 65400);
  }

  /** One of the names, or one above or below it, at times in mixed case. */
  #name(): string {
    const chance = this.#chance;
    let name = chance.of(...this.#names);
    if (chance.is(0.1) && name.length > 1) name = name.slice(1 + name.charCodeAt(0));
    if (chance.is(0.35)) name = this.#label() + name;
    if (chance.is(0.1)) name = this.#label() + name;
    if (name.length > 255) return "\x01x\0";
    if (!chance.is(0.15)) return name;
    return name.replace(/[a-z]/g, (letter) => chance.is(0.5) ? letter.toUpperCase() : letter);
  }

  /** Few enough that they meet again. */
  #label(): string {
    const chance = this.#chance;
    const label = chance.of(
      "x",
      "y",
      "ns1",
      "www",
      "absent",
      "a\0b",
      "*",
      String(chance.whole(0, 99)),
      "q".repeat(63),
    );
    return String.fromCharCode(label.length) + label;
  }

  #opt(): number[] {
    const chance = this.#chance, isOdd = chance.is(0.04);
    const payload = chance.of(0, 512, 1232, 1232, 4096, 65535, chance.whole(500, 1300));
    const options = [
      ...chance.is(0.75) ? this.#clientSubnet() : [],
      ...chance.is(0.04)
        ? option(chance.of(OPTION.NSID, OPTION.COOKIE, 65001), [1, 2, 3, 4, 5, 6, 7, 8])
        : [],
      ...chance.is(0.02) ? this.#clientSubnet() : [],
    ];
    const ttl = [0, isOdd && chance.is(0.3) ? 1 : 0, chance.of(0, 0x80), isOdd && chance.is(0.3) ? 1 : 0];
    return [0, ...u16(TYPE.OPT), ...u16(payload), ...ttl, ...u16(options.length), ...options];
  }

  /** Of both families and all lengths; a few that are not sound. */
  #clientSubnet(): number[] {
    const chance = this.#chance, isOdd = chance.is(0.04);
    const host = chance.of(...this.#hosts).address, { family } = host;
    const usual = family === 4 ? [0, 8, 16, 24, 24, 24, 32] : [0, 32, 48, 56, 56, 64, 128];
    const length = chance.is(0.7)
      ? chance.of(...usual)
      : chance.whole(0, isOdd ? 140 : 8 * host.octets.length);
    const address = [...host.octets].map((octet) => chance.is(0.2) ? chance.whole(0, 255) : octet);
    const octets = [...address, ...Array(4).fill(0)].slice(0, length + 7 >> 3);
    if (length % 8 > 0 && !(isOdd && chance.is(0.5))) octets[octets.length - 1]! &= 0xff00 >> length % 8;
    const number = chance.is(0.02) ? chance.of(0, 3) : family === 4 ? 1 : 2;
    const scope = isOdd && chance.is(0.3) ? 24 : 0;
    if (isOdd && chance.is(0.3)) octets.push(0);
    return option(OPTION.CLIENT_SUBNET, [...u16(number), length, scope, ...octets]);
  }
}

function option(code: number, data: readonly number[]): number[] {
  return [...u16(code), ...u16(data.length), ...data];
}

function u16(value: number): number[] {
  return [value >>> 8 & 255, value & 255];
}

function octetsOf(name: string): number[] {
  return Array.from(name, (character) => character.charCodeAt(0));
}
