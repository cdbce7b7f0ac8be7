/**
 * From a zone file on disk to a zone in memory.
 *
 * @module
 */

import { formatPosition } from "../../core/corefile/directive.ts";
import type { Name } from "../../core/plugin.ts";
import { makeZone } from "../../core/zone/make_zone.ts";
import { parseMasterFile, type ZoneFileError } from "../../core/zone/master_file.ts";
import { soaSerial, type Zone } from "../../core/zone/zone.ts";

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
  /** The file and those it includes. */
  readonly files: readonly string[];
}

/** Reads the zone `origin` from a file. What is wrong with it comes back as errors; nothing is thrown. */
export function loadZone(path: string, origin: Name): Loaded {
  const start = { file: path, line: 1, column: 1 };
  let text: string;
  try {
    text = readText(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    const message = `cannot read the zone file: ${reason}`;
    return { unreadable: reason, serial: 0, errors: [{ at: start, message }], warnings: [], files: [path] };
  }
  const { records, errors, warnings, files } = parseMasterFile(text, { file: path, origin, read: readText });
  // Of a file that could not be read whole it would be idle to say that a record is missing.
  if (errors.length > 0) return { serial: 0, errors, warnings, files };
  const made = makeZone(origin, records, start);
  return {
    ...made,
    serial: made.zone ? soaSerial(made.zone) : 0,
    warnings: [...warnings, ...made.warnings],
    files,
  };
}

/** What shows that one of some files has changed: its time of change and its size. */
export function stampOf(files: readonly string[]): string {
  return files.map((file) => {
    try {
      const { mtime, size } = Deno.statSync(file);
      return `${file} ${mtime?.getTime()} ${size}`;
    } catch {
      return `${file} missing`;
    }
  }).join("\n");
}

/** Errors as lines for a log, the first few of them. */
export function summarize(errors: readonly ZoneFileError[]): string {
  const lines = errors.slice(0, 5).map(({ at, message }) => `${formatPosition(at)}: ${message}`);
  if (errors.length > 5) lines.push(`and ${errors.length - 5} more`);
  return lines.join("; ");
}

function readText(path: string): string {
  const octets = Deno.readFileSync(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    throw new Error("it is not UTF-8; octets above 127 may be written as \\DDD");
  }
}
