/** `meridian serve`: answers queries until told to stop. @module */

import type { PluginModule } from "../plugin.ts";
import { serveControl } from "../server/control_socket.ts";
import { chainInWorker } from "../server/chain_worker.ts";
import { formatName } from "../dns/name.ts";
import { type ConsoleLog, consoleLog } from "../server/log.ts";
import { Server } from "../server/server.ts";
import { explainHandler } from "./explain.ts";
import type { Flags } from "./flags.ts";
import { findCorefile, loadCorefile, showProblems } from "./load.ts";
import type { Command } from "./mod.ts";
import { statusOf } from "./status.ts";
import { VERSION } from "./version.ts";

/** The command. */
export const serve: Command = {
  usage: "serve [-conf FILE] [-dns.port PORT] [-quiet] [-pidfile FILE]",
  summary: "answer queries (what happens without a command)",
  flags: {
    conf: {
      value: "FILE",
      help: "the Corefile: FILE, or stdin; ./Corefile, else ./Corefile.example, by default",
    },
    "dns.port": { value: "PORT", help: "the port of keys that name none (53)", short: "p" },
    quiet: { help: "say nothing at the start" },
    pidfile: { value: "FILE", help: "write the process id to FILE" },
    "chain-in-worker": { help: "run the chain in a worker of its own" },
  },
  run: ({ values }, modules) => runServer(values, modules),
};

async function runServer(values: Flags["values"], modules: readonly PluginModule[]): Promise<number> {
  const loaded = loadCorefile(
    findCorefile(values.conf as string | undefined),
    modules,
    Number(values["dns.port"] ?? 53),
  );
  if (loaded.problems.errors.length + loaded.problems.warnings.length > 0) {
    console.error(showProblems(loaded, Deno.stderr));
  }
  if (loaded.problems.errors.length > 0) return 1;
  const output = consoleLog({});
  const server = await startServer(
    loaded.configuration,
    modules,
    output,
    Boolean(values["chain-in-worker"]),
  );
  if (typeof server === "number") return server;
  const { globals } = loaded.configuration;
  const control = globals.controlSocket
    ? await serveControl(globals.controlSocket, {
      status: () => statusOf(server),
      explain: explainHandler(server),
    })
    : undefined;
  if (values.pidfile) Deno.writeTextFileSync(values.pidfile as string, `${Deno.pid}\n`);
  if (!values.quiet) greet(server, loaded.file);
  await untilSignalled();
  await control?.close();
  await server.close();
  if (values.pidfile) Deno.removeSync(values.pidfile as string);
  await output.flush();
  return 0;
}

/** A server, or the exit code when it could not start: what stopped it is told, not thrown. */
async function startServer(
  configuration: Server["configuration"],
  modules: readonly PluginModule[],
  output: ConsoleLog,
  inWorker: boolean,
): Promise<Server | number> {
  const sinks = { log: output, writeLine: (line: string) => output.writeLine(line) };
  try {
    return await Server.start({
      configuration,
      modules,
      ...sinks,
      ...(inWorker && {
        wrapExchange: (server: Server) =>
          chainInWorker(new Worker(Deno.mainModule, { type: "module", name: "chain" }), server, sinks),
      }),
    });
  } catch (error) {
    output.error(`Cannot start: ${error instanceof Error ? error.message : error}`);
    await output.flush();
    return 2;
  }
}

/** CoreDNS's greeting: a line for each zone, then who speaks. */
function greet(server: Server, file: string): void {
  for (const { endpoints, listenOn } of server.configuration.blocks) {
    for (const { zone, port } of endpoints) {
      console.log(`${formatName(zone)}:${port}${listenOn.length > 0 ? ` on ${listenOn.join(", ")}` : ""}`);
    }
  }
  console.log(`Meridian-${VERSION}, ${file}`);
  console.log(`${Deno.build.os}/${Deno.build.arch}, deno ${Deno.version.deno}`);
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
