/**
 * The queries of each load: octets made once, of which the random part is made anew for every query, so that no cache
 * of whole answers, ours or another server's, has an easier life than on the internet.
 *
 * @module
 */

import { encodeClientSubnet } from "../../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { RCODE, TYPE } from "../../core/dns/types.ts";

/** The kinds of load, in the order of reports. */
export const LOADS = ["static", "geo", "nxdomain"] as const;

/** A kind of load: a name in the zone; a pool's name from a random network each time; random names that do not exist. */
export type LoadName = typeof LOADS[number];

/** Owner names that every server under test has. */
export const STATIC_NAME = "mail.anycast.example", POOL_NAME = "entry.anycast.example";

/** The queries of one load. */
export interface Queries {
  /** Octets of each query. */
  readonly length: number;
  /** Writes the next query, with this message ID. */
  write(into: Uint8Array, at: number, id: number): void;
}

/** The least that a reply must say to be taken for right. */
export interface Expected {
  readonly rcode: number;
  /** Records in the answer section, at least. */
  readonly answers: number;
}

/** What the replies to a load must say. */
export const EXPECTED: Readonly<Record<LoadName, Expected>> = {
  static: { rcode: RCODE.NOERROR, answers: 1 },
  geo: { rcode: RCODE.NOERROR, answers: 1 },
  nxdomain: { rcode: RCODE.NXDOMAIN, answers: 0 },
};

/** What an echo says: nothing. */
export const EXPECTED_OF_ECHO: Expected = { rcode: RCODE.NOERROR, answers: 0 };

/** Random queries; equal for equal seeds, whole numbers above 0. */
export function makeQueries(load: LoadName, seed: number): Queries {
  const random = randomNumbers(seed);
  if (load === "static") return fromTemplate(encode(STATIC_NAME), () => {});
  if (load === "geo") return fromTemplate(encode(POOL_NAME, true), randomNetwork(random));
  return fromTemplate(encode(`${"x".repeat(LABEL_OCTETS)}.anycast.example`), randomLabel(random));
}

const HEADER_OCTETS = 12, LABEL_OCTETS = 12, SUBNET_OCTETS = 3;

function fromTemplate(template: Uint8Array, randomize: (octets: Uint8Array) => void): Queries {
  return {
    length: template.length,
    write(into, at, id) {
      randomize(template);
      into.set(template, at);
      into[at] = id >> 8;
      into[at + 1] = id & 255;
    },
  };
}

/** With EDNS, as resolvers ask; with ECS, it is the last option, and its address the last three octets. */
function encode(name: string, withSubnet = false): Uint8Array {
  const address = { family: 4, octets: Uint8Array.of(192, 0, 2, 0) } as const;
  const options = withSubnet ? [encodeClientSubnet({ address, sourcePrefixLength: SUBNET_OCTETS * 8 })] : [];
  return encodeMessage(makeQuery(0, parseName(name), TYPE.A, { edns: { options } }));
}

/** A /24 of 1.0.0.0 to 223.255.255.255. */
function randomNetwork(random: () => number): (query: Uint8Array) => void {
  return (query) => {
    const at = query.length - SUBNET_OCTETS, number = random();
    query[at] = 1 + (number >>> 16) % 223;
    query[at + 1] = number >>> 8;
    query[at + 2] = number;
  };
}

/** The first label: of letters, none of the zone's. */
function randomLabel(random: () => number): (query: Uint8Array) => void {
  return (query) => {
    let number = 0;
    for (let i = 0; i < LABEL_OCTETS; i++, number >>>= 5) {
      if (i % 6 === 0) number = random();
      query[HEADER_OCTETS + 1 + i] = 0x61 + (number & 31) % 26;
    }
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
