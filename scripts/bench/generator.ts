/**
 * The load generator for machines without a C compiler: takes the arguments of `native/datagrams.c` and prints what that
 * prints.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Batch, closeSocket, connectedSocket, Waiter } from "./libc.ts";
import type { Figures } from "./load.ts";
import { type Query, queryWriter, type Variation } from "./queries.ts";
import { binOf } from "./statistics.ts";

/** Where the load goes. */
export interface Against {
  readonly port: number;
  readonly query: Query;
  readonly seed: number;
  /** Sockets, and so source ports. */
  readonly sockets: number;
  readonly networks6?: Uint8Array;
  /** When a query without reply is given up; 250 by default. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 250;

const BATCH = 32, SLOT_OCTETS = 1500;

/** Closed loop: from half of `window` to `window` queries without reply, always. */
export function pushLoad(against: Against, seconds: number, window: number): Figures {
  using flow = new Flow(against);
  const share = Math.max(1, Math.floor(window / against.sockets));
  const beginMs = performance.now(), endMs = beginMs + seconds * 1000;
  for (let nowMs = beginMs; nowMs < endMs; nowMs = performance.now()) {
    // Half a window at a time: with single queries every call would carry one.
    for (const lane of flow.lanes) {
      flow.giveUpLost(lane, nowMs);
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
export function paceLoad(against: Against, seconds: number, rate: number): Figures {
  using flow = new Flow(against);
  const total = Math.max(1, Math.round(seconds * rate));
  const beginMs = performance.now();
  for (let i = 0; i < total; i++) {
    const dueMs = beginMs + i * 1000 / rate;
    do flow.receive(); while (performance.now() < dueMs);
    flow.send(flow.lanes[i % flow.lanes.length]!, 1, dueMs);
  }
  flow.drain();
  return flow.figures(beginMs);
}

/** A socket and the queries on it. */
interface Lane {
  readonly socket: number;
  /** By message ID, when a query was due; 0 = none is under way. */
  readonly dueMs: Float64Array;
  nextId: number;
  underWay: number;
  /** When the last reply came, or the first query left after silence. */
  heardMs: number;
}

class Flow {
  readonly lanes: readonly Lane[];
  readonly #query: Query;
  readonly #patienceMs: number;
  readonly #write: ReturnType<typeof queryWriter>;
  readonly #out = new Batch(BATCH, SLOT_OCTETS);
  readonly #in = new Batch(BATCH, SLOT_OCTETS);
  readonly #waiter: Waiter;
  readonly #bins = new Map<number, number>();
  #sent = 0;
  #answered = 0;
  #wrong = 0;

  constructor({ port, query, seed, sockets, networks6, patienceMs = PATIENCE_MS }: Against) {
    this.#query = query;
    this.#patienceMs = patienceMs;
    this.#write = queryWriter(query, seed, networks6);
    this.#out.setLength(query.octets.length);
    this.lanes = Array.from({ length: sockets }, () => ({
      socket: connectedSocket(port),
      dueMs: new Float64Array(65_536),
      nextId: 0,
      underWay: 0,
      heardMs: Infinity,
    }));
    this.#waiter = new Waiter(this.lanes.map(({ socket }) => socket));
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.lanes) closeSocket(socket);
  }

  send(lane: Lane, wanted: number, dueMs: number): void {
    const count = Math.min(wanted, BATCH);
    for (let i = 0; i < count; i++) {
      this.#write(this.#out.octets, this.#out.slot(i), lane.nextId + i & 0xffff);
    }
    const left = this.#out.send(lane.socket, count);
    if (lane.underWay === 0) lane.heardMs = dueMs;
    for (let i = 0; i < left; i++) lane.dueMs[lane.nextId + i & 0xffff] = dueMs;
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
      const dueMs = lane.dueMs[id]!;
      // A reply to what was given up, or a second one.
      if (dueMs === 0) continue;
      lane.dueMs[id] = 0;
      lane.underWay--;
      this.#answered++;
      if (!this.#isExpected(octets, at)) this.#wrong++;
      const bin = binOf((nowMs - dueMs) * 1e6);
      this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
    }
    return count;
  }

  #isExpected(octets: Uint8Array, at: number): boolean {
    const isReply = (octets[at + 2]! & 0x80) !== 0, rcode = octets[at + 3]! & 15;
    const answers = octets[at + 6]! << 8 | octets[at + 7]!;
    return isReply && rcode === this.#query.rcode && answers >= this.#query.answers;
  }

  wait(timeoutMs: number): void {
    this.#waiter.wait(timeoutMs);
  }

  /** Where nothing has come for long, not even while nobody here looked, what is under way is lost. */
  giveUpLost(lane: Lane, nowMs: number): void {
    if (nowMs - lane.heardMs <= this.#patienceMs || this.#receiveOn(lane) > 0) return;
    lane.dueMs.fill(0);
    lane.underWay = 0;
    lane.heardMs = nowMs;
  }

  /** Waits for what is under way, as long as something comes. */
  drain(): void {
    const isUnderWay = () => this.lanes.some(({ underWay }) => underWay > 0);
    for (let heardMs = performance.now(); isUnderWay() && performance.now() - heardMs < this.#patienceMs;) {
      if (this.receive() > 0) heardMs = performance.now();
      else this.wait(1);
    }
  }

  figures(beginMs: number): Figures {
    return {
      seconds: (performance.now() - beginMs) / 1000,
      sent: this.#sent,
      answered: this.#answered,
      wrong: this.#wrong,
      bins: [...this.#bins].sort(([a], [b]) => a - b),
    };
  }
}

/** Reads the arguments of `native/datagrams.c`. */
function main(args: string[]): Figures {
  const options = Object.fromEntries(
    [..."aplWRsqvxit"].map((short) => [short, { type: "string", short } as const]),
  );
  const values = parseArgs({ args, options }).values as Record<string, string | undefined>;
  if (values.a !== "127.0.0.1") throw new Error("IPv6 wants a C compiler, gcc");
  const [kind, at, length, count, ...path] = values.v!.split(":");
  const varies = {
    kind: kind as Variation["kind"],
    at: Number(at),
    length: Number(length),
    count: Number(count),
  };
  const [rcode, answers] = values.x!.split(":").map(Number);
  const against = {
    port: Number(values.p),
    query: { octets: Uint8Array.fromHex(values.q!), varies, rcode: rcode!, answers: answers! },
    seed: Number(values.i) || 1,
    sockets: Number(values.s),
    ...values.t !== undefined && { patienceMs: Number(values.t) },
    ...(kind === "network6" ? { networks6: Deno.readFileSync(path.join(":")) } : {}),
  };
  const seconds = Number(values.l);
  return values.R === undefined
    ? pushLoad(against, seconds, Number(values.W))
    : paceLoad(against, seconds, Number(values.R));
}

if (import.meta.main) console.log(JSON.stringify(main(Deno.args)));
