/**
 * Replies that are kept, and which of them is for a packet: found by its question, its shape and what its answer depended on,
 * and held against it octet for octet. Whatever a hash says, a record alone says what it is for.
 *
 * Nothing here allocates when a reply is looked for.
 *
 * @module
 */

import type { NameSet } from "../../dns/name_set.ts";
import { OPTION } from "../../dns/types.ts";
import { TOGETHER_MAX } from "../../net/row_search.ts";
import { type Extra, Extras } from "./extras.ts";
import { Hints } from "./hints.ts";
import { type Packet, SHAPE } from "./packet.ts";
import { EXTRA_MASK, Records, WORD } from "./records.ts";
import { optionAt } from "./reply_octets.ts";
import { Stamps } from "./stamps.ts";
import { isBounded, WAY_OF_ALL, Ways } from "./ways.ts";

/** What {@linkcode WORD.ABSENCE} says of a reply that stands for names spelled in its own case alone. */
export const CASE_BOUND = 0x100;

/** The least that any client takes (RFC 1035 section 4.2.1). */
const PLAIN_OCTETS = 512;

/** How many replies stay in a processor's caches by themselves, about. */
const AT_HAND = 4096;

/** What replies are kept with. */
export interface KeptOptions {
  /** Packets lie at its beginning, records behind them. */
  readonly octets: Uint8Array<ArrayBuffer>;
  /** Where records begin. */
  readonly start: number;
  /** Names of zones: what lies below one of them was not decided above it. */
  readonly zones: NameSet;
  /** Whether a client's payload size is to be kept to. */
  readonly isBounded: boolean;
}

/** What a reply is kept under. */
export interface Place {
  /** The label of the question's name from which on a name must be the same. */
  readonly label: number;
  /** {@linkcode WORD.ABSENCE}. */
  readonly kind: number;
  readonly way: number;
}

/** See the module. */
export class Kept {
  readonly ways = new Ways();
  readonly stamps = new Stamps();
  readonly extras = new Extras();
  readonly records: Records;
  readonly #octets: Uint8Array<ArrayBuffer>;
  readonly #hints = new Hints();
  readonly #zones: NameSet;
  readonly #isBounded: boolean;
  /** How many replies stand for names below one of so many labels. */
  readonly #enclosers = new Uint32Array(129);
  #enclosersCount = 0;
  /** What {@linkcode #makeKey} came to, and how many words the key has. */
  #hash = 0;
  #keyWords = 0;
  readonly #hashes = new Int32Array(TOGETHER_MAX);

  constructor({ octets, start, zones, isBounded }: KeptOptions) {
    this.#octets = octets;
    this.#zones = zones;
    this.#isBounded = isBounded;
    this.records = new Records(octets.buffer, start, (record) => this.#forget(record));
  }

  /** Whether what is looked at for a packet lies in more memory than stays in a processor's caches by itself. */
  get isSpread(): boolean {
    return this.ways.tableCount > 0 || this.records.count >= AT_HAND;
  }

  clear(): void {
    this.records.clear();
    this.stamps.clear();
    this.ways.clear();
    this.#hints.clear();
  }

  /** The record that has the reply to a packet that lies at `at`; 0 = none. */
  find(packet: Packet, at: number, nowMs: number): number {
    const found = this.#lookUp(packet, at, 0, 0, nowMs);
    if (found !== 0 || this.#enclosersCount === 0) return found;
    const { hashes, labelCount, nameOctets } = packet;
    let zone = 0;
    while (zone <= labelCount && !this.#zones.has(hashes[zone]!)) zone++;
    for (let label = 1; label <= zone && label <= labelCount; label++) {
      if (this.#enclosers[labelCount - label] === 0) continue;
      const record = this.#lookUp(packet, at, label, nameOctets, nowMs);
      if (record !== 0) return record;
    }
    return 0;
  }

  /** A packet that has been read is to be found soon: see {@linkcode bring}. */
  expect(packet: Packet): void {
    const question = questionHash(packet, 0, 0), hints = this.#hints.words, hint = this.#hints.at(question);
    if (hints[hint] === question) this.ways.expect(packet, hints[hint + 1 + hints[hint + 1]!]!);
  }

  /**
   * Brings what will be looked at for several packets, `count` of those in `slots`, into a processor's caches: for all of them
   * what is looked at first, then what that leads to, so that they wait for memory together.
   */
  bring(packets: readonly Packet[], slots: Uint8Array, count: number, slotOctets: number): void {
    const hints = this.#hints.words, octets = this.#octets, hashes = this.#hashes;
    this.ways.findExpected();
    for (let i = 0; i < count; i++) {
      const packet = packets[slots[i]!]!, at = slots[i]! * slotOctets, question = questionHash(packet, 0, 0);
      const hint = this.#hints.at(question), isHinted = hints[hint] === question;
      // The way that was added last is the one that most are found by.
      const way = isHinted ? hints[hint + 1 + hints[hint + 1]!]! : WAY_OF_ALL;
      hashes[i] = this.#makeKey(packet, question, way, octets[at]! << 8 | octets[at + 1]!) ? this.#hash : 0;
    }
    this.records.bring(hashes, count);
  }

  /** The same, among replies for the name that begins at `label`, or for names of `absence` octets below it. */
  #lookUp(packet: Packet, at: number, label: number, absence: number, nowMs: number): number {
    const octets = this.#octets, { words, index } = this.records, hints = this.#hints.words;
    const question = questionHash(packet, label, absence);
    const hint = this.#hints.at(question), isHinted = hints[hint] === question;
    const count = isHinted ? hints[hint + 1]! : 1;
    const form = packet.shape | packet.endpoint << 16;
    const id = octets[at]! << 8 | octets[at + 1]!;
    // The newest way first: those before it may be of partitions that are no more.
    for (let i = count - 1; i >= 0; i--) {
      const way = isHinted ? hints[hint + 2 + i]! : WAY_OF_ALL;
      if (!this.#makeKey(packet, question, way, id)) continue;
      const first = this.records.setOf(this.#hash);
      for (let slot = first; slot < first + 8; slot += 2) {
        const record = index[slot + 1]!;
        if (
          record !== 0 && index[slot] === this.#hash && words[record + WORD.FORM] === form &&
          this.#isFor(packet, record, at, label, absence, way) &&
          this.#stands(packet, record, label, absence, way, nowMs)
        ) return record;
      }
    }
    return 0;
  }

  /** Makes the key of the packet's shape and a way; false where the way leads nowhere. */
  #makeKey(packet: Packet, question: number, way: number, id: number): boolean {
    const { shape, options } = packet;
    let hash = mix(question, shape);
    if (options !== 0) hash = mix(hash, options);
    this.#keyWords = 0;
    if (way !== WAY_OF_ALL) {
      const { ways } = this, count = ways.makeKey(packet, way, id);
      if (count < 0) return false;
      this.#keyWords = count;
      hash = mix(hash, way);
      for (let i = 0; i < count; i++) hash = mix(hash, ways.key[i]!);
    }
    this.#hash = hash;
    return true;
  }

  /** Whether a record of the packet's form is for its question and the key made last, octet for octet. */
  #isFor(
    packet: Packet,
    record: number,
    at: number,
    label: number,
    absence: number,
    way: number,
  ): boolean {
    const { words } = this.records, octets = this.#octets;
    const first = packet.labelAt[label]!,
      count = packet.nameOctets - first,
      kept = words[record + WORD.ABSENCE]!;
    if (words[record + WORD.WAY] !== way || words[record + WORD.QUESTION] !== (packet.type | count << 16)) {
      return false;
    }
    if (words[record + WORD.OPTIONS] !== packet.options) return false;
    if (kept !== absence && !(kept === CASE_BOUND && absence === 0)) return false;
    const keyWords = this.#keyWords, { key } = this.ways, keyAt = record + WORD.HEAD;
    for (let i = 0; i < keyWords; i++) if (words[keyAt + i] !== key[i]) return false;
    const nameAt = keyAt + keyWords << 2;
    if (kept === CASE_BOUND) {
      const asked = at + 12;
      for (let i = 0; i < count; i++) if (octets[nameAt + i] !== octets[asked + i]) return false;
      return true;
    }
    const { name } = packet;
    for (let i = 0; i < count; i++) if (octets[nameAt + i] !== name[first + i]) return false;
    return true;
  }

  /** Whether what a record says would be said now, to this packet. */
  #stands(
    packet: Packet,
    record: number,
    label: number,
    absence: number,
    way: number,
    nowMs: number,
  ): boolean {
    const { words, times } = this.records, { current } = this.stamps;
    if (words[record + WORD.STAMP] !== current[words[record + WORD.GROUND]!]) return false;
    if (nowMs < times[record + WORD.MADE >> 1]! || nowMs >= times[record + WORD.UNTIL >> 1]!) return false;
    if (!isBounded(way) && this.#isBounded) {
      const limit = words[record + WORD.LIMIT]!, total = packet.questionEnd + (limit >>> 16);
      if (total > PLAIN_OCTETS && (total > packet.payload || total > (limit & 0xffff))) return false;
    }
    return absence === 0 ||
      standsFor(this.extras.get(words[record + WORD.EXTRA]! & EXTRA_MASK), packet.hashes[label - 1]!);
  }

  /**
   * Keeps the reply to a packet that lay at `at`, where the reply lies by now. What stands in the record's place is no more.
   *
   * @returns Where the record begins, for the rest to be written; 0 = it has no room, or the way leads nowhere for the packet.
   */
  add(packet: Packet, at: number, reply: Uint8Array, { label, kind, way }: Place): number {
    const { questionEnd, shape, type } = packet, { records } = this;
    const first = packet.labelAt[label]!, nameOctets = packet.nameOctets - first;
    const body = reply.length - questionEnd, absence = kind & 0xff;
    const question = questionHash(packet, label, absence), form = shape | packet.endpoint << 16;
    if (body < 0 || reply[5] !== 1) return 0;
    if (!this.#makeKey(packet, question, way, reply[0]! << 8 | reply[1]!)) return 0;
    const keyWords = this.#keyWords;
    this.#dropSame(packet, at, label, absence, way, form);
    const record = records.add(this.#hash, (WORD.HEAD + keyWords << 2) + nameOctets + body);
    if (record === 0) return 0;
    const { words } = records, nameAt = record + WORD.HEAD + keyWords << 2;
    words[record + WORD.FORM] = form;
    words[record + WORD.WAY] = way;
    words[record + WORD.QUESTION] = type | nameOctets << 16;
    words[record + WORD.ABSENCE] = kind;
    words[record + WORD.LIMIT] = body << 16;
    words[record + WORD.EXTRA] = 0;
    words[record + WORD.OPTIONS] = packet.options;
    const subnetAt = (shape & SHAPE.ECS) !== 0 ? optionAt(reply, questionEnd, OPTION.CLIENT_SUBNET) : 0;
    words[record + WORD.FLAGS] = reply[2]! << 8 | reply[3]! |
      (subnetAt > 0 ? subnetAt - questionEnd << 16 : 0);
    words[record + WORD.COUNTS] = reply[6]! << 8 | reply[7]! | reply[8]! << 24 | reply[9]! << 16;
    words[record + WORD.ARCOUNT] = reply[10]! << 8 | reply[11]! | keyWords << 16;
    const octets = this.#octets, { key } = this.ways;
    for (let i = 0; i < keyWords; i++) words[record + WORD.HEAD + i] = key[i]!;
    // Spelled as it was asked where the case matters, which the reply's question has.
    const name = kind === CASE_BOUND ? reply : packet.name, nameFrom = kind === CASE_BOUND ? 12 : first;
    for (let i = 0; i < nameOctets; i++) octets[nameAt + i] = name[nameFrom + i]!;
    // It has been written over its query.
    octets.copyWithin(nameAt + nameOctets, at + questionEnd, at + reply.length);
    if (kind > 0 && kind < CASE_BOUND) {
      this.#enclosers[packet.labelCount - label]!++;
      this.#enclosersCount++;
    }
    this.#hints.add(question, way);
    return record;
  }

  /** Takes away what stands under the key made last: it is no more. */
  #dropSame(packet: Packet, at: number, label: number, absence: number, way: number, form: number): void {
    const { words, index } = this.records, first = this.records.setOf(this.#hash);
    for (let slot = first; slot < first + 8; slot += 2) {
      const record = index[slot + 1]!;
      if (record === 0 || index[slot] !== this.#hash || words[record + WORD.FORM] !== form) continue;
      if (this.#isFor(packet, record, at, label, absence, way)) this.records.drop(record);
    }
  }

  /** A record goes: so does what was kept beside it. */
  #forget(record: number): void {
    const { words } = this.records, octets = this.#octets, absence = words[record + WORD.ABSENCE]!;
    this.extras.remove(words[record + WORD.EXTRA]! & EXTRA_MASK);
    if (absence === 0 || absence === CASE_BOUND) return;
    const nameAt = record + WORD.HEAD + (words[record + WORD.ARCOUNT]! >>> 16) << 2;
    let labels = 0;
    for (let at = nameAt; octets[at] !== 0; at += 1 + octets[at]!) labels++;
    this.#enclosers[labels]!--;
    this.#enclosersCount--;
  }
}

/** The hash of a question about the name that begins at a label, or about names of `absence` octets below it. */
function questionHash({ hashes, type, endpoint }: Packet, label: number, absence: number): number {
  const hash = mix(hashes[label]!, type | endpoint << 16);
  return absence === 0 ? hash : mix(hash, absence);
}

/** Whether a reply stands for names that begin so below the name at which it was decided. */
function standsFor({ existing, exceptions }: Extra, nextCloser: number): boolean {
  for (let i = 0; i < exceptions.length; i++) if (exceptions[i] === nextCloser) return false;
  return existing === undefined || !existing.has(nextCloser);
}

function mix(hash: number, word: number): number {
  hash = Math.imul(hash ^ word, 0x2c1b3c6d);
  return hash ^ hash >>> 15;
}
