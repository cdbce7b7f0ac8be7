/**
 * From a zone file on disk to a zone in memory.
 *
 * @module
 */

import { formatPosition } from "../corefile/directive.ts";
import type { Name } from "../dns/name.ts";
import { atMost, readRegularFile, reasonOf } from "../files.ts";
import { makeZoneInSteps } from "./make_zone.ts";
import { parseMasterFileInSteps, type ZoneFileError, type ZoneRecord } from "./master_file.ts";
import { finish, type Steps } from "./steps.ts";
import { soaSerial, type Zone } from "./zone.ts";

/** What a zone file came to. */
export interface Loaded {
  /** Absent when there are errors. */
  readonly zone?: Zone;
  /** Why the file itself could not be read; it is among the errors too. */
  readonly unreadable?: string;
  /** The SOA's serial; 0 without a zone. */
  readonly serial: number;
  readonly errors: readonly ZoneFileError[];
  readonly warnings: readonly ZoneFileError[];
  /** What the zone was made of, each record with its position; none without a zone. */
  readonly records: readonly ZoneRecord[];
  /** The file and those it includes. */
  readonly files: readonly string[];
}

/** Bounds of what is read, in octets. */
export interface ReadLimits {
  readonly file: number;
  /** The file and what it includes, each as often as it is. */
  readonly zone: number;
}

const READ_LIMITS: ReadLimits = { file: 64 * 2 ** 20, zone: 256 * 2 ** 20 };

/** Reads the zone `origin` from a file. What is wrong with it comes back as errors; nothing is thrown. */
export function loadZone(path: string, origin: Name, limits: Partial<ReadLimits> = {}): Loaded {
  return finish(loadZoneInSteps(path, origin, limits));
}

/** {@linkcode loadZone}, with rests. */
export function* loadZoneInSteps(
  path: string,
  origin: Name,
  limits: Partial<ReadLimits> = {},
): Steps<Loaded> {
  const start = { file: path, line: 1, column: 1 };
  const read = readerFor(path, { ...READ_LIMITS, ...limits });
  let text: string;
  try {
    text = read(path);
  } catch (cause) {
    const reason = reasonOf(cause);
    const message = `cannot read the zone file: ${reason}`;
    const errors = [{ at: start, message }];
    return { unreadable: reason, serial: 0, errors, warnings: [], records: [], files: [path] };
  }
  const { records, errors, warnings, files } = yield* parseMasterFileInSteps(text, {
    file: path,
    origin,
    read,
  });
  // Of a file that could not be read whole it would be idle to say that a record is missing.
  if (errors.length > 0) return { serial: 0, errors, warnings, records: [], files };
  const made = yield* makeZoneInSteps(origin, records, start);
  return {
    ...made,
    serial: made.zone ? soaSerial(made.zone) : 0,
    warnings: [...warnings, ...made.warnings],
    records: made.zone ? records : [],
    files,
  };
}

/** Errors as lines for a log, the first few of them. */
export function summarize(errors: readonly ZoneFileError[]): string {
  const lines = errors.slice(0, 5).map(({ at, message }) => `${formatPosition(at)}: ${message}`);
  if (errors.length > 5) lines.push(`and ${errors.length - 5} more`);
  return lines.join("; ");
}

/**
 * Reads the zone file and what it includes. Who supplies a zone says what it includes: so nothing outside the folder
 * of the zone file is read, whose lines the errors would show.
 */
function readerFor(zoneFile: string, limits: ReadLimits): (path: string) => string {
  let total = 0;
  return (path) => {
    const real = Deno.realPathSync(path);
    if (path !== zoneFile && !foldersOf(zoneFile).some((folder) => real.startsWith(folder))) {
      throw new Error(
        "it lies outside the folder of the zone's own file: wanted a file in that folder or below",
      );
    }
    return decodeUtf8(readRegularFile(real, (octets) => {
      atMost(limits.file)(octets);
      total += octets;
      if (total > limits.zone) {
        throw new Error(`with it the zone's files have ${total} octets: wanted at most ${limits.zone}`);
      }
    }));
  };
}

/** The folder in which the zone file is named, and the one in which it lies when the name is a link; each ends in `/`. */
function foldersOf(zoneFile: string): string[] {
  const named = Deno.realPathSync(zoneFile.slice(0, zoneFile.lastIndexOf("/") + 1) || ".");
  const real = Deno.realPathSync(zoneFile);
  return [named, real.slice(0, real.lastIndexOf("/"))].map((folder) => folder.replace(/\/*$/, "/"));
}

function decodeUtf8(octets: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    throw new Error("it is not UTF-8; octets above 127 may be written as \\DDD");
  }
}
