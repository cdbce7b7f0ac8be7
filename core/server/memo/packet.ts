/**
 * Reads a packet where it lies, as far as a memo needs it: who asks what, and in which form. Nothing here allocates.
 *
 * It reads the usual form of a query alone; any other is left to the chain, which knows them all:
 *
 *     header      opcode QUERY, no flag but RD, AD and CD, one question, no record but an OPT
 *     question    class IN, a name that is sound
 *     OPT         directly behind it and at the packet's end: version 0, no flag but DO, sound options,
 *                 one ECS option at most
 *
 * @module
 */

import type { PacketSource } from "../../query.ts";
import { NAME_OCTETS_MAX } from "../../dns/name.ts";
import { NAME_HASH_SEED } from "../../dns/name_hash.ts";
import { CLASS, OPTION, TYPE } from "../../dns/types.ts";

/** What else than the question a reply's octets depend on, packed into {@linkcode Packet.shape}. */
export const SHAPE = Object.freeze({
  RD: 1,
  AD: 2,
  CD: 4,
  EDNS: 8,
  DO: 16,
  /** The packet came over IPv6. */
  SOURCE_IPV6: 32,
  ECS: 64,
  /** The ECS option's family as it came: 0, 1 or 2. */
  ECS_FAMILY_SHIFT: 7,
  ECS_FAMILY_MASK: 3,
  /** How many octets of an address it has: none = the client opts out. */
  ECS_OCTETS_SHIFT: 9,
  ECS_OCTETS_MASK: 31,
});

/** What a query has of options beside ECS, packed into {@linkcode Packet.options}: their octets, and whether there is one of… */
export const OPTIONS = Object.freeze({
  OCTETS_MASK: 0xffff,
  NSID: 1 << 16,
  COOKIE: 1 << 17,
  KEEPALIVE: 1 << 18,
});

const HEADER_OCTETS = 12;

/** The octets of a COOKIE option: a client's alone, or with a server's of 8 to 32 (RFC 7873 section 4). */
const CLIENT_COOKIE = 8, COOKIES_MIN = 16, COOKIES_MAX = 40;

/** An OPT record without options (RFC 6891 section 6.1.2), and what an ECS option has before its address (RFC 7871). */
const OPT_OCTETS = 11, ECS_HEAD_OCTETS = 4;

const LABELS_MAX = 128;

/** The query read last. */
export class Packet {
  /** Which of those that lie beside each other it is. */
  readonly slot: number;
  /** The number of the address and port that were asked. */
  endpoint = 0;
  /** See {@linkcode SHAPE}. */
  shape = 0;
  type = 0;
  /** Where the question ends, from the packet's start. */
  questionEnd = 0;
  /** How many octets the name has. */
  nameOctets = 0;
  /** How many labels, the root not counted. */
  labelCount = 0;
  /** The payload size that the client takes; 0 without EDNS. */
  payload = 0;
  /** See {@linkcode OPTIONS}; 0 = none but, perhaps, ECS. */
  options = 0;
  /** Where the data of its ECS option begins, from the memory's start; 0 = it has none. */
  subnetAt = 0;
  /** The same of its first COOKIE option, and how many octets that has. */
  cookieAt = 0;
  cookieOctets = 0;
  /** The source prefix length of its ECS option. */
  sourcePrefixLength = 0;
  /** The name, folded. */
  readonly name = new Uint8Array(NAME_OCTETS_MAX + 1);
  /** Where each label begins in `name`, the root's last. */
  readonly labelAt = new Uint8Array(LABELS_MAX + 1);
  /** The hash of the name that begins at each label: see `hashName`. */
  readonly hashes = new Int32Array(LABELS_MAX + 1);
  /** The address that the packet came from, as words; of IPv4 the first alone, the others 0. */
  readonly source = new Int32Array(4);
  /** The same of the ECS option, as far as it goes. */
  readonly subnet = new Int32Array(4);

  constructor(slot: number) {
    this.slot = slot;
  }

  /** Reads a packet; false when it is for the chain, and what stands here then means nothing. */
  read(octets: Uint8Array, at: number, length: number, source: PacketSource): boolean {
    if (length < HEADER_OCTETS + 5) return false;
    const upper = octets[at + 2]!, lower = octets[at + 3]!;
    if ((upper & 0xfe) !== 0 || (lower & 0xcf) !== 0) return false;
    // QDCOUNT 1, ANCOUNT and NSCOUNT 0, ARCOUNT 0 or 1.
    if (
      (octets[at + 4]! | octets[at + 6]! | octets[at + 7]! | octets[at + 8]! | octets[at + 9]! |
          octets[at + 10]!) !== 0 || octets[at + 5] !== 1 || octets[at + 11]! > 1
    ) return false;
    const end = at + length, question = this.#readName(octets, at + HEADER_OCTETS, end);
    if (question < 0 || question + 4 > end) return false;
    if (octets[question + 2] !== 0 || octets[question + 3] !== CLASS.IN) return false;
    this.type = octets[question]! << 8 | octets[question + 1]!;
    this.questionEnd = question + 4 - at;
    this.#readSource(source);
    this.shape = (upper & 1) | flagsOf(lower) | (source.family === 6 ? SHAPE.SOURCE_IPV6 : 0);
    this.payload =
      this.options =
      this.subnetAt =
      this.cookieAt =
        0;
    if (octets[at + 11] === 0) return question + 4 === end;
    return this.#readOpt(octets, question + 4, end);
  }

  /** The address that tells where the client is, as `clientAddress` has it; `fromSource` where ECS is left aside. */
  client(fromSource: boolean): Int32Array {
    return fromSource || (this.shape >> SHAPE.ECS_OCTETS_SHIFT & SHAPE.ECS_OCTETS_MASK) === 0
      ? this.source
      : this.subnet;
  }

  /** Whether that is an IPv6 address. */
  clientIsIPv6(fromSource: boolean): boolean {
    const { shape } = this;
    return fromSource || (shape >> SHAPE.ECS_OCTETS_SHIFT & SHAPE.ECS_OCTETS_MASK) === 0
      ? (shape & SHAPE.SOURCE_IPV6) !== 0
      : (shape >> SHAPE.ECS_FAMILY_SHIFT & SHAPE.ECS_FAMILY_MASK) === 2;
  }

  /** Where the name ends, -1 when it is not sound. Labels forwards, then hashes backwards, as `hashName` has them. */
  #readName(octets: Uint8Array, start: number, end: number): number {
    const { name, labelAt, hashes } = this;
    let at = start, count = 0;
    for (;;) {
      if (at >= end) return -1;
      const length = octets[at]!;
      labelAt[count] = at - start;
      if (length === 0) break;
      if (length > 63) return -1;
      count++;
      at += 1 + length;
      if (at - start >= NAME_OCTETS_MAX) return -1;
    }
    const nameOctets = at + 1 - start;
    let hash = NAME_HASH_SEED, i = at - start;
    for (let label = count; label >= 0; label--) {
      for (const first = labelAt[label]!; i >= first; i--) {
        let octet = octets[start + i]!;
        // Lengths are below 64, so that none looks like a letter.
        if (octet >= 0x41 && octet <= 0x5a) octet |= 0x20;
        name[i] = octet;
        hash = Math.imul(hash ^ octet, 0x01000193);
        hash ^= hash >>> 15;
      }
      hashes[label] = hash;
    }
    this.labelCount = count;
    this.nameOctets = nameOctets;
    return at + 1;
  }

  #readSource({ family, words }: PacketSource): void {
    const { source } = this;
    source[0] = words[0]!;
    if (family === 4) {
      source[1] = source[2] = source[3] = 0;
    } else {
      source[1] = words[1]!;
      source[2] = words[2]!;
      source[3] = words[3]!;
    }
  }

  #readOpt(octets: Uint8Array, at: number, end: number): boolean {
    if (at + OPT_OCTETS > end) return false;
    // Owned by the root; the upper bits of an RCODE, a version, and flags other than DO are nothing that is usual.
    if (octets[at] !== 0 || octets[at + 1] !== 0 || octets[at + 2] !== TYPE.OPT) return false;
    if (
      octets[at + 5] !== 0 || octets[at + 6] !== 0 || (octets[at + 7]! & 0x7f) !== 0 || octets[at + 8] !== 0
    ) {
      return false;
    }
    this.payload = octets[at + 3]! << 8 | octets[at + 4]!;
    const rdata = octets[at + 9]! << 8 | octets[at + 10]!;
    if (at + OPT_OCTETS + rdata !== end) return false;
    this.shape |= SHAPE.EDNS | octets[at + 7]! >> 3;
    return rdata === 0 || this.#readOptions(octets, at + OPT_OCTETS, end);
  }

  #readOptions(octets: Uint8Array, at: number, end: number): boolean {
    while (at < end) {
      if (at + 4 > end) return false;
      const code = octets[at]! << 8 | octets[at + 1]!, length = octets[at + 2]! << 8 | octets[at + 3]!;
      const data = at + 4;
      at = data + length;
      if (at > end) return false;
      if (code === OPTION.CLIENT_SUBNET) {
        if (this.subnetAt !== 0 || !this.#readClientSubnet(octets, data, length)) return false;
        continue;
      }
      this.options += 4 + length;
      if (code === OPTION.NSID) this.options |= OPTIONS.NSID;
      else if (code === OPTION.KEEPALIVE) this.options |= OPTIONS.KEEPALIVE;
      else if (code === OPTION.COOKIE && this.cookieAt === 0) {
        if (length !== CLIENT_COOKIE && (length < COOKIES_MIN || length > COOKIES_MAX)) return false;
        this.options |= OPTIONS.COOKIE;
        this.cookieAt = data;
        this.cookieOctets = length;
      }
    }
    return true;
  }

  /** The rules of `decodeClientSubnet`, and a scope of 0. */
  #readClientSubnet(octets: Uint8Array, at: number, length: number): boolean {
    if (length < ECS_HEAD_OCTETS) return false;
    const family = octets[at + 1]!, prefixLength = octets[at + 2]!, count = length - ECS_HEAD_OCTETS;
    if (octets[at] !== 0 || family > 2 || (family === 0 && prefixLength > 0)) return false;
    if (prefixLength > (family === 2 ? 128 : 32) || octets[at + 3] !== 0) return false;
    if (count !== prefixLength + 7 >> 3) return false;
    const spare = -prefixLength & 7;
    if (count > 0 && (octets[at + length - 1]! & (1 << spare) - 1) !== 0) return false;
    const { subnet } = this, first = at + ECS_HEAD_OCTETS;
    subnet[0] =
      subnet[1] =
      subnet[2] =
      subnet[3] =
        0;
    for (let i = 0; i < count; i++) subnet[i >> 2]! |= octets[first + i]! << (24 - 8 * (i & 3));
    this.subnetAt = at;
    this.sourcePrefixLength = prefixLength;
    this.shape |= SHAPE.ECS | family << SHAPE.ECS_FAMILY_SHIFT | count << SHAPE.ECS_OCTETS_SHIFT;
    return true;
  }
}

/** AD and CD, from the fourth octet of a header. */
function flagsOf(octet: number): number {
  return (octet & 0x20 ? SHAPE.AD : 0) | (octet & 0x10 ? SHAPE.CD : 0);
}
