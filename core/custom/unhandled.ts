/**
 * What nobody caught: a promise that was rejected, a timer that threw. Custom plugins run in the same isolate as the server,
 * which must not end with them: such a fault is told, with the plugin's name as far as the stack gives it away, and counted.
 *
 * @module
 */

import type { Labels, Log } from "../plugin.ts";
import type { CustomPlugin } from "./module.ts";
import { fileOf } from "./thrown.ts";

/** Who is told of faults. */
export interface FaultSink {
  readonly log: Pick<Log, "error">;
  count(name: string, labels?: Labels): void;
}

/** How many different faults are told; beyond it they are only counted. */
const TOLD_MAX = 100;

/** Takes care of what nobody caught in this isolate, until the function that comes back is called. */
export function watchUnhandled(customs: () => readonly CustomPlugin[], sink: FaultSink): () => void {
  const told = new Set<string>();
  const take = (what: string, thrown: unknown) => {
    const text = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
    const plugin = pluginIn(text, customs()) ?? "server";
    sink.count("meridian_faults_total", { plugin });
    const key = `${plugin} ${text}`;
    if (told.has(key) || told.size >= TOLD_MAX) return;
    told.add(key);
    sink.log.error(`plugin/${plugin}: a bug, ${what} (told once, counted always): ${text}`);
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    take("a promise was rejected and nobody took notice", event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    take("thrown where nobody could catch it", event.error ?? event.message);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return () => {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  };
}

/** The plugin whose file a stack names first, else the one whose folder has a file that it names. */
export function pluginIn(stack: string, customs: readonly CustomPlugin[]): string | undefined {
  const files = [...stack.matchAll(/file:\/\/[^\s()]*?(?=(?:\?[^\s():]*)?:\d+:\d+)/g)].map(([file]) => file);
  const firstBy = (part: (url: string) => string) =>
    files.map((file) => customs.find(({ url }) => part(url) === part(file))).find((custom) => custom);
  return (firstBy(fileOf) ?? firstBy(folderOf))?.name;
}

function folderOf(url: string): string {
  const file = fileOf(url);
  return file.slice(0, file.lastIndexOf("/"));
}
