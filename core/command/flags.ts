/**
 * Command-line flags: CoreDNS's spelling with one dash, and the usual one with two.
 *
 * @module
 */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { nearest } from "../corefile/nearest.ts";

/** The flags a command takes. */
export type FlagTable = Readonly<Record<string, Flag>>;

/** One flag. */
export interface Flag {
  /** What stands for its value in the help; absent = a switch. */
  readonly value?: string;
  readonly help: string;
  /** A one-letter form. */
  readonly short?: string;
  /** Whether it may stand more than once; its values are then a list. */
  readonly many?: true;
}

/** What stood on the command line. */
export interface Flags {
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly words: readonly string[];
}

/** A command line that cannot be understood; the message is for the person who typed it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reads flags, wherever they stand among the words. @throws {UsageError} */
export function readFlags(args: readonly string[], table: FlagTable): Flags {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { value, short, many }]) => [name, {
      type: value ? "string" : "boolean",
      ...(short && { short }),
      ...(many && { multiple: true }),
    }]),
  ) as NonNullable<ParseArgsConfig["options"]>;
  const spelled = args.map((arg) => twoDashes(arg, table));
  for (const arg of spelled) checkKnown(arg, table);
  try {
    const { values, positionals } = parseArgs({ args: spelled, options, allowPositionals: true });
    return { values: values as Flags["values"], words: positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The port of keys that name none. @throws {UsageError} When it is none. */
export function defaultPort({ "dns.port": text = "53" }: Flags["values"]): number {
  const port = /^\d{1,5}$/.test(String(text)) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new UsageError(`-dns.port must be a port from 1 to 65535: got ${text}`);
}

/** The lines of help for some flags. */
export function describeFlags(table: FlagTable): string {
  const rows = Object.entries(table).map(([name, { value, help, short }]) =>
    [`  -${name}${value ? ` ${value}` : ""}${short ? `, -${short}` : ""}`, help] as const
  );
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, help]) => `${left.padEnd(width)}  ${help}`).join("\n");
}

/** `-conf` as `--conf`, as Go reads it; `-p` stays. */
function twoDashes(arg: string, table: FlagTable): string {
  const name = /^-([^-=][^=]*)/.exec(arg)?.[1];
  return name && name.length > 1 && Object.hasOwn(table, name) ? `-${arg}` : arg;
}

function checkKnown(arg: string, table: FlagTable): void {
  const name = /^--?([^-=][^=]*)/.exec(arg)?.[1];
  if (name === undefined || Object.hasOwn(table, name)) return;
  if (name.length === 1 && Object.values(table).some(({ short }) => short === name)) return;
  const names = Object.keys(table);
  const guess = nearest(name, names);
  const hint = guess ? `did you mean -${guess}?` : `there are ${names.map((name) => `-${name}`).join(", ")}`;
  throw new UsageError(`There is no flag ${arg}; ${hint}`);
}
