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

import { Copies } from "../../dns/copies.ts";
import { isWithin } from "../../dns/name.ts";
import { NameSet } from "../../dns/name_set.ts";
import type { Address } from "../../net/address.ts";
import { TOGETHER_MAX } from "../../net/row_search.ts";
import type { CookieState, PacketSource } from "../../query.ts";
import type { Snapshot } from "../../snapshot.ts";
import type { Answering } from "../answering.ts";
import type { Arrival, Endpoint } from "../arrival.ts";
import type { Outcome, Repeatable } from "../exchange.ts";
import { type InPlace, LATER, SILENT, SLOT_OCTETS } from "../in_place.ts";
import { repeatedContext } from "../query_context.ts";
import type { SnapshotChanges } from "../snapshot_changes.ts";
import { Absences } from "./absence.ts";
import { affectedBy } from "./dropping.ts";
import type { Extra } from "./extras.ts";
import { cookieIn, extraHeld, isBoundToCase, mayBeKept, mayBeWatched, samplesOf } from "./keeping.ts";
import { CASE_BOUND, Kept } from "./kept.ts";
import { OPTIONS, Packet, SHAPE } from "./packet.ts";
import { EXTRA_BITS, EXTRA_MASK, WORD } from "./records.ts";
import { countDown } from "./reply_octets.ts";
import { Tallies } from "./tallies.ts";

/** What a memo works with. */
export interface MemoOptions {
  readonly answering: Pick<Answering, "examine" | "blocks">;
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

const MEMO_OCTETS = 8 << 20;

/** How many addresses and ports queries may come to, until all is forgotten. */
const ENDPOINTS_MAX = 4096;

/** How many tables of partitions that are no more may be held, beside as many as there are of those that are. */
const OLD_TABLES = 2;

/** How many addresses are kept as objects; a power of two. */
const SOURCES = 256;

/** See the module. */
export class Memo implements InPlace {
  readonly octets: Uint8Array;
  /** Replies that were repeated, and packets that the chain was asked for, since the start. */
  hits = 0;
  misses = 0;
  readonly #options: MemoOptions;
  /** What has been read ahead, by slot. */
  readonly #packets: readonly Packet[];
  /** What has not: one for all, as it stays in a processor's nearest cache. */
  readonly #alone = new Packet(0);
  /** The one that is being answered. */
  #packet: Packet;
  /** By slot: whether it has been read ahead, and what came of that. */
  readonly #ahead: Uint8Array;
  /** The slots of those in usual form that have been read and not looked for. */
  readonly #expected: Uint8Array;
  #expectedCount = 0;
  readonly #kept: Kept;
  readonly #tallies = new Tallies();
  readonly #endpoints = new Map<Endpoint, number>();
  #latestServer: Endpoint | undefined;
  #latestEndpoint = 0;
  #latestAsked: Repeatable["asked"] | undefined;
  #latestKeys: readonly string[] = [];
  readonly #absences = new Absences();
  readonly #repeated;
  readonly #copies = new Copies();
  /** Addresses that packets came from lately, by hash. */
  readonly #sources: (Address | undefined)[] = Array(SOURCES).fill(undefined);
  readonly #address4: Address = { family: 4, octets: new Uint8Array(4) };
  readonly #address6: Address = { family: 6, octets: new Uint8Array(16) };

  constructor(options: MemoOptions) {
    this.#options = options;
    const { slots, memoOctets = MEMO_OCTETS, answering } = options;
    const octets = this.octets = new Uint8Array(slots * SLOT_OCTETS + (memoOctets & ~7));
    if (slots > TOGETHER_MAX) throw new RangeError(`${slots} slots are more than ${TOGETHER_MAX}`);
    this.#packets = Array.from({ length: slots }, (_, slot) => new Packet(slot));
    this.#packet = this.#alone;
    this.#ahead = new Uint8Array(slots);
    this.#expected = new Uint8Array(slots);
    const names = answering.blocks.flatMap(({ facts }) => [...facts.zones, ...facts.dataZones]);
    const zones = new NameSet(names, names.length), isBounded = options.arrivalOf === undefined;
    this.#kept = new Kept({ octets, start: slots * SLOT_OCTETS, zones, isBounded });
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
    return this.#kept.records.count;
  }

  get readsAhead(): boolean {
    return this.#kept.isSpread;
  }

  read(at: number, length: number, source: PacketSource): void {
    if (this.#expectedCount === this.#expected.length) this.#expectedCount = 0;
    const slot = at / SLOT_OCTETS | 0, packet = this.#packets[slot]!;
    const isUsual = packet.read(this.octets, at, length, source);
    this.#ahead[slot] = isUsual ? AHEAD.USUAL : AHEAD.ODD;
    if (!isUsual) return;
    packet.endpoint = this.#endpointOf(source.server);
    this.#kept.expect(packet);
    this.#expected[this.#expectedCount++] = slot;
  }

  answer(at: number, length: number, source: PacketSource, nowMs: number): number {
    const isUsual = this.#take(at, length, source) &&
      // How long a connection may be idle is told to who asks over one, and is not the same for all.
      (this.#options.arrivalOf === undefined || (this.#packet.options & OPTIONS.KEEPALIVE) === 0);
    if (isUsual) {
      const { extras, records: { words } } = this.#kept, record = this.#kept.find(this.#packet, at, nowMs);
      const extra = record === 0 ? undefined : extras.due(words[record + WORD.EXTRA]! & EXTRA_MASK);
      if (record !== 0 && (extra === undefined || this.#isLetThrough(extra, source, nowMs))) {
        this.hits++;
        return this.#repeat(record, extra, at, length, source, nowMs);
      }
    }
    this.misses++;
    return this.#ask(at, length, source, nowMs, isUsual);
  }

  /** Takes up a packet, read ahead or not. @returns Whether it has the usual form. */
  #take(at: number, length: number, source: PacketSource): boolean {
    const slot = at / SLOT_OCTETS | 0, ahead = this.#ahead[slot]!;
    const packet = this.#packet = ahead === AHEAD.NOT ? this.#alone : this.#packets[slot]!;
    this.#ahead[slot] = AHEAD.NOT;
    const expected = this.#expectedCount;
    this.#expectedCount = 0;
    if (expected > 0) this.#kept.bring(this.#packets, this.#expected, expected, SLOT_OCTETS);
    const isUsual = ahead === AHEAD.NOT
      ? packet.read(this.octets, at, length, source)
      : ahead === AHEAD.USUAL;
    // Anew, too, where it has been read: what was forgotten meanwhile may have given numbers to others.
    if (isUsual) packet.endpoint = this.#endpointOf(source.server);
    return isUsual;
  }

  /** Tells metrics what was repeated since it was last called. */
  harvest(): void {
    this.#tallies.harvest();
  }

  /** Forgets what a new snapshot may have changed; `before` is the one before. To be called before the next packet. */
  dropFor(changes: SnapshotChanges, before: Snapshot): void {
    const isAffected = affectedBy(changes, before);
    if (isAffected && !this.#keepsOldTables(changes, before)) this.#kept.stamps.end(isAffected);
    else this.drop();
  }

  /** Whether most tables of clients are of partitions that are no more: megabytes each, which nothing else holds. */
  #keepsOldTables({ tables }: SnapshotChanges, { partitions }: Snapshot): boolean {
    return tables.partitions !== undefined &&
      this.#kept.ways.tableCount > 2 * Object.keys(partitions).length + OLD_TABLES;
  }

  /** Forgets everything. */
  drop(): void {
    this.#kept.clear();
    this.#tallies.clear();
    this.#endpoints.clear();
    this.#latestServer = undefined;
  }

  #isLetThrough({ gates, cookies }: Extra, source: PacketSource, nowMs: number): boolean {
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
  #repeat(
    record: number,
    extra: Extra | undefined,
    at: number,
    length: number,
    source: PacketSource,
    nowMs: number,
  ): number {
    const { octets } = this, { words } = this.#kept.records, packet = this.#packet;
    const body = words[record + WORD.LIMIT]! >>> 16, total = packet.questionEnd + body;
    const scope = words[record + WORD.EXTRA]! >>> EXTRA_BITS;
    if (extra !== undefined) this.#tell(extra, at, length, source, nowMs, total, scope);
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
    const madeMs = this.#kept.records.times[record + WORD.MADE >> 1]!;
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
    const packet = this.#packet, { ways, stamps, extras, records: { words, times } } = this.#kept;
    const standsUntilMs = Math.min(untilMs, answer.aging?.untilMs ?? Infinity);
    if (!mayBeKept(answer) || standsUntilMs <= nowMs) return;
    if (packet.options !== 0 && repeatable.asked.some(({ readsOptions }) => readsOptions)) return;
    const cookieAt = cookieIn(repeatable, packet.questionEnd);
    if (cookieAt < 0) return;
    if (ways.isFull || stamps.isFull || this.#tallies.isFull) {
      this.drop();
      packet.endpoint = this.#endpointOf(source.server);
    }
    const knowsPlaces = context.snapshot.geographies[block.facts.key] !== undefined;
    const way = ways.wayOf(packet, answer, reply.isComplete, knowsPlaces);
    const samples = way !== undefined && samplesOf(repeatable);
    if (!samples) return;
    const absence = this.#absenceOf(repeatable), label = absence?.label ?? 0;
    const extra = extraHeld(repeatable, absence, cookieAt);
    if (extra === null) return;
    const kind = absence ? packet.nameOctets : isBoundToCase(answer) ? CASE_BOUND : 0;
    const record = this.#kept.add(packet, at, reply.octets, { label, kind, way });
    if (record === 0) return;
    const ground = stamps.numberOf({
      blocks: this.#keysOf(repeatable.asked),
      pools: answer.dependence.pools ?? NO_POOLS,
      watches: mayBeWatched(answer),
      volatile: standsUntilMs - context.nowMs <= 1000,
    });
    words[record + WORD.GROUND] = ground;
    words[record + WORD.STAMP] = stamps.current[ground]!;
    words[record + WORD.LIMIT]! |= Math.min(0xffff, reply.ownLimit);
    words[record + WORD.TALLY] = this.#tallies.numberOf(samples);
    words[record + WORD.EXTRA] = extra
      ? extras.add(extra) | answer.dependence.scopePrefixLength << EXTRA_BITS
      : 0;
    // Its TTLs are as of when the chain was asked, which may be in the second after its packets came.
    times[record + WORD.MADE >> 1] = standsUntilMs === Infinity ? -Infinity : context.nowMs;
    times[record + WORD.UNTIL >> 1] = standsUntilMs;
  }

  /** The keys of blocks; the same list for the same blocks asked again. */
  #keysOf(asked: Repeatable["asked"]): readonly string[] {
    if (asked !== this.#latestAsked) {
      this.#latestAsked = asked;
      this.#latestKeys = asked.map(({ facts }) => facts.key);
    }
    return this.#latestKeys;
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

/** What is known of a packet ahead of its answer: nothing, that it has the usual form, or another one. */
const AHEAD = { NOT: 0, USUAL: 1, ODD: 2 } as const;

const NO_POOLS: readonly string[] = [];

const NOWHERE: Endpoint = { address: { family: 4, octets: new Uint8Array(4) }, port: 0 };

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
