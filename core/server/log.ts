/**
 * The log on standard output, as CoreDNS writes it: `[INFO] …`, and a query log's lines as they stand; or as JSON, an
 * object a line.
 *
 * Lines are gathered and written in the background, so that a reader who is slow (a pager, a full disk) holds up the
 * log and not the answers. When it has held up too much, lines are left out, and how many is said.
 *
 * @module
 */

import type { Log } from "../plugin.ts";

/** Where lines go, as Deno.stdout. */
export interface LineOutput {
  write(octets: Uint8Array): Promise<number>;
  writeSync(octets: Uint8Array): number;
}

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
}

/** How lines are written. */
export type LogFormat = "text" | "json";

/** A log that must be closed to be complete. */
export interface ConsoleLog extends Log {
  /** Writes a line as it stands; in JSON, one that is an object already does. */
  writeLine(line: string): void;
  /** Shows debug lines until the function that comes back is called. */
  showDebug(): () => void;
  /** Resolves when everything has been written. */
  flush(): Promise<void>;
}

/** Makes the log. What is left at exit is written then. */
export function consoleLog(options: ConsoleLogOptions = {}): ConsoleLog {
  const { quiet = false, debug = false, format = "text", nowMs = Date.now } = options;
  const writerOf = (name: LevelName, colour = options.colour) =>
    format === "json" ? jsonWriter(name, nowMs) : textWriter(name, colour);
  const writer = new LineWriter(options.output ?? Deno.stdout, writerOf("WARNING", false));
  let debugging = debug ? 1 : 0;
  const level = (name: LevelName, isShown: () => boolean) => {
    const write = writerOf(name);
    return (message: string) => {
      if (isShown()) writer.add(write(message), 0);
    };
  };
  const asJson = jsonWriter("INFO", nowMs);
  return {
    debug: level("DEBUG", () => debugging > 0),
    info: level("INFO", () => !quiet),
    warn: level("WARNING", () => true),
    error: level("ERROR", () => true),
    writeLine(line) {
      const isWhole = format === "text" || line.startsWith("{");
      writer.add(isWhole ? line + "\n" : asJson(line.replace(/^\[INFO\] /, "")), GATHER_MS);
    },
    showDebug() {
      debugging++;
      let ended = false;
      return () => {
        if (!ended) debugging--;
        ended = true;
      };
    },
    flush: () => writer.flush(),
  };
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
  return (message) => {
    const json = JSON.stringify({ time: new Date(nowMs()).toISOString(), level, message });
    return json.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`) + "\n";
  };
}

/** How long a query log's lines wait for others, to leave in one write. */
const GATHER_MS = 10;

/** How many characters may wait for a reader. */
const WAITING_MAX = 4 * 1024 * 1024;

/** Each line of a message behind the prefix, and nothing in it that a terminal would obey: a message may quote a stranger. */
function prefixed(prefix: string, message: string): string {
  const visible = message.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return visible.split("\n").map((line) => `${prefix}${line}\n`).join("");
}

class LineWriter {
  readonly #output: LineOutput;
  /** A warning as a line. */
  readonly #warning: (message: string) => string;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
  #characters = 0;
  #leftOut = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;

  constructor(output: LineOutput, warning: (message: string) => string) {
    this.#output = output;
    this.#warning = warning;
    globalThis.addEventListener("unload", () => this.#writeAtExit());
  }

  add(text: string, delayMs: number): void {
    if (this.#characters + text.length > WAITING_MAX) {
      this.#leftOut++;
      return;
    }
    this.#waiting.push(text);
    this.#characters += text.length;
    if (this.#writing) return;
    if (delayMs === 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), delayMs);
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#writing && this.#waiting.length === 0) return Promise.resolve();
    return this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    // What else is logged in this turn leaves in the same write.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const octets = this.#encoder.encode(this.#takeWaiting());
        for (let written = 0; written < octets.length;) {
          written += await this.#output.write(octets.subarray(written));
        }
      }
    } catch {
      // Nobody reads any more (a closed pipe), and there is no other place to say so.
      this.#takeWaiting();
    } finally {
      this.#writing = undefined;
    }
  }

  #takeWaiting(): string {
    if (this.#leftOut > 0) {
      this.#waiting.push(this.#warning(`${this.#leftOut} lines left out here: the log's reader is too slow`));
    }
    const text = this.#waiting.join("");
    this.#waiting = [];
    this.#characters = 0;
    this.#leftOut = 0;
    return text;
  }

  #writeAtExit(): void {
    // A reader that has been too slow may never come back, and the process is to end.
    if (this.#waiting.length === 0 || this.#leftOut > 0) return;
    try {
      this.#output.writeSync(this.#encoder.encode(this.#takeWaiting()));
    } catch {
      // As above.
    }
  }
}
