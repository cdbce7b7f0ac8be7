/**
 * A whole server without sockets, under a clock that is turned by hand: its probes end as a script says, it is told
 * where clients are, and partitions are made on the spot or never.
 *
 * @module
 */

import { type PriceJob, pricesOf } from "../../core/fleet/moving.ts";
import { ManualClock } from "../../core/clock.ts";
import { loadCorefile } from "../../core/command/load.ts";
import { formatProblems } from "../../core/corefile/format.ts";
import { decodeMessage, type Message } from "../../core/dns/message.ts";
import type { Geography } from "../../core/fleet/place.ts";
import { makePartition } from "../../core/fleet/partition.ts";
import { parseAddress } from "../../core/net/address.ts";
import type { ControlScope, Log, PluginModule } from "../../core/plugin.ts";
import { Server } from "../../core/server/server.ts";
import { start as startAnycast } from "../../plugins/anycast/control.ts";
import type { AnycastConfig } from "../../plugins/anycast/parse.ts";
import { start as startHealth } from "../../plugins/health/mod.ts";
import type { HealthConfig } from "../../plugins/health/parse.ts";
import type { MakeProber, ProbeJob, ProbeReport } from "../../plugins/health/prober.ts";
import { plugins } from "../../plugins/mod.ts";
import { encodeQuery } from "./server.ts";

/** How a probe goes: after so long, like this. */
export interface ScriptedProbe extends Partial<Omit<ProbeReport, "id">> {
  readonly durationMs: number;
}

/** What to start. */
export interface VirtualWorld {
  /** On port 1053. */
  readonly corefile: string;
  readonly startMs: number;
  readonly geography: Geography;
  /** Whether partitions are made; else every scope stays that of the leaf. */
  readonly partitions: boolean;
  readonly random: () => number;
  /** Takes what is logged, beside {@linkcode VirtualServer.logged}. */
  readonly heard?: (level: keyof Log, message: string) => void;
  /** Takes lines of the query log. */
  readonly writeLine?: (line: string) => void;
  /** The plugins that there are, made of those that there are anyway. */
  readonly change?: (modules: readonly PluginModule[]) => readonly PluginModule[];
  /** Called at the start of each probe. */
  readonly script: (job: ProbeJob, startMs: number) => ScriptedProbe;
}

/** A running server. */
export class VirtualServer {
  readonly server: Server;
  readonly clock: ManualClock;
  /** Warnings and errors. */
  readonly logged: readonly string[];

  private constructor(server: Server, clock: ManualClock, logged: readonly string[]) {
    this.server = server;
    this.clock = clock;
    this.logged = logged;
  }

  /** Starts a server. @throws When the Corefile has problems. */
  static async start(world: VirtualWorld): Promise<VirtualServer> {
    const clock = new ManualClock(world.startMs);
    const builtIn = modulesOf(world, clock);
    const loaded = await loadCorefile({ file: "Corefile", text: world.corefile }, builtIn, 1053);
    const { configuration, modules, problems } = loaded;
    if (problems.errors.length > 0) {
      throw new Error(formatProblems(problems, { source: () => world.corefile }));
    }
    const logged: string[] = [];
    const hear = (level: keyof Log) => (message: string) => {
      if (level === "warn" || level === "error") logged.push(`${level}: ${message}`);
      world.heard?.(level, message);
    };
    const log: Log = { debug() {}, info: hear("info"), warn: hear("warn"), error: hear("error") };
    const { random, writeLine = () => {} } = world;
    const options = { configuration, modules, log, writeLine, clock, random, listens: false };
    const virtual = new VirtualServer(await Server.start(options), clock, logged);
    await settle();
    return virtual;
  }

  /** Turns the clock to `atMs`, instant by instant, calling `passed` after each at which something was done. */
  async advanceTo(atMs: number, passed: () => void = () => {}): Promise<void> {
    while (this.clock.nextMs <= atMs) {
      this.clock.advanceTo(this.clock.nextMs);
      await settle();
      passed();
    }
    this.clock.advanceTo(atMs);
    await settle();
  }

  /** Asks on behalf of a client network. */
  ask(name: string, type: "A" | "AAAA", subnet: string): Message {
    const address = parseAddress("127.0.0.1")!;
    const arrival = { source: { address, port: 5353 }, server: { address, port: 1053 } };
    const outcome = this.server.answering.examine(encodeQuery(name, type, subnet), {
      ...arrival,
      transport: "udp",
    });
    if (outcome instanceof Promise) throw new Error(`${name} had to wait`);
    return decodeMessage(outcome.octets!);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}

function modulesOf(world: VirtualWorld, clock: ManualClock): readonly PluginModule[] {
  const builder = {
    make: (job: Parameters<typeof makePartition>[0]) =>
      world.partitions ? Promise.resolve(makePartition(job)) : new Promise<undefined>(() => {}),
    price: (job: PriceJob) => Promise.resolve(pricesOf(job)),
    close() {},
  };
  const starts: Record<string, PluginModule["start"]> = {
    geo: (_, scope) => scope.publishGeography(world.geography),
    anycast: (config: AnycastConfig, scope: ControlScope) => startAnycast(config, scope, builder),
    health: (config: HealthConfig, scope: ControlScope) =>
      startHealth(config, scope, scriptedProber(world, clock)),
  };
  const modules = plugins.map((module) => {
    const start = starts[module.name];
    return start ? { ...module, start } : module;
  });
  return world.change?.(modules) ?? modules;
}

function scriptedProber({ script }: VirtualWorld, clock: ManualClock): MakeProber {
  return (report) => {
    let closed = false;
    const run = (job: ProbeJob) => {
      const { durationMs, ...more } = script(job, clock.nowMs());
      const base = { ok: true, latencyMs: durationMs, reason: "as scripted", lagged: false, discarded: 0 };
      clock.after(durationMs, () => closed || report([{ ...base, ...more, id: job.id }]));
    };
    return { run: (jobs) => jobs.forEach(run), close: () => void (closed = true) };
  };
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 32; turn++) await undefined;
}
