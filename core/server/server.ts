/**
 * A whole server: starts the plugins' control halves, publishes the first snapshot, answers on every socket, and stops
 * in the order that loses nothing.
 *
 * @module
 */

import type { Answer } from "../answer.ts";
import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import type { Name } from "../dns/name.ts";
import type { PoolState } from "../fleet/pool.ts";
import type { State, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import type { ControlScope, Log, PluginModule } from "../plugin.ts";
import { emptyAnswer } from "../answer.ts";
import { CLASS, RCODE } from "../dns/types.ts";
import { parseAddress } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Answering, makeAnswering, slotKey } from "./answering.ts";
import type { Exchange } from "./arrival.ts";
import { attempt, type Closable, closeEach } from "./closing.ts";
import type { BlockConfiguration, Configuration } from "./configure.ts";
import { declareMetrics, showConfiguration } from "./core_metrics.ts";
import { exchangeOf } from "./exchange.ts";
import type { HelperListeners } from "./helper_listeners.ts";
import { hostAddresses, type Interface, listen, type Listening } from "./listen.ts";
import { Metrics } from "./metrics.ts";
import { Publisher } from "./publisher.ts";
import { SharedScope } from "./shared_scope.ts";
import { readState, StateFile } from "./state_file.ts";

/** What a server is started with. */
export interface ServerOptions {
  readonly configuration: Configuration;
  /** Every plugin there is, in order of execution. */
  readonly modules: readonly PluginModule[];
  readonly log: Log;
  writeLine(line: string): void;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Makes the exchange that sockets use from the server's own; a worker's goes here. */
  wrapExchange?(server: Server): Promise<{ exchange: Exchange; close(): Promise<void> }>;
  /** Whether it opens the sockets of its configuration; by default it does. `answering.examine` answers in any case. */
  readonly listens?: boolean;
  /** The addresses of the machine, if not those that it has. */
  readonly interfaces?: () => readonly Interface[];
  /** A server that only answers what it is handed: no sockets, no probes, these verdicts by node id or address. */
  readonly standAlone?: { readonly verdicts: Readonly<Record<string, State>> };
  /** The process's metrics and helper listeners, where they outlive the server; else it has its own. */
  readonly metrics?: Metrics;
  readonly helperListeners?: HelperListeners;
  /** Has the log show debug lines until the function that comes back is called. */
  showDebug?(): () => void;
}

/** A running server. */
export class Server {
  readonly configuration: Configuration;
  readonly publisher: Publisher;
  readonly metrics: Metrics;
  readonly startedMs: number;
  answering!: Answering;
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #owned: Closable[] = [];
  readonly #beforeStop: (() => Promise<void>)[] = [];
  readonly #endListeners: (() => void)[] = [];
  readonly #lastServing: StateFile;
  readonly #shared: SharedScope;
  #listening: Listening[] = [];
  /** Whether clients may know of it. */
  #isServing = false;

  private constructor(options: ServerOptions, publisher: Publisher, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.configuration = options.configuration;
    this.publisher = publisher;
    this.startedMs = clock.nowMs();
    this.metrics = options.metrics ?? new Metrics();
    declareMetrics(this.metrics, options);
    this.#shared = new SharedScope({ ...options, metrics: this.metrics });
    this.#lastServing = new StateFile(
      options.configuration.globals.stateDirectory,
      LAST_SERVING,
      options.log,
    );
  }

  /** Starts a server; when this returns, it answers. @throws What a plugin's start or a socket threw, all undone. */
  static async start(options: ServerOptions): Promise<Server> {
    const clock = options.clock ?? SYSTEM_CLOCK;
    const { stateDirectory } = options.configuration.globals;
    const lastServing = await readState(stateDirectory, LAST_SERVING, isLastServing, options.log);
    const server = new Server(
      options,
      new Publisher({ clock, log: options.log, ...(lastServing && { lastServing }) }),
      clock,
    );
    try {
      await server.#start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The server's own time, milliseconds since 1970. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** The address and port of every socket. */
  get listening(): readonly Listening[] {
    return this.#listening;
  }

  /**
   * Waits for what plugins want to wait for, stops taking queries, answers those under way, then stops the plugins, the
   * last started first. What fails is logged, and keeps nothing else from being closed.
   */
  async close(): Promise<void> {
    const { log } = this.#options;
    const waits = this.#beforeStop.splice(0);
    if (this.#isServing) await Promise.all(waits.map((wait) => attempt(wait, log)));
    this.#isServing = false;
    const listening = this.#listening;
    await Promise.all(listening.map((listening) => attempt(() => listening.close(), log)));
    this.#listening = [];
    for (const end of this.#endListeners.splice(0)) end();
    await closeEach(this.#owned.splice(0).reverse(), log);
    if (this.answering) await closeEach([this.answering], log);
    await this.#shared.close();
    this.publisher.close();
    await this.#lastServing.close();
  }

  async #start(): Promise<void> {
    this.#keepLastServing();
    this.answering = makeAnswering({
      ...this.#options,
      clock: this.#clock,
      random: this.#options.random ?? Math.random,
      snapshot: () => this.publisher.snapshot,
      count: (name, labels, by) => this.metrics.count(name, labels, by),
      observe: (name, value, labels) => this.metrics.observe(name, value, labels),
      series: (name, labels) => this.metrics.series(name, labels),
      hostAddresses: (hosts) => hostAddresses(hosts, this.#options.interfaces),
    });
    for (const block of this.configuration.blocks) await this.#startBlock(block);
    await this.#shared.opened();
    this.publisher.flush();
    if (this.#options.standAlone) this.setVerdicts(this.#options.standAlone.verdicts);
    else if (this.#options.listens ?? true) await this.#listen();
  }

  /** Gives the targets of the named nodes or addresses that state for good, in a server that does not probe. */
  setVerdicts(states: Readonly<Record<string, State>>): void {
    const sinceMs = this.#clock.nowMs();
    const verdicts: Record<string, Verdict | undefined> = {};
    const deadlines: Record<string, VerdictDeadline> = {};
    for (const { nodes, targets } of Object.values(this.publisher.snapshot.pools)) {
      for (const { id, ipv4, ipv6 } of nodes) {
        for (const address of [ipv4, ipv6].filter((address) => address !== undefined)) {
          const state = states[id] ?? states[address];
          for (const key of targets[address] ?? []) {
            deadlines[key] = {
              downMs: Infinity,
              upMs: Infinity,
              changeMs: Infinity,
              rampMs: Infinity,
              steady: true,
            };
            if (state) verdicts[key] = { state, sinceMs, reason: "as told", ramp: 1 };
          }
        }
      }
    }
    this.publisher.setVerdicts(verdicts);
    this.publisher.setDeadlines(deadlines);
    this.publisher.flush();
  }

  /**
   * From the bottom up: a plugin feels those below it. So health hears of a pool before anyone does, and no snapshot has
   * nodes that look as if nothing probed them, and therefore as known to serve.
   */
  async #startBlock(block: BlockConfiguration): Promise<void> {
    for (const { name, config } of block.plugins.toReversed()) {
      const module = this.#options.modules.find((module) => module.name === name)!;
      await module.start?.(config, this.#controlScope(block, name));
    }
  }

  #controlScope({ facts }: BlockConfiguration, plugin: string): ControlScope {
    const { stateDirectory } = this.configuration.globals;
    return {
      facts,
      clock: this.#clock,
      random: this.#options.random ?? Math.random,
      log: this.#options.log,
      ...(stateDirectory && { stateDirectory }),
      probing: !this.#options.standAlone,
      fleet: this.publisher,
      snapshot: () => this.publisher.snapshot,
      onSnapshot: (listener) => void this.#endListeners.push(this.publisher.onSnapshot(listener)),
      publish: (value) => this.publisher.publish(slotKey(facts.key, plugin), value),
      publishGeography: (geography) => this.publisher.publishGeography(facts.key, geography),
      ask: (name, type) => this.#ask(facts.key, name, type),
      beforeStop: (wait) => void this.#beforeStop.push(wait),
      own: (resource) => (this.#owned.push(resource), resource),
      ...this.#shared.partFor(plugin, !this.#options.standAlone),
      bequeath: () => {},
      inherited: undefined,
      process: { ...this.#shared.process, requestReload: () => Promise.resolve() },
    };
  }

  /** Asks a block's own chain on behalf of nobody: no address that a location could be found for, no ECS. */
  async #ask(block: string, name: Name, type: number): Promise<Answer> {
    const chained = this.answering.blocks.find(({ facts }) => facts.key === block);
    if (!chained) return emptyAnswer(RCODE.REFUSED);
    const nobody = { address: parseAddress("::")!, port: 0 };
    return await chained.chain({
      question: { name, type, class: CLASS.IN },
      name,
      zone: chained.facts.zones[0]!,
      messageId: 0,
      recursionDesired: false,
      checkingDisabled: false,
      source: nobody,
      server: nobody,
      transport: "udp",
      sizeOctets: 0,
      octets: new Uint8Array(0),
      nowMs: this.#clock.nowMs(),
      snapshot: this.publisher.snapshot,
      ecs: false,
    });
  }

  async #listen(): Promise<void> {
    const wrapped = await this.#options.wrapExchange?.(this);
    if (wrapped) this.#owned.push(wrapped);
    const exchange = wrapped?.exchange ?? exchangeOf(this.answering.examine);
    for (const [port, hosts] of hostsByPort(this.configuration)) {
      this.#listening.push(
        await listen({
          hosts,
          port,
          exchange,
          log: this.#options.log,
          clock: this.#clock,
          count: (name, labels) => this.metrics.count(name, labels),
          ...this.#options.interfaces && { interfaces: this.#options.interfaces },
        }),
      );
    }
    this.#isServing = true;
    this.#shared.adopt();
    showConfiguration(
      this.configuration,
      (hosts) => hostAddresses(hosts, this.#options.interfaces),
      (name, value, labels) => this.metrics.gauge(name, value, labels, this.#shared),
    );
  }

  /** Writes down which nodes served last, so that a restart in the midst of an outage knows it. */
  #keepLastServing(): void {
    let kept: Snapshot["pools"] = {};
    this.publisher.onSnapshot(({ pools }) => {
      const names = Object.keys(pools);
      // Its parts are immutable: what is the same object says the same.
      const isKept = names.every((name) => pools[name]!.lastServing === kept[name]?.lastServing);
      kept = pools;
      if (isKept) return;
      this.#lastServing.keep(Object.fromEntries(names.map((name) => [name, pools[name]!.lastServing])));
    });
  }
}

const LAST_SERVING = "last_serving.json";

/** For each port the hosts to listen on: every address, as soon as one block of the port has no `bind`, and those named. */
function hostsByPort({ blocks }: Configuration): Map<number, readonly string[]> {
  const ports = new Map<number, readonly string[]>();
  for (const port of new Set(blocks.flatMap(({ endpoints }) => endpoints.map(({ port }) => port)))) {
    const there = blocks.filter(({ endpoints }) => endpoints.some((endpoint) => endpoint.port === port));
    const everywhere = there.some(({ listenOn }) => listenOn.length === 0) ? ["::"] : [];
    ports.set(port, [...new Set([...everywhere, ...there.flatMap(({ listenOn }) => listenOn)])]);
  }
  return ports;
}

/** Whether a value is what {@linkcode Server} keeps in that file: by pool and family, ids of nodes. */
function isLastServing(value: unknown): value is Record<string, PoolState["lastServing"]> {
  const isIds = (ids: unknown) => Array.isArray(ids) && ids.every((id) => typeof id === "string");
  return isObject(value) &&
    Object.values(value).every((pool) => isObject(pool) && isIds(pool[4]) && isIds(pool[6]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
