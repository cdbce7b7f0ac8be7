/**
 * Files that the operator changes while the server runs: what shows that one has changed, how to read one without
 * waiting for ever, and when to look again. Everything that keeps watch on a file does it through here.
 *
 * @module
 */

import type * as NodeFiles from "node:fs";
import type { Clock } from "./clock.ts";
import type { Steps } from "./zone/steps.ts";

/** What shows that one of some files is another than before: their times of change, sizes and inodes. */
export function stampOf(...files: readonly string[]): string {
  return files.map((file) => {
    try {
      const { mtime, size, ino } = Deno.statSync(file);
      return `${file} ${mtime?.getTime()} ${size} ${ino}`;
    } catch {
      return `${file} missing`;
    }
  }).join("\n");
}

/**
 * Reads a regular file whole. Anything else, a FIFO that nobody writes to or a device without end, is refused without
 * waiting for it, even when it took the place of a regular file just now: the question is put to what was opened.
 *
 * @param admit Is told the size in octets before anything is read, and may throw.
 * @throws {Deno.errors.NotFound} When there is no such file.
 * @throws {Error} That says what it is instead, or why it cannot be read.
 */
export function readRegularFile(
  path: string,
  admit: (octets: number) => void = () => {},
): Uint8Array<ArrayBuffer> {
  const file = openWithoutWaiting(path);
  try {
    const stat = statOf(file, path);
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? "a folder" : "a FIFO, a device or a socket";
      throw new Error(`it is ${what}: wanted a regular file`);
    }
    admit(stat.size);
    return readOctets(file, stat.size);
  } finally {
    nodeFiles().closeSync(file);
  }
}

/** {@linkcode readRegularFile}, as text. @throws {Error} Also when it is not UTF-8. */
export function readRegularTextFile(path: string, admit?: (octets: number) => void): string {
  const octets = readRegularFile(path, admit);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    throw new Error("it is not UTF-8");
  }
}

/** Refuses files of more than `max` octets; for {@linkcode readRegularFile}. */
export function atMost(max: number): (octets: number) => void {
  return (octets) => {
    if (octets > max) throw new Error(`it has ${octets} octets: wanted at most ${max}`);
  };
}

/** Why a file could not be read, in words. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  return error instanceof Error ? error.message : String(error);
}

/** In how many milliseconds to look again, where that is not as usual. */
type NextMs = number | void;

/** What a look does: at once, in turns with whatever else the isolate does, or while it waits for something. */
export type Look = () => NextMs | Steps<NextMs> | Promise<NextMs>;

/** Looks again and again, `everyMs` after the last look has ended, until closed; the first time after `everyMs`. */
export function lookAgain(clock: Clock, everyMs: number, look: Look): { close(): void } {
  let cancel = clock.after(everyMs, run);
  let closed = false;
  function run(): void {
    goingOn(() => {
      const doing = look();
      if (doing instanceof Promise) doing.then(rest, (error) => goingOn(() => fail(error)));
      else if (typeof doing === "object") takeTurn(doing);
      else rest(doing);
    });
  }
  function takeTurn(steps: Steps<NextMs>): void {
    goingOn(() => {
      const { done, value } = steps.next();
      if (done) rest(value);
      else if (!closed) cancel = clock.after(0, () => takeTurn(steps));
    });
  }
  /** A look that throws is a bug, for whoever catches what nobody caught; the next look comes all the same. */
  function goingOn(step: () => void): void {
    try {
      step();
    } catch (error) {
      rest(undefined);
      throw error;
    }
  }
  function rest(nextMs: NextMs): void {
    cancel();
    if (!closed) cancel = clock.after(nextMs ?? everyMs, run);
  }
  return {
    close() {
      closed = true;
      cancel();
    },
  };
}

function fail(error: unknown): never {
  throw error;
}

/** O_NONBLOCK: to open a FIFO otherwise is to wait for somebody who writes. */
function openWithoutWaiting(path: string): number {
  try {
    const { constants, openSync } = nodeFiles();
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") throw new Deno.errors.NotFound(path);
    throw error;
  }
}

/** Files that are part of the compiled program can be asked about by path alone; nobody replaces those. */
function statOf(file: number, path: string): NodeFiles.Stats {
  try {
    return nodeFiles().fstatSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return nodeFiles().statSync(path);
    throw error;
  }
}

/** At most `size` octets: a file that grows meanwhile is no larger than was admitted. */
function readOctets(file: number, size: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(size), { readSync } = nodeFiles();
  let at = 0;
  while (at < size) {
    const read = readSync(file, octets, at, size - at, null);
    if (read === 0) break;
    at += read;
  }
  return octets.subarray(0, at);
}

/** Loaded when a file is first read: it is several megabytes, and workers, which read none, do without. */
function nodeFiles(): typeof NodeFiles {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: "node:fs"): typeof NodeFiles };
  };
  return process.getBuiltinModule("node:fs");
}
