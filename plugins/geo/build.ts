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
import { writeKept } from "./kept.ts";
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
  /** Where to keep the outcome, if the files still have this stamp when all of them have been read. */
  readonly keep?: { readonly path: string; readonly stamp: string };
}

/** What came of it. Plain data. */
export type BuildOutcome =
  | {
    readonly geography: Geography;
    /** Why it could not be kept, where it was to be. */
    readonly notKept?: string;
  }
  | { readonly refused: { readonly path: string; readonly reason: string } };

/** Reads the files of a plan and builds; the first file that cannot be used ends it. */
export function build(plan: BuildPlan): BuildOutcome {
  const outcome = buildTables(plan), { keep } = plan;
  if (!keep || !("geography" in outcome) || keep.stamp !== stampOf(...pathsOf(plan))) return outcome;
  try {
    writeKept(keep.path, outcome.geography);
    return outcome;
  } catch (error) {
    return { ...outcome, notKept: reasonOf(error) };
  }
}

/** The files of a plan, in the order in which they are read. */
export function pathsOf(
  { databases, networks }: Pick<BuildPlan, "databases" | "networks">,
): readonly string[] {
  return [...databases, ...networks === undefined ? [] : [networks]];
}

function buildTables({ databases, networks, epoch, loadedMs }: BuildPlan): BuildOutcome {
  const builder = new GeographyBuilder(loadedMs);
  let path = "";
  try {
    for (path of databases) {
      const octets = readRegularFile(path);
      builder.addDatabase({ name: basename(path), octets });
      // Gives the file's memory back now: there may be hundreds of megabytes more to come.
      octets.buffer.transfer(0);
    }
    if (networks === undefined) return { geography: builder.finish(epoch) };
    path = networks;
    return { geography: builder.finish(epoch, readOperatorFile(path)) };
  } catch (error) {
    return { refused: { path, reason: reasonOf(error) } };
  }
}

function readOperatorFile(path: string): OperatorFile {
  const problems = new Problems();
  const networks = readNetworks(readRegularTextFile(path), path, problems);
  const [first] = problems.errors;
  if (first) throw new Error(`${formatPosition(first.at)}: ${first.message}`);
  return { networks, builtMs: Deno.statSync(path).mtime?.getTime() ?? 0 };
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
