/**
 * A server under test in a process of its own, for what must hold of the compiled program as well.
 *
 * @module
 */

import { ServeProcess } from "../command/meridian.ts";
import { askServer, type TestServer } from "./server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What the examples refer to. */
const FILES = ["nodes.yaml", "networks.yaml", "zones"];

/** Starts `corefile` in a folder where nothing is but what examples refer to. */
export async function startProcess(corefile: string): Promise<TestServer> {
  const folder = await Deno.makeTempDir();
  for (const file of FILES) await Deno.symlink(ROOT + file, `${folder}/${file}`);
  const workers = Deno.env.get("MERIDIAN_WORKERS");
  const process = await ServeProcess.start(folder, corefile, ...workers ? ["-workers", workers] : []);
  const linesThat = (match: RegExp) => process.output.split("\n").filter((line) => match.test(line));
  return {
    get server(): never {
      throw new Error("This server runs in a process of its own: nobody can look into it");
    },
    port: process.port,
    get lines() {
      return linesThat(/^\[INFO\] \S+:\d+ - /);
    },
    get logged() {
      return linesThat(/^\[(WARNING|ERROR|INFO)\] /).map((line) =>
        line.replace(/^\[(\w+)\]/, (_, level) => `${level === "WARNING" ? "warn" : level.toLowerCase()}:`)
      );
    },
    ask: (name, type = "A", how = {}) => askServer(process.port, name, type, how),
    async close() {
      process.kill("SIGTERM");
      const code = await process.end();
      await Deno.remove(folder, { recursive: true });
      if (code !== 0) throw new Error(`The server ended with ${code}: ${process.output}`);
    },
  };
}
