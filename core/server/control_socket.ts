/**
 * The running server's own door: a Unix socket on which `meridian status` and the like ask. One JSON value a line.
 *
 *     -> {"command": "status", "params": {…}}
 *     <- {"result": …}    or    {"error": "what was wrong"}
 *
 * Who may open the socket's file may ask: it belongs to the server's user alone.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import { nearest } from "../corefile/nearest.ts";
import { pause } from "./pause.ts";

/** What to do at each command. What a handler throws becomes the reply's error. */
export type ControlHandlers = Readonly<Record<string, (params: unknown) => unknown | Promise<unknown>>>;

/** The reply to a command. */
export type ControlReply = { readonly result: unknown } | { readonly error: string };

/** Bounds, in both roles. */
export interface ControlOptions {
  readonly clock?: Clock;
  /** How long a request may take to come, or an answer to be made. Default 30000. */
  readonly timeoutMs?: number;
  /** The most octets of a line. Default 64 MiB for replies, 1 MiB for requests. */
  readonly lineOctetsMax?: number;
}

/** An open control socket. */
export interface ControlServing {
  readonly path: string;
  /** Removes the file and ends every connection. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 32;

/**
 * Opens the socket, mode 0600, and makes its directory, mode 0700, where there is none. A socket that a server left
 * behind, so that nobody answers, is replaced.
 *
 * @throws {Error} When another server answers there, or the path is something else than a socket, or too long.
 */
export async function serveControl(
  path: string,
  handlers: ControlHandlers,
  options: ControlOptions = {},
): Promise<ControlServing> {
  await makeDirectory(path);
  await removeStale(path);
  return new ControlServer(path, listenPrivately(path), handlers, options);
}

/** Asks a running server. Never rejects: whatever goes wrong is an error in the reply. */
export async function askControl(
  path: string,
  command: string,
  params?: unknown,
  options: ControlOptions = {},
): Promise<ControlReply> {
  let socket: Deno.UnixConn;
  try {
    socket = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    return { error: `Cannot reach a server at ${path}: ${messageOf(error)}; is it running?` };
  }
  const { clock = SYSTEM_CLOCK, timeoutMs = 30_000, lineOctetsMax = 64 << 20 } = options;
  let timedOut = false;
  const cancel = clock.after(timeoutMs, () => {
    timedOut = true;
    close(socket);
  });
  try {
    await writeLine(socket, { command, params });
    for await (const line of readLines(socket, lineOctetsMax)) return JSON.parse(line) as ControlReply;
    return { error: `The server at ${path} closed the connection without an answer` };
  } catch (error) {
    const reason = timedOut ? `no answer within ${timeoutMs} ms` : messageOf(error);
    return { error: `Cannot ask the server at ${path}: ${reason}` };
  } finally {
    cancel();
    close(socket);
  }
}

class ControlServer implements ControlServing {
  readonly path: string;
  readonly #listener: Deno.UnixListener;
  readonly #handlers: ControlHandlers;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #lineOctetsMax: number;
  readonly #sockets = new Set<Deno.UnixConn>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #accepting: Promise<void>;
  #closing = false;

  constructor(
    path: string,
    listener: Deno.UnixListener,
    handlers: ControlHandlers,
    { clock = SYSTEM_CLOCK, timeoutMs = 30_000, lineOctetsMax = 1 << 20 }: ControlOptions,
  ) {
    this.path = path;
    this.#listener = listener;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#lineOctetsMax = lineOctetsMax;
    this.#accepting = this.#acceptAll();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#ended.resolve();
    this.#listener.close();
    for (const socket of this.#sockets) close(socket);
    // The runtime removes the file when the last operation has been given up. To see to it here as well would be to remove
    // that of a server which waited for just that.
    await this.#accepting;
  }

  async #acceptAll(): Promise<void> {
    while (!this.#closing) {
      try {
        const socket = await this.#listener.accept();
        if (this.#sockets.size < CONNECTIONS_MAX) this.#serve(socket);
        else close(socket);
      } catch {
        if (!this.#closing) await pause(this.#clock, 100, this.#ended.promise);
      }
    }
  }

  async #serve(socket: Deno.UnixConn): Promise<void> {
    this.#sockets.add(socket);
    const expire = () => this.#clock.after(this.#timeoutMs, () => close(socket));
    let cancel = expire();
    try {
      for await (const line of readLines(socket, this.#lineOctetsMax)) {
        cancel();
        const reply = await this.#answer(line);
        cancel = expire();
        await writeLine(socket, reply);
      }
    } catch (error) {
      if (error instanceof RangeError) await writeLine(socket, { error: error.message }).catch(() => {});
    } finally {
      cancel();
      this.#sockets.delete(socket);
      close(socket);
    }
  }

  async #answer(line: string): Promise<ControlReply> {
    try {
      const { command, params } = readRequest(line);
      const names = Object.keys(this.#handlers);
      if (!names.includes(command)) {
        const guess = nearest(command, names);
        return { error: `Unknown command "${command}"${guess ? `; did you mean "${guess}"?` : ""}` };
      }
      const result = await this.#inTime(Promise.resolve(this.#handlers[command]!(params)));
      // What JSON cannot say must fail here, where it can still be told.
      return JSON.parse(JSON.stringify({ result: result ?? null }));
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(
        this.#timeoutMs,
        () => reject(new Error(`The server was not done within ${this.#timeoutMs} ms`)),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }
}

function readRequest(line: string): { command: string; params: unknown } {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch (error) {
    throw new SyntaxError(`Cannot read the request as JSON: ${messageOf(error)}`);
  }
  if (typeof request === "object" && request !== null && "command" in request) {
    const { command, params } = request as { command: unknown; params?: unknown };
    if (typeof command === "string") return { command, params };
  }
  throw new SyntaxError('A request must be an object with a "command" that is a string');
}

/** Lines as they come, without their ends. @throws {RangeError} When one is longer than `octetsMax`. */
async function* readLines(socket: Deno.UnixConn, octetsMax: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let parts: Uint8Array[] = [];
  let octets = 0;
  for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
    let from = 0;
    for (let end = buffer.indexOf(10); end >= 0 && end < count; end = buffer.indexOf(10, from)) {
      parts.push(buffer.slice(from, end));
      yield decoder.decode(joined(parts));
      parts = [];
      octets = 0;
      from = end + 1;
    }
    parts.push(buffer.slice(from, count));
    octets += count - from;
    if (octets > octetsMax) throw new RangeError(`A line must have at most ${octetsMax} octets`);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function writeLine(socket: Deno.UnixConn, value: unknown): Promise<void> {
  const octets = new TextEncoder().encode(JSON.stringify(value) + "\n");
  for (let sent = 0; sent < octets.length;) sent += await socket.write(octets.subarray(sent));
}

/** Listens with a file that nobody else may open, not even for the moment before a chmod. */
function listenPrivately(path: string): Deno.UnixListener {
  const before = Deno.umask(0o177);
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    // sockaddr_un has room for 107 octets, and the runtime's own message does not say so.
    const length = new TextEncoder().encode(path).length;
    const why = length > 107
      ? `a socket's path has at most 107 octets, this one ${length}`
      : messageOf(error);
    throw new Error(`Cannot open the control socket ${path}: ${why}`, { cause: error });
  } finally {
    Deno.umask(before);
  }
}

/** The directory that the socket is to be in, where there is none yet. */
async function makeDirectory(path: string): Promise<void> {
  const end = path.lastIndexOf("/");
  if (end > 0) await Deno.mkdir(path.slice(0, end), { recursive: true, mode: 0o700 });
}

async function removeStale(path: string): Promise<void> {
  const file = await Deno.lstat(path).catch(() => undefined);
  if (!file) return;
  if (!file.isSocket) {
    throw new Error(`Cannot open the control socket ${path}: a file is there that is no socket`);
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch {
    return await removeFile(path);
  }
  throw new Error(`Cannot open the control socket ${path}: a server that is running has it`);
}

async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function close(socket: Deno.UnixConn): void {
  try {
    socket.close();
  } catch {
    // Closed before.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
