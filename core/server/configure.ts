/**
 * From directives to configuration: every server block with the plugins it asks for, in the order of execution, each
 * with what its `parse` read. The result is plain data: any worker can be handed it.
 *
 * @module
 */

import { Arguments, type Options, readOptions } from "../corefile/arguments.ts";
import type { Corefile, Directive, ServerBlock, Token } from "../corefile/directive.ts";
import { CorefileError, formatPosition, type Problems } from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";
import { checkDuplicates, readKeys, type ZoneKey } from "../corefile/keys.ts";
import { fold, isWithin, type Name, parseName } from "../dns/name.ts";
import type { BlockFacts, OwnedName, ParseScope, PluginModule, SocketLimits } from "../plugin.ts";
import { whyEmptiedByDistance } from "../fleet/spill.ts";
import type { PoolPolicy } from "../fleet/pool.ts";
import type { CustomPlugin } from "../custom/module.ts";
import { pluginOption } from "../custom/option.ts";
import { type MembershipOptions, readMembership, STORES } from "../membership/options.ts";

/** A whole configuration. */
export interface Configuration {
  readonly globals: Globals;
  readonly blocks: readonly BlockConfiguration[];
}

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

/** One server block. */
export interface BlockConfiguration {
  readonly facts: BlockFacts;
  /** Where its zones are served. */
  readonly endpoints: readonly { readonly zone: Name; readonly port: number }[];
  /** Addresses and interfaces; none = every address. */
  readonly listenOn: readonly string[];
  /** What its plugins set for the sockets of its ports. */
  readonly limits: SocketLimits;
  /** In order of execution. */
  readonly plugins: readonly { readonly name: string; readonly config: unknown }[];
}

/** What {@linkcode configure} needs beside the Corefile. */
export interface ConfigureOptions {
  /** Every plugin there is, in order of execution. */
  readonly modules: readonly PluginModule[];
  /** Those of them that are not of ours. */
  readonly customPlugins?: readonly CustomPlugin[];
  readonly defaultPort: number;
  /** The folder of the Corefile: what global paths are relative to. */
  readonly directory: string;
  /** A path as the file of a token means it. */
  resolvePath(token: Token): string;
}

/** Reads every block; what is wrong goes to `problems`, and the rest is still read. */
export function configure(corefile: Corefile, problems: Problems, options: ConfigureOptions): Configuration {
  const globals = readGlobals(corefile.globals, problems, options);
  const keyed = readKeys(corefile, { port: options.defaultPort }, problems);
  const pools: DeclaredPool[] = [], takers: PoolsTaken[] = [];
  const configured = corefile.blocks.map((block, i) =>
    configureBlock(
      block,
      String(i + 1),
      keyed[i]!,
      pools,
      takers,
      problems,
      options,
      namesStore(corefile),
    )
  );
  checkPools(pools, problems);
  checkTakers(takers, problems);
  const blocks = configured.map((block) =>
    takers.some(({ key }) => key === block.facts.key) ? withDeclaredPools(block, pools) : block
  );
  if (corefile.blocks.length === 0) problems.warn(EMPTY, "there is no server block: nothing is served");
  checkDuplicates(
    keyed.flatMap((keys, i) => {
      // Views of one zone stand side by side; who of them answers is seen query by query.
      const { facts, listenOn } = blocks[i]!;
      return facts.view === undefined ? keys.map((key) => ({ key, addresses: listenOn })) : [];
    }),
    problems,
  );
  warnOfHiddenViews(blocks, keyed, problems);
  return { globals, blocks };
}

/** A block without a view takes every query for its zones: views of these that stand below it are never asked. */
function warnOfHiddenViews(
  blocks: readonly BlockConfiguration[],
  keyed: readonly (readonly ZoneKey[])[],
  problems: Problems,
): void {
  const takesAll = new Map<string, Token>();
  for (const [i, { facts, listenOn }] of blocks.entries()) {
    for (const { zone, port, token } of keyed[i]!) {
      const what = `${zone}:${port}`, hiding = takesAll.get(what);
      if (facts.view === undefined && listenOn.length === 0) takesAll.set(what, token);
      if (facts.view === undefined || !hiding) continue;
      problems.warn(
        token,
        `view ${facts.view} is never asked: the block at ${
          formatPosition(hiding.at)
        } takes every query for ${what}, and must stand below`,
      );
    }
  }
}

const EMPTY = { file: "Corefile", line: 1, column: 1 };

const globalOptions = {
  state: {
    usage: "state DIRECTORY|off, state sqlite FILE, state etcd URL...",
    repeats: true,
    opensBlock: true,
    read: readState,
  },
  server: { usage: "server ID", opensBlock: true, read: readWhole },
  vantages: { usage: "vantages quorum|any|all [N]", opensBlock: true, read: readWhole },
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
  if (directive.block) throw new CorefileError(directive.name, "state: a DIRECTORY takes no block");
  return { directory: first };
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

function readGlobals(
  directives: readonly Directive[],
  problems: Problems,
  options: ConfigureOptions,
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
  const { server, vantages } = read;
  const membership = readMembership(
    { ...store && { store }, ...server && { server }, ...vantages && { vantages } },
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
function namesStore({ globals }: Corefile): boolean {
  return globals.some(({ name, args: [first] }) =>
    name.text === "state" && first !== undefined && !first.quoted &&
    (STORES as readonly string[]).includes(first.text)
  );
}

interface DeclaredPool {
  readonly policy: PoolPolicy;
  readonly token: Token;
}

/** A block that answers managed pools. */
interface PoolsTaken {
  readonly key: string;
  readonly zones: readonly Name[];
  readonly token: Token;
}

/** What only shows when every block has been read. */
function withDeclaredPools(block: BlockConfiguration, pools: readonly DeclaredPool[]): BlockConfiguration {
  return { ...block, facts: { ...block.facts, declaredPools: pools.map(({ policy }) => policy) } };
}

/** A managed pool is one block's: by whose health else, and by whose geography? */
function checkTakers(takers: readonly PoolsTaken[], problems: Problems): void {
  for (const [i, { zones, token }] of takers.entries()) {
    const areAlike = (a: Name, b: Name) => isWithin(a, b) || isWithin(b, a);
    const other = takers.slice(0, i).find((other) =>
      other.zones.some((theirs) => zones.some((zone) => areAlike(zone, theirs)))
    );
    if (!other) continue;
    problems.error(
      token,
      `managed pools of these zones are answered by the block at ${
        formatPosition(other.token.at)
      } already: ` +
        "want one block for them",
    );
  }
}

function configureBlock(
  block: ServerBlock,
  key: string,
  zoneKeys: readonly ZoneKey[],
  pools: DeclaredPool[],
  takers: PoolsTaken[],
  problems: Problems,
  options: ConfigureOptions,
  sharesState: boolean,
): BlockConfiguration {
  const zones = zoneKeys.map(({ zone }) => fold(parseName(zone)));
  const endpoints = zoneKeys.map(({ port }, i) => ({ zone: zones[i]!, port }));
  const owned: OwnedName[] = [];
  const dataZones: Name[] = [];
  const checks: string[] = [], wantedChecks: Token[] = [];
  const labelZones: Name[] = [];
  let root: string | undefined, view: string | undefined;
  const scope: ParseScope = {
    problems,
    zones,
    key,
    sharesState,
    path: (token) => options.resolvePath(token),
    dataPath: (token) =>
      root === undefined || token.text.startsWith("/") ? options.resolvePath(token) : `${root}/${token.text}`,
    setRoot: (directory) => void (root = directory),
    setView: (name) => void (view = name),
    wantLabels: (zone) => void labelZones.push(zone),
    ownName: (name) => void owned.push(name),
    declareChecks: (names) => void checks.push(...names),
    wantCheck: (token) => void wantedChecks.push(token),
    holdZone: (zone) => void dataZones.push(zone),
    declarePool: (policy, token) => void pools.push({ policy, token }),
    takePools: (token) => void takers.push({ key, zones, token }),
  };
  const plugins: { name: string; config: unknown }[] = [];
  const listenOn: string[] = [];
  let limits: SocketLimits = {};
  for (const module of options.modules) {
    const directives = block.directives.filter(({ name }) => isNamed(module, name.text));
    if (directives.length === 0) continue;
    const config = problems.attempt(() => module.parse(directives, scope));
    if (config === undefined) continue;
    plugins.push({ name: module.name, config });
    listenOn.push(...module.listenOn?.(config) ?? []);
    limits = { ...limits, ...module.limits?.(config) };
  }
  for (const token of wantedChecks) {
    if (!checks.includes(token.text)) problems.error(token, noCheck(token, checks));
  }
  const facts = {
    ...{ key, zones, dataZones, owned, labelZones },
    ...(view !== undefined && { view }),
    plugins: plugins.map(({ name }) => name),
    ...checks.length > 0 && { checks },
  };
  for (const { name, config } of plugins) {
    problems.attempt(() =>
      options.modules.find((module) => module.name === name)!.verify?.(config, facts, problems)
    );
  }
  return { facts, endpoints, listenOn, limits, plugins };
}

function noCheck({ text }: Token, names: readonly string[]): string {
  if (names.length === 0) return `check '${text}': this server block has no health with checks`;
  const guess = nearest(text, names);
  return `check '${text}': there is no such check here, only ${names.join(", ")}${
    guess ? `; did you mean '${guess}'?` : ""
  }`;
}

/** Whether `word` is the directive of `module`. */
export function isNamed(module: PluginModule, word: string): boolean {
  return module.name === word || (module.aliases ?? []).includes(word);
}

/** Pools have names of their own, and `all-down pool NAME` must lead to an end. */
function checkPools(pools: readonly DeclaredPool[], problems: Problems): void {
  const byName = new Map<string, DeclaredPool>();
  for (const pool of pools) {
    if (byName.has(pool.policy.name)) {
      problems.error(pool.token, `pool ${pool.policy.name} is declared twice`);
    }
    byName.set(pool.policy.name, pool);
  }
  for (const { policy, token } of pools) {
    const why = whyEmptiedByDistance(policy, (name) => byName.get(name)?.policy);
    // Within one pool its own options show it already.
    if (why && policy.allDown.policy === "pool") problems.error(token, why);
    const path = [policy.name];
    for (let down = policy.allDown; down.policy === "pool";) {
      const next = byName.get(down.pool);
      if (!next) {
        const guess = nearest(down.pool, [...byName.keys()]);
        const hint = guess ? `did you mean ${guess}?` : `there are ${[...byName.keys()].join(", ")}`;
        problems.error(token, `all-down pool ${down.pool}: there is no such pool; ${hint}`);
        break;
      }
      if (path.includes(down.pool)) {
        problems.error(
          token,
          `all-down pool ${down.pool}: leads in a circle: ${[...path, down.pool].join(" → ")}`,
        );
        break;
      }
      path.push(down.pool);
      down = next.policy.allDown;
    }
  }
}
