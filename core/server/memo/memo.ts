/**
 * Answers packets where they lie: from what the chain said before, where the same octets would be said again, else by asking
 * the chain, and remembering what it says.
 *
 *     packet ──▶ read ──▶ find ──▶ stands, fits, is let through ──▶ written over the query, counted
 *                  └─────────┴──▶ examine ──▶ written over the query, remembered where it may be
 *
 * Written for speed: a repeated reply makes no object, and no garbage. `Packet` has what was read of the packet under way,
 * `Ways` the key made last.
 *
 * @module
 */

import type { Address } from "../../net/address.ts";
import type { CookieState, PacketSource } from "../../query.ts";
import { isWithin } from "../../dns/name.ts";
import { Copies } from "../../dns/copies.ts";
import { NameSet } from "../../dns/name_set.ts";
import { OPTION, TYPE } from "../../dns/types.ts";
import type { Answer, RRset } from "../../answer.ts";
import { PluginFault, type Sample } from "../../chain.ts";
import type { Log } from "../../plugin.ts";
import type { Snapshot } from "../../snapshot.ts";
import type { Answering } from "../answering.ts";
import type { Arrival, Endpoint } from "../arrival.ts";
import { type Outcome, type Repeatable, repeatedContext } from "../exchange.ts";
import { type InPlace, LATER, SILENT, SLOT_OCTETS } from "../in_place.ts";
import type { SnapshotChanges } from "../snapshot_changes.ts";
import { Absences } from "./absence.ts";
import { affectedBy } from "./dropping.ts";
import { type Extra, extraOf, Extras } from "./extras.ts";
import { Hints } from "./hints.ts";
import { OPTIONS, Packet, SHAPE } from "./packet.ts";
import { Records, WORD } from "./records.ts";
import { countDown, optionAt } from "./reply_octets.ts";
import { Stamps } from "./stamps.ts";
import { Tallies } from "./tallies.ts";
import { isBounded, WAY_OF_ALL, Ways } from "./ways.ts";

/** What a memo works with. */
export interface MemoOptions {
  readonly answering: Pick<Answering, "examine" | "blocks">;
  readonly log: Pick<Log, "error">;
  /** How many packets lie in its memory at a time, each in a slot. */
  readonly slots: number;
  /** Octets for replies that are remembered: 8 MiB by default. */
  readonly memoOctets?: number;
  /** For messages of streams: how one came. Their replies are as long as they are, whatever a client takes by UDP. */
  readonly arrivalOf?: (source: PacketSource) => Arrival;
  /**
   * Takes a query whose reply must wait, belongs to another isolate (`deferred`), or has no room in a slot. The octets are a
   * copy.
   */
  later(octets: Uint8Array, arrival: Arrival, outcome: Outcome | Promise<Outcome>): void;
}

/** What {@linkcode WORD.ABSENCE} says of a reply that stands for names spelled in its own case alone. */
const CASE_BOUND = 0x100;

const MEMO_OCTETS = 8 << 20;

/** How {@linkcode WORD.EXTRA} is divided. */
const EXTRA_BITS = 24, EXTRA_MASK = (1 << EXTRA_BITS) - 1;

/** How many addresses and ports queries may come to, until all is forgotten. */
const ENDPOINTS_MAX = 4096;

/** How many addresses are kept as objects; a power of two. */
const SOURCES = 256;

/** The least that any client takes (RFC 1035 section 4.2.1). */
const PLAIN_OCTETS = 512;

/** See the module. */
export class Memo implements InPlace {
  readonly octets: Uint8Array;
  /** Replies that were repeated, and packets that the chain was asked for, since the start. */
  hits = 0;
  misses = 0;
  readonly #options: MemoOptions;
  readonly #packet = new Packet();
  readonly #ways = new Ways();
  readonly #hints = new Hints();
  readonly #stamps = new Stamps();
  readonly #tallies = new Tallies();
  readonly #extras = new Extras();
  readonly #records: Records;
  /** Names of zones: what lies below one of them was not decided above it. */
  readonly #zones: NameSet;
  /** How many replies stand for names below one of so many labels. */
  readonly #enclosers = new Uint32Array(129);
  #enclosersCount = 0;
  readonly #endpoints = new Map<Endpoint, number>();
  #latestServer: Endpoint | undefined;
  #latestEndpoint = 0;
  #latestAsked: Repeatable["asked"] | undefined;
  #latestKeys: readonly string[] = [];
  readonly #absences = new Absences();
  /** What {@linkcode #keyHash} came to, and how many words the key has. */
  #hash = 0;
  #keyWords = 0;
  readonly #repeated;
  readonly #copies = new Copies();
  /** Addresses that packets came from lately, by hash. */
  readonly #sources: (Address | undefined)[] = Array(SOURCES).fill(undefined);
  readonly #address4: Address = { family: 4, octets: new Uint8Array(4) };
  readonly #address6: Address = { family: 6, octets: new Uint8Array(16) };

  constructor(options: MemoOptions) {
    this.#options = options;
    const { slots, memoOctets = MEMO_OCTETS, answering } = options;
    this.octets = new Uint8Array(slots * SLOT_OCTETS + (memoOctets & ~7));
    const buffer = this.octets.buffer as ArrayBuffer;
    this.#records = new Records(buffer, slots * SLOT_OCTETS, (record) => this.#forget(record));
    const zones = answering.blocks.flatMap(({ facts }) => [...facts.zones, ...facts.dataZones]);
    this.#zones = new NameSet(zones, zones.length);
    const source: PacketSource = { family: 4, words: new Uint32Array(4), port: 0, server: NOWHERE };
    this.#repeated = {
      octets: this.octets,
      at: 0,
      length: 0,
      subnetAt: 0,
      source,
      nowMs: 0.5,
      replyOctets: 0,
      scopePrefixLength: 0,
    };
  }

  /** How many replies are remembered, or were and lie there still. */
  get size(): number {
    return this.#records.count;
  }

  answer(at: number, length: number, source: PacketSource, nowMs: number): number {
    const isUsual = this.#packet.read(this.octets, at, length, source) &&
      // How long a connection may be idle is told to who asks over one, and is not the same for all.
      (this.#options.arrivalOf === undefined || (this.#packet.options & OPTIONS.KEEPALIVE) === 0);
    if (isUsual) {
      const record = this.#find(at, source, nowMs);
      if (record !== 0 && this.#isLetThrough(record, source, nowMs)) {
        this.hits++;
        return this.#repeat(record, at, length, source, nowMs);
      }
    }
    this.misses++;
    return this.#ask(at, length, source, nowMs, isUsual);
  }

  /** Tells metrics what was repeated since it was last called. */
  harvest(): void {
    this.#tallies.harvest();
  }

  /** Forgets what a new snapshot may have changed; `before` is the one before. To be called before the next packet. */
  dropFor(changes: SnapshotChanges, before: Snapshot): void {
    const isAffected = affectedBy(changes, before);
    if (isAffected) this.#stamps.end(isAffected);
    else this.drop();
  }

  /** Forgets everything. */
  drop(): void {
    this.#records.clear();
    this.#stamps.clear();
    this.#hints.clear();
    this.#ways.clear();
    this.#tallies.clear();
    this.#endpoints.clear();
    this.#latestServer = undefined;
  }

  /** The record that has the reply to the packet; 0 = none. */
  #find(at: number, source: PacketSource, nowMs: number): number {
    const packet = this.#packet, endpoint = this.#endpointOf(source.server);
    const found = this.#lookUp(at, 0, 0, endpoint, nowMs);
    if (found !== 0 || this.#enclosersCount === 0) return found;
    const { hashes, labelCount, nameOctets } = packet;
    let zone = 0;
    while (zone <= labelCount && !this.#zones.has(hashes[zone]!)) zone++;
    for (let label = 1; label <= zone && label <= labelCount; label++) {
      if (this.#enclosers[labelCount - label] === 0) continue;
      const record = this.#lookUp(at, label, nameOctets, endpoint, nowMs);
      if (record !== 0) return record;
    }
    return 0;
  }

  /** The same, among replies for the name that begins at `label`, or for names of `absence` octets below it. */
  #lookUp(at: number, label: number, absence: number, endpoint: number, nowMs: number): number {
    const { octets } = this, { words, index } = this.#records, hints = this.#hints.words;
    const question = this.#questionHash(label, absence, endpoint);
    const hint = this.#hints.at(question), isHinted = hints[hint] === question;
    const count = isHinted ? hints[hint + 1]! : 1;
    const form = this.#packet.shape | endpoint << 16;
    const id = octets[at]! << 8 | octets[at + 1]!;
    for (let i = 0; i < count; i++) {
      const way = isHinted ? hints[hint + 2 + i]! : WAY_OF_ALL;
      if (!this.#makeKey(question, way, id)) continue;
      const first = this.#records.setOf(this.#hash);
      for (let slot = first; slot < first + 8; slot += 2) {
        const record = index[slot + 1]!;
        if (
          record !== 0 && index[slot] === this.#hash && words[record + WORD.FORM] === form &&
          this.#isFor(record, at, label, absence, way) && this.#stands(record, label, absence, way, nowMs)
        ) return record;
      }
    }
    return 0;
  }

  #questionHash(label: number, absence: number, endpoint: number): number {
    const { hashes, type } = this.#packet;
    const hash = mix(hashes[label]!, type | endpoint << 16);
    return absence === 0 ? hash : mix(hash, absence);
  }

  /** Makes the key of the packet's shape and a way; false where the way leads nowhere. */
  #makeKey(question: number, way: number, id: number): boolean {
    const { shape, options } = this.#packet;
    let hash = mix(question, shape);
    if (options !== 0) hash = mix(hash, options);
    this.#keyWords = 0;
    if (way !== WAY_OF_ALL) {
      const ways = this.#ways, count = ways.makeKey(this.#packet, way, id);
      if (count < 0) return false;
      this.#keyWords = count;
      hash = mix(hash, way);
      for (let i = 0; i < count; i++) hash = mix(hash, ways.key[i]!);
    }
    this.#hash = hash;
    return true;
  }

  /** Whether a record of the packet's form is for its question and the key made last, octet for octet. */
  #isFor(record: number, at: number, label: number, absence: number, way: number): boolean {
    const { words } = this.#records, { octets } = this, packet = this.#packet;
    const first = packet.labelAt[label]!,
      count = packet.nameOctets - first,
      kept = words[record + WORD.ABSENCE]!;
    if (words[record + WORD.WAY] !== way || words[record + WORD.QUESTION] !== (packet.type | count << 16)) {
      return false;
    }
    if (words[record + WORD.OPTIONS] !== packet.options) return false;
    if (kept !== absence && !(kept === CASE_BOUND && absence === 0)) return false;
    const keyWords = this.#keyWords, { key } = this.#ways, keyAt = record + WORD.HEAD;
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
  #stands(record: number, label: number, absence: number, way: number, nowMs: number): boolean {
    const { words, times } = this.#records, packet = this.#packet, { current } = this.#stamps;
    if (words[record + WORD.STAMP] !== current[words[record + WORD.GROUND]!]) return false;
    if (nowMs < times[record + WORD.MADE >> 1]! || nowMs >= times[record + WORD.UNTIL >> 1]!) return false;
    if (!isBounded(way) && this.#options.arrivalOf === undefined) {
      const limit = words[record + WORD.LIMIT]!, total = packet.questionEnd + (limit >>> 16);
      if (total > PLAIN_OCTETS && (total > packet.payload || total > (limit & 0xffff))) return false;
    }
    return absence === 0 ||
      this.#standsFor(this.#extras.get(words[record + WORD.EXTRA]! & EXTRA_MASK), packet.hashes[label - 1]!);
  }

  /** Whether a reply stands for names that begin so below the name at which it was decided. */
  #standsFor({ existing, exceptions }: Extra, nextCloser: number): boolean {
    for (let i = 0; i < exceptions.length; i++) if (exceptions[i] === nextCloser) return false;
    return existing === undefined || !existing.has(nextCloser);
  }

  #isLetThrough(record: number, source: PacketSource, nowMs: number): boolean {
    const number = this.#records.words[record + WORD.EXTRA]! & EXTRA_MASK;
    if (number === 0) return true;
    const { gates, cookies } = this.#extras.get(number);
    if (gates.length === 0 && cookies === undefined) return true;
    const address = this.#addressOf(source);
    let cookie: CookieState | undefined = "absent";
    if (cookies !== undefined) {
      const { cookieAt, cookieOctets } = this.#packet;
      cookie = cookies.judge(this.octets, cookieAt, cookieOctets, address, nowMs);
      if (cookie === undefined) return false;
    }
    for (let i = 0; i < gates.length; i++) if (!gates[i]!(address, nowMs, cookie)) return false;
    return true;
  }

  /** Writes the reply over the query. */
  #repeat(record: number, at: number, length: number, source: PacketSource, nowMs: number): number {
    const { octets } = this, { words } = this.#records, packet = this.#packet;
    const body = words[record + WORD.LIMIT]! >>> 16, total = packet.questionEnd + body;
    const beside = words[record + WORD.EXTRA]!, number = beside & EXTRA_MASK;
    const extra = number === 0 ? undefined : this.#extras.get(number);
    if (extra !== undefined) this.#tell(extra, at, length, source, nowMs, total, beside >>> EXTRA_BITS);
    // Whoever hears of it with a whole context does so when the reply stands where the query stood.
    const query = extra !== undefined && extra.observers.length > 0
      ? octets.slice(at, at + length)
      : undefined;
    this.#tallies.owed[words[record + WORD.TALLY]!]!++;
    const flags = words[record + WORD.FLAGS]!, counts = words[record + WORD.COUNTS]!;
    const ends = words[record + WORD.ARCOUNT]!;
    octets[at + 2] = flags >>> 8;
    octets[at + 3] = flags;
    octets[at + 6] = counts >>> 8;
    octets[at + 7] = counts;
    octets[at + 8] = counts >>> 24;
    octets[at + 9] = counts >>> 16;
    octets[at + 10] = ends >>> 8;
    octets[at + 11] = ends;
    const to = at + packet.questionEnd;
    const from = (record + WORD.HEAD + (ends >>> 16) << 2) + (words[record + WORD.QUESTION]! >>> 16);
    // A call costs as much as to copy some dozens of octets one by one.
    if (body > 96) octets.copyWithin(to, from, from + body);
    else for (let i = 0; i < body; i++) octets[to + i] = octets[from + i]!;
    if (flags >>> 16 !== 0) this.#writeClientSubnet(to + (flags >>> 16));
    if (extra !== undefined) {
      this.#countDown(extra, record, at, nowMs);
      if (extra.cookies !== undefined) extra.cookies.write(octets, to + extra.cookieAt);
      if (query !== undefined) this.#observe(extra, query, octets.slice(at, at + total), source, nowMs);
    }
    return total;
  }

  /** Source prefix and address as they came, into the ECS option whose data begins at `at`. */
  #writeClientSubnet(at: number): void {
    const { octets } = this, { shape, subnet, sourcePrefixLength } = this.#packet;
    const count = shape >> SHAPE.ECS_OCTETS_SHIFT & SHAPE.ECS_OCTETS_MASK;
    octets[at + 2] = sourcePrefixLength;
    for (let i = 0; i < count; i++) octets[at + 4 + i] = subnet[i >> 2]! >>> (24 - 8 * (i & 3));
  }

  #countDown({ agingSinceMs }: Extra, record: number, at: number, nowMs: number): void {
    if (agingSinceMs === undefined) return;
    const madeMs = this.#records.times[record + WORD.MADE >> 1]!;
    const seconds = Math.floor((nowMs - agingSinceMs) / 1000) - Math.floor((madeMs - agingSinceMs) / 1000);
    if (seconds > 0) countDown(this.octets, at, this.#packet.questionEnd, seconds);
  }

  /** Lets plugins hear of a query, while it still lies there. */
  #tell(
    { repeaters }: Extra,
    at: number,
    length: number,
    source: PacketSource,
    nowMs: number,
    total: number,
    scope: number,
  ): void {
    if (repeaters.length === 0) return;
    const repeated = this.#repeated;
    repeated.at = at;
    repeated.length = length;
    repeated.subnetAt = this.#packet.subnetAt;
    repeated.source = source;
    repeated.nowMs = nowMs;
    repeated.replyOctets = total;
    repeated.scopePrefixLength = scope;
    for (let i = 0; i < repeaters.length; i++) repeaters[i]!(repeated);
  }

  /** The slow way, for plugins that make no repeater; query and reply are theirs. */
  #observe(
    { observers, repeatable }: Extra,
    query: Uint8Array,
    message: Uint8Array,
    source: PacketSource,
    nowMs: number,
  ): void {
    const { answer, sent } = repeatable!;
    const context = repeatedContext(repeatable!, query, this.#arrivalOf(source), nowMs);
    if (!context) return;
    for (const plugin of observers) {
      try {
        plugin.observe!(context, answer, { ...sent, octets: message.length, durationMs: 0, message });
      } catch (error) {
        repeatable!.fault(plugin.name, "observing a repeated reply", error);
      }
    }
  }

  /** Asks the chain, which has the packet to itself. */
  #ask(at: number, length: number, source: PacketSource, nowMs: number, isUsual: boolean): number {
    const octets = this.#copies.take(this.octets, at, length), arrival = this.#arrivalOf(source);
    const outcome = this.#options.answering.examine(octets, arrival);
    if (outcome instanceof Promise || outcome.deferred || (outcome.octets?.length ?? 0) > SLOT_OCTETS) {
      this.#options.later(octets.slice(), arrival, outcome);
      return LATER;
    }
    if (!outcome.octets) return SILENT;
    this.octets.set(outcome.octets, at);
    if (isUsual && outcome.repeatable) this.#remember(outcome.repeatable, at, source, nowMs);
    return outcome.octets.length;
  }

  /** Keeps a reply that the packet read last was given, where it may be kept. */
  #remember(repeatable: Repeatable, at: number, source: PacketSource, nowMs: number): void {
    const { answer, reply, context, block } = repeatable, { untilMs = Infinity } = answer.dependence;
    const standsUntilMs = Math.min(untilMs, answer.aging?.untilMs ?? Infinity);
    if (!mayBeKept(answer) || standsUntilMs <= nowMs) return;
    if (this.#packet.options !== 0 && repeatable.asked.some(({ readsOptions }) => readsOptions)) return;
    const cookieAt = this.#cookieIn(repeatable);
    if (cookieAt < 0) return;
    if (this.#ways.isFull || this.#stamps.isFull || this.#tallies.isFull) this.drop();
    const knowsPlaces = context.snapshot.geographies[block.facts.key] !== undefined;
    const way = this.#ways.wayOf(this.#packet, answer, reply.isComplete, knowsPlaces);
    const samples = way !== undefined && this.#samplesOf(repeatable);
    if (!samples) return;
    const absence = this.#absenceOf(repeatable), label = absence?.label ?? 0;
    const endpoint = this.#endpointOf(source.server), absent = absence ? this.#packet.nameOctets : 0;
    const question = this.#questionHash(label, absent, endpoint);
    if (!this.#makeKey(question, way, context.messageId)) return;
    const extra = this.#extraOf(repeatable, absence, cookieAt);
    if (extra === null) return;
    const madeMs = standsUntilMs === Infinity ? -Infinity : Math.min(nowMs, context.nowMs);
    const kind = absent > 0 ? absent : isBoundToCase(answer) ? CASE_BOUND : 0;
    const record = this.#write(reply.octets, label, kind, way, endpoint, at);
    if (record === 0) return;
    this.#hints.add(question, way);
    const { words, times } = this.#records;
    const ground = this.#stamps.numberOf({
      blocks: this.#keysOf(repeatable.asked),
      pools: answer.dependence.pools ?? NO_POOLS,
      watches: mayBeWatched(answer),
      volatile: standsUntilMs - context.nowMs <= 1000,
    });
    words[record + WORD.GROUND] = ground;
    words[record + WORD.STAMP] = this.#stamps.current[ground]!;
    words[record + WORD.LIMIT]! |= Math.min(0xffff, reply.ownLimit);
    words[record + WORD.TALLY] = this.#tallies.numberOf(samples);
    words[record + WORD.EXTRA] = extra
      ? this.#extras.add(extra) | answer.dependence.scopePrefixLength << EXTRA_BITS
      : 0;
    times[record + WORD.MADE >> 1] = madeMs;
    times[record + WORD.UNTIL >> 1] = standsUntilMs;
  }

  /** Writes what a record has of question, key and reply; returns where it begins, 0 = it has no room. */
  #write(reply: Uint8Array, label: number, kind: number, way: number, endpoint: number, at: number): number {
    const packet = this.#packet, { questionEnd, shape, type } = packet, records = this.#records;
    const first = packet.labelAt[label]!, nameOctets = packet.nameOctets - first;
    const body = reply.length - questionEnd, keyWords = this.#keyWords;
    if (body < 0 || reply[5] !== 1) return 0;
    this.#dropSame(at, label, kind & 0xff, way, shape | endpoint << 16);
    const record = records.add(this.#hash, (WORD.HEAD + keyWords << 2) + nameOctets + body);
    if (record === 0) return 0;
    const { words } = records, nameAt = record + WORD.HEAD + keyWords << 2;
    words[record + WORD.FORM] = shape | endpoint << 16;
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
    const { octets } = this, { key } = this.#ways;
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
    return record;
  }

  /** The keys of blocks; the same list for the same blocks asked again. */
  #keysOf(asked: Repeatable["asked"]): readonly string[] {
    if (asked !== this.#latestAsked) {
      this.#latestAsked = asked;
      this.#latestKeys = asked.map(({ facts }) => facts.key);
    }
    return this.#latestKeys;
  }

  /** Takes away what stands under the key made last: it is no more. */
  #dropSame(at: number, label: number, absence: number, way: number, form: number): void {
    const { words, index } = this.#records, first = this.#records.setOf(this.#hash);
    for (let slot = first; slot < first + 8; slot += 2) {
      const record = index[slot + 1]!;
      if (record === 0 || index[slot] !== this.#hash || words[record + WORD.FORM] !== form) continue;
      if (this.#isFor(record, at, label, absence, way)) this.#records.drop(record);
    }
  }

  /** Where the data of a COOKIE option of ours begins, from the question's end; 0 = there is none, -1 = there should be. */
  #cookieIn({ answer, reply, block }: Repeatable): number {
    if (!answer.dependence.keys.includes("cookie")) return 0;
    const { questionEnd } = this.#packet, at = optionAt(reply.octets, questionEnd, OPTION.COOKIE);
    return at > 0 && block.cookies ? at - questionEnd : -1;
  }

  /** What is counted of each repetition: it takes no time worth measuring. Undefined when a plugin cannot say. */
  #samplesOf({ block: { talliers = [] }, context, answer, sent }: Repeatable): readonly Sample[] | undefined {
    if (talliers.length === 0) return NO_SAMPLES;
    try {
      const again = { ...sent, durationMs: 0 }, first = talliers[0]!.tallies!(context, answer, again);
      if (talliers.length === 1) return first;
      const samples = [...first];
      for (let i = 1; i < talliers.length; i++) {
        samples.push(...talliers[i]!.tallies!(context, answer, again));
      }
      return samples;
    } catch {
      // The exchange has told of it.
      return undefined;
    }
  }

  /** What is to be kept beside its octets; null when a plugin cannot say, so that it is not remembered. */
  #extraOf(repeatable: Repeatable, absence: Parameters<typeof extraOf>[1], cookieAt: number) {
    try {
      return extraOf(repeatable, absence, cookieAt);
    } catch (error) {
      const plugin = error instanceof PluginFault ? error.plugin : "server";
      repeatable.fault(plugin, "its reply is not remembered", error);
      return null;
    }
  }

  /** For which names a reply stands, where that is not the one that was asked for. */
  #absenceOf({ repeats, answer, context }: Repeatable) {
    const { decidedAt } = answer.dependence, packet = this.#packet;
    if (repeats !== "absence" || !decidedAt || isBoundToCase(answer)) return undefined;
    const { name, existing } = decidedAt, first = packet.nameOctets - name.length;
    if (first <= 0 || !isWithin(context.name, name)) return undefined;
    const label = packet.labelAt.indexOf(first);
    const exceptions = this.#absences.exceptionsOf(answer, context.name, decidedAt);
    return label > 0 && exceptions ? { label, existing, exceptions } : undefined;
  }

  /** A record goes: so does what was kept beside it. */
  #forget(record: number): void {
    const { words } = this.#records, absence = words[record + WORD.ABSENCE]!;
    this.#extras.remove(words[record + WORD.EXTRA]! & EXTRA_MASK);
    if (absence === 0 || absence === CASE_BOUND) return;
    const nameAt = record + WORD.HEAD + (words[record + WORD.ARCOUNT]! >>> 16) << 2;
    let labels = 0;
    for (let at = nameAt; this.octets[at] !== 0; at += 1 + this.octets[at]!) labels++;
    this.#enclosers[labels]!--;
    this.#enclosersCount--;
  }

  #endpointOf(server: Endpoint): number {
    if (server === this.#latestServer) return this.#latestEndpoint;
    let number = this.#endpoints.get(server);
    if (number === undefined) {
      if (this.#endpoints.size >= ENDPOINTS_MAX) this.drop();
      this.#endpoints.set(server, number = this.#endpoints.size);
    }
    this.#latestServer = server;
    return this.#latestEndpoint = number;
  }

  #arrivalOf(source: PacketSource): Arrival {
    if (this.#options.arrivalOf) return this.#options.arrivalOf(source);
    const { family, words, port, server } = source;
    const at = Math.imul(words[0]!, 0x9e3779b1) >>> 24, known = this.#sources[at];
    if (known && isAddress(known, family, words)) {
      return { source: { address: known, port }, server, transport: "udp" };
    }
    const octets = new Uint8Array(family === 4 ? 4 : 16);
    writeAddress(octets, words);
    const address = this.#sources[at] = { family, octets };
    return { source: { address, port }, server, transport: "udp" };
  }

  /** The source as plugins know addresses; the same object each time. */
  #addressOf({ family, words }: PacketSource): Address {
    const address = family === 4 ? this.#address4 : this.#address6;
    writeAddress(address.octets, words);
    return address;
  }
}

const NO_SAMPLES: readonly Sample[] = [];
const NO_POOLS: readonly string[] = [];

const NOWHERE: Endpoint = { address: { family: 4, octets: new Uint8Array(4) }, port: 0 };

function mix(hash: number, word: number): number {
  hash = Math.imul(hash ^ word, 0x2c1b3c6d);
  return hash ^ hash >>> 15;
}

function isAddress({ family, octets }: Address, otherFamily: number, words: Uint32Array): boolean {
  if (family !== otherFamily) return false;
  for (let i = 0; i < octets.length; i++) {
    if (octets[i] !== (words[i >> 2]! >>> (24 - 8 * (i & 3)) & 255)) return false;
  }
  return true;
}

function writeAddress(octets: Uint8Array, words: Uint32Array): void {
  for (let i = 0; i < octets.length; i++) octets[i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
}

/** What was an accident, or is true of a moment, is not said twice. */
function mayBeKept({ momentary, aging, silent, fault }: Answer): boolean {
  return !silent && !fault && (!momentary || aging !== undefined);
}

/** Whether it has, beside what pools gave, addresses that may be probed. */
function mayBeWatched({ answer, authority, additional, dependence: { pools } }: Answer): boolean {
  return !pools || hasOwnAddress(answer) || hasOwnAddress(authority) || hasOwnAddress(additional);
}

function hasOwnAddress(section: readonly RRset[]): boolean {
  for (const { type, pool } of section) {
    if (pool === undefined && (type === TYPE.A || type === TYPE.AAAA)) return true;
  }
  return false;
}

/** Whether it has octets of the name in the case it was asked in, elsewhere than in an owner's place (RFC 6672 section 3.1). */
function isBoundToCase({ answer }: Answer): boolean {
  for (const { type } of answer) if (type === TYPE.DNAME) return true;
  return false;
}
