/**
 * The queries of each load: octets made once, and the part of them that is another one in every query, so that no cache of
 * whole answers, ours or another server's, has an easier life than on the internet.
 *
 * @module
 */

import { encodeClientSubnet } from "../../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { RCODE, TYPE } from "../../core/dns/types.ts";
import { hostLabel, NAMES, POOL_NAME, ZONE } from "./fleet.ts";

/** The kinds of query. */
export const QUERY_KINDS = ["name", "recursive", "absent", "unheard", "pool4", "pool6"] as const;

/**
 * - `name`: one of the zone's names, as resolvers ask servers; `recursive`: as others ask resolvers, with RD set.
 * - `absent`: a name that is not there; `unheard`: the same with RD set, which a resolver must ask others for each time.
 * - `pool4`, `pool6`: the pool's name, for a client in a random /24, or in a random /56 of the networks in use.
 */
export type QueryKind = typeof QUERY_KINDS[number];

/** What differs between queries. */
export interface Variation {
  readonly kind: "letters" | "number" | "network4" | "network6";
  /** Where, in octets. */
  readonly at: number;
  readonly length: number;
  /** Of numbers: how many there are. */
  readonly count: number;
}

/** The queries of one kind, and the least that a reply must say to be taken for right. */
export interface Query {
  readonly octets: Uint8Array;
  readonly varies: Variation;
  readonly rcode: number;
  /** Records in the answer section, at least. */
  readonly answers: number;
}

const HEADER_OCTETS = 12, LABEL_OCTETS = 12;

/** The queries of a kind. All have EDNS, as resolvers ask. */
export function queryOf(kind: QueryKind): Query {
  const found = { rcode: RCODE.NOERROR, answers: 1 };
  // Behind the header, and the octet that says how long a label is; of `w000` behind the letter.
  const label = HEADER_OCTETS + 1;
  switch (kind) {
    case "name":
    case "recursive":
      return {
        octets: encode(`${hostLabel(0)}.${ZONE}`, { recursionDesired: kind === "recursive" }),
        varies: { kind: "number", at: label + 1, length: 3, count: NAMES },
        ...found,
      };
    case "absent":
    case "unheard":
      return {
        octets: encode(`${"x".repeat(LABEL_OCTETS)}.${ZONE}`, { recursionDesired: kind === "unheard" }),
        varies: { kind: "letters", at: label, length: LABEL_OCTETS, count: 0 },
        rcode: RCODE.NXDOMAIN,
        answers: 0,
      };
    case "pool4":
      return poolQuery(4, 3);
    case "pool6":
      return poolQuery(6, 7);
  }
}

/** With ECS; it is the last option, and its address the last octets. */
function poolQuery(family: 4 | 6, octetsOfNetwork: 3 | 7): Query {
  const address = family === 4
    ? { family, octets: Uint8Array.of(192, 0, 2, 0) } as const
    : { family, octets: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 1, ...new Uint8Array(9)) } as const;
  const subnet = encodeClientSubnet({ address, sourcePrefixLength: octetsOfNetwork * 8 });
  const octets = encode(POOL_NAME, { edns: { options: [subnet] } });
  const kind = family === 4 ? "network4" : "network6";
  return {
    octets,
    varies: { kind, at: octets.length - octetsOfNetwork, length: octetsOfNetwork, count: 0 },
    rcode: RCODE.NOERROR,
    answers: 1,
  };
}

function encode(name: string, options: Parameters<typeof makeQuery>[3] = {}): Uint8Array {
  return encodeMessage(makeQuery(0, parseName(name), TYPE.A, { edns: {}, ...options }));
}

/** Writes queries into memory; equal ones for equal seeds, whole numbers above 0. */
export function queryWriter(
  { octets, varies }: Query,
  seed: number,
  networks6: Uint8Array = new Uint8Array(17),
): (into: Uint8Array, at: number, id: number) => void {
  const random = randomNumbers(seed), template = octets.slice();
  const vary = variers(varies, random, networks6)[varies.kind];
  return (into, at, id) => {
    vary(template.subarray(varies.at, varies.at + varies.length));
    into.set(template, at);
    into[at] = id >> 8;
    into[at + 1] = id & 255;
  };
}

function variers(
  { count }: Variation,
  random: () => number,
  networks6: Uint8Array,
): Record<Variation["kind"], (part: Uint8Array) => void> {
  return {
    letters(part) {
      for (let i = 0, number = 0; i < part.length; i++, number >>>= 5) {
        if (i % 6 === 0) number = random();
        part[i] = 0x61 + (number & 31) % 26;
      }
    },
    number(part) {
      let number = random() % count;
      for (let i = part.length - 1; i >= 0; i--, number = Math.floor(number / 10)) {
        part[i] = 0x30 + number % 10;
      }
    },
    /** A /24 of 1.0.0.0 to 223.255.255.255. */
    network4(part) {
      const number = random();
      part.set([1 + (number >>> 16) % 223, number >>> 8 & 255, number & 255]);
    },
    /** A network of the list, and what it leaves open at random. */
    network6(part) {
      const from = random() % (networks6.length / 17) * 17, length = networks6[from + 16]!;
      for (let i = 0; i < part.length; i++) {
        const open = Math.min(8, Math.max(0, 8 * (i + 1) - length));
        part[i] = networks6[from + i]! | random() & (1 << open) - 1;
      }
    },
  };
}

/** Marsaglia's xorshift, 32 bit. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
