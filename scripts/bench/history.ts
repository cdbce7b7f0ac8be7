/** Runs that are kept: a line of JSON each, and what a run that broke off had measured. @module */

import { cacheFolder } from "./cache_folder.ts";
import type { Machine } from "./machine.ts";
import type { Row } from "./verdicts.ts";

/** A run. */
export interface RunLine {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly isPinned: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Of the servers beside Meridian. */
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

/** Appends a line; numbers with four digits, which is more than they are worth. */
export async function appendRun(path: string, line: RunLine): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(line, brief)}\n`, { append: true });
}

/** The last run of a file. @throws {TypeError} When it has none. */
export async function lastRun(path: string): Promise<RunLine> {
  const line = (await Deno.readTextFile(path).catch(() => "")).trim().split("\n").at(-1);
  if (!line) throw new TypeError(`${path} has no run`);
  return JSON.parse(line);
}

function brief(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

/** What was measured of each workload, until a run is complete. */
export class Unfinished {
  readonly #path: string;
  #done: Record<string, { rows: Row[]; versions: Record<string, string> }> = {};

  private constructor(path: string) {
    this.#path = path;
  }

  /** Takes up what a run with the same key has left, or begins anew. */
  static async open(key: string, resumes: boolean): Promise<Unfinished> {
    const path = `${await cacheFolder("unfinished")}/${key.replaceAll(/[^\w.-]/g, "_")}.json`;
    const unfinished = new Unfinished(path);
    if (resumes) {
      unfinished.#done = JSON.parse(await Deno.readTextFile(path).catch(() => "{}"));
    }
    return unfinished;
  }

  get(workload: string): { rows: Row[]; versions: Record<string, string> } | undefined {
    return this.#done[workload];
  }

  async put(workload: string, rows: Row[], versions: Record<string, string>): Promise<void> {
    this.#done[workload] = { rows, versions };
    await Deno.writeTextFile(this.#path, JSON.stringify(this.#done));
  }

  async remove(): Promise<void> {
    await Deno.remove(this.#path).catch(() => {});
  }
}
