/**
 * Keeps one server running, and replaces it by another when its Corefile says something else. The next one is made ready
 * aside and takes over in one step; where it cannot, nothing has changed but the log.
 *
 * @module
 */

import type { PluginModule } from "../plugin.ts";
import { SYSTEM_CLOCK } from "../clock.ts";
import type { Configuration } from "./configure.ts";
import { GivingWay } from "./data_plane/giving_way.ts";
import { HelperListeners } from "./helper_listeners.ts";
import { Metrics } from "./metrics.ts";
import type { FleetPlugin } from "../membership/fleet_half.ts";
import type * as Link from "../membership/link.ts";
import type {
  MembershipConfiguration,
  SeenConfiguration,
  WantedConfiguration,
} from "../membership/protocol.ts";
import { VERSION as MERIDIAN_VERSION } from "../command/version.ts";
import { Server } from "./server.ts";
import type { ServerOptions } from "./server_options.ts";
import { Sockets } from "./sockets.ts";

/** A configuration as it was read. */
export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly modules: readonly PluginModule[];
  /** What stands for all that was read, comments aside; undefined when it could not be parsed. */
  readonly hash: string | undefined;
  /** Every problem, for people to read; it stands only where there is no error. */
  readonly problems: string;
  readonly hasErrors: boolean;
  /** Hears that it is served by. */
  onTaken?(): void;
}

/** What a supervisor is given, beside what its servers are. */
export interface SupervisorOptions extends
  Omit<
    ServerOptions,
    "configuration" | "modules" | "metrics" | "helperListeners" | "sockets" | "replaces" | "process" | "fleet"
  > {
  readonly first: LoadedConfiguration;
  /** Reads the configuration again. @throws When it cannot be read at all. */
  load(): Promise<LoadedConfiguration>;
  /** As {@linkcode LoadedConfiguration.hash}, of what would be read now, for far less. @throws As load() does. */
  loadHash(): Promise<string | undefined>;
  /** Takes ports although another process has them that lets them be shared. */
  readonly takesOver?: boolean;
  /** Makes the fleet isolate, where the configuration shares state with other servers. */
  makeFleetIsolate?(): Worker;
  /** Answers what plugins ask from the fleet isolate. @throws {Error} That says why not. */
  answerFleet?(what: string, params: unknown): Promise<unknown>;
  /** Hears which version of the configuration that servers share is wanted here; null = what is on the disk. */
  onConfiguration?(wanted: WantedConfiguration | null): void;
  /** How many lines the log left out, ever. */
  droppedLines?(): number;
  /** Hears that a reload begins, and that it has ended. */
  onReload?(phase: "begins" | "ended"): void;
}

/** What became of the last reload. Plain data. */
export interface ReloadReport {
  readonly atMs: number;
  /** Who wanted it: `SIGHUP`, `the reload command`, … */
  readonly why: string;
  readonly taken: boolean;
  /** Why it was not taken. */
  readonly reason?: string;
  /** What there is to say about the configuration, if taken. */
  readonly warnings?: string;
}

/** A server that is alone does without: what is named by address is read when it is wanted. */
const LINK = new URL("../membership/link.ts", import.meta.url);

const STOPPING = "the server is stopping";
const DROPPED_LINES = "meridian_log_dropped_lines_total";
const FAILED = "coredns_reload_failed_total";
const VERSION = "coredns_reload_version_info";

/** Runs a server. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #shared: Pick<ServerOptions, "metrics" | "helperListeners" | "sockets" | "process">;
  readonly #metrics = new Metrics();
  readonly #sockets: Sockets;
  readonly #givingWay: GivingWay;
  #server!: Server;
  #fleet: Link.FleetLink | undefined;
  #last: ReloadReport | undefined;
  /** Of what was tried last. */
  #hash: string | undefined;
  #shownHash: string | undefined;
  #reloading: Promise<unknown> = Promise.resolve();
  #retiring: Promise<void> = Promise.resolve();
  #closing = false;

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    const { log, clock = SYSTEM_CLOCK, interfaces, takesOver = false } = options;
    const count = (name: string, labels?: Readonly<Record<string, string>>) =>
      this.#metrics.count(name, labels);
    this.#metrics.onScrape(() => this.#metrics.gauge(DROPPED_LINES, options.droppedLines?.() ?? 0));
    this.#sockets = new Sockets({ clock, log, count, takesOver, ...(interfaces && { interfaces }) });
    this.#givingWay = new GivingWay(clock);
    this.#shared = {
      metrics: this.#metrics,
      helperListeners: new HelperListeners(log, { takesOver, count }),
      sockets: this.#sockets,
      process: {
        requestReload: async (why) => void await this.reload(why),
        reloadIfChanged: async () => void await this.reloadIfChanged(),
        identity: this,
      },
    };
  }

  /** Starts the first server. @throws As Server.start does. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    supervisor.#server = await supervisor.#start(options.first, options.inheritance);
    supervisor.#tookUp(options.first);
    return supervisor;
  }

  /** The server that answers now. */
  get server(): Server {
    return this.#server;
  }

  /** What became of the last reload; undefined before the first. */
  get lastReload(): ReloadReport | undefined {
    return this.#last;
  }

  /** The ports of DNS and of helper listeners. */
  get ports(): ReadonlySet<number> {
    const helpers = this.#shared.helperListeners!.ports;
    return new Set([...this.#sockets.listening.map(({ port }) => port), ...helpers]);
  }

  /**
   * Reads the configuration again, or what `load` gives, and serves by it. Never rejects: what is wrong is in the report, and
   * in the log.
   */
  reload(why: string, load?: SupervisorOptions["load"]): Promise<ReloadReport> {
    return this.#inTurn(async () => {
      const hash = this.#hash, report = await this.#report(why, await this.#load(load));
      // What was read elsewhere says nothing of what would be read again.
      if (load && !report.taken) this.#hash = hash;
      return report;
    });
  }

  /** Tells the fleet what became of a version of the configuration. */
  tellSeen(seen: SeenConfiguration): void {
    this.#fleet?.tellSeen(seen);
  }

  /** The same, where it says something else than what was tried last; one that cannot be parsed is only warned of. */
  reloadIfChanged(): Promise<ReloadReport | undefined> {
    return this.#inTurn(async () => {
      if (this.#closing) return undefined;
      const hash = await this.#options.loadHash().catch(() => undefined);
      if (hash !== undefined && hash === this.#hash) return undefined;
      const loaded = await this.#load();
      if (typeof loaded !== "string" && loaded.hash !== undefined) {
        return loaded.hash === this.#hash
          ? undefined
          : await this.#report("the Corefile has changed", loaded);
      }
      const problems = typeof loaded === "string" ? loaded : loaded.problems;
      this.#options.log.warn(`The Corefile has changed and cannot be read, serving as before:\n${problems}`);
      return undefined;
    });
  }

  /** Stops the server, in the order that loses nothing. */
  async close(): Promise<void> {
    await this.#end((server) => server.close());
  }

  /** The same where another process has the ports from now on. */
  async retire(): Promise<void> {
    await this.#end((server) => server.retire());
  }

  async #end(end: (server: Server) => Promise<void>): Promise<void> {
    this.#closing = true;
    await this.#reloading;
    await this.#retiring;
    await end(this.#server);
    await this.#fleet?.close();
  }

  /** One reload at a time, in the order in which they were wanted. */
  #inTurn<T>(reload: () => Promise<T>): Promise<T> {
    const done = this.#reloading.then(reload);
    this.#reloading = done.catch(() => {});
    return done;
  }

  async #load(load = this.#options.load): Promise<LoadedConfiguration | string> {
    // Reloads that wait in line read nothing any more.
    if (this.#closing) return STOPPING;
    try {
      return await load();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #report(why: string, loaded: LoadedConfiguration | string): Promise<ReloadReport> {
    const { log, onReload, clock = SYSTEM_CLOCK } = this.#options;
    onReload?.("begins");
    const reason = await this.#tryOut(loaded);
    const warnings = typeof loaded === "string" ? "" : loaded.problems;
    if (reason === undefined) {
      log.info(`Reloaded (${why})`);
      if (warnings) log.warn(warnings);
    } else {
      this.#metrics.count(FAILED);
      log.error(`Not reloaded (${why}), serving as before: ${reason}`);
    }
    onReload?.("ended");
    const outcome = reason === undefined
      ? { taken: true, ...(warnings && { warnings }) }
      : { taken: false, reason };
    return this.#last = { atMs: clock.nowMs(), why, ...outcome };
  }

  /** @returns Why it cannot be served by; undefined when it is. */
  async #tryOut(loaded: LoadedConfiguration | string): Promise<string | undefined> {
    if (this.#closing) return STOPPING;
    if (typeof loaded === "string") return loaded;
    this.#hash = loaded.hash;
    if (loaded.hasErrors) return loaded.problems;
    const before = this.#server, fleetBefore = this.#fleet;
    try {
      // One that was replaced a moment ago may still answer what it was asked.
      await this.#retiring;
      this.#server = await this.#start(loaded, undefined, before);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.#warnOfWhatStays(before.configuration, loaded.configuration);
    this.#tookUp(loaded);
    this.#retiring = this.#retire(before, fleetBefore);
    return undefined;
  }

  async #retire(server: Server, fleet: Link.FleetLink | undefined): Promise<void> {
    await server.close();
    if (fleet !== this.#fleet) await fleet?.close();
  }

  async #start(
    { configuration, modules }: LoadedConfiguration,
    inheritance: ServerOptions["inheritance"],
    replaces?: Server,
  ): Promise<Server> {
    const { inheritance: _, ...options } = this.#options;
    const before = this.#fleet, fleet = await this.#joinFleet(configuration);
    try {
      const server = await Server.start({
        ...options,
        ...this.#shared,
        ...{ configuration, modules },
        ...(inheritance && { inheritance }),
        ...(replaces && { replaces }),
        ...(fleet && { fleet }),
      });
      this.#fleet = fleet;
      fleet?.setPlugins(fleetPlugins(configuration, modules));
      return server;
    } catch (error) {
      if (fleet !== before) await fleet?.close();
      throw error;
    }
  }

  /** The fleet that the server is one of, by the link that there is if it is the same. @throws {Error} Its store refuses. */
  async #joinFleet({ globals }: Configuration): Promise<Link.FleetLink | undefined> {
    const { makeFleetIsolate, answerFleet, onConfiguration, log, clock = SYSTEM_CLOCK } = this.#options;
    if (!globals.membership || !makeFleetIsolate) return undefined;
    const configuration: MembershipConfiguration = {
      ...globals.membership,
      ...{ stateDirectory: globals.stateDirectory, version: MERIDIAN_VERSION },
    };
    if (JSON.stringify(this.#fleet?.configuration) === JSON.stringify(configuration)) return this.#fleet;
    const { FleetLink }: typeof Link = await import(LINK.href);
    const link = new FleetLink({
      ...{ configuration, clock, log, makeIsolate: makeFleetIsolate },
      ...answerFleet && { answer: answerFleet },
      ...onConfiguration && { onConfiguration },
      onFailure: () => this.#metrics.count("meridian_fleet_isolate_failures_total"),
      onBehind: (thread) => this.#givingWay.watch(thread),
    });
    try {
      await link.start();
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  }

  #tookUp({ hash = "", onTaken }: LoadedConfiguration): void {
    this.#hash = hash;
    onTaken?.();
    // What is opened from now on is nobody's to take over.
    this.#shared.helperListeners!.takesOver = false;
    const labels = (value: string) => ({ hash: "sha512", value });
    if (this.#shownHash !== undefined) this.#metrics.gauge(VERSION, undefined, labels(this.#shownHash));
    this.#shownHash = hash;
    this.#metrics.gauge(VERSION, 1, labels(hash), this);
  }

  /** The process's own door was opened at its start, and stays where it is. */
  #warnOfWhatStays(before: Configuration, after: Configuration): void {
    const [path, wanted] = [before.globals.controlSocket, after.globals.controlSocket];
    if (path === wanted) return;
    this.#options.log.warn(
      `The control socket stays at ${path || "no path"}: ${wanted || "off"} takes a restart`,
    );
  }
}

/** What the configuration wants of plugins in the fleet isolate. */
function fleetPlugins({ blocks }: Configuration, modules: readonly PluginModule[]): FleetPlugin[] {
  const inFleet = new Set(modules.filter((module) => module.inFleet).map(({ name }) => name));
  return blocks.flatMap(({ plugins }) => plugins).filter(({ name }) => inFleet.has(name));
}
