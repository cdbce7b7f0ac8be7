/**
 * Builds a geography from files.
 *
 * @module
 */

import { basename } from "node:path";
import { readRegularFile, readRegularTextFile, stampOf } from "../../core/files.ts";
import type { Geography } from "../../core/fleet/place.ts";
import { formatPosition } from "../../core/corefile/directive.ts";
import { Problems } from "../../core/plugin.ts";
import { GeographyBuilder, type OperatorFile } from "./geography.ts";
import { type MmdbMetadata, readMetadata, TAIL_OCTETS_MAX } from "./mmdb.ts";
import { readNetworks } from "./networks.ts";

/** What to build from. Plain data. */
export interface BuildPlan {
  /** Paths of MaxMind DB files, the first to be asked first. */
  readonly databases: readonly string[];
  /** Path of the operator's networks. */
  readonly networks?: string;
  readonly epoch: number;
  /** The time now, milliseconds since 1970. */
  readonly loadedMs: number;
}

/** What came of it. Plain data. */
export type BuildOutcome =
  | {
    readonly geography: Geography;
    /** How the files looked when all of them had been read: {@linkcode stampOf}. */
    readonly stamp: string;
  }
  | { readonly refused: { readonly path: string; readonly reason: string } };

/** The files of a plan, in the order in which they are consulted. */
export function pathsOf(
  { databases, networks }: Pick<BuildPlan, "databases" | "networks">,
): readonly string[] {
  return [...databases, ...networks === undefined ? [] : [networks]];
}

/** Reads the files of a plan and builds; the first file that cannot be used, in that order, is why it is refused. */
export function build(plan: BuildPlan): BuildOutcome {
  const { databases, networks, epoch, loadedMs } = plan;
  // Read first, as it is laid over the databases while they are read.
  const operator = networks === undefined ? undefined : readOperatorFile(networks);
  // The networks are laid out before any database is read.
  let path = networks ?? "";
  try {
    const builder = new GeographyBuilder(loadedMs, operator?.file);
    for (path of databases) {
      const octets = readRegularFile(path);
      builder.addDatabase({ name: basename(path), octets });
      // Gives the file's memory back now: there may be hundreds of megabytes more to come.
      octets.buffer.transfer(0);
    }
    path = networks ?? "";
    if (operator?.error) throw operator.error;
    return { geography: builder.finish(epoch), stamp: stampOf(...pathsOf(plan)) };
  } catch (error) {
    return { refused: { path, reason: reasonOf(error) } };
  }
}

/** The operator's networks, or why they cannot be used. */
function readOperatorFile(path: string): { file?: OperatorFile; error?: unknown } {
  try {
    const problems = new Problems();
    const networks = readNetworks(readRegularTextFile(path), path, problems);
    const [first] = problems.errors;
    if (first) throw new Error(`${formatPosition(first.at)}: ${first.message}`);
    return { file: { networks, builtMs: Deno.statSync(path).mtime?.getTime() ?? 0 } };
  } catch (error) {
    return { error };
  }
}

/** The metadata of a file, of which no more is read than its end. @throws {MmdbError} When it cannot be a database. */
export function readMetadataOf(path: string): MmdbMetadata {
  if (!Deno.statSync(path).isFile) throw new Error("it is no regular file");
  using file = Deno.openSync(path);
  // Of a file that is part of the compiled program the runtime tells nothing, but it can be read.
  const size = file.seekSync(0, Deno.SeekMode.End);
  const tail = new Uint8Array(Math.min(size, TAIL_OCTETS_MAX));
  file.seekSync(size - tail.length, Deno.SeekMode.Start);
  for (let at = 0; at < tail.length;) {
    const read = file.readSync(tail.subarray(at));
    if (read === null) break;
    at += read;
  }
  return readMetadata(tail, size);
}

/** Why a file cannot be used, in a few words. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  return error instanceof Error ? error.message : String(error);
}
