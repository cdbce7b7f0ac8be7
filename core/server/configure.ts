/**
 * From directives to configuration: every server block with the plugins it asks for, in the order of execution, each
 * with what its `parse` read. The result is plain data: any worker can be handed it.
 *
 * @module
 */

import type { Corefile, ServerBlock, Token } from "../corefile/directive.ts";
import { formatPosition, type Problems } from "../corefile/directive.ts";
import { nearest } from "../corefile/nearest.ts";
import { checkDuplicates, readKeys, type ZoneKey } from "../corefile/keys.ts";
import { fold, type Name, parseName } from "../dns/name.ts";
import type { BlockFacts, OwnedName, ParseScope, PluginModule, SocketLimits } from "../plugin.ts";
import { checkPools, checkTakers, type DeclaredPool, type PoolsTaken } from "./declared_pools.ts";
import { type Globals, type GlobalsContext, namesStore, readGlobals } from "./globals.ts";

/** A whole configuration. */
export interface Configuration {
  readonly globals: Globals;
  readonly blocks: readonly BlockConfiguration[];
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
export interface ConfigureOptions extends GlobalsContext {
  /** Every plugin there is, in order of execution. */
  readonly modules: readonly PluginModule[];
  readonly defaultPort: number;
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

/** What only shows when every block has been read. */
function withDeclaredPools(block: BlockConfiguration, pools: readonly DeclaredPool[]): BlockConfiguration {
  return { ...block, facts: { ...block.facts, declaredPools: pools.map(({ policy }) => policy) } };
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
