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

/** RFC 7314 and RFC 7830. */
const EXPIRE = 9, PADDING = 12;

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

  /** Learns the cookie that a reply gave, as a client does: the query comes again with it. */
  hear({ octets, source, server }: RandomQuery, reply: Uint8Array | undefined): void {
    const at = cookieAt(octets), given = reply && cookieAt(reply);
    if (!reply || at === undefined || !given || !this.#chance.is(0.5)) return;
    const before = 4 + octets[at - 1]!, cookie = reply.subarray(given - 4, given + reply[given - 1]!);
    const data = octets.length - before + cookie.length, opt = questionEnd(octets);
    const again = new Uint8Array(data);
    again.set(octets.subarray(0, at - 4));
    again.set(cookie, at - 4);
    again.set(octets.subarray(at - 4 + before), at - 4 + cookie.length);
    again.set(u16(data - opt - 11), opt + 9);
    this.#recent[this.#made++ % RECENT] = { octets: again, source, server };
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
      ...chance.is(0.1) ? this.#others() : [],
      ...chance.is(0.7) ? this.#clientSubnet() : [],
      ...chance.is(0.4) ? this.#others() : [],
      ...chance.is(0.02) ? this.#clientSubnet() : [],
      ...chance.is(0.1) ? this.#others() : [],
    ];
    const ttl = [0, isOdd && chance.is(0.3) ? 1 : 0, chance.of(0, 0x80), isOdd && chance.is(0.3) ? 1 : 0];
    return [0, ...u16(TYPE.OPT), ...u16(payload), ...ttl, ...u16(options.length), ...options];
  }

  /** Other options, most of them cookies; a few that are not sound. */
  #others(): number[] {
    const chance = this.#chance;
    const zeroes = (most: number) => Array<number>(chance.of(0, 4, 8, chance.whole(0, most))).fill(0);
    const octets = (count: number) => Array.from({ length: count }, () => chance.whole(0, 255));
    const made = chance.of(
      ...[1, 2, 3].map(() => option(OPTION.COOKIE, octets(chance.of(8, 8, 8, 8, 16, 24, 24, 40, 7, 41, 0)))),
      option(OPTION.NSID, chance.is(0.9) ? [] : zeroes(4)),
      option(PADDING, zeroes(40)),
      option(chance.of(OPTION.KEEPALIVE, EXPIRE, 65001), zeroes(3)),
    );
    if (chance.is(0.01)) made[3]!++;
    return chance.is(0.2) ? [...made, ...this.#others()] : made;
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

function questionEnd(octets: Uint8Array): number {
  let at = 12;
  while (octets[at]! > 0) at += 1 + octets[at]!;
  return at + 5;
}

/** Where the data of the first COOKIE option begins, if the message ends in an OPT record that has one. */
function cookieAt(octets: Uint8Array): number | undefined {
  for (let start = octets.length - 11; start >= 12; start--) {
    if (octets[start] !== 0 || octets[start + 1] !== 0 || octets[start + 2] !== TYPE.OPT) continue;
    if (start + 11 + (octets[start + 9]! << 8 | octets[start + 10]!) !== octets.length) continue;
    for (let at = start + 11; at + 4 <= octets.length; at += 4 + (octets[at + 2]! << 8 | octets[at + 3]!)) {
      if (octets[at] === 0 && octets[at + 1] === OPTION.COOKIE) return at + 4;
    }
  }
  return undefined;
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
