/**
 * The global options: what there is one of per process, in the block without a key.
 *
 * @module
 */

import { type Arguments, type Options, readOptions } from "../corefile/arguments.ts";
import {
  type Corefile,
  CorefileError,
  type Directive,
  type Problems,
  type Token,
} from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";
import type { CustomPlugin } from "../custom/module.ts";
import { pluginOption } from "../custom/option.ts";
import { type MembershipOptions, readMembership, STORES } from "../membership/options.ts";

/** What there is one of per process: the block without a key. */
export interface Globals {
  /** Where state is kept between runs; "" = nowhere. */
  readonly stateDirectory: string;
  /** The control socket's path; "" = none. */
  readonly controlSocket: string;
  /** How many workers read UDP; 0 = none. */
  readonly workers: number | "auto";
  /** For how long an idle worker looks again and again before it sleeps, milliseconds. */
  readonly spinMs: number;
  /** Plugins that are not of ours, by their place. */
  readonly customPlugins: readonly CustomPlugin[];
  /** The state that it shares with other servers; absent where it is alone. */
  readonly membership?: MembershipOptions;
  /** What it takes of the configuration that servers share; absent where nothing is said of that. */
  readonly distributed?: DistributedOptions;
}

/** What a server takes of the configuration that servers share. */
export interface DistributedOptions {
  /** Whether it serves by the version that it is told, and no longer by the Corefile on its disk. */
  readonly isOn: boolean;
  /** Whole paths of programs and plugins that such a version may name. */
  readonly allowExec: readonly string[];
}

/** What {@linkcode readGlobals} needs beside the options. */
export interface GlobalsContext {
  /** Plugins that are not of ours. */
  readonly customPlugins?: readonly CustomPlugin[];
  /** The folder of the Corefile: what global paths are relative to. */
  readonly directory: string;
  /** A path as the file of a token means it. */
  resolvePath(token: Token): string;
}

const globalOptions = {
  state: {
    usage: "state DIRECTORY|off, state sqlite FILE, state etcd URL...",
    repeats: true,
    opensBlock: true,
    read: readState,
  },
  server: { usage: "server ID", opensBlock: true, read: readWhole },
  vantages: { usage: "vantages quorum|any|all [N]", opensBlock: true, read: readWhole },
  lease: { usage: "lease DURATION [HEARTBEAT]", read: readWhole },
  configuration: {
    usage: "configuration on|off",
    read: (args: Arguments, { name }: Directive) => ({ name, word: args.oneOf("on or off", ["on", "off"]) }),
  },
  "allow-exec": {
    usage: "allow-exec PATH...",
    repeats: true,
    read: (args: Arguments) => [args.token("PATH"), ...args.rest()].map(readWholePath),
  },
  control: {
    usage: "control PATH|off",
    read: (args: Arguments) => args.token("PATH or off"),
  },
  workers: {
    usage: "workers NUMBER|auto",
    read: (args: Arguments) => readWorkers(args),
  },
  spin: {
    usage: "spin DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { max: SPIN_MAX_MS }),
  },
  // Loaded before anything else is read: it brings directives.
  plugin: pluginOption,
} satisfies Options;

/** A folder of this server's own, or what it shares with others. */
function readState(args: Arguments, directive: Directive): { directory: Token } | { store: Directive } {
  const first = args.token("DIRECTORY, off, sqlite or etcd");
  if (!first.quoted && (STORES as readonly string[]).includes(first.text)) {
    args.rest();
    return { store: directive };
  }
  if (args.peek()) throw new CorefileError(first, noStoreMessage(first.text));
  if (directive.block) throw new CorefileError(directive.name, "state: a DIRECTORY takes no block");
  return { directory: first };
}

/** A DIRECTORY stands alone: who writes more means a store. */
function noStoreMessage(word: string): string {
  const guess = nearest(word, STORES), hint = guess ? `; did you mean '${guess}'?` : "";
  return `state: want sqlite or etcd before what a store takes, or a DIRECTORY alone: got '${word}'${hint}`;
}

/** Read when all global options are known. */
function readWhole(args: Arguments, directive: Directive): Directive {
  args.rest();
  return directive;
}

/** A relative one would be another file in another folder. */
function readWholePath(token: Token): string {
  if (token.text.startsWith("/")) return token.text;
  throw new CorefileError(token, `allow-exec: PATH must begin with /: got '${token.text}'`);
}

/** More workers than any machine has cores for are a mistake; each has threads and memory of its own. */
export const WORKERS_MAX = 256;

/** Longer than this nothing is won: what wakes a sleeping worker takes some ten microseconds. */
const SPIN_MAX_MS = 10;

function readWorkers(args: Arguments): number | "auto" {
  const token = args.token("NUMBER or auto"), { text } = token;
  if (text === "auto") return text;
  if (/^\d{1,3}$/.test(text) && Number(text) <= WORKERS_MAX) return Number(text);
  const wanted = `NUMBER must be a whole number from 0 to ${WORKERS_MAX}, or auto`;
  throw new CorefileError(token, `workers: ${wanted}: got '${text}'`);
}

/** The global options, for the documentation check. */
export const GLOBAL_OPTIONS: Options = globalOptions;

/** Reads them; what is wrong goes to `problems`. */
export function readGlobals(
  directives: readonly Directive[],
  problems: Problems,
  options: GlobalsContext,
): Globals {
  const name = { text: "global options", at: { file: "", line: 0, column: 0 }, quoted: false };
  // Unknown ones have been reported by whoever read the file.
  const block = directives.filter((directive) => Object.hasOwn(globalOptions, directive.name.text));
  const read = readOptions({ name, args: [], block }, globalOptions, problems);
  const path = (token: Token | undefined, byDefault: string) =>
    token === undefined ? byDefault : token.text === "off" ? "" : options.resolvePath(token);
  const directory = onlyState(read.state, "directory", problems);
  const store = onlyState(read.state, "store", problems);
  const stateDirectory = path(directory, `${options.directory}/.meridian`);
  const { server, vantages, lease } = read;
  const membership = readMembership(
    { ...store && { store }, ...server && { server }, ...vantages && { vantages }, ...lease && { lease } },
    { problems, resolvePath: options.resolvePath, hostname: () => Deno.hostname() },
  );
  const distributed = readDistributed(read, membership !== undefined && stateDirectory !== "", problems);
  return {
    stateDirectory,
    controlSocket: path(read.control, stateDirectory && `${stateDirectory}/control.sock`),
    workers: read.workers ?? "auto",
    spinMs: read.spin ?? 0,
    customPlugins: options.customPlugins ?? [],
    ...membership && { membership },
    ...distributed && { distributed },
  };
}

/** What came over the network is kept below the state directory, so that it is there without a network. */
function readDistributed(
  { configuration, "allow-exec": allowExec }: {
    readonly configuration?: { readonly name: Token; readonly word: "on" | "off" };
    readonly "allow-exec"?: readonly (readonly string[])[];
  },
  hasBoth: boolean,
  problems: Problems,
): DistributedOptions | undefined {
  if (!configuration && !allowExec) return undefined;
  const isOn = configuration?.word === "on";
  if (isOn && !hasBoth) {
    problems.error(
      configuration.name,
      "configuration: is shared through a store and kept on the disk: want `state sqlite FILE` or `state etcd URL...`, and no `state off`",
    );
  }
  return { isOn, allowExec: (allowExec ?? []).flat() };
}

/** Of each kind of state there is one. */
function onlyState<K extends "directory" | "store">(
  read: readonly (Partial<Record<"directory", Token> & Record<"store", Directive>> | object)[] | undefined,
  kind: K,
  problems: Problems,
): (K extends "directory" ? Token : Directive) | undefined {
  const [first, again] = (read ?? []).flatMap((one) => kind in one ? [(one as Record<K, any>)[kind]] : []);
  if (again) problems.error(again.name ?? again, `state: there is one ${kind} already: want one`);
  return first;
}

/** Whether the options name a store, be it rightly: what wants one is not at fault then. */
export function namesStore({ globals }: Corefile): boolean {
  return globals.some(({ name, args: [first] }) =>
    name.text === "state" && first !== undefined && !first.quoted &&
    (STORES as readonly string[]).includes(first.text)
  );
}
