/**
 * Everything a plugin may import.
 *
 * A plugin is a folder under `plugins/` whose `mod.ts` exports one {@linkcode PluginModule}. Its life:
 *
 *     Corefile --parse--> Config --start--> publishes plain data into the snapshot      (control isolate, once)
 *                            \--answerer--> Plugin: answers from context and snapshot   (every worker)
 *
 * A Config is plain data: a structured clone must carry it. `start` owns I/O; `answerer` owns none.
 *
 * @module
 */

import type { Answer } from "./answer.ts";
import type { Plugin } from "./chain.ts";
import type { Clock } from "./clock.ts";
import type { Options } from "./corefile/arguments.ts";
import type { Directive, Problems, Token } from "./corefile/directive.ts";
import type { Name } from "./dns/name.ts";
import type { FleetHub } from "./fleet/hub.ts";
import type { PoolPolicy } from "./fleet/pool.ts";
import type { Geography } from "./fleet/place.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a plugin's mod.ts exports by default. */
export interface PluginModule<Config = any> {
  /** The directive. */
  readonly name: string;
  /** Other names the directive goes by. */
  readonly aliases?: readonly string[];
  /** The first line of its syntax: `file DBFILE [ZONES...]`. */
  readonly usage: string;
  /** The options of its block, by name; its README documents each. */
  readonly options: Options;
  /** Whether `answer` may return a promise: in a worker such a query is handed to the control isolate. */
  readonly waits?: boolean;
  /** Reads all its directives in one server block, at least one. Reports to `scope.problems`, or throws CorefileError. */
  parse(directives: readonly Directive[], scope: ParseScope): Config;
  /** Looks once more when all of the block is known: for what only shows between plugins. */
  verify?(config: Config, facts: BlockFacts, problems: Problems): void;
  /** The control half: opens what it needs, publishes, and hands every resource to `scope.own`. */
  start?(config: Config, scope: ControlScope): void | Promise<void>;
  /**
   * Addresses or interface names that the block listens on, where this plugin says so; the default is every address.
   * `eth0!192.0.2.1` leaves out what follows each `!`.
   */
  listenOn?(config: Config): readonly string[];
  /** Whether no query for `zone` ever passes below this plugin: what stands there can never be reached. */
  answersAll?(config: Config, zone: Name): boolean;
  /** The answering half; undefined when it only has a control half. */
  answerer?(config: Config, scope: AnswerScope): Plugin | undefined;
}

/** A name that something other than zone data answers: declared while parsing, known to every lookup. */
export interface OwnedName {
  /** Folded. May be a wildcard. */
  readonly name: Name;
  readonly types: readonly number[];
  readonly pool: string;
}

/** Plain facts of a server block, complete once every plugin of it has been parsed. */
export interface BlockFacts {
  /** `1`, `2`, …: the block's place in the Corefile; keys what it publishes. */
  readonly key: string;
  /** The zones it serves, folded, in order. */
  readonly zones: readonly Name[];
  /** Zones of it that a plugin holds data for. */
  readonly dataZones: readonly Name[];
  readonly owned: readonly OwnedName[];
  /** The names of the plugins in its chain, in order of execution. */
  readonly plugins: readonly string[];
}

/** What `parse` may use. */
export interface ParseScope {
  readonly problems: Problems;
  /** The block's zones, folded. */
  readonly zones: readonly Name[];
  /** The block's key, as in {@linkcode BlockFacts}. */
  readonly key: string;
  /** A path as the Corefile means it: relative to the folder of the file in which the token stands. */
  path(token: Token): string;
  /** Declares that a pool answers `types` at `name`. */
  ownName(owned: OwnedName): void;
  /** Declares a pool, so that names used twice and loops of `all-down pool` are found across blocks; `token` takes the blame. */
  declarePool(policy: PoolPolicy, token: Token): void;
  /** Declares the checks of the block, by name. */
  declareChecks(names: readonly string[]): void;
  /** Asks for a check of the block by name: reported at the token when none is declared. */
  wantCheck(name: Token): void;
  /** Declares that this plugin holds the data of a zone. */
  holdZone(zone: Name): void;
}

/** What `start` may use. */
export interface ControlScope {
  readonly facts: BlockFacts;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** A folder that survives restarts, this server's own; undefined when it was told to keep nothing. */
  readonly stateDirectory?: string;
  /** False in a server that only explains or proves: nothing is probed, verdicts come from a file. */
  readonly probing: boolean;
  /** Nodes, pools and verdicts: each has one writer. */
  readonly fleet: FleetHub;
  /** The snapshot as it is now. */
  snapshot(): Snapshot;
  /** Calls back after each new snapshot, until the plugin is stopped. */
  onSnapshot(listener: (snapshot: Snapshot) => void): void;
  /** Puts plain data into the snapshot under this plugin's own key. */
  publish(value: unknown): void;
  /** Replaces the block's geography. */
  publishGeography(geography: Geography): void;
  /** Asks the block's own chain, as a client without a location would. */
  ask(name: Name, type: number): Promise<Answer>;
  /** Waits, when the server is told to stop, before it stops answering. */
  beforeStop(wait: () => Promise<void>): void;
  /** Closes `resource` when the plugin is stopped. */
  own<R extends { close(): void | Promise<void> }>(resource: R): R;
  /** Adds to a counter that `status` shows. */
  count(name: string, labels?: Readonly<Record<string, string>>): void;
}

/** What `answerer` may use. */
export interface AnswerScope {
  readonly facts: BlockFacts;
  /** For what must wait; the time of a query is `context.nowMs`. */
  readonly clock: Clock;
  /** Uniform in [0, 1). Only for what need not be the same everywhere: the choice of an upstream, sampling. */
  readonly random: () => number;
  /** What this plugin's control half published, as the given snapshot has it. */
  published(snapshot: Snapshot): unknown;
  /** The geography of this block. */
  geography(snapshot: Snapshot): Geography | undefined;
  readonly log: Log;
  /** A line for standard output as it stands, such as a query log's. */
  writeLine(line: string): void;
  /** Closes `resource` when the chain that this plugin stands in is replaced. */
  own<R extends { close(): void | Promise<void> }>(resource: R): R;
  count(name: string, labels?: Readonly<Record<string, string>>): void;
}

/** Where operators read what happened. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export * from "./answer.ts";
export * from "./chain.ts";
export type { Clock } from "./clock.ts";
export {
  Arguments,
  type Option,
  type Options,
  type OptionValues,
  parseDurationMs,
  readOptions,
} from "./corefile/arguments.ts";
export { nearest } from "./corefile/nearest.ts";
export { CorefileError, type Directive, Problems, type Token } from "./corefile/directive.ts";
export * from "./dns/name.ts";
export * from "./net/address.ts";
export * from "./query.ts";
export { type Snapshot } from "./snapshot.ts";
