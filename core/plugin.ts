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
import type { Plugin, Series } from "./chain.ts";
import type { Clock } from "./clock.ts";
import type { Options } from "./corefile/arguments.ts";
import type { Directive, Problems, Token } from "./corefile/directive.ts";
import type { Name } from "./dns/name.ts";
import type { FleetHub } from "./fleet/hub.ts";
import type { PoolPolicy } from "./fleet/pool.ts";
import type { TtlBounds } from "./fleet/ttl_bounds.ts";
import type { Geography } from "./fleet/place.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * The half of a plugin that every worker has: what answers, and what is to be known of it. Where the other half is heavy, it
 * stands in an `answering.ts` of its own that imports nothing which only the other one needs; see plugins/answering.ts.
 */
export interface AnsweringModule<Config = any> {
  /** The directive. */
  readonly name: string;
  /** Whether it also stands in the chain for classes other than IN, which nobody else sees. */
  readonly everyClass?: true;
  /**
   * Whether a reply that came through it may be repeated without asking it. `question`: to the same question, for it reads
   * nothing of a query that its answers' dependence does not tell, and does nothing but answer, `tallies` and `gate` aside.
   * `absence`: also to questions for other names that do not exist, as {@linkcode Dependence.decidedAt} says, for it does
   * not look at the name. Absent: it is asked for every query, and with it the whole block.
   */
  readonly repeats?: "question" | "absence";
  /** Every metric that it counts, by its whole name: its README describes each. */
  readonly metrics?: Readonly<Record<string, Metric>>;
  /** Whether `answer` may return a promise: in a worker such a query is handed to the control isolate. */
  readonly waits?: boolean;
  /** The answering half; undefined when it only has a control half. */
  answerer?(config: Config, scope: AnswerScope): Plugin | undefined;
}

/** What a plugin's mod.ts exports by default. */
export interface PluginModule<Config = any> extends AnsweringModule<Config> {
  /** Other names the directive goes by. */
  readonly aliases?: readonly string[];
  /** The first line of its syntax: `file DBFILE [ZONES...]`. */
  readonly usage: string;
  /** The options of its block, by name; its README documents each. */
  readonly options: Options;
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
  /** What it sets for the sockets of the block's ports. */
  limits?(config: Config): SocketLimits;
  /**
   * Within which seconds are the TTLs of what pools fill, where it sets them, or changes what plugins below made them;
   * `below`: those. Asked from the bottom up: for whoever waits until an answer has expired everywhere.
   */
  ttlBounds?(config: Config, below: TtlBounds | undefined): TtlBounds | undefined;
  /** Whether it has a half in the fleet isolate too, which is handed its config: see core/membership/fleet_half.ts. */
  readonly inFleet?: true;
  /** Whether no query for `zone` ever passes below this plugin: what stands there can never be reached. */
  answersAll?(config: Config, zone: Name): boolean;
}

/** What a metric is: the HELP and TYPE of Prometheus's exposition format, and what tells its series apart. */
export interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds, ascending, of a histogram. */
  readonly buckets?: readonly number[];
}

/** The names and values of a metric's labels. */
export type Labels = Readonly<Record<string, string>>;

/** Limits of TCP connections; what is absent stays as it is. */
export interface SocketLimits {
  /** The most that one message may take to arrive. */
  readonly readMs?: number;
  /** The most that a client may take to read what it was sent. */
  readonly writeMs?: number;
  /** How long a connection may be idle. */
  readonly idleMs?: number;
  /** How many queries a connection may carry. */
  readonly queriesMax?: number;
  /** How many connections there may be at once. */
  readonly connectionsMax?: number;
  /** Of those, from one IPv4 address or one IPv6 /64. */
  readonly connectionsPerAddressMax?: number;
  /** From one IPv4 /24 or one IPv6 /48. */
  readonly connectionsPerNetworkMax?: number;
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
  /** Where `context.label` is there: names within these. */
  readonly labelZones: readonly Name[];
  /** The name of the view that the block is; absent where it takes every query. */
  readonly view?: string;
  /** The names of the plugins in its chain, in order of execution. */
  readonly plugins: readonly string[];
  /** The names of its checks; absent = it has none. */
  readonly checks?: readonly string[];
  /** Every pool of the Corefile, in a block that answers managed pools: none of these may have the name of one. */
  readonly declaredPools?: readonly PoolPolicy[];
}

/** What `parse` may use. */
export interface ParseScope {
  readonly problems: Problems;
  /** The block's zones, folded. */
  readonly zones: readonly Name[];
  /** The block's key, as in {@linkcode BlockFacts}. */
  readonly key: string;
  /** Whether the server has a store that it shares with others, and in which nodes register themselves. */
  readonly sharesState: boolean;
  /** A path as the Corefile means it: relative to the folder of the file in which the token stands. */
  path(token: Token): string;
  /** The same for files of data, which stand in the folder that `root` names, where it names one. */
  dataPath(token: Token): string;
  /** Sets the folder of data files, for the plugins below. */
  setRoot(directory: string): void;
  /** Makes the block one of several for its zones: its plugin's `admits` chooses. */
  setView(name: string): void;
  /** Asks for `context.label` at names within a zone. */
  wantLabels(zone: Name): void;
  /** Declares that a pool answers `types` at `name`. */
  ownName(owned: OwnedName): void;
  /** Declares a pool, so that names used twice and loops of `all-down pool` are found across blocks; `token` takes the blame. */
  declarePool(policy: PoolPolicy, token: Token): void;
  /** Declares that the block answers managed pools: it may be the only one that does, for its zones and below. */
  takePools(token: Token): void;
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
  /**
   * Calls back once the server answers, whoever asks for it while it starts: what nothing waits for is better begun then, and
   * not before its first answers.
   */
  onServing(listener: () => void): void;
  /** Waits, when the server is told to stop, before it stops answering. */
  beforeStop(wait: () => Promise<void>): void;
  /** Closes `resource` when the plugin is stopped. */
  own<R extends { close(): void | Promise<void> }>(resource: R): R;
  /** Adds to a counter, 1 by default. */
  count(name: string, labels?: Labels, by?: number): void;
  /** Adds a sample to a histogram. */
  observe(name: string, value: number, labels?: Labels): void;
  /** Sets a gauge; undefined takes its series away. */
  gauge(name: string, value: number | undefined, labels?: Labels): void;
  /** Calls back just before metrics are read, to set what is only then worked out. */
  onScrape(callback: () => void): void;
  /** Declares that the plugin has something to wait for before the server is ready. */
  onReady(isReady: () => boolean): void;
  /** Answers HTTP requests for a path of an address, which plugins of any block may share. Kept over a reload. */
  serveHttp(mount: HttpMount): void;
  /**
   * Hands something over to the plugin of the same name, zones and ports in the server that replaces this one. In this
   * process it arrives as it is; in another one, as its `toJSON()` makes it, and without that not at all.
   */
  bequeath(make: () => unknown): void;
  /** What was handed over so, while the server starts; undefined when it replaces none, and afterwards. */
  readonly inherited: unknown;
  /** The process that the plugin runs in. */
  readonly process: ProcessScope;
}

/** One path of a helper listener. */
export interface HttpMount {
  /** `localhost:9153`, `:8080` (every address), `[::1]:8080`. */
  readonly address: string;
  /** `/metrics`. */
  readonly path: string;
  /** Hears of GET and HEAD; its response is read whole, then sent. Errors that it throws become 500. */
  handler(request: Request): Response | Promise<Response>;
}

/** What there is one of, whatever the number of server blocks: the same object for all plugins of a server. */
export interface ProcessScope {
  /** Every metric, in Prometheus's text format. */
  metricsText(): string;
  /** Every plugin that declared {@linkcode ControlScope.onReady}. */
  readiness(): readonly { readonly name: string; readonly isReady: () => boolean }[];
  /** Has the log show debug lines, until the plugin is stopped. */
  showDebug(): void;
  /** Reads the Corefile again, and serves by it if it stands; the log says what became of it. */
  requestReload(why: string): Promise<void>;
  /** The same if it says something else than when it was last read. */
  reloadIfChanged(): Promise<void>;
  /** The same object in every server of the process that replaces another: what they share can be found by it. */
  readonly identity: object;
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
  /** Takes the same lines as octets; absent where there is no room for such. */
  readonly lines?: LineOctets;
  /** Closes `resource` when the chain that this plugin stands in is replaced. */
  own<R extends { close(): void | Promise<void> }>(resource: R): R;
  /** Adds to a counter, 1 by default. */
  count(name: string, labels?: Labels, by?: number): void;
  /** Adds a sample to a histogram. */
  observe(name: string, value: number, labels?: Labels): void;
  /** Binds a counter or a histogram once, for what happens at every query: a nanosecond or two each time. */
  series(name: string, labels?: Labels): Series;
  /**
   * Hands plain data of about so many octets to this plugin of this block in every data worker: see {@linkcode Plugin.borrow}.
   * It comes soon or not at all. False where it goes nowhere, for want of room or of workers: then it is not even made.
   * Absent in a worker, and for custom plugins.
   */
  lend?(make: () => unknown, octets: number): boolean;
}

/** Takes lines of standard output as octets: first there is asked for room, then written, then committed. */
export interface LineOctets {
  /** Where there is room. */
  readonly octets: Uint8Array;
  /** Whether lines may be other than JSON objects. */
  readonly takesText: boolean;
  /** Where a line of at most `length` octets, its end included, may begin; -1 = nowhere: it is left out, and counted. */
  reserve(length: number): number;
  /** The line is written: it began where there was room last, and ends before `to`. */
  commit(to: number): void;
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
export { afterTurns, type Clock } from "./clock.ts";
export {
  Arguments,
  onlyOne,
  type Option,
  type Options,
  type OptionValues,
  parseDurationMs,
  readOptions,
} from "./corefile/arguments.ts";
export { nearest } from "./corefile/nearest.ts";
export { CorefileError, type Directive, Problems, type Token } from "./corefile/directive.ts";
export { readName } from "./dns/corefile_names.ts";
export * from "./dependence.ts";
export * from "./dns/name.ts";
export * from "./net/address.ts";
export * from "./query.ts";
export { type Snapshot } from "./snapshot.ts";
export { Tally } from "./tally.ts";
