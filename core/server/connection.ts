/**
 * One client's TCP connection (RFC 7766): messages in, each after two octets of length; replies out, in whatever order
 * they are ready.
 *
 *     read -> whole messages -> exchange -> queue -> write
 *               ^ stops while too many answers wait or too many octets are queued
 *
 * One read may hold many messages; what is answered at once leaves in one write.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Address } from "../net/address.ts";
import { type Arrival, type Count, type Exchange, HEADER_OCTETS } from "./arrival.ts";
import type { FaultReporter } from "./fault_reporter.ts";
import { FrameBuffer, MessageBuffer } from "./framing.ts";
import { LATER, type PacketSource, SLOT_OCTETS } from "./in_place.ts";
import type { AtOnce } from "./at_once.ts";
import { nextTurn } from "./turns.ts";

/** What one client may take, and how long. */
export interface ConnectionLimits {
  /** How long a connection may stay without a query, as long as there is room for many more. */
  readonly idleMs: number;
  /** How long a message may take from its first octet to its last. */
  readonly messageMs: number;
  /** How long queued replies may take to leave: a client that does not read. */
  readonly writeMs: number;
  /** How long a query may wait for its answer. */
  readonly answerMs: number;
  /** Queries of one connection whose answers wait; no more is read before there are fewer. */
  readonly outstanding: number;
  /** Octets of those and of replies that have not left; no more is read before there are fewer. */
  readonly queuedOctets: number;
  /** Queries that one connection may bring; after the last it is closed, so that its place comes free. */
  readonly queries: number;
}

/** What a connection works with. */
export interface ConnectionOptions {
  readonly arrival: Arrival;
  readonly exchange: Exchange;
  /** What answers usual messages without a copy of them, in the exchange's stead. */
  readonly atOnce?: () => AtOnce | undefined;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly count: Count;
  readonly faults: FaultReporter;
  /** How long it may stay without a query just now, which clients that ask are told (RFC 7828). Default: as limited. */
  readonly idleMs?: () => number;
  /** Takes note of octets that it holds from now on; below zero, that it holds no longer. */
  readonly hold?: (octets: number) => void;
}

/** How long to take what still comes on a connection that is done, so that its last answers are not lost. */
const LINGER_MS = 2000;

const MESSAGE_OCTETS_MAX = 65_535;

/** Queries that are taken before others have their turn. */
const TURN_QUERIES = 32;

/** A connection, from its first octet until it is closed. */
export class Connection {
  readonly #socket: Deno.TcpConn;
  readonly #options: ConnectionOptions;
  readonly #buffer = new MessageBuffer();
  readonly #source: PacketSource;
  readonly #queue = new FrameBuffer();
  /** Octets of the queue, and of what is being written. */
  #queuedOctets = 0;
  #outstanding = 0;
  #outstandingOctets = 0;
  #queries = 0;
  /** Whether nothing more will be read. */
  #ended = false;
  #closed = false;
  /** Whether messages that have been read are being handed to the exchange. */
  #taking = false;
  #waiters: (() => void)[] = [];
  #lastActiveMs: number;
  #partialSinceMs: number | undefined;
  #writingSinceMs: number | undefined;
  #lingeringSinceMs: number | undefined;

  constructor(socket: Deno.TcpConn, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#source = packetSourceOf(options.arrival);
    this.#lastActiveMs = options.clock.nowMs();
  }

  /** Answers until the client has gone, or for too long has done nothing; then everything is closed. Never rejects. */
  async serve(): Promise<void> {
    try {
      // Many small replies leave as they are ready, not when the client has acknowledged the last one.
      this.#socket.setNoDelay(true);
      while (!this.#ended && await this.#read()) await this.#takeMessages();
      this.#ended = true;
      await this.#until(() => this.#settled);
      if (this.#isSpent) await this.#linger();
    } catch {
      // The client reset the connection, or close() ended a read: there is nobody to tell.
    } finally {
      this.close();
    }
  }

  /** Where it comes from. */
  get source(): Address {
    return this.#options.arrival.source.address;
  }

  /** Octets of messages and replies that it holds, its buffer included. */
  get heldOctets(): number {
    return this.#buffer.heldOctets + this.#queuedOctets + this.#outstandingOctets;
  }

  /** When the last whole message came, or the connection itself. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  /** Whether nothing is owed to the client. */
  get isIdle(): boolean {
    return this.#settled;
  }

  /** What the client is late with, if anything. */
  overdue(nowMs: number): "message" | "write" | "answer" | "idle" | "queries" | undefined {
    const { limits } = this.#options;
    const isOver = (sinceMs: number, limitMs: number) => nowMs - sinceMs >= limitMs;
    if (this.#lingeringSinceMs !== undefined) {
      return isOver(this.#lingeringSinceMs, LINGER_MS) ? "queries" : undefined;
    }
    if (this.#writingSinceMs !== undefined) {
      return isOver(this.#writingSinceMs, limits.writeMs) ? "write" : undefined;
    }
    if (this.#partialSinceMs !== undefined) {
      return isOver(this.#partialSinceMs, limits.messageMs) ? "message" : undefined;
    }
    if (this.#outstanding > 0) return isOver(this.#lastActiveMs, limits.answerMs) ? "answer" : undefined;
    // It is we who are late: queries of it wait for their turn.
    if (this.#taking) return undefined;
    return isOver(this.#lastActiveMs, this.#idleMs) ? "idle" : undefined;
  }

  /** Reads no more; resolves when everything that was asked has been answered. */
  async drain(): Promise<void> {
    this.#ended = true;
    await this.#until(() => this.#settled);
    this.close();
  }

  /** Lets go of the connection at once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended = true;
    this.#hold(-this.#buffer.heldOctets - this.#queuedOctets);
    this.#buffer.clear();
    this.#queue.take();
    this.#queuedOctets = 0;
    try {
      this.#socket.close();
    } catch {
      // The runtime has closed it already.
    }
    this.#wake();
  }

  get #settled(): boolean {
    return !this.#taking && this.#outstanding === 0 && this.#queuedOctets === 0;
  }

  get #hasRoom(): boolean {
    const { limits } = this.#options;
    return this.#outstanding < limits.outstanding &&
      this.#queuedOctets + this.#outstandingOctets < limits.queuedOctets;
  }

  get #idleMs(): number {
    return this.#options.idleMs?.() ?? this.#options.limits.idleMs;
  }

  /** Whether it has brought all the queries that it may. */
  get #isSpent(): boolean {
    return this.#queries >= this.#options.limits.queries;
  }

  #hold(octets: number): void {
    if (octets !== 0) this.#options.hold?.(octets);
  }

  /** Says that no more will be sent, and takes what still comes: to close at once would take back what is on its way. */
  async #linger(): Promise<void> {
    if (this.#closed) return;
    this.#lingeringSinceMs = this.#options.clock.nowMs();
    await this.#socket.closeWrite();
    // Once it is closed there is no buffer left, and to read into none would never end.
    while (!this.#closed && await this.#socket.read(this.#buffer.scratch) !== null) await nextTurn();
  }

  /** Reads what there is behind what is left. False at the end of the stream. */
  async #read(): Promise<boolean> {
    // Whoever holds most may have to go for it, and that may be this one.
    this.#hold(this.#buffer.makeSpace());
    if (this.#closed) return false;
    const count = await this.#socket.read(this.#buffer.space);
    if (count === null) return false;
    this.#buffer.took(count);
    return true;
  }

  /** Hands every whole message to the exchange, then sends what was answered at once. */
  async #takeMessages(): Promise<void> {
    this.#taking = true;
    try {
      while (this.#nextMessage()) {
        if (this.#buffer.messageOctets < HEADER_OCTETS) {
          // No length so short is a DNS client's: whatever follows cannot be told apart into messages.
          this.#options.count("meridian_tcp_closed_total", { reason: "framing" });
          this.#ended = true;
          break;
        }
        if (!this.#hasRoom) await this.#waitForRoom();
        if (this.#queries % TURN_QUERIES === TURN_QUERIES - 1) await nextTurn();
        if (this.#closed) return;
        this.#ask();
        if (++this.#queries >= this.#options.limits.queries) {
          this.#ended = true;
          break;
        }
      }
      this.#flush();
    } finally {
      this.#taking = false;
      this.#wake();
    }
  }

  #nextMessage(): boolean {
    const isThere = this.#buffer.next();
    if (isThere) this.#lastActiveMs = this.#options.clock.nowMs();
    if (isThere || !this.#buffer.hasPart) this.#partialSinceMs = undefined;
    else this.#partialSinceMs ??= this.#options.clock.nowMs();
    return isThere;
  }

  async #waitForRoom(): Promise<void> {
    this.#flush();
    await this.#until(() => this.#hasRoom);
  }

  #ask(): void {
    const octets = this.#buffer.messageOctets;
    try {
      const atOnce = this.#options.atOnce?.();
      const answer = atOnce && octets <= SLOT_OCTETS
        ? this.#askAtOnce(atOnce, octets)
        : this.#options.exchange(this.#buffer.message, this.arrival);
      if (answer instanceof Promise) this.#await(answer, octets);
      else if (answer) this.#enqueue(answer, answer.length);
    } catch (error) {
      this.#options.faults.report("exchange", error);
    }
  }

  /** Queues the reply, if there is one at once; what comes back is one that is not. */
  #askAtOnce(atOnce: AtOnce, octets: number): ReturnType<Exchange> {
    this.#buffer.copyTo(atOnce.octets);
    const length = atOnce.answer(octets, this.#source, this, this.#lastActiveMs);
    if (length === LATER) return atOnce.takeLater();
    if (length > 0) this.#enqueue(atOnce.octets, length);
    return undefined;
  }

  /** How the message under way came. */
  get arrival(): Arrival {
    return { ...this.#options.arrival, keepaliveMs: this.#idleMs };
  }

  async #await(answer: Promise<Uint8Array | undefined>, messageOctets: number): Promise<void> {
    this.#outstanding++;
    this.#outstandingOctets += messageOctets;
    this.#hold(messageOctets);
    try {
      const octets = await answer;
      if (octets) this.#enqueue(octets, octets.length);
    } catch (error) {
      this.#options.faults.report("exchange", error);
    }
    this.#outstanding--;
    this.#outstandingOctets -= messageOctets;
    this.#hold(-messageOctets);
    this.#lastActiveMs = this.#options.clock.nowMs();
    this.#flush();
    this.#wake();
  }

  /** Queues the message of `length` octets at the beginning of `octets`. */
  #enqueue(octets: Uint8Array, length: number): void {
    if (this.#closed) return;
    if (length > MESSAGE_OCTETS_MAX) {
      throw new RangeError(`Cannot send a message of ${length} octets over TCP: 65535 is the most`);
    }
    this.#queue.add(octets, length);
    this.#queuedOctets += 2 + length;
    this.#hold(2 + length);
  }

  /** Sends what is queued, unless that is going on. */
  #flush(): void {
    if (this.#writingSinceMs === undefined && this.#queue.length > 0) this.#writeQueue();
  }

  async #writeQueue(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        this.#writingSinceMs = this.#options.clock.nowMs();
        const batch = this.#queue.take();
        for (let sent = 0; sent < batch.length;) sent += await this.#socket.write(batch.subarray(sent));
        if (this.#closed) return;
        this.#queuedOctets -= batch.length;
        this.#hold(-batch.length);
        this.#wake();
      }
      this.#lastActiveMs = this.#options.clock.nowMs();
    } catch {
      this.close();
    }
    this.#writingSinceMs = undefined;
  }

  /** Resolves when `condition` holds, or the connection is closed. */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#closed && !condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

function packetSourceOf({ source: { address: { family, octets }, port }, server }: Arrival): PacketSource {
  const view = new DataView(octets.buffer, octets.byteOffset);
  const words = new Uint32Array(4);
  for (let word = 0; word < octets.length / 4; word++) words[word] = view.getUint32(word * 4);
  return { family, words, port, server };
}
