/**
 * A whole server: starts the plugins' control halves, publishes the first snapshot, answers on every socket, and stops
 * in the order that loses nothing.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import type { TtlBounds } from "../fleet/ttl_bounds.ts";
import type { AgreeingHub } from "../membership/agreeing_hub.ts";
import type { LocalRequest, LocalResponse } from "../membership/protocol.ts";
import type { FleetStatus } from "../membership/link.ts";
import type { ControlScope, Labels, ProcessScope } from "../plugin.ts";
import { type Answering, makeAnswering, slotKey } from "./answering.ts";
import type { Exchange } from "./arrival.ts";
import { askBlock } from "./ask_block.ts";
import { RepeatedAtOnce } from "./at_once.ts";
import { attempt, type Closable, closeEach } from "./closing.ts";
import type { BlockConfiguration, Configuration } from "./configure.ts";
import { declareMetrics, showConfiguration } from "./core_metrics.ts";
import { DataWorkers, type WorkerStatus } from "./data_plane/data_workers.ts";
import { whyNoWorkers } from "./data_plane/possible.ts";
import { exchangeOf } from "./exchange.ts";
import { bequestKey, Bequests, type Inheritance } from "./inheritance.ts";
import { LastServingFile, readLastServing } from "./last_serving_file.ts";
import { hostAddresses, type Listening } from "./listen.ts";
import { Metrics } from "./metrics.ts";
import { askItself } from "./proof.ts";
import { Publisher } from "./publisher.ts";
import type { ServerOptions } from "./server_options.ts";
import { SharedScope } from "./shared_scope.ts";
import { planOf, Sockets } from "./sockets.ts";
import { tellVerdicts } from "./told_verdicts.ts";
import { UnderWay } from "./under_way.ts";

/** A running server. */
export class Server {
  readonly configuration: Configuration;
  readonly publisher: Publisher;
  readonly metrics: Metrics;
  readonly startedMs: number;
  answering!: Answering;
  readonly #options: Omit<ServerOptions, "replaces" | "inheritance">;
  readonly #clock: Clock;
  readonly #owned: Closable[] = [];
  readonly #beforeStop: (() => Promise<void>)[] = [];
  readonly #endListeners: (() => void)[] = [];
  /** Hear that it answers. */
  readonly #onServing: (() => void)[] = [];
  readonly #lastServing: LastServingFile;
  readonly #shared: SharedScope;
  /** Where plugins' verdicts go, where other servers have a word in them. */
  readonly #fleetHub: AgreeingHub | undefined;
  /** One object for all plugins: who does a thing once a server knows it by this. */
  readonly #process: ProcessScope;
  readonly #sockets: Sockets;
  readonly #underWay = new UnderWay();
  readonly #bequests = new Bequests();
  /** Until it answers: what it goes on from, and whom it replaces. Kept for longer, each server would keep all before it. */
  #inheritance: Inheritance | undefined;
  #replaces: Server | undefined;
  /** Ends the sockets that this server alone has. */
  #endSockets: () => Promise<void> = () => Promise.resolve();
  /** Who reads UDP for it; undefined = this isolate. */
  #workers: DataWorkers | undefined;
  /** Answers TCP, once somebody has asked by it. */
  #atOnce: RepeatedAtOnce | undefined;
  /** Whether clients may know of it. */
  #isServing = false;
  /** Bugs that queries met. */
  #faults = 0;

  private constructor(
    { replaces, inheritance, ...options }: ServerOptions,
    publisher: Publisher,
    clock: Clock,
  ) {
    this.#options = options;
    this.#replaces = replaces;
    this.#clock = clock;
    this.configuration = options.configuration;
    this.publisher = publisher;
    this.#fleetHub = options.fleet?.join(publisher);
    this.startedMs = clock.nowMs();
    this.metrics = options.metrics ?? new Metrics();
    declareMetrics(this.metrics, options);
    this.#shared = new SharedScope({ ...options, metrics: this.metrics });
    this.#process = { ...this.#shared.process, ...(options.process ?? unattended()) };
    this.#lastServing = new LastServingFile(options.configuration.globals.stateDirectory, options.log);
    this.#inheritance = inheritance;
    this.#sockets = options.sockets ?? new Sockets({
      clock,
      log: options.log,
      count: (name, labels) => this.metrics.count(name, labels),
      ...options.interfaces && { interfaces: options.interfaces },
    });
  }

  /** Starts a server; when this returns, it answers. @throws What a plugin's start or a socket threw, all undone. */
  static async start(options: ServerOptions): Promise<Server> {
    const clock = options.clock ?? SYSTEM_CLOCK;
    const lastServing = await readLastServing(options.configuration.globals.stateDirectory, options.log);
    const inheritance = options.replaces?.legacy() ?? options.inheritance;
    const publisher = new Publisher({
      ...{ clock, log: options.log },
      ...(lastServing && { lastServing }),
      ...(inheritance && { legacy: inheritance.publisher }),
    });
    const server = new Server({ ...options, ...inheritance && { inheritance } }, publisher, clock);
    try {
      await server.#start();
    } catch (error) {
      await server.close();
      throw error;
    } finally {
      server.#replaces = server.#inheritance = undefined;
    }
    return server;
  }

  /** The server's own time, milliseconds since 1970. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** The address and port of every socket. */
  get listening(): readonly Listening[] {
    return this.#isServing ? this.#sockets.listening : [];
  }

  /** The fleet that it is one server of, as it knows it; undefined where it is alone. */
  get fleet(): FleetStatus | undefined {
    return this.#options.fleet?.status;
  }

  /** Asks the fleet's interface as the machine's own administrator. @throws {Error} When nobody answers. */
  async askFleet(request: LocalRequest): Promise<LocalResponse> {
    const { fleet } = this.#options;
    if (!fleet) throw new Error("this server is alone: the Corefile names no store (`state sqlite FILE`)");
    return await fleet.request(request);
  }

  /** What its data workers are about; undefined where it has none. */
  get workers(): readonly WorkerStatus[] | undefined {
    return this.#workers?.status;
  }

  /** What a server that replaces this one goes on from. */
  legacy(): Inheritance {
    return { publisher: this.publisher.legacy, bequests: this.#bequests.make() };
  }

  /**
   * Waits for what plugins want to wait for, stops taking queries, answers those under way, then stops the plugins, the
   * last started first. What fails is logged, and keeps nothing else from being closed.
   */
  async close(): Promise<void> {
    const { log } = this.#options;
    const waits = this.#beforeStop.splice(0);
    if (this.#isServing) await Promise.all(waits.map((wait) => attempt(wait, log)));
    await this.#stop();
  }

  /** The same for a server whose ports another process has taken over: nothing is waited for that no client waits for. */
  async retire(): Promise<void> {
    if (this.#isServing) this.#endSockets = () => this.#sockets.retire(RETIRE_MS);
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const { log, fleet } = this.#options;
    this.#isServing = false;
    // First: what plugins take back when they are stopped is not what the fleet is to hear.
    if (this.#fleetHub) fleet!.leave(this.#fleetHub);
    await attempt(this.#endSockets, log);
    // It knows the sockets' next owner.
    this.#endSockets = () => Promise.resolve();
    await this.#underWay.settled(this.#clock, UNDER_WAY_MS);
    for (const end of this.#endListeners.splice(0)) end();
    await closeEach(this.#owned.splice(0).reverse(), log);
    if (this.answering) await closeEach([this.answering], log);
    await this.#shared.close();
    this.publisher.close();
    await this.#lastServing.close();
  }

  async #start(): Promise<void> {
    if (!this.#replaces) this.#lastServing.follow(this.publisher);
    this.#endListeners.push(this.metrics.onScrape(() => this.showPlane()));
    this.answering = makeAnswering({
      ...this.#options,
      clock: this.#clock,
      random: this.#options.random ?? Math.random,
      snapshot: () => this.publisher.snapshot,
      count: (name, labels, by) => this.#count(name, labels, by),
      observe: (name, value, labels) => this.metrics.observe(name, value, labels),
      series: (name, labels) => this.metrics.series(name, labels),
      hostAddresses: (hosts) => hostAddresses(hosts, this.#options.interfaces),
      lend: (make, octets) => this.#workers?.lend(make, octets) ?? false,
    });
    for (const block of this.configuration.blocks) {
      // What publishes at once, as ten thousand zone files do, is published together.
      for (const starting of this.#startBlock(block)) await starting;
    }
    await this.#shared.opened();
    this.publisher.flush();
    const { publisher, metrics } = this, isServing = () => this.#isServing;
    const shown = this.#options.fleet?.show({
      publisher,
      metrics,
      clock: this.#clock,
      isServing,
      owner: this,
      ttlsOf: (block) => this.#ttlsOf(block),
    });
    if (shown) this.#endListeners.push(shown);
    if (this.#options.standAlone) {
      tellVerdicts(this.publisher, this.#options.standAlone.verdicts, this.nowMs());
    } else if (this.#options.listens ?? true) await this.#listen();
    this.#tellServing();
  }

  /** What the plugins of a block make of TTLs, from the bottom up. */
  #ttlsOf(key: string): TtlBounds | undefined {
    const plugins = this.configuration.blocks.find(({ facts }) => facts.key === key)?.plugins ?? [];
    return plugins.reduceRight<TtlBounds | undefined>((below, { name, config }) => {
      const module = this.#options.modules.find((module) => module.name === name);
      return module?.ttlBounds ? module.ttlBounds(config, below) : below;
    }, undefined);
  }

  #tellServing(): void {
    for (const listener of this.#onServing.splice(0)) {
      try {
        listener();
      } catch (error) {
        this.#options.log.error(`Once it served: ${error instanceof Error ? error.stack : error}`);
      }
    }
  }

  /**
   * From the bottom up: a plugin feels those below it. So health hears of a pool before anyone does, and no snapshot has
   * nodes that look as if nothing probed them, and therefore as known to serve.
   */
  *#startBlock(block: BlockConfiguration): Generator<Promise<void>> {
    for (const { name, config } of block.plugins.toReversed()) {
      const module = this.#options.modules.find((module) => module.name === name)!;
      if (!module.start) continue;
      const starting = module.start(config, this.#controlScope(block, name));
      if (starting) yield starting;
    }
  }

  #controlScope(block: BlockConfiguration, plugin: string): ControlScope {
    const { facts } = block;
    const key = bequestKey(block, plugin);
    const { stateDirectory } = this.configuration.globals;
    const inherited = () => this.#inheritance?.bequests[key];
    return {
      facts,
      clock: this.#clock,
      random: this.#options.random ?? Math.random,
      log: this.#options.log,
      ...(stateDirectory && { stateDirectory }),
      probing: !this.#options.standAlone,
      fleet: this.#fleetHub ?? this.publisher,
      snapshot: () => this.publisher.snapshot,
      onSnapshot: (listener) => void this.#endListeners.push(this.publisher.onSnapshot(listener)),
      publish: (value) => this.publisher.publish(slotKey(facts.key, plugin), value),
      publishGeography: (geography) => this.publisher.publishGeography(facts.key, geography),
      ask: (name, type) => {
        const { answering, publisher: { snapshot } } = this;
        return askBlock(answering.blocks, facts.key, name, type, snapshot, this.nowMs());
      },
      onServing: (listener) => void this.#onServing.push(listener),
      beforeStop: (wait) => void this.#beforeStop.push(wait),
      own: (resource) => (this.#owned.push(resource), resource),
      ...this.#shared.partFor(plugin, !this.#options.standAlone),
      bequeath: (make) => this.#bequests.add(key, make),
      get inherited() {
        return inherited();
      },
      process: this.#process,
    };
  }

  #count(name: string, labels?: Labels, by?: number): void {
    if (name === FAULTS) this.#faults++;
    this.metrics.count(name, labels, by);
  }

  /** Takes the sockets, in one step: until then whoever has them answers. */
  async #listen(): Promise<void> {
    const { wrapExchange = (exchange) => exchange } = this.#options;
    const exchange = this.#underWay.watch(wrapExchange(exchangeOf(this.answering.examine)));
    if (this.#inheritance) await this.#prove();
    const workers = this.#workers = await this.#startWorkers(exchange);
    if (workers) this.#owned.push(workers);
    // Worked out beforehand: from the commit on there is no way back.
    const gauges = this.#aboutItself();
    const by = {
      exchange,
      ...workers && { workers },
      ...!this.#options.wrapExchange && { atOnce: () => this.#atOnce ??= this.#makeAtOnce() },
    };
    const prepared = await this.#sockets.prepare(planOf(this.configuration), by);
    const endOthers = await prepared.commit();
    this.#isServing = true;
    this.#endSockets = () => this.#sockets.close();
    this.#shared.adopt();
    if (this.#replaces) this.#replaces.#replacedBy(this, endOthers);
    for (const gauge of gauges) this.metrics.gauge(...gauge, this.#shared);
  }

  #makeAtOnce(): RepeatedAtOnce {
    const { publisher, answering } = this;
    const watch = (exchange: Exchange) => this.#underWay.watch(exchange);
    const atOnce = new RepeatedAtOnce({ answering, snapshot: publisher.snapshot, watch });
    this.#endListeners.push(
      publisher.onSnapshot((snapshot) => atOnce.follow(snapshot)),
      this.metrics.onScrape(() => atOnce.harvest()),
      () => atOnce.harvest(),
    );
    return atOnce;
  }

  /** Undefined where the runtime's own sockets are to be read in this isolate. @throws {Error} When one cannot start. */
  async #startWorkers(exchange: Exchange): Promise<DataWorkers | undefined> {
    const { makeWorker, log, writeLine, openLines } = this.#options;
    const { workers } = this.configuration.globals;
    const wanted = workers === "auto" ? navigator.hardwareConcurrency : workers;
    // Sockets that workers have read go on without any.
    if (!makeWorker || (wanted === 0 && !this.#sockets.areForWorkers)) return undefined;
    if (whyNoWorkers(log) !== undefined) return undefined;
    if (this.#sockets.listening.length > 0 && !this.#sockets.areForWorkers) {
      log.warn(
        `UDP is read without data workers as before: 'workers ${workers}' takes a restart or -replace`,
      );
      return undefined;
    }
    const { configuration, publisher, metrics } = this;
    return await DataWorkers.start({
      ...{ configuration, publisher, metrics, log, writeLine, exchange, makeWorker, count: wanted },
      takesOver: this.#inheritance !== undefined,
      ...openLines && { openLines },
    });
  }

  /** What is known of the data plane only when somebody asks. */
  showPlane(): void {
    if (!this.#isServing) return;
    const serving = this.#workers?.status.filter(({ state }) => state === "serving").length ?? 0;
    this.metrics.gauge("meridian_workers", serving, {}, this);
    this.metrics.count("meridian_udp_kernel_dropped_total", {}, this.#sockets.takeDropped());
  }

  #aboutItself(): [name: string, value: number, labels: Labels][] {
    const gauges: [string, number, Labels][] = [];
    const hostsOf = (hosts: readonly string[]) => hostAddresses(hosts, this.#options.interfaces);
    showConfiguration(this.configuration, hostsOf, (...gauge) => void gauges.push(gauge));
    return gauges;
  }

  /** @throws {Error} When a question about itself met a bug: a server that works is not given up for one that does not. */
  async #prove(): Promise<void> {
    const addressesOf = (hosts: readonly string[]) => hostAddresses(hosts, this.#options.interfaces);
    await askItself(this.configuration, this.answering.examine, addressesOf);
    if (this.#faults === 0) return;
    throw new Error(`${this.#faults} questions about its own names met a bug, which is told above`);
  }

  /** `endOthers` ends the sockets that the other one has no use for. */
  #replacedBy(server: Server, endOthers: () => Promise<void>): void {
    this.#isServing = false;
    this.#endSockets = endOthers;
    this.#lastServing.close().then(() => server.#lastServing.follow(server.publisher));
  }
}

/** How long answers under way may take once no more queries are taken. */
const UNDER_WAY_MS = 5000;

/** How long clients that are connected may go on when another process has taken over. */
const RETIRE_MS = 15_000;

/** Counts the bugs that queries meet. */
const FAULTS = "meridian_faults_total";

/** What a server is for its plugins that nothing can replace. */
function unattended() {
  return { requestReload: async () => {}, reloadIfChanged: async () => {}, identity: {} };
}
