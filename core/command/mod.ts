/**
 * The commands of `meridian`: one file each; this one finds the right one, and reads no other.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import { describeFlags, type Flags, type FlagTable, readFlags, UsageError } from "./flags.ts";
import type { BuiltIn } from "./load.ts";
import { VERSION } from "./version.ts";

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

/**
 * Where each command stands: a module that exports it by its name. They are named by address, for what a module names in
 * `import()` is read along with it, wanted or not, and a server keeps what it has read for as long as it runs.
 */
const FILES: Readonly<Record<string, URL>> = {
  serve: new URL("./serve.ts", import.meta.url),
  check: new URL("./check.ts", import.meta.url),
  explain: new URL("./explain.ts", import.meta.url),
  prove: new URL("./prove.ts", import.meta.url),
  plugins: new URL("./plugins.ts", import.meta.url),
  status: new URL("./status.ts", import.meta.url),
  reload: new URL("./reload.ts", import.meta.url),
  node: new URL("./node.ts", import.meta.url),
  pool: new URL("./pool.ts", import.meta.url),
  override: new URL("./override.ts", import.meta.url),
  zone: new URL("./zone.ts", import.meta.url),
  record: new URL("./record.ts", import.meta.url),
  config: new URL("./config.ts", import.meta.url),
  token: new URL("./token.ts", import.meta.url),
  secret: new URL("./secret.ts", import.meta.url),
  approval: new URL("./approval.ts", import.meta.url),
  demand: new URL("./demand.ts", import.meta.url),
  audit: new URL("./audit.ts", import.meta.url),
  state: new URL("./state.ts", import.meta.url),
  agent: new URL("./agent.ts", import.meta.url),
  plugin: new URL("./plugin.ts", import.meta.url),
  completion: new URL("./completion.ts", import.meta.url),
  version: new URL("./version.ts", import.meta.url),
  help: new URL("./help.ts", import.meta.url),
  import: new URL("./import.ts", import.meta.url),
  bootstrap: new URL("./bootstrap.ts", import.meta.url),
  peers: new URL("./peers.ts", import.meta.url),
};

/** The names of all commands, in the order in which they are listed. */
export const COMMAND_NAMES: readonly string[] = Object.keys(FILES);

/** The command of a name; undefined when there is none. */
async function commandNamed(name: string): Promise<Command | undefined> {
  return Object.hasOwn(FILES, name) ? (await import(FILES[name]!.href))[name] : undefined;
}

/** Every command, by name. */
export async function allCommands(): Promise<Readonly<Record<string, Command>>> {
  const entries = COMMAND_NAMES.map(async (name) => [name, (await commandNamed(name))!] as const);
  return Object.fromEntries(await Promise.all(entries));
}

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
    if (isAny(args[0], "-h", "-help", "--help")) return say(await help(args[1]));
    const named = args[0] !== undefined && !args[0].startsWith("-");
    const name = named ? args[0]! : "serve";
    const command = await commandNamed(name);
    if (!command) throw new UsageError(unknownCommand(name));
    if (args.some((arg) => isAny(arg, "-h", "-help", "--help"))) return say(await help(name));
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
  const guess = nearest(name, COMMAND_NAMES);
  const wanted = guess ? `did you mean ${guess}?` : `there are ${COMMAND_NAMES.join(", ")}`;
  return `There is no command ${name}; ${wanted}`;
}

/** What commands there are, or the flags of one. @throws {UsageError} When there is no such command. */
export async function help(name?: string): Promise<string> {
  const command = name !== undefined ? await commandNamed(name) : undefined;
  if (name !== undefined && !command) throw new UsageError(unknownCommand(name));
  if (command) return `${command.summary}\n\nmeridian ${command.usage}\n\n${describeFlags(command.flags)}`;
  const commands = await allCommands();
  const width = Math.max(...COMMAND_NAMES.map((name) => name.length));
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
