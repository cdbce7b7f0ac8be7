/**
 * The log on standard output, as CoreDNS writes it: `[INFO] …`, and a query log's lines as they stand; or as JSON, an
 * object a line.
 *
 * Lines are gathered and written in the background, so that a reader who is slow (a pager, a full disk) holds up the
 * log and not the answers. When it has held up too much, lines are left out, and how many is said. A worker writes its
 * lines to a ring in shared memory: openLines() here, lineSink() there.
 *
 * @module
 */

import type { Log } from "../plugin.ts";
import { type LineBuffer, LineReader, LineWriter, makeLineBuffer } from "./lines.ts";
import { type LineOutput, LogOutput } from "./log_output.ts";

/** What {@linkcode consoleLog} may be told. */
export interface ConsoleLogOptions {
  /** Leaves out what is merely informative; warnings, errors and lines of a query log stay. */
  readonly quiet?: boolean;
  /** Default: on a terminal, unless NO_COLOR is set. */
  readonly colour?: boolean;
  /** Shows debug lines. */
  readonly debug?: boolean;
  /** Default: text. */
  readonly format?: LogFormat;
  /** Milliseconds since 1970, for JSON. */
  readonly nowMs?: () => number;
  readonly output?: LineOutput;
  /** Takes what can be said only there, while `output` cannot be written. Default: standard error. */
  readonly complain?: (message: string) => void;
}

/** How lines are written. */
export type LogFormat = "text" | "json";

/** A log that must be closed to be complete. */
export interface ConsoleLog extends Log {
  /** Writes a line as it stands; in JSON, one that is an object already does. */
  writeLine(line: string): void;
  /** Shows debug lines until the function that comes back is called. */
  showDebug(): () => void;
  /** Makes room for the lines of a worker: to be handed to it, and closed when it has gone. */
  openLines(): Lines;
  /** How many lines were left out, ever. */
  readonly dropped: number;
  /** Resolves when everything has been written, when that fails, or when it takes longer than 5 s. */
  flush(): Promise<void>;
}

/** A worker's lines, as the control isolate has them. */
export interface Lines {
  /** For the worker's {@linkcode lineSink}. Plain data. */
  readonly room: LineRoom;
  /** The worker has gone; what it wrote still leaves. */
  close(): void;
}

/** Where a worker's lines go, and how they are written. Plain data. */
export interface LineRoom {
  readonly buffer: LineBuffer;
  readonly format: LogFormat;
}

/** Makes the log. What is left at exit is written then. */
export function consoleLog(options: ConsoleLogOptions = {}): ConsoleLog {
  const { quiet = false, debug = false, format = "text", nowMs = Date.now } = options;
  const writerOf = (name: LevelName, colour = options.colour) =>
    format === "json" ? jsonWriter(name, nowMs) : textWriter(name, colour);
  const output = new LogOutput(
    options.output ?? Deno.stdout,
    writerOf("WARNING", false),
    options.complain ?? ((message) => complain(writerOf("ERROR", false)(message))),
  );
  let debugging = debug ? 1 : 0;
  const level = (name: LevelName, isShown: () => boolean) => {
    const write = writerOf(name);
    return (message: string) => {
      if (isShown()) output.add(write(message), 0);
    };
  };
  return {
    debug: level("DEBUG", () => debugging > 0),
    info: level("INFO", () => !quiet),
    warn: level("WARNING", () => true),
    error: level("ERROR", () => true),
    writeLine: (line) => output.add(wholeLine(line, format, nowMs) + "\n", GATHER_MS),
    showDebug() {
      debugging++;
      let ended = false;
      return () => {
        if (!ended) debugging--;
        ended = true;
      };
    },
    openLines() {
      const buffer = makeLineBuffer();
      const reader = new LineReader(buffer, () => output.poke());
      output.addReader(reader);
      return { room: { buffer, format }, close: () => (reader.close(), output.poke()) };
    },
    get dropped() {
      return output.dropped;
    },
    flush: () => within(FLUSH_MS, output.flush()),
  };
}

/** The worker's end of {@linkcode ConsoleLog.openLines}. */
export function lineSink({ buffer, format }: LineRoom): LineSink {
  const lines = new LineWriter(buffer, format === "text");
  return {
    lines,
    writeLine: (line) => void lines.write(wholeLine(line, format, Date.now)),
  };
}

/** What takes a query log's lines in a worker. */
export interface LineSink {
  /** As {@linkcode ConsoleLog.writeLine}. */
  writeLine(line: string): void;
  /** For lines made as octets, which are written as they stand. */
  readonly lines: LineWriter;
}

/** How long a reader who is slow may hold up whoever ends. */
const FLUSH_MS = 5000;

async function within(timeoutMs: number, done: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([done, late]);
  clearTimeout(timer);
}

/** Nobody waits for standard error either, and that it cannot be written is told nowhere. */
function complain(line: string): void {
  Deno.stderr.write(new TextEncoder().encode(line)).catch(() => {});
}

/** A query log's line as it is written: in JSON, one that is no object is told in one. */
function wholeLine(line: string, format: LogFormat, nowMs: () => number): string {
  if (format === "text" || line.startsWith("{")) return line;
  return jsonObject("info", line.replace(/^\[INFO\] /, ""), nowMs());
}

/** With the colours of terminals. */
const LEVELS = { DEBUG: 90, INFO: 36, WARNING: 33, ERROR: 31 } as const;

type LevelName = keyof typeof LEVELS;

function textWriter(
  name: LevelName,
  colour = Deno.stdout.isTerminal() && !Deno.noColor,
): (message: string) => string {
  const prefix = colour ? `\x1b[${LEVELS[name]}m[${name}]\x1b[0m ` : `[${name}] `;
  return (message) => prefixed(prefix, message);
}

/** One object a message, whatever lines it has, in ASCII. */
function jsonWriter(name: LevelName, nowMs: () => number): (message: string) => string {
  const level = name.toLowerCase();
  return (message) => jsonObject(level, message, nowMs()) + "\n";
}

function jsonObject(level: string, message: string, nowMs: number): string {
  const json = JSON.stringify({ time: new Date(nowMs).toISOString(), level, message });
  return json.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** How long a query log's lines wait for others, to leave in one write. */
const GATHER_MS = 10;

/** Each line of a message behind the prefix, and nothing in it that a terminal would obey: a message may quote a stranger. */
function prefixed(prefix: string, message: string): string {
  const visible = message.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return visible.split("\n").map((line) => `${prefix}${line}\n`).join("");
}
