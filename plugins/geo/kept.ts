/**
 * Geographies that were built before, as files in the state directory.
 *
 * @module
 */

import { join } from "node:path";
import type { Geography } from "../../core/fleet/place.ts";
import { encodeGeography, readGeography } from "./geography_file.ts";

/** How many files are kept: those used last. A server has one geography, or a few. */
const KEPT_MAX = 4;

/**
 * What is kept there, as taken just now; undefined when there is nothing. @throws {Error} That says why it cannot be used.
 */
export function readKept(path: string, epoch: number, loadedMs: number): Geography | undefined {
  try {
    const geography = readGeography(path);
    // The mark of use, by which it is decided what is kept.
    Deno.utimeSync(path, loadedMs / 1000, loadedMs / 1000);
    return { ...geography, epoch, sources: geography.sources.map((source) => ({ ...source, loadedMs })) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes a geography whole or not at all, and removes what has not been used for long. @throws {Error} When it cannot. */
export function writeKept(path: string, geography: Geography): void {
  const folder = join(path, ".."), beside = `${path}.${Deno.pid}.${crypto.randomUUID()}.new`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    Deno.writeFileSync(beside, encodeGeography(geography), { mode: 0o600 });
    Deno.renameSync(beside, path);
  } catch (error) {
    Deno.removeSync(beside);
    throw error;
  }
  removeOld(folder);
}

/** {@linkcode writeKept}. @returns Why it could not be written; undefined when it is there. */
export function tryWriteKept(path: string, geography: Geography): string | undefined {
  try {
    writeKept(path, geography);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function removeOld(folder: string): void {
  const files = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).flatMap(({ name }) => {
    const path = join(folder, name);
    const usedMs = Deno.statSync(path).mtime?.getTime() ?? 0;
    // What a process left behind that ended while it wrote.
    const isAbandoned = name.endsWith(".new") && usedMs < Date.now() - HOUR_MS;
    if (isAbandoned) Deno.removeSync(path);
    return name.endsWith(".tables") ? [{ path, usedMs }] : [];
  });
  files.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of files.slice(KEPT_MAX)) Deno.removeSync(path);
}

const HOUR_MS = 3_600_000;
