/**
 * Asks a server all the time, from many ports, by UDP and TCP, and sees to it that every query is answered once and rightly. A
 * process of its own:
 *
 *     deno run -A load.ts PORT RATE WINDOW SECONDS      RATE a second, at most WINDOW of them unanswered at a time
 *
 * It says `ready`, asks until its standard input ends (or for SECONDS), waits for what is missing, and prints a report.
 *
 * @module
 */

import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { enlargeReceiveBuffers } from "../../../core/server/socket_options.ts";

/** What came of it. Plain data. */
export interface LoadReport {
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  /** Of both, by TCP. */
  readonly byTcp: number;
  readonly lost: number;
  readonly wrong: number;
  /** What some of those were. */
  readonly samples: readonly string[];
  /** By the number of the version that was answered. */
  readonly versions: Readonly<Record<number, VersionReport>>;
}

/** The replies of one version: whether all were valid shows in the extremes. Milliseconds since 1970. */
export interface VersionReport {
  count: number;
  firstReceivedMs: number;
  lastSentMs: number;
}

/** What is asked: a name whose address is the version, and one of a pool of which one node is down. */
export const VERSION_NAME = "version.example.org", POOL_NAME = "entry.example.org";

/** The node that is up. */
export const UP_ADDRESS = "127.0.0.2";

const HOST = "127.0.0.1", SOCKETS = 32, TCP_CLIENTS = 4, PIPELINED = 20;

/** How long an answer may take. */
const PATIENCE_MS = 20_000;

const version = encodeMessage(makeQuery(0, parseName(VERSION_NAME), TYPE.A));
const pool = encodeMessage(makeQuery(0, parseName(POOL_NAME), TYPE.A));

class Load {
  readonly #port: number;
  readonly #versions: Record<number, VersionReport> = {};
  readonly #samples: string[] = [];
  #sent = 0;
  #answered = 0;
  #byTcp = 0;
  #tcpLost = 0;
  #wrong = 0;

  constructor(port: number) {
    this.#port = port;
  }

  async run(rate: number, window: number, ended: Promise<unknown>): Promise<LoadReport> {
    const startedMs = Date.now();
    const state = { isOver: false };
    ended.then(() => state.isOver = true);
    const sources = Array.from(
      { length: SOCKETS },
      () => new Source(this.#port, (...seen) => this.#judge(...seen)),
    );
    enlargeReceiveBuffers(new Set(sources.map(({ port }) => port)));
    const tcp = Array.from({ length: TCP_CLIENTS }, () => this.#askByTcp(state));
    let fromMs = performance.now(), due = 0;
    while (!state.isOver) {
      const nowMs = performance.now();
      // What could not be sent in time is left out: a rate, not a debt.
      due = Math.min(due + (nowMs - fromMs) * rate / 1000, rate / 20);
      fromMs = nowMs;
      for (let room = window - outstandingOf(sources); due >= 1 && room > 0; due--, room--) {
        sources[this.#sent % SOCKETS]!.ask(this.#sent % 4 === 3);
        this.#sent++;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const seconds = (Date.now() - startedMs) / 1000;
    await Promise.all(tcp);
    const untilMs = Date.now() + PATIENCE_MS;
    while (outstandingOf(sources) > 0 && Date.now() < untilMs) {
      await new Promise((then) => setTimeout(then, 20));
    }
    const lost = this.#tcpLost + outstandingOf(sources);
    for (const source of sources) {
      for (const sentMs of source.unanswered) this.#note(`lost: sent ${new Date(sentMs).toISOString()}`);
      source.close();
    }
    return {
      ...{ seconds, sent: this.#sent, answered: this.#answered, byTcp: this.#byTcp, lost },
      ...{ wrong: this.#wrong, samples: this.#samples, versions: this.#versions },
    };
  }

  /** Many queries in one write, on a connection of their own; what was sent is as old as the connection. */
  async #askByTcp(state: { isOver: boolean }): Promise<void> {
    const queries = framedQueries();
    while (!state.isOver) {
      this.#sent += PIPELINED;
      this.#byTcp += PIPELINED;
      const sentMs = Date.now();
      let missing = PIPELINED;
      try {
        using connection = await Deno.connect({ hostname: HOST, port: this.#port });
        const timer = setTimeout(() => connection.close(), PATIENCE_MS);
        await connection.write(queries);
        for await (const reply of messages(connection)) {
          this.#judge(reply, reply[1]! % 4 === 3, sentMs);
          if (--missing === 0) break;
        }
        clearTimeout(timer);
      } catch (error) {
        this.#note(`TCP: ${error}`);
      }
      this.#tcpLost += missing;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #judge(reply: Uint8Array, isPool: boolean, sentMs: number): void {
    this.#answered++;
    const at = (isPool ? pool : version).length + 12;
    const isSound = (reply[2]! & 0x80) !== 0 && (reply[3]! & 0x0f) === 0 && reply[7]! === 1 &&
      reply.length >= at + 4;
    const address = reply.subarray(at, at + 4).join(".");
    if (!isSound || (isPool ? address !== UP_ADDRESS : reply[at] !== 10)) {
      this.#wrong++;
      return this.#note(`${isPool ? "pool" : "version"}: ${address}, flags ${reply[2]} ${reply[3]}`);
    }
    if (isPool) return;
    const number = reply[at + 2]! << 8 | reply[at + 3]!;
    if (!this.#versions[number]) console.log(`seen ${number}`);
    const seen = this.#versions[number] ??= { count: 0, firstReceivedMs: Infinity, lastSentMs: 0 };
    seen.count++;
    seen.firstReceivedMs = Math.min(seen.firstReceivedMs, Date.now());
    seen.lastSentMs = Math.max(seen.lastSentMs, sentMs);
  }

  #note(what: string): void {
    if (this.#samples.length < 20) this.#samples.push(`${new Date().toISOString()} ${what}`);
  }
}

/** One port to ask from, with IDs of its own. */
class Source {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  readonly #to: Deno.NetAddr;
  readonly #judge: (reply: Uint8Array, isPool: boolean, sentMs: number) => void;
  /** By ID: when a query was sent that is not answered; 0 = none. */
  readonly #sentMs = new Float64Array(65536);
  readonly #isPool = new Uint8Array(65536);
  #lastId = 0;
  outstanding = 0;

  constructor(port: number, judge: (reply: Uint8Array, isPool: boolean, sentMs: number) => void) {
    this.#to = { transport: "udp", hostname: HOST, port };
    this.#judge = judge;
    this.#receive();
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  ask(isPool: boolean): void {
    do this.#lastId = (this.#lastId + 1) & 0xffff; while (this.#sentMs[this.#lastId] !== 0);
    const octets = (isPool ? pool : version).slice();
    octets[0] = this.#lastId >> 8;
    octets[1] = this.#lastId & 0xff;
    this.#sentMs[this.#lastId] = Date.now();
    this.#isPool[this.#lastId] = isPool ? 1 : 0;
    this.outstanding++;
    this.#socket.send(octets, this.#to).catch(() => {});
  }

  /** When what is not answered was sent. */
  get unanswered(): readonly number[] {
    return [...this.#sentMs].filter((sentMs) => sentMs !== 0);
  }

  close(): void {
    this.#socket.close();
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (;;) {
      const received = await this.#socket.receive(buffer).catch(() => undefined);
      if (!received) return;
      const [reply] = received;
      const id = reply[0]! << 8 | reply[1]!;
      const sentMs = this.#sentMs[id]!;
      // One that was answered already is answered twice.
      this.#judge(sentMs === 0 ? new Uint8Array(12) : reply, this.#isPool[id] === 1, sentMs);
      if (sentMs !== 0) this.outstanding--;
      this.#sentMs[id] = 0;
    }
  }
}

function outstandingOf(sources: readonly Source[]): number {
  return sources.reduce((sum, { outstanding }) => sum + outstanding, 0);
}

/** Each behind its length, its number as its ID. */
function framedQueries(): Uint8Array<ArrayBuffer> {
  const all = Array.from({ length: PIPELINED }, (_, id) => {
    const query = (id % 4 === 3 ? pool : version).slice();
    query.set([0, id]);
    return [0, query.length, ...query];
  });
  return new Uint8Array(all.flat());
}

async function* messages(connection: Deno.TcpConn): AsyncGenerator<Uint8Array> {
  let held = new Uint8Array(0);
  const buffer = new Uint8Array(16_384);
  for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
    held = new Uint8Array([...held, ...buffer.subarray(0, count)]);
    while (held.length >= 2 && held.length >= 2 + (held[0]! << 8 | held[1]!)) {
      const end = 2 + (held[0]! << 8 | held[1]!);
      yield held.subarray(2, end);
      held = held.slice(end);
    }
  }
}

if (import.meta.main) {
  const [port, rate, window, seconds] = Deno.args.map(Number);
  const timeout = new Promise((resolve) => setTimeout(resolve, seconds! * 1000));
  const inputEnded = Deno.stdin.readable.pipeTo(new WritableStream());
  console.log("ready");
  const report = await new Load(port!).run(rate!, window!, Promise.race([timeout, inputEnded]));
  console.log(JSON.stringify(report));
  Deno.exit(0);
}
