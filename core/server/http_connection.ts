/**
 * One connection of an HTTP listener. Its client may send half a request, or not read what he asked for: he is waited for
 * no longer than so.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { Count } from "./arrival.ts";
import { type Asked, formatReply, parseHead, refusal } from "./http_message.ts";

/** What an {@linkcode HttpConnection} needs. */
export interface HttpConnectionOptions {
  /** Its replies are read whole, then sent. An error that it throws is logged and answered with 500. */
  readonly handler: (request: Request) => Response | Promise<Response>;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  readonly count?: Count;
}

/** Of a request's head. */
const HEAD_OCTETS = 16_384;

/** How long a client may take: for a head, from its first octet; for the next request; to read a reply. */
const HEAD_MS = 5000, IDLE_MS = 30_000, WRITE_MS = 10_000;

/** A timer that is so late tells of a process that stood still; what came meanwhile is read first, for so long. */
const STILL_MS = 500, READ_MS = 20;

/** What is still read of a client that has its last reply: to close at once could take back what is on its way. */
const LINGER_MS = 1000, LINGER_OCTETS = 1 << 20;

/** Reads requests from a socket, and answers them one after the other. */
export class HttpConnection {
  /** Whether nothing is lost but time where it is closed. */
  isWaiting = true;
  readonly #socket: Deno.TcpConn;
  readonly #options: HttpConnectionOptions;
  /** Hears when it begins to wait, or to answer. */
  readonly #turned: () => void;
  readonly #octets = new Uint8Array(HEAD_OCTETS);
  /** Of those, what has been read and not been taken. */
  #length = 0;
  #isFirst = true;
  #isLast = false;
  #isClosed = false;
  #cancelTimer = () => {};

  constructor(socket: Deno.TcpConn, options: HttpConnectionOptions, turned: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#turned = turned;
  }

  /** Answers one request after the other. Never rejects. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveOne());
    } catch {
      // The client has left, or the connection has been closed.
    }
    this.close();
  }

  /** Ends it behind the reply that is under way. */
  finish(): void {
    this.#isLast = true;
    if (this.isWaiting) this.close();
  }

  /** Ends it; counted where there is a reason. */
  close(reason?: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer();
    if (reason) this.#options.count?.("meridian_http_closed_total", { reason });
    try {
      this.#socket.close();
    } catch {
      // The runtime has closed it already.
    }
  }

  /** False when that was the last one. */
  async #serveOne(): Promise<boolean> {
    this.#turn(true);
    const head = await this.#readHead();
    if (head === undefined) return false;
    this.#turn(false);
    this.#cancelTimer();
    const asked = typeof head === "string" ? parseHead(head) : head;
    const { response, body } = await this.#answer(asked);
    const isRefused = asked instanceof Response;
    const keepsAlive = !isRefused && asked.keepsAlive && !this.#isLast;
    const method = isRefused ? "GET" : asked.request.method;
    await this.#send(formatReply(response, body, { method, keepsAlive, nowMs: this.#options.clock.nowMs() }));
    if (!keepsAlive) await this.#linger();
    return keepsAlive && !this.#isLast;
  }

  async #answer(asked: Asked | Response): Promise<{ response: Response; body: Uint8Array }> {
    try {
      const response = asked instanceof Response ? asked : await this.#options.handler(asked.request);
      if (response.status < 200) throw new RangeError(`${response.status} is no status of a reply`);
      return { response, body: new Uint8Array(await response.arrayBuffer()) };
    } catch (error) {
      this.#options.log.error(`HTTP listener: cannot answer: ${(error as Error)?.stack ?? error}`);
      return this.#answer(refusal(500));
    }
  }

  /** The next head, a refusal where there is none to be had, or undefined at the end of the stream. */
  async #readHead(): Promise<string | Response | undefined> {
    if (this.#isFirst || this.#length > 0) this.#closeAfter(HEAD_MS, "head");
    else this.#closeAfter(IDLE_MS, "idle");
    for (let scanned = 0;;) {
      const end = endOfHead(this.#octets, scanned, this.#length);
      if (end === "bare LF") return refusal(400);
      if (end !== undefined) return this.#takeHead(end);
      scanned = this.#length;
      if (scanned === HEAD_OCTETS) return refusal(431);
      const count = await this.#socket.read(this.#octets.subarray(scanned));
      if (count === null) return undefined;
      if (scanned === 0 && !this.#isFirst) this.#closeAfter(HEAD_MS, "head");
      this.#length += count;
    }
  }

  #takeHead(end: number): string {
    const head = String.fromCharCode(...this.#octets.subarray(0, end));
    this.#octets.copyWithin(0, end, this.#length);
    this.#length -= end;
    this.#isFirst = false;
    return head;
  }

  async #send(octets: Uint8Array): Promise<void> {
    this.#closeAfter(WRITE_MS, "write");
    for (let sent = 0; sent < octets.length;) sent += await this.#socket.write(octets.subarray(sent));
  }

  async #linger(): Promise<void> {
    this.#turn(true);
    this.#closeAfter(LINGER_MS);
    await this.#socket.closeWrite();
    for (let left = LINGER_OCTETS; left > 0;) {
      const count = await this.#socket.read(this.#octets);
      if (count === null) return;
      left -= count;
    }
  }

  #turn(isWaiting: boolean): void {
    this.isWaiting = isWaiting;
    this.#turned();
  }

  #closeAfter(ms: number, reason?: string, wasStill = false): void {
    const { clock } = this.#options, atMs = clock.nowMs() + ms;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(ms, () => {
      // Timers are seen to before sockets are: who seems to be late may have been in time.
      if (!wasStill && clock.nowMs() - atMs >= STILL_MS) this.#closeAfter(READ_MS, reason, true);
      else this.close(reason);
    });
  }
}

/** Behind the first empty line, `from` being how far it has been looked for before; undefined = not there yet. */
function endOfHead(octets: Uint8Array, from: number, to: number): number | "bare LF" | undefined {
  const CR = 13, LF = 10;
  for (let at = octets.indexOf(LF, from); at !== -1 && at < to; at = octets.indexOf(LF, at + 1)) {
    if (octets[at - 1] !== CR) return "bare LF";
    if (octets[at - 2] === LF) return at + 1;
  }
  return undefined;
}
