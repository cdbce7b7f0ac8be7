// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * The types of Meridian's plugin API, version 1. Written by a program; `meridian plugin types` gives that of
 * another release.
 *
 * @module
 */

/** What a plugin's function is handed. */
export interface Meridian {
  readonly Arguments: typeof Arguments;
  readonly BY_NAME: typeof BY_NAME;
  readonly CLASS: typeof CLASS;
  readonly CorefileError: typeof CorefileError;
  readonly INDEPENDENT: typeof INDEPENDENT;
  readonly NAME_OCTETS_MAX: typeof NAME_OCTETS_MAX;
  readonly NEVER: typeof NEVER;
  readonly OPCODE: typeof OPCODE;
  readonly OPTION: typeof OPTION;
  readonly PluginFault: typeof PluginFault;
  readonly Problems: typeof Problems;
  readonly RCODE: typeof RCODE;
  readonly ROOT: typeof ROOT;
  readonly TYPE: typeof TYPE;
  readonly Tally: typeof Tally;
  readonly addressFromOctets: typeof addressFromOctets;
  readonly afterTurns: typeof afterTurns;
  readonly alsoOn: typeof alsoOn;
  readonly both: typeof both;
  readonly classToText: typeof classToText;
  readonly clientAddress: typeof clientAddress;
  readonly compose: typeof compose;
  readonly contains: typeof contains;
  readonly earlier: typeof earlier;
  readonly emptyAnswer: typeof emptyAnswer;
  readonly familyBits: typeof familyBits;
  readonly findOption: typeof findOption;
  readonly fold: typeof fold;
  readonly forOneName: typeof forOneName;
  readonly formatAddress: typeof formatAddress;
  readonly formatName: typeof formatName;
  readonly formatPrefix: typeof formatPrefix;
  readonly formatRRset: typeof formatRRset;
  readonly formatRdata: typeof formatRdata;
  readonly isDeferred: typeof isDeferred;
  readonly isWithin: typeof isWithin;
  readonly labelCount: typeof labelCount;
  readonly labels: typeof labels;
  readonly mapRRsets: typeof mapRRsets;
  readonly nearest: typeof nearest;
  readonly nextCloser: typeof nextCloser;
  readonly onlyOne: typeof onlyOne;
  readonly parent: typeof parent;
  readonly parseAddress: typeof parseAddress;
  readonly parseDurationMs: typeof parseDurationMs;
  readonly parseName: typeof parseName;
  readonly parseNetwork: typeof parseNetwork;
  readonly parsePrefix: typeof parsePrefix;
  readonly parseRRsets: typeof parseRRsets;
  readonly prefixOf: typeof prefixOf;
  readonly prepend: typeof prepend;
  readonly rcodeToText: typeof rcodeToText;
  readonly readName: typeof readName;
  readonly readOptions: typeof readOptions;
  readonly sameAddress: typeof sameAddress;
  readonly sameName: typeof sameName;
  readonly serverLabel: typeof serverLabel;
  readonly then: typeof then;
  readonly typeFromText: typeof typeFromText;
  readonly typeToText: typeof typeToText;
  readonly undivided: typeof undivided;
  readonly withTarget: typeof withTarget;
}

/** An IP address: 4 octets for IPv4, 16 for IPv6. IPv4-mapped IPv6 never occurs: parsing turns it into IPv4. */
export interface Address {
  readonly family: Family;
  readonly octets: Uint8Array;
}

/** What happens when nothing serves. */
export type AllDown =
  | { readonly policy: "last-known-good" | "fail-open" | "nodata" | "servfail" }
  | { readonly policy: "pool"; readonly pool: string };

/** What the chain returns; the responder turns it into octets. */
export interface Answer {
  readonly rcode: number;
  /** The AA flag. */
  readonly authoritative: boolean;
  /** The RA flag: recursion was available, as behind `forward`. */
  readonly recursionAvailable?: boolean;
  /** The RD flag, where it is not to be what the query had. */
  readonly recursionDesired?: boolean;
  /** The AD flag, passed on from an upstream. */
  readonly authenticData?: boolean;
  readonly answer: readonly RRset[];
  readonly authority: readonly RRset[];
  readonly additional: readonly RRset[];
  readonly dependence: Dependence;
  readonly extendedErrors?: readonly ExtendedError[];
  /** Options beside those that the responder derives itself (ECS, EDE). */
  readonly options?: readonly EdnsOption[];
  /** The EDNS payload size to announce, and the most octets to send over UDP, where a plugin sets it. */
  readonly payloadSize?: number;
  readonly selections?: readonly Selection[];
  /** An operating failure behind this answer, for `errors` to report: `forward: 192.0.2.1:53 timed out`. */
  readonly fault?: { readonly plugin: string; readonly message: string };
  /** False: leave the query's ECS option unanswered, as a server without ECS does. */
  readonly ecs?: false;
  /** Not an answer: this query must wait, and is answered where waiting is allowed. Survives every change on the way up. */
  readonly deferred?: true;
  /** True of this moment only, as what an upstream said: nobody but `cache`, which counts TTLs down, may remember it. */
  readonly momentary?: true;
  /**
   * Of what is momentary: until when the reply may be repeated all the same, its TTLs counted down by whole seconds since
   * `sinceMs`, when it was heard; absent = since it is given.
   */
  readonly aging?: { readonly untilMs: number; readonly sinceMs?: number };
  /** What became known while it was made, by label: `forward/upstream`. Joins what `context.label` tells. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Send none of the records, and say so with TC: whoever asked over UDP is to ask again over TCP. */
  readonly truncated?: true;
  /** Say nothing at all. */
  readonly silent?: boolean;
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

/** The arguments of one directive or option. Every reader throws a {@linkcode CorefileError} at the wrong word. */
export declare class Arguments {
  readonly directive: Directive;
  constructor(directive: Directive);
  /** Whether words are left. */
  get more(): boolean;
  /** How many words are left. */
  get left(): number;
  /** The next word without taking it. */
  peek(): Token | undefined;
  /** The next word; `what` names it in the error when there is none, as `PORT`. */
  token(what: string): Token;
  /** The next word's text. */
  word(what: string): string;
  /** All words left. */
  rest(): Token[];
  /** Takes the next word if it is `word`. */
  take(word: string): boolean;
  /** Nothing may follow. */
  end(): void;
  /** One of some words. */
  oneOf<const W extends string>(what: string, words: readonly W[]): W;
  /** A number, whole or not. */
  number(what: string, range?: Range): number;
  /** A whole number of up to 15 digits, which a double holds exactly. */
  whole(what: string, range?: Range): number;
  /** A span of time as Go writes it, `1m30s`, `500ms`, or plain seconds. @returns Milliseconds. */
  durationMs(what: string, range?: Range): number;
  /** A distance, `1000km` or a bare number of kilometres. */
  kilometres(what: string, range?: Range): number;
  /** A share, `5%` or `0.05`. */
  share(what: string, range?: Range): number;
  /** `on` or `off`. */
  onOff(what: string): boolean;
  /** An IP address. */
  address(what: string): Address;
  /** An IP network. */
  prefix(what: string): Prefix;
}

/** What depends on the very name asked for: an answer that is joined with it stands for no other name. */
export declare const BY_NAME: Dependence;

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

/** By the client's family: the blocks. A value is an index into {@linkcode Partition.consulted}. */
export interface Blocks {
  readonly 4: NetworkTable;
  readonly 6: NetworkTable;
}

/** See the module. Read it by {@linkcode ofTarget}. */
export type ByTarget<T> = readonly Readonly<Record<TargetKey, T>>[];

/** Classes (RFC 1035 section 3.2.4; NONE from RFC 2136). */
export declare const CLASS: {
  readonly IN: 1;
  readonly CH: 3;
  readonly HS: 4;
  readonly NONE: 254;
  readonly ANY: 255;
};

/** Client networks and what each asks for, in any unit: as {@linkcode packDemand} makes it. Plain data, in shared memory. */
export interface ClientDemand {
  /** Addresses, 16 octets each; those of IPv4 have theirs in front. */
  readonly octets: Uint8Array;
  readonly families: Uint8Array;
  readonly lengths: Uint8Array;
  readonly demand: Float64Array;
}

/** EDNS Client Subnet (RFC 7871 section 6), as the query carried it. */
export interface ClientSubnet {
  /** The address, zero-filled past the source prefix. */
  readonly address: Address;
  readonly sourcePrefixLength: number;
}

/**
 * Both address spaces cut into rows: all clients of one row get the same reply to a question, octet for octet, scope
 * included. Immutable; lies in shared memory.
 */
export interface ClientTable {
  readonly 4: NetworkRows;
  readonly 6: NetworkRows;
}

/** Tells the time and calls back later. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls `then` once after `delayMs`; the function that comes back cancels it. */
  after(delayMs: number, then: () => void): () => void;
}

/** What of one pool was looked at. */
export interface Consulted {
  readonly pool: string;
  /** By which region's verdicts; absent = by everyone's. */
  readonly region?: string;
  /** For each member of the pool's view, by index: the sum of what of it was looked at. 0 = nothing. */
  readonly looks: Uint8Array;
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

/** `absent`: no cookie at all. `client`: none of ours in it. `invalid`: one that is not, or no longer, ours. */
export type CookieState = "absent" | "client" | "invalid" | "valid";

/**
 * Degrees, or as integers ten-thousandths of degrees: of 32 bits where every one of a column is exactly what the data has,
 * whose numbers either are of 32 bits or have so many decimals. Read by {@linkcode degreesAt}.
 */
export type Coordinates = Float64Array | Float32Array | Int32Array;

/** Something wrong in a Corefile or a file it names; the message says what was found and what was wanted. */
export declare class CorefileError extends SyntaxError {
  readonly name: "CorefileError";
  readonly at: Position;
  constructor(at: Position | Token, message: string);
}

/** What the function that a custom plugin's file exports by default returns. */
export interface CustomModule<Config = any> extends Omit<PluginModule<Config>, "inFleet" | "ttlBounds"> {
  /** The version of the API that it is written for. */
  readonly api: 1;
  /** The plugin right above which it stands, where the Corefile does not say. */
  readonly before?: string;
  /** The plugin right below which it stands, where the Corefile does not say. */
  readonly after?: string;
}

/**
 * When something that was consulted could change, in milliseconds since 1970, as far as probes, leases, ramps and
 * schedules known now can cause. Infinity stands for never. `docs/decisions/0001-answers.md` has the rule.
 */
export interface Deadline {
  /** The earliest change of any kind. */
  readonly earliestMs: number;
  /** The earliest change that stands in a calendar: maintenance, override end, lease end, ramp step. */
  readonly scheduledMs: number;
  /** Whether no probe consulted has taken a step towards a change: no failure counted, no success after a down. */
  readonly steady: boolean;
}

/** A name that stands for names below it which there are not, or which are not ours to know. */
export interface DecidedAt {
  /** The closest encloser of the name asked for, or the zone cut above it; folded. */
  readonly name: Name;
  /**
   * The names there are: all names below `name` get the same reply, save those whose first label more than `name` makes
   * one of these. Absent = all names below it get the same, as below a zone cut.
   */
  readonly existing?: NameSet;
}

/** One step that a plugin took, told to whoever asked for an explanation. */
export interface Decision {
  readonly plugin: string;
  /** One line for a person. */
  readonly what: string;
  /** The facts behind the line, plain data. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** How long it took, where something was waited for. */
  readonly durationMs?: number;
}

/** That traffic of some regions of a pool goes elsewhere. Plain data. */
export interface Degradation {
  /** The regions, ascending. */
  readonly regions: readonly string[];
  /** Of nodes by id: whole metres, more than 0, that are added to their distance from everybody. Ascending by id. */
  readonly prices: Readonly<Record<string, number>>;
  /** The earliest instant at which one of them may be degraded no more, as far as is known now; Infinity = none. */
  readonly mayEndMs: number;
}

/** What all servers of a fleet have in common. */
export interface DegradationNews {
  /** By pool: its degraded regions. */
  readonly degraded: Readonly<Record<string, Degraded>>;
  /** What clients ask for; absent = nobody has said. */
  readonly demand?: { readonly number: number; readonly clients: ClientDemand };
}

/** When a region is degraded: decision 0007, "Regional degradation". */
export interface DegradePolicy {
  /** From when its healthy share of nodes or of capacity is below this; from 0 to 1. */
  readonly below: number;
  /** Until it has been at least this, and at least `below`, … */
  readonly above: number;
  /** … for so long. */
  readonly dwellMs: number;
}

/** What is said of when a region is degraded. */
export interface DegradeTerms {
  readonly below?: number | undefined;
  readonly above?: number | undefined;
  readonly dwellMs?: number | undefined;
}

/** Regions that are degraded, with since when, milliseconds since 1970: what all servers have in common. */
export type Degraded = Readonly<Record<string, number>>;

/** What else than the question an answer depended on (DESIGN's law of declared dependence). */
export interface Dependence {
  /** Bits of the client's address that the answer holds for: becomes the ECS scope. 0 = any client. */
  readonly scopePrefixLength: number;
  readonly deadline: Deadline;
  /** What merely tells apart the places to remember the answer under. */
  readonly keys: readonly MemoKey[];
  /**
   * Until when the very same would be said, TTLs included, while the snapshot stands: milliseconds since 1970. Absent =
   * for as long as it does.
   */
  readonly untilMs?: number;
  /** The pools whose state or deadlines it looked at, those that it merely might spill to included. */
  readonly pools?: readonly string[];
  /** Tells clients apart as far as the reply goes; absent = only prefixes do. */
  readonly clients?: ClientTable;
  /** The reply changes with the message ID, and repeats itself whenever that is the same modulo this number. */
  readonly rotation?: number;
  /** Where it was decided, where that was not at the name asked for. */
  readonly decidedAt?: DecidedAt;
}

/** A name with arguments and, where it opened one, the lines of its block. Lines in a block have the same shape. */
export interface Directive {
  readonly name: Token;
  readonly args: readonly Token[];
  readonly block?: readonly Directive[];
}

/** The EDNS part of a query (RFC 6891). */
export interface Edns {
  readonly version: number;
  /** The requestor's UDP payload size, as sent. */
  readonly payloadSize: number;
  readonly dnssecOk: boolean;
  readonly clientSubnet?: ClientSubnet;
  /** Every option as sent, ECS included, in order. */
  readonly options: readonly { readonly code: number; readonly data: Uint8Array }[];
}

/** One EDNS option to send, its data in wire form (RFC 6891 section 6.1.2). */
export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** RFC 8914. */
export interface ExtendedError {
  readonly infoCode: number;
  readonly text?: string;
}

/** 4 or 6: the version of the Internet Protocol. */
export type Family = 4 | 6;

/** Hands fleet state from its writers to its readers. Changes are gathered: one snapshot a turn of the event loop. */
export interface FleetHub {
  /** anycast: the nodes of a pool, replacing those it had. */
  setNodes(pool: PoolNodes): void;
  /** anycast: the same of several at once, and the names of pools that are no more. */
  setPools(pools: readonly PoolNodes[], gone: readonly string[]): void;
  /** Calls back with every pool now, and after each change. */
  onPools(listener: (pools: readonly PoolNodes[]) => void): void;
  /** anycast: partitions that are new, by pool; undefined removes a pool's. */
  setPartitions(partitions: Readonly<Record<string, PoolPartitions | undefined>>): void;
  /**
   * health: which targets decide over each address of a pool, and the share of an address's checks that may be
   * down before the address is.
   */
  setTargets(
    pool: string,
    targets: Readonly<Record<string, readonly TargetKey[]>>,
    failingShare: number,
  ): void;
  /** health: verdicts that changed; undefined removes one. */
  setVerdicts(verdicts: Readonly<Record<TargetKey, Verdict | undefined>>): void;
  /** health: deadlines that changed; undefined removes one. */
  setDeadlines(deadlines: Readonly<Record<TargetKey, ToldDeadline | undefined>>): void;
  setOverrides(overrides: readonly Override[]): void;
  /** anycast: that traffic of some of a pool's regions goes elsewhere; undefined = of none. */
  setDegradation(pool: string, degradation: Degradation | undefined): void;
  /** anycast: what is healthy of a pool; undefined = nobody looks any more. Absent in a server that shares no state with others. */
  noteShares?(pool: string, shares: PoolShares | undefined): void;
  /** Calls back with what servers have in common of this, once it is known and after each change. Absent likewise. */
  onDegradations?(listener: (news: DegradationNews) => void): void;
  /**
   * Calls back with the nodes that registered themselves, ascending by id, now and after each change. Absent in a server that
   * shares no state with others.
   */
  onRegistry?(listener: (nodes: readonly Node[]) => void): void;
  /** The same with the zones that are managed through the store; what has not changed is the same object. */
  onZones?(listener: (zones: readonly SharedZone[]) => void): void;
  /** anycast: a block that answers managed pools, replacing what was said of it. Absent as {@linkcode onRegistry} is. */
  setTaker?(taker: PoolTaker): void;
  /** Calls back with all managed pools, now and after each change; what has not changed is the same object. */
  onManagedPools?(listener: (pools: readonly ManagedPool[]) => void): void;
  /**
   * Calls back with what a plugin's half in the fleet isolate told last, now if it has, and whenever it tells something else.
   * Absent in a server that shares no state with others.
   */
  onTold?(plugin: string, listener: (value: unknown) => void): void;
}

/**
 * Whether a query from `source` may have a reply that another one had, and has been charged for it. Where not, nothing was
 * charged and the chain is asked. `source` is the caller's: it changes with the next query. `cookie` is what its COOKIE option
 * is worth, as `QueryContext.cookie` would say.
 */
export type Gate = (source: Address, nowMs: number, cookie: CookieState) => boolean;

/**
 * All that a query needs to know where clients are; plain data, made once by geo, shared by every worker.
 *
 * A leaf's value in `v4` and `v6` is its class: 0 = unknown; from {@linkcode SPECIAL_CLASS_FIRST} on, a
 * special-purpose block each of its own, named in `specialNames`; else an index into `places`.
 */
export interface Geography {
  /** Grows with each new geography. */
  readonly epoch: number;
  readonly v4: NetworkTable;
  readonly v6: NetworkTable;
  readonly places: PlaceTable;
  readonly specialNames: readonly string[];
  readonly sources: readonly GeographySource[];
}

/** One file behind a geography. */
export interface GeographySource {
  readonly name: string;
  readonly precision: Precision;
  /** When the data was built, milliseconds since 1970. */
  readonly builtMs: number;
  /** SHA-256 of what is in it, in hexadecimal: whatever the file is called, and whenever it was written. */
  readonly content: string;
  /** When this file was taken, milliseconds since 1970. */
  readonly loadedMs: number;
  /** What went wrong with a newer one that was refused. */
  readonly refused?: string;
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

/** What a static answer depends on: nothing. */
export declare const INDEPENDENT: Dependence;

/** The names and values of a metric's labels. */
export type Labels = Readonly<Record<string, string>>;

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

/** Where a client network is. */
export interface Location {
  /** The leaf: the client network as the geo data first cuts it, before any collapse. */
  readonly network: Prefix;
  /** Absent where no source knows the network, or where it is private or of special use. */
  readonly place?: Place;
  /** The place's number in its geography; 0 = no place. */
  readonly placeId: number;
  readonly precision?: Precision;
  /** What said so: a database's type and file name, `networks`, or the special-purpose block's name. */
  readonly source: string;
  /** Private or special-use (RFC 6890): gets the default answer, with the scope of its whole block. */
  readonly special: boolean;
}

/** Where operators read what happened. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a custom plugin's file exports by default. */
export type MakePlugin<Config = any> = (meridian: Meridian) => CustomModule<Config>;

/** A pool that is managed through the interface, as every server of the fleet hears of it. Plain data. */
export interface ManagedPool extends PoolTerms {
  /** As in {@linkcode PoolPolicy}. */
  readonly name: string;
  /** The only nodes it takes, by id; absent = all that have the labels. */
  readonly members?: readonly string[] | undefined;
  /** Names of the checks that decide; absent = as the Corefile says of managed pools. */
  readonly checks?: readonly string[] | undefined;
}

/**
 * See {@linkcode Dependence}. `tailored`: the client's network mattered, whatever length came of it. `port`: the
 * client's port did, which makes an answer not worth remembering. `cookie`: the answer has a COOKIE option, which is for this
 * one client and moment; the rest of it is for all who have such an option.
 */
export type MemoKey = "source" | "port" | "transport" | "do" | "cd" | "server" | "tailored" | "cookie";

/** What a metric is: the HELP and TYPE of Prometheus's exposition format, and what tells its series apart. */
export interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds, ascending, of a histogram. */
  readonly buckets?: readonly number[];
}

/** The most octets that a name may have on the wire, the root's zero included (RFC 1035 section 3.1). */
export declare const NAME_OCTETS_MAX = 255;

/** A deadline that never comes. */
export declare const NEVER: Deadline;

/** A domain name in wire form, one character an octet, case as given. */
export type Name = string & { readonly [wireName]: true };

/** A set of names' hashes: see {@linkcode hashName}. As large as there are names, four to eight octets each. */
export declare class NameSet {
  /** Of folded names, about `count` of them in the end. */
  constructor(names: Iterable<string>, count: number);
  has(hash: number): boolean;
  /** Adds a folded name. */
  add(name: string): void;
}

/** A table of which the values are rows. IPv6 networks longer than /64 have the row {@linkcode DEEP_ROW}. */
export type NetworkRows = NetworkTable;

/** Networks in ascending order that cover the whole space of a family, none overlapping another. Plain data. */
export interface NetworkTable {
  readonly family: Family;
  /** Entries. */
  readonly count: number;
  /** First addresses of groups: 1 word a group for IPv4, 4 words, most significant first, for IPv6. */
  readonly bases: Uint32Array;
  /** Where in `codes` each group begins. */
  readonly offsets: Uint32Array;
  /** The groups, and behind them octets that hold nothing: GROUP_TAIL_OCTETS. */
  readonly codes: Uint8Array;
  /** In large tables, for each value of an address's first 16 bits: the group that holds the first such address. */
  readonly index?: Uint32Array;
  /** Beside the index of an IPv6 table, for each group: bits 16 to 47 of its first address, by which it is searched. */
  readonly keys?: Uint32Array;
}

/** The rest of the chain, below a plugin. */
export type Next = (context: QueryContext) => Answer | Promise<Answer>;

/** A machine of the fleet. At most one address of each family. */
export interface Node {
  readonly id: string;
  /** Canonical text (RFC 5952). */
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly place: Place;
  /** A fleet label; "" where none. */
  readonly region: string;
  /** Requests a second, or any unit the fleet agrees on; 0 = not stated. */
  readonly capacity: number;
  /** Relative share among equals; > 0. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Addresses on an overlay network, canonical text. */
  readonly overlay: readonly string[];
  /** What the operator wants: `drain` and `down` take it out of answers. */
  readonly state: "up" | "drain" | "down";
  /** Windows in which the node is out of answers. */
  readonly maintenance: readonly Window[];
}

/** Opcodes (RFC 6895 section 2.2). */
export declare const OPCODE: {
  readonly QUERY: 0;
  readonly IQUERY: 1;
  readonly STATUS: 2;
  readonly NOTIFY: 4;
  readonly UPDATE: 5;
  readonly DSO: 6;
};

/** EDNS option codes. */
export declare const OPTION: {
  readonly NSID: 3;
  readonly CLIENT_SUBNET: 8;
  readonly EXPIRE: 9;
  readonly COOKIE: 10;
  readonly KEEPALIVE: 11;
  readonly PADDING: 12;
  readonly CHAIN: 13;
  readonly KEY_TAG: 14;
  readonly EDE: 15;
};

/** One option of a directive's block: how it is written, what it does, how it is read. */
export interface Option<T> {
  /** As in a man page: `interval DURATION`. */
  readonly usage: string;
  /** Whether it may stand more than once. */
  readonly repeats?: boolean;
  /** Whether it may open a block of its own. */
  readonly opensBlock?: boolean;
  /** Reads one occurrence. */
  read(args: Arguments, directive: Directive): T;
}

/** What a table of options reads to: lists where an option repeats. */
export type OptionValues<O extends Options> = {
  [K in keyof O]?: O[K] extends { readonly repeats: true } ? ReturnType<O[K]["read"]>[]
    : ReturnType<O[K]["read"]>;
};

/** A table of options, by name. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** A person's forced state or weight for a node. Of one node and pool never two states or two weights are in force at once. */
export interface Override {
  readonly nodeId: string;
  /** `weight`: the state is as it would be without; the weight is another. */
  readonly state: "up" | "drain" | "down" | "weight";
  /** In the place of the node's own, with state `weight`; > 0. */
  readonly weight?: number;
  /** In force for this pool's answers alone, where it goes before one for all pools. */
  readonly pool?: string;
  readonly reason: string;
  readonly actor: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A name that something other than zone data answers: declared while parsing, known to every lookup. */
export interface OwnedName {
  /** Folded. May be a wildcard. */
  readonly name: Name;
  readonly types: readonly number[];
  readonly pool: string;
}

/** Plain data; a structured clone shares what is large. */
export interface PackedZone {
  /** Folded. */
  readonly origin: Name;
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** How many words the index has, a power of two. */
  readonly slots: number;
  /** What hashes of names begin with: nobody who writes names into a zone knows it. */
  readonly seed: number;
  readonly names: number;
  readonly cuts: number;
  /** Seconds; of the SOA in negative answers. */
  readonly negativeTtl: number;
  /** Nodes that take the place of its own, by folded name: those of names that pools answer. */
  readonly laid: ReadonlyMap<Name, ZoneNode>;
}

/** Where a packet came from and went to: filled in anew for each, by who received it. */
export interface PacketSource {
  family: 4 | 6;
  /** The address as words, most significant first: one for IPv4, four for IPv6. */
  readonly words: Uint32Array;
  port: number;
  /** The address asked, and its port: the same object for all packets that came there. */
  server: { readonly address: Address; readonly port: number };
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

/** What a pool's answers depend on, network by network. Plain data. Stands from `fromMs` to before `untilMs`. */
export interface Partition extends Segment {
  readonly pool: string;
  /** Of the answer, not of the client. */
  readonly family: Family;
  /** The epochs of every pool that an answer may have come by. */
  readonly epochs: Readonly<Record<string, number>>;
  readonly geographyEpoch: number;
  /** False: every client of either family gets one and the same answer, and scopes are 0. */
  readonly tailored: boolean;
  /** What the answers anywhere in a block looked at. Where nothing is tailored, only one: of all answers. */
  readonly consulted: readonly (readonly Consulted[])[];
  /** Absent where each leaf draws for itself, and where all clients get the very same. */
  readonly rows?: PartitionRows;
  /** Where each leaf draws for itself: the blocks. */
  readonly blocks?: Blocks;
  /** Where it goes on telling scopes after a change, for most clients. */
  readonly basis?: PlainBasis;
}

/** Rows, and what the clients of each have in common. Plain data. */
export interface PartitionRows {
  readonly clients: ClientTable;
  /** By row: the length of the clients' blocks. */
  readonly scopes: Uint8Array;
  /** By row: the number of what their blocks consulted. */
  readonly consulted: Uint32Array;
  /** How many networks both tables had when last they were made whole. */
  readonly networks: number;
}

/** A point on the earth with what it lies in. */
export interface Place {
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  /** ISO 3166-1 alpha-2, upper case; "" where not known. */
  readonly country: string;
  /** The country's subdivision as the data has it (ISO 3166-2 without the country, or a name); "" where not known. */
  readonly subdivision: string;
}

/** Distinct places as columns. Row 0 is not used: 0 means no place. */
export interface PlaceTable {
  /** Rows, row 0 counted. */
  readonly count: number;
  readonly latitude: Coordinates;
  readonly longitude: Coordinates;
  /** Index into `countries`. */
  readonly country: Uint16Array;
  /** Index into `subdivisions`. */
  readonly subdivision: Uint16Array;
  /** Index into `sourceNames`. */
  readonly source: Uint8Array;
  readonly countries: readonly string[];
  readonly subdivisions: readonly string[];
  /** What said so, with its precision. */
  readonly sourceNames: readonly { readonly name: string; readonly precision: Precision }[];
}

/** See the module. Plain data. */
export interface PlainBasis {
  /**
   * The pool's members and its policy, as far as a choice goes by them, written out. Of addresses it has which are the
   * same: so both families of a pool have one and the same, where each node has an address of each.
   */
  readonly members: string;
  /** By member: 1 = it served. */
  readonly serving: Uint8Array;
}

/** The half of a plugin that answers: one in every worker, reading the context and its snapshot, nothing else. */
export interface Plugin {
  readonly name: string;
  /** Answers, passes on to `next`, or changes what comes back. Returns a promise only when it must wait. */
  answer(context: QueryContext, next: Next): Answer | Promise<Answer>;
  /**
   * Hears of every reply once it has been encoded, for logs and metrics: also of one that was remembered, for
   * which no chain ran. `context` is the query's as it entered the chain. Must not throw, and changes nothing.
   */
  observe?(context: QueryContext, answer: Answer, sent: Sent): void;
  /**
   * What it counts of a reply, for metrics: the server adds it up for each reply like this one, those included that are
   * repeated without asking the chain. Must not throw, and counts nothing itself.
   */
  tallies?(context: QueryContext, answer: Answer, sent: Sent): readonly Sample[];
  /**
   * Its `tallies` leave `sent.durationMs` aside. Where nobody wants to know how long a reply took, the clock is not looked at,
   * and it is 0.
   */
  readonly untimed?: true;
  /**
   * What hears, in place of `observe`, of each query that gets this reply without the chain; asked once, when the reply is
   * remembered. Undefined = `observe` hears of each, for which a whole context is made: slow. What comes back must not throw.
   */
  repeater?(context: QueryContext, answer: Answer, sent: Sent): Repeater | undefined;
  /** Takes what the control isolate's half of this kind lent, in a data worker: see `AnswerScope.lend`. Must not throw. */
  borrow?(loan: unknown): void;
  /** What is to be asked before a reply to this query is given to another one; undefined = nothing. See {@linkcode Gate}. */
  gate?(context: QueryContext): Gate | undefined;
  /**
   * What gives each query that gets this reply a COOKIE option of its own; asked once, when the reply is remembered, of
   * the plugin whose answers depend on the key `cookie`. Undefined = the reply is not remembered.
   */
  cookies?(context: QueryContext): RepeatedCookies | undefined;
  /**
   * Whether it looks at EDNS options of a query, other than ECS, whether there is an NSID option, and what `cookies` sees
   * to. Replies to queries with such options are repeated only where no plugin of the block does.
   */
  readonly readsOptions?: boolean;
  /**
   * What it knows of a query, by the whole name of each label, such as `geoip/country/code`: see
   * {@linkcode QueryContext.label}. Takes the context as it entered the chain.
   */
  readonly labels?: Readonly<Record<string, (context: QueryContext) => string | undefined>>;
  /** Whether it answers queries that ask for nothing but a cookie (RFC 7873 section 5.4): their question is `NO_QUESTION`. */
  readonly givesCookies?: true;
  /** Whether its block takes the query at all: asked before the chain. Where it does not, the zone's next block is asked. */
  admits?(context: QueryContext): boolean;
  /** What `admits` looked at for this query, whichever way it went: any answer to the query depends on it too. */
  admission?(context: QueryContext): Dependence;
}

/** A throw in a plugin, with the plugin's name: a bug, for the exchange to turn into SERVFAIL. */
export declare class PluginFault extends Error {
  readonly name: "PluginFault";
  readonly plugin: string;
  constructor(plugin: string, cause: unknown);
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

/** A point by its degrees, north and east positive. */
export interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

/** A pool as health must know it. */
export interface PoolNodes {
  readonly policy: PoolPolicy;
  /** The server block it stands in. */
  readonly block: string;
  /** Names of the checks that decide; undefined = every check of the block. */
  readonly checks?: readonly string[];
  readonly nodes: readonly Node[];
  /** Presentation form, folded: the names that it answers; absent = its own alone. */
  readonly owners?: readonly string[];
  /** Whether it is from the store, and no Corefile's. */
  readonly isManaged?: true;
  /** Whether it also takes nodes that register themselves. */
  readonly takesRegistered?: boolean;
}

/** A pool's partitions, by family of the answer. */
export interface PoolPartitions {
  readonly 4?: Partition;
  readonly 6?: Partition;
}

/** How a pool picks. Plain data, from the Corefile. */
export interface PoolPolicy {
  /** The pool's first owner name, presentation form, folded. */
  readonly name: string;
  /** Labels that a node must have. */
  readonly select: Readonly<Record<string, string>>;
  /** How many nodes an answer has. */
  readonly answers: number;
  readonly strategy: Strategy;
  /** Whether nodes are ordered as the Formation network orders them: decision 0001, "Compat". */
  readonly compat?: boolean;
  readonly bias: { readonly region: number; readonly country: number; readonly maxKm: number };
  /** Infinity = no limit. */
  readonly maxDistanceKm: number;
  /** Equal if d ≤ max(d0·(1+share), d0+km). Absent = only equal within 1 m. */
  readonly ring?: { readonly share: number; readonly km: number };
  /** Share of nodes up below which all-down applies; 0 = off. */
  readonly threshold: number;
  /** Whether traffic of a region that is short of nodes goes elsewhere, and from when to when. Absent = it does not. */
  readonly degrade?: DegradePolicy;
  readonly unknown: UnknownPolicy;
  readonly allDown: AllDown;
}

/** How much of each region of a pool is healthy, as one server sees it. */
export interface PoolShares {
  readonly degrade: DegradePolicy;
  readonly shares: RegionShares;
}

/** A pool as it stands: part of the snapshot. */
export interface PoolState {
  readonly policy: PoolPolicy;
  /** Grows when nodes, verdicts, overrides or ramp steps of this pool change. */
  readonly epoch: number;
  /** The nodes that match `select`, ascending by id (UTF-16 code unit order). */
  readonly nodes: readonly Node[];
  /** The targets that decide over an address: its every check. No entry = no check = up. */
  readonly targets: Readonly<Record<string, readonly TargetKey[]>>;
  /** The share of an address's checks that may be down before the address is; 0 = none may. */
  readonly failingShare: number;
  /** Ids of the nodes that served at the last instant the pool was not all-down, by family. */
  readonly lastServing: { readonly 4: readonly string[]; readonly 6: readonly string[] };
  /** Absent while no region is degraded. */
  readonly degradation?: Degradation;
}

/** A server block that answers managed pools. Plain data. */
export interface PoolTaker {
  /** Its key. */
  readonly block: string;
  /** Presentation form, folded: in one of these lies the name of each that it answers. */
  readonly zones: readonly string[];
  /** Names of the checks that there are in it. */
  readonly checks: readonly string[];
  /** Nodes of lists that its pools take from, ascending by id. */
  readonly nodes: readonly Node[];
  /** Whether they take from those too that registered themselves. */
  readonly registered: boolean;
}

/** What is said of a pool; what is absent is as {@linkcode policyOf} has it. Plain data. */
export interface PoolTerms {
  readonly select?: PoolPolicy["select"] | undefined;
  readonly answers?: number | undefined;
  readonly strategy?: Strategy | undefined;
  readonly compat?: boolean | undefined;
  readonly bias?: {
    readonly region?: number | undefined;
    readonly country?: number | undefined;
    readonly maxKm?: number | undefined;
  } | undefined;
  readonly maxDistanceKm?: number | undefined;
  readonly ring?: { readonly share: number; readonly km: number } | undefined;
  readonly threshold?: number | undefined;
  readonly degrade?: DegradeTerms | undefined;
  readonly unknown?: UnknownPolicy | undefined;
  readonly allDown?: AllDown | undefined;
}

/** Where something stands. Lines and columns count from 1, columns in characters. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** How exact a location is. `operator`: from the operator's own networks. */
export type Precision = "operator" | "city" | "country";

/** A network: every octet past `length` bits is zero. */
export interface Prefix {
  readonly family: Family;
  readonly octets: Uint8Array;
  /** Bits that are significant: 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number;
}

/** Every problem found so far, so that a person sees all of them at once. */
export declare class Problems {
  readonly errors: CorefileError[];
  readonly warnings: CorefileError[];
  error(at: Position | Token, message: string): void;
  warn(at: Position | Token, message: string): void;
  /** Runs `read`; a CorefileError it throws is kept, and undefined comes back. */
  attempt<T>(read: () => T): T | undefined;
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

/** What a plugin sees of a query. */
export interface QueryContext {
  readonly question: Question;
  /** The question's name, folded: what names are looked up by. */
  readonly name: Name;
  /** The zone of the server block that was chosen, folded. */
  readonly zone: Name;
  readonly messageId: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly edns?: Edns;
  /** Where the packet came from: the resolver, as a rule. Port 0 where none came. */
  readonly source: { readonly address: Address; readonly port: number };
  /** Where it was sent to. */
  readonly server: { readonly address: Address; readonly port: number };
  readonly transport: Transport;
  /** How many octets the query had. */
  readonly sizeOctets: number;
  /** The query as it came, for those who pass it on whole. Nobody writes to it. */
  readonly octets: Uint8Array;
  /** When it is answered, milliseconds since 1970. */
  readonly nowMs: number;
  readonly snapshot: Snapshot;
  /** Where the client is; added by geo, worked out at the first call. */
  readonly locate?: () => Location;
  /** Where any address is; added by geo. */
  readonly locateAddress?: (address: Address) => Location;
  /** Whether ECS is answered here; geo may turn it off. */
  readonly ecs: boolean;
  /**
   * What the plugins of the block know of the query, by the names of their labels, such as `geoip/country/code`; undefined
   * = not known. There only where the block has `metadata` for the name. Worked out when it is asked for.
   */
  readonly label?: (name: string) => string | undefined;
  /**
   * EDNS options that go on to an upstream beside those that forward makes itself; added by rewrite. What remembers what
   * upstreams said must tell queries apart by them.
   */
  readonly passedOptions?: readonly EdnsOption[];
  /** What became of the query's COOKIE option (RFC 7873 section 5.2); added by cookie. */
  readonly cookie?: CookieState;
  /**
   * Nobody sent it: it is explained, or asked by the server itself. What counts or limits queries leaves it out. (`record`
   * does not tell: plugins that watch queries record too.)
   */
  readonly rehearsed?: true;
  /** Nobody wants to know what comes of it either: a data worker practises. It is `rehearsed` as well. */
  readonly unheard?: true;
  /** Takes each decision when someone asked for them. */
  readonly record?: (decision: Decision) => void;
}

/** RFC 1035 section 4.1.2. The name stands in the case it was asked in. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** RCODEs, those above 15 being extended ones (RFC 6895 section 2.3). 16 is BADVERS in an OPT, BADSIG in a TSIG. */
export declare const RCODE: {
  readonly NOERROR: 0;
  readonly FORMERR: 1;
  readonly SERVFAIL: 2;
  readonly NXDOMAIN: 3;
  readonly NOTIMP: 4;
  readonly REFUSED: 5;
  readonly YXDOMAIN: 6;
  readonly YXRRSET: 7;
  readonly NXRRSET: 8;
  readonly NOTAUTH: 9;
  readonly NOTZONE: 10;
  readonly DSOTYPENI: 11;
  readonly BADVERS: 16;
  readonly BADKEY: 17;
  readonly BADTIME: 18;
  readonly BADMODE: 19;
  readonly BADNAME: 20;
  readonly BADALG: 21;
  readonly BADTRUNC: 22;
  readonly BADCOOKIE: 23;
};

/** The root. */
export declare const ROOT: Name;

/** Records of one owner name, class IN and type (RFC 9499 section 5). */
export interface RRset {
  readonly name: Name;
  /** The type's number (RFC 6895). */
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** RDATA in wire form, names in it uncompressed. */
  readonly rdata: readonly Uint8Array[];
  /** The pool that owns this RRset: a backend leaves `rdata` empty, and anycast fills it on the way up. */
  readonly pool?: string;
  /** When this RRset could change; absent where nothing but an edit of the zone changes it. */
  readonly deadline?: Deadline;
}

/** What a number may be. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** By region, ascending: how much of it is healthy, from 0 to 1. */
export type RegionShares = Readonly<Record<string, number>>;

/** When a {@linkcode RegionalVerdict} could next change, or no longer be one. */
export interface RegionalDeadline extends Omit<VerdictDeadline, "regions"> {
  readonly region: string;
}

/** What the vantages of one region say of a target, to clients of that region. */
export interface RegionalVerdict extends Omit<Verdict, "regions"> {
  readonly region: string;
}

/**
 * Does for queries that get a reply again what the chain does about their COOKIE options (RFC 7873). Each is judged, and then
 * written, before the next one is judged. Neither may throw, and neither should make an object.
 */
export interface RepeatedCookies {
  /**
   * What the data of a query's first COOKIE option is worth, `count` octets at `at`: 8, or 16 to 40. Undefined = the chain
   * is asked.
   */
  judge(
    octets: Uint8Array,
    at: number,
    count: number,
    source: Address,
    nowMs: number,
  ): CookieState | undefined;
  /** Writes the data of the reply's option, as many octets as the reply had, and counts the query. */
  write(octets: Uint8Array, at: number): void;
}

/**
 * A query that gets a reply another one had. It is of the usual form: one question, its name not compressed, and behind it
 * nothing but, perhaps, an OPT record, whose options are sound. One object serves them all: who wants to keep something of it
 * copies that.
 */
export interface RepeatedQuery {
  /** Where the query lies, at `at`; the octets change as soon as whoever was told of it returns. */
  readonly octets: Uint8Array;
  readonly at: number;
  readonly length: number;
  /** Where in `octets` the data of its ECS option begins; 0 = it has none. */
  readonly subnetAt: number;
  readonly source: PacketSource;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** How many octets the reply has. */
  readonly replyOctets: number;
  /** The bits of the client's address that the reply holds for. */
  readonly scopePrefixLength: number;
}

/** Hears of each query that gets a reply again, or where it has `skips`, of some of them. */
export interface Repeater {
  (query: RepeatedQuery): void;
  /** One object for many: whoever repeats may count down and tell nothing, as long as any are left. */
  readonly skips?: Skips;
}

/** One number to be added to a series. */
export interface Sample {
  readonly series: Series;
  readonly value: number;
}

/** Spans of time within which no window and no override of some nodes starts or ends. */
export interface Segment {
  /** The last such instant up to now; −Infinity = none. */
  readonly fromMs: number;
  /** The next such instant; Infinity = none. */
  readonly untilMs: number;
}

/** What the pools did for this answer, for logs and for people. */
export interface Selection {
  readonly pool: string;
  /** Ids of the nodes chosen, best first. */
  readonly nodes: readonly string[];
  /** Why these: `nearest`, `ring`, `all-down last-known-good`, `spill to NAME`, … */
  readonly why: string;
  /** Kilometres to the first of them; absent where the client has no location. */
  readonly distanceKm?: number;
  /** The same for a client elsewhere who is given this very answer, where there may be such. */
  readonly distanceKmFrom?: (place: Point | undefined) => number | undefined;
  /** Every all-down policy that was applied, in turn; absent where none was. */
  readonly allDown?: readonly { readonly pool: string; readonly policy: string }[];
}

/** What became of an answer, for those who observe. */
export interface Sent {
  /** The reply; absent when nothing was said. Nobody writes to it. */
  readonly message?: Uint8Array;
  /** How many octets the reply has; 0 when nothing was said. */
  readonly octets: number;
  /** The third and fourth octet of the reply's header as one number: QR, OPCODE, AA, TC, RD, RA, AD, CD, RCODE. */
  readonly flags: number;
  /** The plugin that answered; "" where the server did, as after a bug or past the last plugin. */
  readonly plugin: string;
  /** From the query's arrival until the reply was encoded, fractions included. */
  readonly durationMs: number;
}

/** A metric under given labels, bound once for what happens at every query: a nanosecond or two each time. */
export interface Series {
  /** Adds to a counter, sets a gauge, adds a sample to a histogram: `times` times, 1 by default. */
  record(value: number, times?: number): void;
}

/** An instant in memory that isolates share, milliseconds since 1970. Whoever writes it tells where it comes sooner. */
export interface SharedEnd {
  readonly cells: Float64Array;
  readonly at: number;
}

/** Plain data. */
export interface SharedZone {
  /** Folded. */
  readonly origin: Name;
  /** The last that was sound; absent where none was since this process began. */
  readonly zone?: PackedZone;
  /** Of that; 0 where there is none. */
  readonly serial: number;
  /**
   * Of that as well: another one for a zone that was made anew, whose serials begin anew too. With the serial it tells what
   * is in the zone.
   */
  readonly generation?: string;
  /** What is wrong with what the fleet has now; absent = that is what stands above. */
  readonly refused?: string;
}

/** How many queries go by before the next that is told of, which says anew how many: a whole number below 2^31. */
export interface Skips {
  left: number;
}

/** The state behind all answers. */
export interface Snapshot {
  /** Grows whenever an answer could differ. */
  readonly epoch: number;
  /** When it was published, milliseconds since 1970. */
  readonly publishedMs: number;
  /** By the key of the server block whose geo made it. */
  readonly geographies: Readonly<Record<string, Geography>>;
  /** By pool name. */
  readonly pools: Readonly<Record<string, PoolState>>;
  /** By pool name, then family of the answer; what is old or not there is worked out query by query. */
  readonly partitions: Readonly<Record<string, PoolPartitions>>;
  readonly verdicts: Verdicts;
  readonly overrides: readonly Override[];
  /** What else plugins published, each under its own instance's key. */
  readonly slots: Readonly<Record<string, unknown>>;
  /** Kept beside, so that a probe that changes nothing but a countdown makes no new epoch; read by `asItStands`. */
  readonly deadlines: VerdictDeadlines;
}

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

/** Unknown counts as up. Degraded keeps its rank at half the weight. */
export type State = "up" | "degraded" | "down" | "unknown";

/** The seed's four ways of turning kilometres into a score; `reference` formulas stand in docs/decisions/0001. */
export type Strategy = "linear" | "quadratic" | "logarithmic" | "stepped";

/** RR types by mnemonic. */
export declare const TYPE: {
  readonly A: 1;
  readonly NS: 2;
  readonly MD: 3;
  readonly MF: 4;
  readonly CNAME: 5;
  readonly SOA: 6;
  readonly MB: 7;
  readonly MG: 8;
  readonly MR: 9;
  readonly NULL: 10;
  readonly WKS: 11;
  readonly PTR: 12;
  readonly HINFO: 13;
  readonly MINFO: 14;
  readonly MX: 15;
  readonly TXT: 16;
  readonly RP: 17;
  readonly AFSDB: 18;
  readonly X25: 19;
  readonly ISDN: 20;
  readonly RT: 21;
  readonly SIG: 24;
  readonly KEY: 25;
  readonly PX: 26;
  readonly GPOS: 27;
  readonly AAAA: 28;
  readonly LOC: 29;
  readonly NXT: 30;
  readonly SRV: 33;
  readonly NAPTR: 35;
  readonly KX: 36;
  readonly CERT: 37;
  readonly DNAME: 39;
  readonly OPT: 41;
  readonly APL: 42;
  readonly DS: 43;
  readonly SSHFP: 44;
  readonly IPSECKEY: 45;
  readonly RRSIG: 46;
  readonly NSEC: 47;
  readonly DNSKEY: 48;
  readonly DHCID: 49;
  readonly NSEC3: 50;
  readonly NSEC3PARAM: 51;
  readonly TLSA: 52;
  readonly SMIMEA: 53;
  readonly HIP: 55;
  readonly CDS: 59;
  readonly CDNSKEY: 60;
  readonly OPENPGPKEY: 61;
  readonly CSYNC: 62;
  readonly ZONEMD: 63;
  readonly SVCB: 64;
  readonly HTTPS: 65;
  readonly DSYNC: 66;
  readonly SPF: 99;
  readonly NID: 104;
  readonly L32: 105;
  readonly L64: 106;
  readonly LP: 107;
  readonly EUI48: 108;
  readonly EUI64: 109;
  readonly NXNAME: 128;
  readonly TKEY: 249;
  readonly TSIG: 250;
  readonly IXFR: 251;
  readonly AXFR: 252;
  readonly MAILB: 253;
  readonly MAILA: 254;
  readonly ANY: 255;
  readonly URI: 256;
  readonly CAA: 257;
  readonly DLV: 32769;
};

/**
 * Samples by query, of one plugin of one block. What nobody asks for goes with the query.
 *
 * Most queries are answered one after the other: the one under way is held in fields, and put aside only where another one
 * comes between.
 */
export declare class Tally {
  /** Notes a sample; none of a query that nobody sent. */
  add({ octets, rehearsed }: QueryContext, sample: Sample): void;
  /** All that was noted of a query, until the next one comes. */
  of({ octets }: QueryContext): readonly Sample[];
}

/** What a target is known by: the address and the check, its every parameter. `127.0.0.11 tcp 8443 …`. */
export type TargetKey = string;

/** One word of a Corefile, environment variables expanded. */
export interface Token {
  readonly text: string;
  readonly at: Position;
  /** Whether it stood in quotes. */
  readonly quoted: boolean;
}

/** A deadline as a snapshot has it: {@linkcode asItStands} says what it is by now. */
export interface ToldDeadline extends VerdictDeadline {
  /** Where `downMs` and `changeMs` are by now, of what is put off again and again. */
  readonly end?: SharedEnd;
}

/** How a query came. */
export type Transport = "udp" | "tcp";

/** Seconds: what a deadline that comes soon makes a TTL, at least; and what it is where nothing stirs. */
export interface TtlBounds {
  readonly min: number;
  readonly max: number;
}

/** Who answers clients without a location. */
export type UnknownPolicy =
  | { readonly policy: "nearest"; readonly latitude: number; readonly longitude: number }
  | { readonly policy: "nodes"; readonly nodes: readonly string[] }
  | { readonly policy: "all" };

/** The verdict on one target: part of the snapshot, changes its epoch. */
export interface Verdict {
  readonly state: State;
  /** Since when, milliseconds since 1970. */
  readonly sinceMs: number;
  /** What the last probe said: `connection refused`, `HTTP 503`, `latency 812 ms`. */
  readonly reason: string;
  /** The recovering weight: 0.1 to 1 in tenths. 1 when no ramp is under way. */
  readonly ramp: number;
  /** What regions say that have an opinion of their own, and another; ascending by region. Absent where none has. */
  readonly regions?: readonly RegionalVerdict[];
}

/** When a verdict could next change: kept beside the snapshot, replaced at every probe. */
export interface VerdictDeadline {
  /** The earliest instant at which the state could become down, were all probes to fail; Infinity when it is down. */
  readonly downMs: number;
  /** The earliest instant at which the state could stop being down; Infinity when it is not down. */
  readonly upMs: number;
  /** The earliest instant of any change, degraded and ramp steps included. */
  readonly changeMs: number;
  /** The next ramp step, or Infinity. */
  readonly rampMs: number;
  /** No failure counted while up, no success counted while down. */
  readonly steady: boolean;
  /** When the verdicts of regions could change that have one of their own; what is above holds for all others. */
  readonly regions?: readonly RegionalDeadline[];
}

/** See {@linkcode ToldDeadline}. */
export type VerdictDeadlines = ByTarget<ToldDeadline>;

/** The whole of what is known of health. */
export type Verdicts = ByTarget<Verdict>;

/** A span of time, milliseconds since 1970, `fromMs` included, `untilMs` not. */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly reason: string;
}

/** An owner name with its RRsets; none at an empty non-terminal. */
export interface ZoneNode {
  /** As the zone file spells it. */
  readonly name: Name;
  /** By type. */
  readonly rrsets: ReadonlyMap<number, RRset>;
}

/** An address from its octets, an IPv4-mapped one (RFC 4291 section 2.5.5.2) as the IPv4 address it stands for. */
export declare function addressFromOctets(octets: Uint8Array): Address;

/**
 * Calls back once after `delayMs`, as a clock does, for waits that end with somebody being given up. A process that stood still
 * sees to timers before it reads what came meanwhile, and would give up whoever was in time: so it waits in parts, between which
 * the event loop turns. The function that comes back cancels it.
 */
export declare function afterTurns(clock: Clock, delayMs: number, then: () => void): () => void;

/** The answer, hanging on something beside the name: where it was decided stays as it was. */
export declare function alsoOn(answer: Answer, condition: Dependence): Answer;

/**
 * What depends on both: the longest scope, the earliest deadline, every key. Where something was decided is not among it:
 * whoever joins two answers says that anew, if it can.
 */
export declare function both(a: Dependence, b: Dependence): Dependence;

/** `IN`, `CH`, …, or `CLASS32`. */
export declare function classToText(dnsClass: number): string;

/** The address that decides: the ECS one when the query carries it with a source length, else the packet's source. */
export declare function clientAddress(context: QueryContext): { address: Address; bySubnet: boolean };

/**
 * The chain of `plugins`, first to last. Past the last is REFUSED. `reached` gets the name of the plugin that a query
 * came to last, "" past all of them: read when the chain returns, it is who answered.
 */
export declare function compose(plugins: readonly Plugin[], reached?: { plugin: string }): Next;

/** Whether `inner`, an address or a network, lies wholly inside `prefix`. */
export declare function contains(prefix: Prefix, inner: Address | Prefix): boolean;

/** The earlier of two deadlines, part by part; unsteady when either is. */
export declare function earlier(a: Deadline, b: Deadline): Deadline;

/** An answer of no records. */
export declare function emptyAnswer(rcode: number, more?: Partial<Answer>): Answer;

/** How many bits an address of a family has. */
export declare function familyBits(family: Family): 32 | 128;

/** The first option with a code. */
export declare function findOption(options: readonly EdnsOption[], code: number): EdnsOption | undefined;

/** The same name with A to Z as a to z, and no other octet changed (RFC 4343): what names are compared by. */
export declare function fold(name: Name): Name;

/** The answer, for no other name than the one asked for. */
export declare function forOneName(answer: Answer): Answer;

/** The canonical text form: dotted quad, or RFC 5952. */
export declare function formatAddress({ family, octets }: { family: Family; octets: Uint8Array }): string;

/** The presentation form, always absolute: `www.example.`; octets outside printable ASCII as `\DDD`. */
export declare function formatName(name: Name): string;

/** The text form `ADDRESS/LENGTH`. */
export declare function formatPrefix(prefix: Prefix): string;

/** The lines of an RRset: `www.example.org. 300 IN A 192.0.2.1`, one a record. */
export declare function formatRRset({ name, type, ttl, rdata }: RRset): string[];

/** The presentation form; `\# LENGTH HEX` for an unknown type, and for octets that are malformed for a known one. */
export declare function formatRdata(type: number, octets: Uint8Array): string;

/**
 * Whether the query is answered by another isolate, which runs the chain anew: what a plugin counts of a query, it counts
 * there.
 */
export declare function isDeferred(answer: Answer | Promise<Answer>): boolean;

/** Whether `name` is `ancestor` or lies below it. Both must be folded. */
export declare function isWithin(name: Name, ancestor: Name): boolean;

/** How many labels a name has, the root not counted. */
export declare function labelCount(name: Name): number;

/** The labels of a name, leftmost first, as strings of octets. */
export declare function labels(name: Name): string[];

/** The same answer, `change` applied to each RRset of its three sections. Shares what did not change. */
export declare function mapRRsets(answer: Answer, change: (rrset: RRset) => RRset): Answer;

/** The nearest of `words` by edits (one letter added, dropped, changed, or two swapped), or undefined when none is near. */
export declare function nearest(word: string, words: readonly string[]): string | undefined;

/** The name that has one label more than `encloser`, on the way down to a name below it (RFC 5155 section 1.3). */
export declare function nextCloser(name: Name, encloser: Name): Name;

/** The directive of a plugin that has one in each server block; another one is a problem. */
export declare function onlyOne(directives: readonly Directive[], problems: Problems): Directive;

/** The name without its first label. The root's parent is the root. */
export declare function parent(name: Name): Name;

/** Reads an address in its usual text form, or returns undefined. No zone index, no leading zeros, no blanks. */
export declare function parseAddress(text: string): Address | undefined;

/** Milliseconds of a Go duration or of plain seconds; undefined when it is neither. */
export declare function parseDurationMs(text: string): number | undefined;

/**
 * Reads a name in presentation form with `\.` and `\DDD` escapes (RFC 1035 section 5.1). One that does not end
 * in a dot is relative to `origin`.
 *
 * @throws {SyntaxError} When a label is empty or over 63 octets, the name over 255, or an escape malformed.
 */
export declare function parseName(text: string, origin?: Name): Name;

/** Reads `ADDRESS/LENGTH` as Go does, for which the bits past the length may be anything; they come out zero. */
export declare function parseNetwork(text: string): Prefix | undefined;

/** Reads `ADDRESS/LENGTH`, or a bare address as its full-length prefix. Bits past the length must be zero. */
export declare function parsePrefix(text: string): Prefix | undefined;

/**
 * Reads lines such as `www 300 A 192.0.2.1`, records of one name and type together, in the order in which they come.
 *
 * @param origin What relative names are relative to.
 * @throws {SyntaxError} At the first line that is wrong, with its number and column.
 */
export declare function parseRRsets(text: string, origin?: Name): RRset[];

/** The network of `length` bits that holds `address`. */
export declare function prefixOf({ family, octets }: { family: Family; octets: Uint8Array }, length: number): Prefix;

/** A name with one label put in front. @throws {RangeError} When the label or the name is too long. */
export declare function prepend(label: string, name: Name): Name;

/** `NOERROR`, `NXDOMAIN`, …, or `RCODE12`. */
export declare function rcodeToText(rcode: number): string;

/** The one name that a word is, folded. @throws {CorefileError} At the word, when it is none. */
export declare function readName(token: Token): Name;

/** Reads a directive's block by its table. Every wrong line is a problem of its own; the others are still read. */
export declare function readOptions<const O extends Options>(
  directive: Directive,
  options: O,
  problems: Problems,
): OptionValues<O>;

/** Whether two addresses or two prefixes are the same. */
export declare function sameAddress(a: Address | Prefix, b: Address | Prefix): boolean;

/** Whether two names are equal, case aside. */
export declare function sameName(a: Name, b: Name): boolean;

/** A server as CoreDNS labels metrics: `dns://:53`, with the address where the block is bound to some. */
export declare function serverLabel({ address, port }: QueryContext["server"], isBound: boolean): string;

/** Applies `change` to an answer that may still be on its way, without making a promise where there is none. */
export declare function then(
  answer: Answer | Promise<Answer>,
  change: (answer: Answer) => Answer | Promise<Answer>,
): Answer | Promise<Answer>;

/** The number of a type's mnemonic, case aside, or of `TYPE65280` (RFC 3597 section 5); undefined for anything else. */
export declare function typeFromText(text: string): number | undefined;

/** A type's mnemonic, or `TYPE65280`. */
export declare function typeToText(type: number): string;

/**
 * The answer of a plugin that treats names within some zones otherwise than those outside: for one name, where a zone
 * divides the names that it stands for. Zones are folded.
 */
export declare function undivided(answer: Answer, zones: Iterable<Name>): Answer;

export declare const wireName: unique symbol;

/**
 * An answer that ends in an alias, with what the chain has for the alias's target: whether that exists is the target's to
 * say (RFC 6604 section 3), and so is the proof that it does not. Where nobody here answers for it, the alias stands alone.
 */
export declare function withTarget({ aging: _, ...answer }: Answer, target: Answer): Answer;
