/** `meridian serve`: answers queries until told to stop. @module */

import type { Log } from "../plugin.ts";
import { formatName } from "../dns/name.ts";
import { keepLittleFree } from "../server/allocator.ts";
import { type Globals, WORKERS_MAX } from "../server/globals.ts";
import { consoleLog, type LogFormat } from "../server/log.ts";
import type { Server } from "../server/server.ts";
import type { LoadedConfiguration } from "../server/supervisor.ts";
import type * as DistributedModule from "./distributed.ts";
import { debuggerShutter } from "./debugger.ts";
import { defaultPort, type Flags, UsageError } from "./flags.ts";
import {
  type BuiltIn,
  findCorefile,
  loadCorefile,
  type Loaded,
  loadHash,
  readAgain,
  showProblems,
} from "./load.ts";
import type { Command, WorkerMakers } from "./mod.ts";
import { Running } from "./running.ts";
import { systemLine, VERSION } from "./version.ts";

/** The command. */
export const serve: Command = {
  usage:
    "serve [-conf FILE] [-dns.port PORT] [-quiet] [-pidfile FILE] [-log-format FORMAT] [-replace] [-workers NUMBER]",
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
    workers: { value: "NUMBER", help: "data workers, or auto, whatever the Corefile says" },
    replace: { help: "take over from the server that is running, without a query lost" },
  },
  run: ({ values }, builtIn, makers) => runServer(values, builtIn, makers),
};

/** Named by address: what a module names in `import()` is read along with it. */
const DISTRIBUTED = new URL("./distributed.ts", import.meta.url);

/** How long what is left open may take to end by itself. */
const END_MS = 1000;

async function runServer(
  values: Flags["values"],
  builtIn: BuiltIn,
  makers: WorkerMakers,
): Promise<number> {
  keepLittleFree();
  const format = logFormat(values);
  const corefile = findCorefile(values.conf as string | undefined);
  const port = defaultPort(values);
  const workers = readWorkers(values);
  const loaded = await loadCorefile(corefile, builtIn, port);
  if (loaded.problems.errors.length + loaded.problems.warnings.length > 0) {
    console.error(showProblems(loaded, Deno.stderr));
  }
  if (loaded.problems.errors.length > 0) return 1;
  const log = consoleLog({ format });
  let distributed: DistributedModule.Distributed | undefined;
  const onDisk = async (loaded: Loaded): Promise<LoadedConfiguration> => {
    // Of what servers share one that is alone reads nothing.
    if (loaded.configuration.globals.membership && !distributed) {
      const { Distributed }: typeof DistributedModule = await import(DISTRIBUTED.href);
      distributed = new Distributed({
        readDisk: () => readAgain(corefile),
        ...{ builtIn, defaultPort: port, log },
        asLoaded: (loaded) => asLoaded(loaded, workers),
      });
    }
    return { ...asLoaded(loaded, workers), onTaken: () => distributed?.tookDisk() };
  };
  const running = new Running({
    first: await onDisk(loaded),
    load: async () =>
      await distributed?.load() ?? await onDisk(await loadCorefile(readAgain(corefile), builtIn, port)),
    loadHash: async () => {
      const version = await distributed?.hash();
      return version ? version.hash : await loadHash(readAgain(corefile), builtIn);
    },
    distributed: () => distributed,
    ...{ log, ...makers },
    pidfile: values.pidfile as string | undefined,
    replaces: Boolean(values.replace),
  });
  try {
    // From here on a signal is heard: one that comes while the server starts must end it too.
    const signalled = untilSignalled(running, log);
    await running.start();
    if (!values.quiet) greet(running.server, loaded.file, format === "json" ? log.info : log.writeLine);
    await Promise.race([signalled, running.replaced]);
    return 0;
  } catch (error) {
    log.error(`Cannot start: ${error instanceof Error ? error.message : error}`);
    return 2;
  } finally {
    await running.stop();
    await log.flush();
    endSoon();
  }
}

/** A timer or a socket that a plugin of somebody's left open keeps no process that has stopped. Without one nothing waits. */
function endSoon(): void {
  Deno.unrefTimer(setTimeout(() => Deno.exit(), END_MS));
}

function asLoaded(loaded: Loaded, workers: Globals["workers"] | undefined): LoadedConfiguration {
  const { modules, hash, problems } = loaded;
  const { blocks, globals } = loaded.configuration;
  const configuration = { blocks, globals: { ...globals, workers: workers ?? globals.workers } };
  const hasErrors = problems.errors.length > 0;
  const isSilent = !hasErrors && problems.warnings.length === 0;
  const text = isSilent ? "" : showProblems(loaded, { isTerminal: () => false });
  return { configuration, modules, hash, problems: text, hasErrors };
}

/** @throws {UsageError} At what is no number of workers. */
function readWorkers({ workers }: Flags["values"]): Globals["workers"] | undefined {
  if (workers === undefined || workers === "auto") return workers;
  if (/^\d{1,3}$/.test(String(workers)) && Number(workers) <= WORKERS_MAX) return Number(workers);
  throw new UsageError(`-workers must be auto or a number from 0 to ${WORKERS_MAX}: got ${workers}`);
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

/**
 * Ends at SIGTERM or SIGINT; a second SIGINT ends the process at once, as CoreDNS does. Meanwhile SIGHUP and SIGUSR1 read
 * the Corefile again, and SIGUSR2 has the executable on disk take over.
 */
function untilSignalled(running: Running, log: Pick<Log, "warn">): Promise<void> {
  Deno.addSignalListener("SIGHUP", () => void running.reload("SIGHUP"));
  const shutDebugger = debuggerShutter((message) => log.warn(message));
  Deno.addSignalListener("SIGUSR1", () => void shutDebugger().then(() => running.reload("SIGUSR1")));
  Deno.addSignalListener("SIGUSR2", () => void running.replace());
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
