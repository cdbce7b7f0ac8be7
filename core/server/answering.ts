/**
 * The answering half of a configuration: every block's chain, composed, and the router over them. The same code
 * runs in the control isolate and in a worker; it owns no state but what its plugins' answering halves own.
 *
 * @module
 */

import { compose, type Plugin } from "../chain.ts";
import type { Clock } from "../clock.ts";
import type { Name } from "../dns/name.ts";
import { CLASS } from "../dns/types.ts";
import { formatAddress } from "../net/address.ts";
import type { AnsweringModule, AnswerScope, Labels, LineOctets, Log, Series } from "../plugin.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Endpoint } from "./arrival.ts";
import type { ChainedBlock } from "./chained_block.ts";
import { type Closable, closeEach } from "./closing.ts";
import type { BlockConfiguration, Configuration } from "./configure.ts";
import { type Admits, type Examine, makeExamine } from "./exchange.ts";
import { makeRouter, type Router } from "./routing.ts";

/** What the answering half is handed. */
export interface AnsweringOptions {
  readonly configuration: Configuration;
  /** Every plugin of the configuration, and perhaps others. */
  readonly modules: readonly AnsweringModule[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  snapshot(): Snapshot;
  writeLine(line: string): void;
  /** For lines that are made as octets. */
  readonly lines?: LineOctets;
  count(name: string, labels?: Labels, by?: number): void;
  observe(name: string, value: number, labels?: Labels): void;
  series(name: string, labels?: Labels): Series;
  /** Stands in for a plugin that waits, where queries that must wait are answered elsewhere. */
  readonly insteadOfWaiting?: Plugin["answer"];
  /** Hands what a plugin lends to data workers; false where it goes nowhere. Absent in a worker. */
  readonly lend?: (make: () => Loan, octets: number) => boolean;
  /**
   * The addresses, canonical text, that the words of a `bind` stand for just now; asked when a query comes to an address
   * for the first time. Absent = every block serves every address.
   */
  readonly hostAddresses?: (hosts: readonly string[]) => readonly string[];
}

/** What a plugin of the control isolate lends to its like in data workers. Plain data. */
export interface Loan {
  /** The key of its block. */
  readonly block: string;
  readonly plugin: string;
  readonly value: unknown;
}

/** Chains that answer, until closed. */
export interface Answering {
  readonly examine: Examine;
  readonly blocks: readonly ChainedBlock[];
  /** Gives a loan to whom it is for. */
  borrow(loan: Loan): void;
  close(): Promise<void>;
}

/** Composes the chains of a configuration. */
export function makeAnswering(options: AnsweringOptions): Answering {
  const owned: Closable[] = [], borrowers = new Map<string, (loan: unknown) => void>();
  const blocks = options.configuration.blocks.map((block) => chainBlock(block, options, owned, borrowers));
  const isTimed = blocks.some(({ observers, talliers }) =>
    observers.length > 0 || talliers?.some(({ untimed }) => !untimed) === true
  );
  return {
    examine: makeExamine({ ...options, ...makeRoutes(options, blocks), isTimed }),
    blocks,
    borrow: ({ block, plugin, value }) => borrowers.get(slotKey(block, plugin))?.(value),
    close: () => closeEach(owned.splice(0).reverse(), options.log),
  };
}

/** The key under which a plugin of a block publishes. */
export function slotKey(block: string, plugin: string): string {
  return `${block}/${plugin}`;
}

function chainBlock(
  { facts, plugins }: BlockConfiguration,
  options: AnsweringOptions,
  owned: Closable[],
  borrowers: Map<string, (loan: unknown) => void>,
): ChainedBlock {
  const { lend, ...rest } = options;
  const made = plugins.flatMap(({ name, config }) => {
    const module = moduleOf(name, options), slot = slotKey(facts.key, name);
    const scope: AnswerScope = {
      ...rest,
      facts,
      published: (snapshot) => snapshot.slots[slot],
      geography: (snapshot) => snapshot.geographies[facts.key],
      own: (resource) => (owned.push(resource), resource),
      ...lend && {
        lend: (make, octets) => lend(() => ({ block: facts.key, plugin: name, value: make() }), octets),
      },
    };
    const plugin = module.answerer?.(config, scope);
    if (!plugin) return [];
    if (plugin.borrow) borrowers.set(slot, (loan) => plugin.borrow!(loan));
    return module.waits && options.insteadOfWaiting
      ? { ...plugin, answer: options.insteadOfWaiting }
      : plugin;
  });
  // Class by class, and not once for all: rewrite may make a question of class IN out of another.
  const reached = { plugin: "" };
  const everyClass = made.map((plugin) =>
    moduleOf(plugin.name, options).everyClass ? plugin : onlyForIN(plugin)
  );
  const repeats = repeatsOf(made.map(({ name }) => moduleOf(name, options)));
  const cookies = made.find((plugin) => plugin.cookies);
  return {
    facts,
    chain: compose(made, reached),
    otherClassChain: compose(everyClass, reached),
    reached,
    observers: made.filter(({ observe }) => observe),
    talliers: made.filter(({ tallies }) => tallies),
    gated: made.filter(({ gate }) => gate),
    ...repeats && { repeats },
    readsOptions: made.some(({ readsOptions }) => readsOptions),
    ...cookies && { cookies },
    filters: made.filter(({ admits }) => admits),
    givesCookies: made.some(({ givesCookies }) => givesCookies),
    labels: new Map(made.flatMap(({ labels }) => Object.entries(labels ?? {}))),
  };
}

/** What all modules allow: see {@linkcode AnsweringModule.repeats}. */
function repeatsOf(modules: readonly AnsweringModule[]): AnsweringModule["repeats"] {
  if (!modules.every(({ repeats }) => repeats)) return undefined;
  return modules.every(({ repeats }) => repeats === "absence") ? "absence" : "question";
}

function onlyForIN(plugin: Plugin): Plugin {
  const answer: Plugin["answer"] = (context, next) =>
    context.question.class === CLASS.IN ? plugin.answer(context, next) : next(context);
  return { name: plugin.name, answer };
}

function moduleOf(name: string, { modules }: AnsweringOptions): AnsweringModule {
  return modules.find((module) => module.name === name)!;
}

/** A block as one address and port has it. */
interface RoutedBlock {
  readonly zones: readonly Name[];
  readonly chained: ChainedBlock;
}

/** Where queries to one address and port go. */
interface Routes {
  readonly router: Router<RoutedBlock>;
  readonly routed: readonly RoutedBlock[];
}

/** One router for each address and port a query can come to, made when the first one comes. */
function makeRoutes(options: AnsweringOptions, blocks: readonly ChainedBlock[]) {
  const found = new Map<string, Routes>(), known = new WeakMap<Endpoint, Routes>();
  const make = (address: string, port: number) => {
    const routed = options.configuration.blocks.flatMap(({ listenOn, endpoints }, i) => {
      const bound = listenOn.length > 0 ? options.hostAddresses?.(listenOn) : undefined;
      if (bound && !bound.includes(address)) return [];
      const zones = endpoints.filter((endpoint) => endpoint.port === port).map(({ zone }) => zone);
      return zones.length > 0 ? [{ zones, chained: blocks[i]! }] : [];
    });
    return { routed, router: makeRouter(routed) };
  };
  const find = ({ address, port }: Endpoint) => {
    const text = formatAddress(address), key = `${text} ${port}`;
    let routes = found.get(key);
    if (!routes) found.set(key, routes = make(text, port));
    return routes;
  };
  // A socket hands over the same endpoint with all that comes to it.
  const at = (server: Endpoint) => {
    let routes = known.get(server);
    if (!routes) known.set(server, routes = find(server));
    return routes;
  };
  return {
    route(name: Name, type: number, server: Endpoint, admits: Admits) {
      const route = at(server).router(name, type, ({ chained }, zone) => admits(chained, zone));
      return route && { zone: route.zone, block: route.block.chained };
    },
    routeCookie(server: Endpoint) {
      const route = at(server).routed.find(({ chained }) => chained.givesCookies);
      return route && { zone: route.zones[0]!, block: route.chained };
    },
  };
}
