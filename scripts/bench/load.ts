/**
 * Puts load on a server, as fast as it answers or at a rate, and measures what comes back.
 *
 * @module
 */

import { Batch, closeSocket, connectedSocket, Waiter } from "./libc.ts";
import type { Expected, Queries } from "./queries.ts";
import { percentile } from "./statistics.ts";

/** What came back. */
export interface LoadFigures {
  /** From the first query to the last reply, or to when the last was given up. */
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  /** Of those answered, how many were not as expected. */
  readonly wrong: number;
}

/** The same, with how long replies took. */
export interface PacedFigures extends LoadFigures {
  /** From the instant at which a query was due, whether or not it was sent in time. */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Where the load goes. */
export interface Against {
  readonly port: number;
  readonly queries: Queries;
  readonly expected: Expected;
  /** Sockets, and so source ports. */
  readonly sockets: number;
}

/** When a query without reply is given up. */
const PATIENCE_MS = 250;

const BATCH = 32, SLOT_OCTETS = 1500;

/** Closed loop: from half of `window` to `window` queries without reply, always. */
export function pushLoad(against: Against, seconds: number, window: number): LoadFigures {
  using flow = new Flow(against);
  const share = Math.max(1, Math.floor(window / against.sockets));
  const beginMs = performance.now(), endMs = beginMs + seconds * 1000;
  for (let nowMs = beginMs; nowMs < endMs; nowMs = performance.now()) {
    // Half a window at a time: with single queries every call would carry one.
    for (const lane of flow.lanes) {
      if (nowMs - lane.heardMs > PATIENCE_MS) flow.giveUp(lane, nowMs);
      if (lane.underWay <= share / 2) flow.send(lane, share - lane.underWay, nowMs);
    }
    if (flow.receive() === 0) flow.wait(1);
  }
  flow.drain();
  return flow.figures(beginMs);
}

/**
 * Open loop: `rate` queries a second, whatever comes back. The processor is kept busy between them, so that replies do
 * not wait for the generator to wake up.
 */
export function paceLoad(against: Against, seconds: number, rate: number): PacedFigures {
  using flow = new Flow(against);
  const total = Math.max(1, Math.round(seconds * rate)), latenciesMs: number[] = [];
  flow.onReply = (sentMs, nowMs) => void latenciesMs.push(nowMs - sentMs);
  const beginMs = performance.now();
  for (let i = 0; i < total; i++) {
    const dueMs = beginMs + i * 1000 / rate;
    do flow.receive(); while (performance.now() < dueMs);
    flow.send(flow.lanes[i % flow.lanes.length]!, 1, dueMs);
  }
  flow.drain();
  latenciesMs.sort((a, b) => a - b);
  return {
    ...flow.figures(beginMs),
    p50Us: percentile(latenciesMs, 0.5) * 1000,
    p99Us: percentile(latenciesMs, 0.99) * 1000,
  };
}

/** A socket and the queries on it. */
interface Lane {
  readonly socket: number;
  /** By message ID, when a query was sent; 0 = none is under way. */
  readonly sentMs: Float64Array;
  nextId: number;
  underWay: number;
  /** When the last reply came, or the first query left after silence. */
  heardMs: number;
}

class Flow {
  readonly lanes: readonly Lane[];
  onReply: (sentMs: number, nowMs: number) => void = () => {};
  readonly #queries: Queries;
  readonly #expected: Expected;
  readonly #out = new Batch(BATCH, SLOT_OCTETS);
  readonly #in = new Batch(BATCH, SLOT_OCTETS);
  readonly #waiter: Waiter;
  #sent = 0;
  #answered = 0;
  #wrong = 0;

  constructor({ port, queries, expected, sockets }: Against) {
    this.#queries = queries;
    this.#expected = expected;
    this.#out.setLength(queries.length);
    this.lanes = Array.from({ length: sockets }, () => ({
      socket: connectedSocket(port),
      sentMs: new Float64Array(65_536),
      nextId: 0,
      underWay: 0,
      heardMs: Infinity,
    }));
    this.#waiter = new Waiter(this.lanes.map(({ socket }) => socket));
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.lanes) closeSocket(socket);
  }

  send(lane: Lane, wanted: number, nowMs: number): void {
    const count = Math.min(wanted, BATCH);
    for (let i = 0; i < count; i++) {
      this.#queries.write(this.#out.octets, this.#out.slot(i), lane.nextId + i & 0xffff);
    }
    const left = this.#out.send(lane.socket, count);
    if (lane.underWay === 0) lane.heardMs = nowMs;
    for (let i = 0; i < left; i++) lane.sentMs[lane.nextId + i & 0xffff] = nowMs;
    lane.nextId = lane.nextId + left & 0xffff;
    lane.underWay += left;
    this.#sent += left;
  }

  /** Takes what has come on every socket. @returns How many replies. */
  receive(): number {
    let count = 0;
    for (const lane of this.lanes) {
      if (lane.underWay > 0) count += this.#receiveOn(lane);
    }
    return count;
  }

  #receiveOn(lane: Lane): number {
    const count = this.#in.receive(lane.socket), octets = this.#in.octets;
    if (count === 0) return 0;
    const nowMs = performance.now();
    lane.heardMs = nowMs;
    for (let i = 0; i < count; i++) {
      const at = this.#in.slot(i), id = octets[at]! << 8 | octets[at + 1]!;
      const sentMs = lane.sentMs[id]!;
      // A reply to what was given up, or a second one.
      if (sentMs === 0) continue;
      lane.sentMs[id] = 0;
      lane.underWay--;
      this.#answered++;
      if (!this.#isExpected(octets, at)) this.#wrong++;
      this.onReply(sentMs, nowMs);
    }
    return count;
  }

  #isExpected(octets: Uint8Array, at: number): boolean {
    const isReply = (octets[at + 2]! & 0x80) !== 0, rcode = octets[at + 3]! & 15;
    const answers = octets[at + 6]! << 8 | octets[at + 7]!;
    return isReply && rcode === this.#expected.rcode && answers >= this.#expected.answers;
  }

  wait(timeoutMs: number): void {
    this.#waiter.wait(timeoutMs);
  }

  /** Nothing has come for long: what is under way is lost. */
  giveUp(lane: Lane, nowMs: number): void {
    lane.sentMs.fill(0);
    lane.underWay = 0;
    lane.heardMs = nowMs;
  }

  /** Waits for what is under way, as long as something comes. */
  drain(): void {
    const isUnderWay = () => this.lanes.some(({ underWay }) => underWay > 0);
    for (let heardMs = performance.now(); isUnderWay() && performance.now() - heardMs < PATIENCE_MS;) {
      if (this.receive() > 0) heardMs = performance.now();
      else this.wait(1);
    }
  }

  figures(beginMs: number): LoadFigures {
    return {
      seconds: (performance.now() - beginMs) / 1000,
      sent: this.#sent,
      answered: this.#answered,
      wrong: this.#wrong,
    };
  }
}
