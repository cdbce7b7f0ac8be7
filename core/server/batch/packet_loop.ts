/**
 * Receives, answers and sends datagrams in batches, where they lie, without an allocation:
 *
 *     socket --recvmmsg()--> slots --InPlace.answer()--> the same slots --sendmmsg()--> socket
 *
 * It blocks its isolate while nothing comes, as briefly as the sockets say: whoever runs it gives the event loop its turns. One
 * socket is waited for in recvmmsg() itself; several in poll().
 *
 * Longer and flatter than usual, because all of it runs for every datagram.
 *
 * @module
 */

import { addressFromOctets } from "../../net/address.ts";
import type { Endpoint } from "../arrival.ts";
import { type InPlace, type PacketSource, SLOT_OCTETS } from "../in_place.ts";
import { type BatchSocket, RECEIVE_TIMEOUT_MS } from "./batch_socket.ts";
import { type BatchLibC, batchLibC, ERRNO, errno, systemError } from "./libc.ts";
import {
  CONTROL_LENGTH,
  CONTROL_OCTETS,
  CONTROL_WORDS,
  FLAGS,
  HEADER_WORDS,
  IOVEC_LENGTH,
  IOVEC_WORDS,
  LENGTH,
  MessageVector,
  NAME_LENGTH,
  NAME_LENGTH_MAX,
  NAME_OCTETS,
} from "./message_vector.ts";
import { Readiness } from "./readiness.ts";

/** How many datagrams one call moves at most: so many slots there must be in an {@linkcode InPlace}'s memory. */
export const BATCH_MAX = 64;

/** Of fewer that came together there is too little to gain by reading all before the first is answered. */
const AHEAD_MIN = 4;

/** What is tried first; it grows while every call fills it. */
const BATCH_MIN = 8;

/** What a {@linkcode PacketLoop} works with. */
export interface PacketLoopOptions {
  readonly sockets: readonly BatchSocket[];
  readonly inPlace: InPlace;
  /** The wall clock, asked once a batch. */
  nowMs(): number;
  /** Called when a batch has come, before any of it is answered: to look for what has changed since. */
  beforeBatch?(): void;
  /** Told of what should not happen: an answer that throws, a call that fails. `kind` is `receive`, `answer`, `send`. */
  fault?(kind: string, error: unknown): void;
  /** For how long to ask again and again before blocking, in microseconds. Default 0. */
  readonly spinMicroseconds?: number;
}

/** What a loop has done since it began. */
export interface PacketCounts {
  received: number;
  sent: number;
  batches: number;
  /** Longer than a slot: answered as far as it goes, so that a message that is cut is one that cannot be read. */
  truncated: number;
  /** From port 0, where nobody can be reached: forged. */
  fromPortZero: number;
  /** Came without the address that they were sent to. */
  unaddressed: number;
  /** Replies that the kernel would not take. */
  unsent: number;
  /** Answers that threw, or were longer than a slot. */
  faults: number;
}

/** asm-generic/socket.h: flags of a call, and of what it received. */
const MSG_CTRUNC = 0x08, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_WAITFORONE = 0x10000;

/** struct cmsghdr of IP_PKTINFO, and of IPV6_PKTINFO: level and type. */
const IPPROTO_IP = 0, IP_PKTINFO = 8, IPPROTO_IPV6 = 41, IPV6_PKTINFO = 50;

/** How often a reply is offered to a full socket; each time the kernel waits for room as long as the socket says. */
const SEND_ATTEMPTS = 2;

/** Addresses asked of wildcard sockets that are remembered; one may have a whole network of them. */
const ASKED_MAX = 65_536;

/** The loop of one worker. */
export class PacketLoop {
  readonly counts: PacketCounts = {
    received: 0,
    sent: 0,
    batches: 0,
    truncated: 0,
    fromPortZero: 0,
    unaddressed: 0,
    unsent: 0,
    faults: 0,
  };
  readonly #libc: BatchLibC;
  readonly #options: PacketLoopOptions;
  /** What the calls work on. */
  readonly vector: MessageVector;
  readonly #readiness: Readiness;
  readonly #source: PacketSource;
  /** By address asked, as text of words: one object for each. */
  readonly #asked = new Map<string, Endpoint>();
  /** The address that was asked last, of the socket served last. */
  readonly #lastAsked = new Uint32Array(4);
  #lastEndpoint: Endpoint | undefined;
  #lastSocket: BatchSocket | undefined;
  #batch = BATCH_MIN;
  /** Whether the headers of some slots stand in the places of others. */
  #isMoved = false;

  /** @throws {Error} When there is no C library, or the memory is too small. */
  constructor(options: PacketLoopOptions) {
    const { sockets, inPlace } = options;
    this.#libc = batchLibC();
    this.#options = options;
    this.vector = new MessageVector(
      this.#libc,
      inPlace.octets as Uint8Array<ArrayBuffer>,
      BATCH_MAX,
      SLOT_OCTETS,
    );
    this.#source = { family: 4, words: new Uint32Array(4), port: 0, server: sockets[0]!.endpoint };
    this.#readiness = new Readiness(this.#libc, sockets.map(({ fd }) => fd));
  }

  /** Waits for datagrams for so long, and takes none: for whoever need not look up as often as the sockets say. @returns Whether some came. */
  doze(ms: number): boolean {
    return this.#readiness.wait(ms) > 0;
  }

  /** Waits for datagrams as long as the sockets say, and answers one batch of each that has some. @returns Whether any came. */
  step(): boolean {
    const { sockets } = this.#options;
    if (this.#spin()) return true;
    if (sockets.length === 1) return this.#serve(sockets[0]!, MSG_WAITFORONE);
    if (this.#readiness.wait(RECEIVE_TIMEOUT_MS) === 0) return false;
    let hasWorked = false;
    for (let i = 0; i < sockets.length; i++) {
      if (this.#readiness.has(i) && this.#serve(sockets[i]!, MSG_DONTWAIT)) hasWorked = true;
    }
    return hasWorked;
  }

  /** The same without waiting, for who may not be blocked. */
  stepAtOnce(): boolean {
    let hasWorked = false;
    for (const socket of this.#options.sockets) if (this.#serve(socket, MSG_DONTWAIT)) hasWorked = true;
    return hasWorked;
  }

  /** Asks without waiting until something has come, or the time for that is over. */
  #spin(): boolean {
    const { spinMicroseconds = 0 } = this.#options;
    if (spinMicroseconds === 0) return false;
    const untilMs = performance.now() + spinMicroseconds / 1000;
    do {
      if (this.stepAtOnce()) return true;
    } while (performance.now() < untilMs);
    return false;
  }

  /** One batch of one socket. */
  #serve(socket: BatchSocket, flags: number): boolean {
    const count = this.#libc.recvmmsg(socket.fd, this.vector.from[0]!, this.#batch, flags, null);
    if (count <= 0) {
      if (count < 0) this.#notReceived();
      return false;
    }
    this.counts.received += count;
    this.counts.batches++;
    if (count === this.#batch) this.#batch = Math.min(BATCH_MAX, count * 2);
    else if (count < this.#batch >> 2) this.#batch = Math.max(BATCH_MIN, this.#batch >> 1);
    if (socket !== this.#lastSocket) [this.#lastSocket, this.#lastEndpoint] = [socket, undefined];
    this.#options.beforeBatch?.();
    const replies = this.#answer(socket, count);
    if (replies > 0) this.#send(socket.fd, replies);
    this.#reset(count);
    return true;
  }

  /** @throws {Error} When the socket is gone; what passes is left to the next call. */
  #notReceived(): void {
    const number = errno(this.#libc);
    if (number === ERRNO.EAGAIN || number === ERRNO.EINTR) return;
    const error = systemError("recvmmsg", number);
    if (number === ERRNO.EBADF || number === ERRNO.ENOTSOCK) throw error;
    this.#options.fault?.("receive", error);
  }

  /** Answers what has come. @returns How many replies there are, their headers in front. */
  #answer(socket: BatchSocket, count: number): number {
    const { inPlace, nowMs } = this.#options;
    const { headers, iovecs } = this.vector;
    const source = this.#source;
    const now = nowMs();
    let replies = 0;
    if (count >= AHEAD_MIN && inPlace.readsAhead && !socket.isWildcard) this.#readAhead(socket, count);
    for (let slot = 0; slot < count; slot++) {
      const header = slot * HEADER_WORDS;
      if (!this.#locate(socket, slot, header)) continue;
      if ((headers[header + FLAGS]! & MSG_TRUNC) !== 0) this.counts.truncated++;
      let length: number;
      try {
        length = inPlace.answer(slot * SLOT_OCTETS, headers[header + LENGTH]!, source, now);
        if (length > SLOT_OCTETS) throw new RangeError(`A reply of ${length} octets lies beyond its slot`);
      } catch (error) {
        this.counts.faults++;
        this.#options.fault?.("answer", error);
        continue;
      }
      if (length <= 0) continue;
      iovecs[slot * IOVEC_WORDS + IOVEC_LENGTH] = length;
      if (replies !== slot) {
        this.vector.move(slot, replies);
        this.#isMoved = true;
      }
      replies++;
    }
    return replies;
  }

  /** Has all packets read before the first is answered. Those that are not to be answered are the same in both rounds. */
  #readAhead(socket: BatchSocket, count: number): void {
    const { inPlace } = this.#options, { headers } = this.vector, source = this.#source;
    if (!inPlace.read) return;
    source.server = socket.endpoint;
    try {
      for (let slot = 0; slot < count; slot++) {
        if (!this.#readName(socket, slot)) continue;
        inPlace.read(slot * SLOT_OCTETS, headers[slot * HEADER_WORDS + LENGTH]!, source);
      }
    } catch (error) {
      // Whatever has not been read ahead is read when it is answered.
      this.#options.fault?.("answer", error);
    }
  }

  /** Says where a datagram came from and went to. @returns Whether it can be answered. */
  #locate(socket: BatchSocket, slot: number, header: number): boolean {
    const { headers } = this.vector, source = this.#source, { isWildcard, endpoint } = socket;
    if (!this.#readName(socket, slot)) {
      this.counts.fromPortZero++;
      return false;
    }
    if (!isWildcard) {
      source.server = endpoint;
      return true;
    }
    const asked = (headers[header + FLAGS]! & MSG_CTRUNC) === 0 && headers[header + CONTROL_LENGTH]! >= 32
      ? this.#askedEndpoint(slot * CONTROL_WORDS, endpoint.port)
      : undefined;
    if (!asked) {
      this.counts.unaddressed++;
      return false;
    }
    source.server = asked;
    return true;
  }

  /** Says where a datagram came from. @returns Whether anybody is there: port 0 is nobody's. */
  #readName({ endpoint }: BatchSocket, slot: number): boolean {
    const { names } = this.vector, source = this.#source, { words } = source;
    const name = slot * NAME_OCTETS;
    source.port = names.getUint16(name + 2);
    if (endpoint.address.family === 4) {
      source.family = 4;
      words[0] = names.getUint32(name + 4);
      return source.port !== 0;
    }
    words[0] = names.getUint32(name + 8);
    words[1] = names.getUint32(name + 12);
    words[2] = names.getUint32(name + 16);
    words[3] = names.getUint32(name + 20);
    if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) {
      source.family = 4;
      words[0] = words[3]!;
    } else source.family = 6;
    return source.port !== 0;
  }

  /**
   * Reads the control message that says which address was asked, and makes it the one by which the reply leaves from there:
   * by whichever interface leads back, except where only one can.
   */
  #askedEndpoint(control: number, port: number): Endpoint | undefined {
    const { controls } = this.vector;
    const last = this.#lastAsked;
    const level = controls[control + 2]!, type = controls[control + 3]!;
    if (level === IPPROTO_IP && type === IP_PKTINFO) {
      controls[control + 4] = 0;
      const address = controls[control + 6]!;
      if (this.#lastEndpoint && last[3] === address) return this.#lastEndpoint;
      last[3] = address;
      return this.#lastEndpoint = this.#endpointOf(last.subarray(3), port);
    }
    if (level !== IPPROTO_IPV6 || type !== IPV6_PKTINFO) return undefined;
    // fe80::/10, as a word in network order.
    const isLinkLocal = (controls[control + 4]! & 0xc0ff) === 0x80fe;
    if (!isLinkLocal) controls[control + 8] = 0;
    if (
      this.#lastEndpoint && last[0] === controls[control + 4] && last[1] === controls[control + 5] &&
      last[2] === controls[control + 6] && last[3] === controls[control + 7]
    ) return this.#lastEndpoint;
    last.set(controls.subarray(control + 4, control + 8));
    return this.#lastEndpoint = this.#endpointOf(last, port);
  }

  #endpointOf(words: Uint32Array<ArrayBuffer>, port: number): Endpoint {
    const key = `${words} ${port}`;
    let endpoint = this.#asked.get(key);
    if (!endpoint) {
      const octets = new Uint8Array(words.buffer, words.byteOffset, words.byteLength).slice();
      endpoint = Object.freeze({ address: addressFromOctets(octets), port });
      if (this.#asked.size >= ASKED_MAX) this.#asked.clear();
      this.#asked.set(key, endpoint);
    }
    return endpoint;
  }

  /** Sends the first `replies` headers; one that the kernel will not take holds up no other. */
  #send(fd: number, replies: number): void {
    const { from } = this.vector;
    let done = 0, attempts = 0;
    while (done < replies) {
      const flags = attempts === 0 ? MSG_DONTWAIT : 0;
      const sent = this.#libc.sendmmsg(fd, from[done]!, replies - done, flags);
      if (sent > 0) {
        this.counts.sent += sent;
        done += sent;
        attempts = 0;
        continue;
      }
      const number = errno(this.#libc);
      if (number === ERRNO.EINTR) continue;
      const isFull = number === ERRNO.EAGAIN || number === ERRNO.ENOBUFS || number === ERRNO.ENOMEM;
      if (isFull && ++attempts < SEND_ATTEMPTS) continue;
      // A full socket has no room for the others either; anything else concerns this one reply.
      const given = isFull ? replies - done : 1;
      this.counts.unsent += given;
      done += given;
      attempts = 0;
      if (!isFull) this.#options.fault?.("send", systemError("sendmmsg", number));
    }
  }

  /** Makes the headers of what has been answered ready to receive. */
  #reset(count: number): void {
    const { headers, iovecs } = this.vector;
    if (this.#isMoved) {
      this.vector.rewire();
      this.#isMoved = false;
    }
    for (let slot = 0; slot < count; slot++) {
      const header = slot * HEADER_WORDS;
      iovecs[slot * IOVEC_WORDS + IOVEC_LENGTH] = SLOT_OCTETS;
      headers[header + NAME_LENGTH] = NAME_LENGTH_MAX;
      // The kernel had set it to what it wrote, which is none where nobody asked for any.
      headers[header + CONTROL_LENGTH] = CONTROL_OCTETS;
    }
  }
}
