/**
 * A process that serves: its server, its door, its pidfile, and what signals and commands make of them.
 *
 * @module
 */

import { watchUnhandled } from "../custom/unhandled.ts";
import { giveBackLater } from "../server/after_start.ts";
import { type ConsoleLog, lineSink } from "../server/log.ts";
import { type ControlServing, serveControl } from "../server/control_socket.ts";
import { askHandOver, askToKeep, askToRetire, Giver, type HandOver } from "../server/hand_over.ts";
import { notify, notifyReloading } from "../server/notify.ts";
import type { PoolMoves } from "../management/moves.ts";
import { MovesCounter } from "../management/moves_counter.ts";
import { type MovesAsked, movesJob } from "../management/moves_job.ts";
import type { LocalRequest } from "../membership/protocol.ts";
import type { Server } from "../server/server.ts";
import { share, steer } from "../server/socket_options.ts";
import { type LoadedConfiguration, Supervisor } from "../server/supervisor.ts";
import type { Distributed } from "./distributed.ts";
import { explainHandler } from "./explain.ts";
import type { VersionTexts } from "./version_folder.ts";
import { RELOAD_TIMEOUT_MS } from "./reload.ts";
import { type Status, statusOf } from "./status.ts";
import { startSuccessor } from "./successor.ts";

/** What a process is told. */
export interface RunningOptions {
  readonly first: LoadedConfiguration;
  load(): Promise<LoadedConfiguration>;
  loadHash(): Promise<string | undefined>;
  /** The configuration that servers share, where this is one of several. */
  distributed?(): Distributed | undefined;
  readonly log: ConsoleLog;
  /** Makes a data worker. */
  makeWorker(): Worker;
  /** Makes the fleet isolate. */
  makeFleetIsolate(): Worker;
  readonly pidfile?: string | undefined;
  /** Takes over from the server that is running. */
  readonly replaces: boolean;
}

/** For how long it is counted what a change would move: whoever asks waits no longer than some seconds. */
const MOVES_MS = 5000;

/** The longest request to the control socket: a zone file of 64 MiB, as JSON has it. */
const LINE_OCTETS_MAX = 96 * 2 ** 20;

/** What was opened is closed, however far the start came. */
export class Running {
  readonly #options: RunningOptions;
  readonly #stops: (() => void | Promise<void>)[] = [];
  readonly #startedMs = Date.now();
  readonly #replaced = Promise.withResolvers<void>();
  #supervisor!: Supervisor;
  #giver: Giver | undefined;
  #door: ControlServing | undefined;
  readonly #moves = new MovesCounter();
  #isReplaced = false;
  #hasSuccessor = false;

  constructor(options: RunningOptions) {
    this.#options = options;
  }

  /** Resolves when another process has taken over. */
  get replaced(): Promise<void> {
    return this.#replaced.promise;
  }

  /** The server that answers now. */
  get server(): Server {
    return this.#supervisor.server;
  }

  /** @throws {Error} That says what could not be had. */
  async start(): Promise<void> {
    const { globals: { controlSocket, customPlugins } } = this.#options.first.configuration;
    let supervisor: Supervisor | undefined;
    this.#stops.push(
      watchUnhandled(() => supervisor?.server.configuration.globals.customPlugins ?? customPlugins, {
        log: this.#options.log,
        count: (name, labels) => supervisor?.server.metrics.count(name, labels),
      }),
    );
    const from = this.#options.replaces ? await this.#askHandOver(controlSocket) : undefined;
    try {
      this.#supervisor = supervisor = await this.#startFirst(from);
      this.#stops.push(() => this.#isReplaced ? this.#supervisor.retire() : this.#supervisor.close());
      this.#stops.push(() => this.#distributed?.close());
      if (from) await this.#takeOver(from, controlSocket);
    } catch (error) {
      if (from) await askToKeep(controlSocket);
      throw error;
    }
    this.#giver = new Giver({
      ports: () => this.#supervisor.ports,
      legacy: () => this.server.legacy(),
      onGone: (pid) =>
        this.#options.log.warn(
          `process ${pid} was to take over and ended before it could: serving as before`,
        ),
    });
    const isAlone = from !== undefined;
    await this.#need(() => this.#openDoor(controlSocket), isAlone);
    await this.#need(() => this.#writePidfile(), isAlone);
    this.#stops.push(giveBackLater());
    this.#steer();
    notify({ READY: 1, MAINPID: Deno.pid });
  }

  /** Reads the Corefile again. */
  async reload(why: string): Promise<void> {
    await this.#supervisor?.reload(why);
  }

  /** Starts this very program again, to take over from this process. */
  async replace(): Promise<void> {
    const { log } = this.#options;
    if (this.#hasSuccessor) return log.warn("Another process is being started already");
    this.#hasSuccessor = true;
    try {
      const why = await startSuccessor(log);
      if (this.#isReplaced) return;
      this.#giver?.keep();
      log.error(`Not replaced, serving as before: ${why}`);
    } finally {
      this.#hasSuccessor = false;
    }
  }

  /** Once the process before has gone, there is nobody who could serve on where this one gave up for want of a file. */
  async #need(open: () => void | Promise<void>, isAlone: boolean): Promise<void> {
    try {
      await open();
    } catch (error) {
      if (!isAlone) throw error;
      this.#options.log.error(`Serving all the same: ${error instanceof Error ? error.message : error}`);
    }
  }

  async stop(): Promise<void> {
    this.#moves.close();
    if (!this.#isReplaced) notify({ STOPPING: 1 });
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }

  async #askHandOver(path: string): Promise<HandOver | undefined> {
    const { log } = this.#options;
    if (!path) {
      throw new Error("-replace finds the server that runs by its control socket, and there is none");
    }
    const from = await askHandOver(path);
    if (from) log.info(`taking over from process ${from.pid}`);
    else log.warn(`no server at ${path} to take over from: starting as usual`);
    return from;
  }

  get #distributed(): Distributed | undefined {
    return this.#options.distributed?.();
  }

  /** By the version that was served last, else by the Corefile on the disk. */
  async #startFirst(from: HandOver | undefined): Promise<Supervisor> {
    const { first: onDisk } = this.#options, distributed = this.#distributed;
    const kept = await distributed?.first();
    if (!kept) return await this.#startSupervisor(onDisk, from);
    try {
      return await this.#startSupervisor(kept, from);
    } catch (error) {
      distributed!.giveUp(error instanceof Error ? error.message : String(error));
      return await this.#startSupervisor(onDisk, from);
    }
  }

  /** From here on what the fleet wants is served. */
  #steer(): void {
    this.#distributed?.begin({
      reload: (why, load) => this.#supervisor.reload(why, load),
      tellSeen: (seen) => this.#supervisor.tellSeen(seen),
    });
  }

  #startSupervisor(first: LoadedConfiguration, from: HandOver | undefined): Promise<Supervisor> {
    const { log, load, loadHash, makeWorker, makeFleetIsolate } = this.#options;
    const sinks = {
      log,
      ...lineSink(log.openLines().room),
      openLines: () => log.openLines(),
      droppedLines: () => log.dropped,
    };
    return Supervisor.start({
      ...{ first, load, loadHash, makeWorker, makeFleetIsolate },
      ...sinks,
      showDebug: () => log.showDebug(),
      answerFleet: (what, params) => this.#answerFleet(what, params),
      onConfiguration: (wanted) => this.#distributed?.take(wanted),
      onReload: (phase) => {
        if (phase === "begins") return notifyReloading();
        notify({ READY: 1 });
        // A store may have come with it.
        this.#steer();
      },
      ...from && { inheritance: from.inheritance, takesOver: true },
    });
  }

  /** What plugins in the fleet isolate may ask: what people may, and nothing that changes anything. */
  async #answerFleet(what: string, params: unknown): Promise<unknown> {
    if (what === "status") return this.#status();
    if (what === "explain") return await explainHandler(this.server)(params);
    if (what === "moves") return await this.#countMoves(params as MovesAsked);
    if (what === "validate" && this.#distributed) {
      return await this.#distributed.validate(params as VersionTexts);
    }
    throw new Error(`Cannot answer ${what}: want status, explain, moves or validate`);
  }

  async #countMoves(asked: MovesAsked): Promise<readonly PoolMoves[]> {
    const { publisher } = this.server;
    const job = movesJob(publisher.snapshot, (pool) => publisher.poolNamed(pool), asked, MOVES_MS);
    return job.pools.length === 0 ? [] : await this.#moves.count(job);
  }

  #status(): Status {
    return statusOf(this.server, { startedMs: this.#startedMs, reload: this.#supervisor.lastReload });
  }

  /** From here on this process answers, and the other one ends. */
  async #takeOver({ pid }: HandOver, path: string): Promise<void> {
    const { log } = this.#options;
    const endpoints = this.server.listening.flatMap(({ endpoints }) => endpoints);
    if (!steer(endpoints)) {
      log.warn(
        `process ${pid} still gets some TCP connections: those that it has not taken when it ends are lost`,
      );
    }
    // All are bound: nobody else is to come after this process and have its datagrams.
    share(this.#supervisor.ports, false);
    await askToRetire(path);
    log.info(`took over from process ${pid}`);
  }

  async #openDoor(path: string): Promise<void> {
    if (!path) return;
    const handlers = {
      status: () => this.#status(),
      explain: (params: unknown) => explainHandler(this.server)(params),
      api: (params: unknown) => this.server.askFleet(params as LocalRequest),
      reload: () => this.#supervisor.reload("the reload command"),
      "hand-over": (params: unknown) => this.#handOver(params),
      keep: () => this.#giver!.keep(),
      retire: (params: unknown) => this.#retire(params),
    };
    this.#door = await serveControl(path, handlers, {
      timeoutMs: RELOAD_TIMEOUT_MS,
      lineOctetsMax: LINE_OCTETS_MAX,
    });
    this.#stops.push(() => this.#door!.close());
  }

  #handOver(params: unknown): HandOver {
    const { pid } = (params ?? {}) as { pid?: unknown };
    return this.#giver!.handOver(typeof pid === "number" ? pid : undefined);
  }

  /** Another process has the ports: says so to whoever watches over this one, and ends. */
  #retire(params: unknown): void {
    this.#giver!.retire();
    this.#isReplaced = true;
    const { pid } = params as { pid?: unknown };
    if (typeof pid === "number") notify({ MAINPID: pid });
    this.#options.log.info(`process ${pid} has taken over: ending`);
    // Once this has been answered.
    setTimeout(() => this.#replaced.resolve(), 50);
  }

  #writePidfile(): void {
    const { pidfile } = this.#options;
    if (pidfile === undefined) return;
    writeWhole(pidfile, `${Deno.pid}\n`);
    // Removed last, so that its absence means that the process is done; another one's is none of ours.
    this.#stops.unshift(() => {
      if (!this.#isReplaced) removeIfThere(pidfile);
    });
  }
}

/** Whoever reads it sees what was there before or all of this: of an empty pidfile a script would make process 0. */
function writeWhole(path: string, text: string): void {
  const aside = `${path}.new`;
  try {
    Deno.writeTextFileSync(aside, text);
    Deno.renameSync(aside, path);
  } catch (error) {
    // The file may be writable where its folder is not.
    if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable)) {
      throw error;
    }
    Deno.writeTextFileSync(path, text);
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
