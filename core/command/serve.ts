/** `meridian serve`: answers queries until told to stop. @module */

import type { PluginModule } from "../plugin.ts";
import { serveControl } from "../server/control_socket.ts";
import { chainInWorker } from "../server/chain_worker.ts";
import { watchUnhandled } from "../custom/unhandled.ts";
import { formatName } from "../dns/name.ts";
import { type ConsoleLog, consoleLog, type LogFormat } from "../server/log.ts";
import type { Configuration } from "../server/configure.ts";
import { Server } from "../server/server.ts";
import { explainHandler } from "./explain.ts";
import { defaultPort, type Flags, UsageError } from "./flags.ts";
import { findCorefile, loadCorefile, showProblems } from "./load.ts";
import type { Command } from "./mod.ts";
import { statusOf } from "./status.ts";
import { systemLine, VERSION } from "./version.ts";

/** The command. */
export const serve: Command = {
  usage: "serve [-conf FILE] [-dns.port PORT] [-quiet] [-pidfile FILE] [-log-format FORMAT]",
  summary: "answer queries (what happens without a command)",
  flags: {
    conf: {
      value: "FILE",
      help: "the Corefile: FILE, or stdin; ./Corefile, else ./Corefile.example, by default",
    },
    "dns.port": { value: "PORT", help: "the port of keys that name none (53)", short: "p" },
    quiet: { help: "say nothing at the start" },
    pidfile: { value: "FILE", help: "write the process id to FILE" },
    "log-format": { value: "FORMAT", help: "write the log as text (the default) or json" },
    "chain-in-worker": { help: "run the chain in a worker of its own" },
  },
  run: ({ values }, modules) => runServer(values, modules),
};

async function runServer(values: Flags["values"], modules: readonly PluginModule[]): Promise<number> {
  const format = logFormat(values);
  const corefile = findCorefile(values.conf as string | undefined);
  const loaded = await loadCorefile(corefile, modules, defaultPort(values));
  if (loaded.problems.errors.length + loaded.problems.warnings.length > 0) {
    console.error(showProblems(loaded, Deno.stderr));
  }
  if (loaded.problems.errors.length > 0) return 1;
  const log = consoleLog({ format });
  const running = new Running(values, log);
  try {
    // From here on a signal is heard: one that comes while the server starts must end it too.
    const signalled = untilSignalled();
    const server = await running.start(loaded.configuration, loaded.modules);
    if (!values.quiet) greet(server, loaded.file, format === "json" ? log.info : console.log);
    await signalled;
    return 0;
  } catch (error) {
    log.error(`Cannot start: ${error instanceof Error ? error.message : error}`);
    return 2;
  } finally {
    await running.stop();
    await log.flush();
  }
}

/** A server with its door and its pidfile: what was opened is closed, however far the start came. */
class Running {
  readonly #values: Flags["values"];
  readonly #log: ConsoleLog;
  readonly #stops: (() => void | Promise<void>)[] = [];

  constructor(values: Flags["values"], log: ConsoleLog) {
    [this.#values, this.#log] = [values, log];
  }

  /** @throws {Error} That says what could not be had. */
  async start(configuration: Configuration, modules: readonly PluginModule[]): Promise<Server> {
    const { controlSocket, customPlugins } = configuration.globals;
    let server: Server | undefined;
    this.#stops.push(watchUnhandled(() => server?.configuration.globals.customPlugins ?? customPlugins, {
      log: this.#log,
      count: (name, labels) => server?.metrics.count(name, labels),
    }));
    server = await this.#startServer(configuration, modules);
    this.#stops.push(() => server.close());
    if (controlSocket) {
      const handlers = { status: () => statusOf(server), explain: explainHandler(server) };
      const control = await serveControl(controlSocket, handlers);
      this.#stops.push(() => control.close());
    }
    const pidfile = this.#values.pidfile as string | undefined;
    if (pidfile !== undefined) {
      Deno.writeTextFileSync(pidfile, `${Deno.pid}\n`);
      // Removed last, so that its absence means that the process is done.
      this.#stops.unshift(() => Deno.removeSync(pidfile));
    }
    return server;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }

  #startServer(configuration: Configuration, modules: readonly PluginModule[]): Promise<Server> {
    const sinks = { log: this.#log, writeLine: (line: string) => this.#log.writeLine(line) };
    return Server.start({
      configuration,
      modules,
      ...sinks,
      showDebug: () => this.#log.showDebug(),
      ...this.#values["chain-in-worker"] && {
        wrapExchange: (server: Server) =>
          chainInWorker(new Worker(Deno.mainModule, { type: "module", name: "chain" }), server, sinks),
      },
    });
  }
}

/** @throws {UsageError} At a format that there is not. */
function logFormat({ "log-format": format = "text" }: Flags["values"]): LogFormat {
  if (format === "text" || format === "json") return format;
  throw new UsageError(`-log-format must be text or json: got ${format}`);
}

/** CoreDNS's greeting: a line for each zone, then who speaks. */
function greet(server: Server, file: string, say: (line: string) => void): void {
  for (const { endpoints, listenOn } of server.configuration.blocks) {
    for (const { zone, port } of endpoints) {
      say(`${formatName(zone)}:${port}${listenOn.length > 0 ? ` on ${listenOn.join(", ")}` : ""}`);
    }
  }
  say(`Meridian-${VERSION}, ${file}`);
  say(systemLine());
}

/** Ends at SIGTERM or SIGINT; a second SIGINT ends the process at once, as CoreDNS does. */
function untilSignalled(): Promise<void> {
  return new Promise((resolve) => {
    Deno.addSignalListener("SIGTERM", () => resolve());
    let interrupted = false;
    Deno.addSignalListener("SIGINT", () => {
      if (interrupted) Deno.exit(2);
      interrupted = true;
      resolve();
    });
  });
}
