/**
 * Small files that survive a restart, written whole or not at all.
 *
 * @module
 */

import type { Log } from "../plugin.ts";

/**
 * What was kept under `name`; undefined when nothing was, or, with a warning, when it cannot be read or is not what
 * `isSound` asks for.
 */
export async function readState<T>(
  directory: string,
  name: string,
  isSound: (value: unknown) => value is T,
  log: Log,
): Promise<T | undefined> {
  if (!directory) return undefined;
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(`${directory}/${name}`));
    if (!isSound(value)) throw new TypeError("it holds something else than what is kept there");
    return value;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      log.warn(`Cannot use ${directory}/${name}, starting without: ${error}`);
    }
    return undefined;
  }
}

/** By this process. */
let writes = 0;

/** Keeps values under one name, the newest in place of the one before: in the background, one write at a time. */
export class StateFile<T = unknown> {
  readonly #directory: string;
  readonly #name: string;
  readonly #log: Log;
  readonly #piecesOf: (value: T) => Iterable<string>;
  #next: { readonly value: T } | undefined;
  #writing: Promise<void> | undefined;

  /** @param piecesOf The JSON of a value: of a large one a piece at a time, between which others have a turn. */
  constructor(
    directory: string,
    name: string,
    log: Log,
    piecesOf: (value: T) => Iterable<string> = (value) => [JSON.stringify(value)],
  ) {
    [this.#directory, this.#name, this.#log, this.#piecesOf] = [directory, name, log, piecesOf];
  }

  /** Keeps a value, which must not change any more. A failure is logged, and leaves what was there. */
  keep(value: T): void {
    if (!this.#directory) return;
    this.#next = { value };
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when the newest value has been written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#next; next; next = this.#next) {
      this.#next = undefined;
      await this.#write(this.#piecesOf(next.value));
    }
    this.#writing = undefined;
  }

  /** Written beside, under a name that no other writer of the same file has, then renamed. */
  async #write(pieces: Iterable<string>): Promise<void> {
    const path = `${this.#directory}/${this.#name}`;
    const beside = `${path}.${Deno.pid}.${++writes}.new`;
    try {
      await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
      // What is kept of a fleet has what only its servers may know.
      await writePieces(beside, pieces);
      await Deno.rename(beside, path);
    } catch (error) {
      await Deno.remove(beside).catch(() => {});
      this.#log.warn(`Cannot keep ${path}: ${error}`);
    }
  }
}

async function writePieces(path: string, pieces: Iterable<string>): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true, mode: 0o600 });
  const encoder = new TextEncoder();
  for (const piece of pieces) {
    const octets = encoder.encode(piece);
    for (let at = 0; at < octets.length;) at += await file.write(octets.subarray(at));
  }
}
