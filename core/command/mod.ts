/**
 * The commands of `meridian`: one file each; this one finds the right one.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import { bootstrap } from "./bootstrap.ts";
import { check } from "./check.ts";
import { completionOf } from "./completion.ts";
import { explain } from "./explain.ts";
import { describeFlags, type Flags, type FlagTable, readFlags, UsageError } from "./flags.ts";
import type { BuiltIn } from "./load.ts";
import { peers } from "./peers.ts";
import { plugin } from "./plugin.ts";
import { importCommand } from "./import.ts";
import { plugins } from "./plugins.ts";
import { prove } from "./prove.ts";
import { reload } from "./reload.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";
import { VERSION, version } from "./version.ts";

/** One command. */
export interface Command {
  /** As in a man page: `explain NAME TYPE [--client ADDRESS[/LEN]]`. */
  readonly usage: string;
  readonly summary: string;
  readonly flags: FlagTable;
  /** How many words it takes beside flags; absent = none. */
  readonly wordsMax?: number;
  /** What those words are, for shells to complete. */
  readonly words?: readonly WordKind[];
  /** Runs it. @returns The exit code: 0 done, 1 the answer is no, 2 could not be understood or done. */
  run(flags: Flags, builtIn: BuiltIn, makers: WorkerMakers): number | Promise<number>;
}

/** Workers are made where modules of plugins may be named. */
export interface WorkerMakers {
  /** One that does runDataWorker(). */
  makeWorker(): Worker;
  /** One that does runFleetIsolate(). */
  makeFleetIsolate(): Worker;
}

/** A word of a command line: one of a list, a file, a folder, or something that nobody can guess. */
export type WordKind = readonly string[] | "file" | "folder" | "text";

const helpCommand: Command = {
  usage: "help [COMMAND]",
  summary: "list the commands, or the flags of one",
  flags: {},
  wordsMax: 1,
  get words() {
    return [Object.keys(commands)];
  },
  run: ({ words: [name] }) => say(help(name)),
};

/** Every command, by name. */
export const commands: Readonly<Record<string, Command>> = {
  serve,
  check,
  explain,
  prove,
  plugins,
  status,
  reload,
  plugin,
  completion: completionOf(() => commands),
  version,
  help: helpCommand,
  import: importCommand,
  bootstrap,
  peers,
};

/**
 * Runs the command that `args` name; `serve` when they name none. @returns The exit code.
 */
export async function runCommand(
  args: readonly string[],
  builtIn: BuiltIn,
  makers: WorkerMakers,
): Promise<number> {
  try {
    if (isAny(args[0], "-version", "--version")) {
      return await runCommand(["version", ...args.slice(1)], builtIn, makers);
    }
    if (isAny(args[0], "-plugins", "--plugins")) {
      return await runCommand(["plugins", ...args.slice(1)], builtIn, makers);
    }
    if (isAny(args[0], "-h", "-help", "--help")) return say(help(args[1]));
    const named = args[0] !== undefined && !args[0].startsWith("-");
    const name = named ? args[0]! : "serve";
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new UsageError(unknownCommand(name));
    if (args.some((arg) => isAny(arg, "-h", "-help", "--help"))) return say(help(name));
    const flags = readFlags(named ? args.slice(1) : args, command.flags);
    const extra = flags.words[command.wordsMax ?? 0];
    if (extra !== undefined) {
      throw new UsageError(`${name} does not know what to do with ${extra}; wanted: ${command.usage}`);
    }
    return await command.run(flags, builtIn, makers);
  } catch (error) {
    if (error instanceof UsageError) console.error(error.message);
    else if (isRefused(error)) {
      console.error(error.message);
    } else throw error;
    return 2;
  }
}

/** Whether the system, or the permissions that the program was started with, said no: an error that says it all. */
function isRefused(error: unknown): error is Error {
  const { NotCapable, NotFound, PermissionDenied } = Deno.errors;
  return [NotCapable, NotFound, PermissionDenied].some((kind) => error instanceof kind);
}

function isAny(arg: string | undefined, ...names: readonly string[]): boolean {
  return arg !== undefined && names.includes(arg);
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function unknownCommand(name: string): string {
  const names = Object.keys(commands);
  const guess = nearest(name, names);
  return `There is no command ${name}; ${guess ? `did you mean ${guess}?` : `there are ${names.join(", ")}`}`;
}

/** @throws {UsageError} When there is no such command. */
function help(name?: string): string {
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (name !== undefined && !command) throw new UsageError(unknownCommand(name));
  if (command) return `${command.summary}\n\nmeridian ${command.usage}\n\n${describeFlags(command.flags)}`;
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Meridian ${VERSION}: makes a fleet of nodes look like one anycast address.\n\n` +
    `meridian COMMAND [FLAGS], \`meridian help COMMAND\` for its flags; without a command: serve.\n\n${
      lines.join("\n")
    }\n\n${EXIT_CODES}`;
}

/** What every command ends with. */
export const EXIT_CODES =
  `It ends with 0 when it is done, with 1 when the answer is no (a Corefile that is wrong, a proof or a
test that fails), with 2 when it could not be understood or done, and says why on standard error.`;
