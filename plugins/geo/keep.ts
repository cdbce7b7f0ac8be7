/**
 * Keeps a block's geography up to date: builds it, watches its files, builds again. A build that fails leaves what
 * there is.
 *
 * @module
 */

import { lookAgain, stampOf } from "../../core/files.ts";
import type { Geography } from "../../core/fleet/place.ts";
import type { ControlScope } from "../../core/plugin.ts";
import { build, type BuildOutcome, type BuildPlan, pathsOf } from "./build.ts";
import type { GeoWork } from "./build_worker.ts";
import { readKept, tryWriteKept } from "./kept.ts";
import { keptPath } from "./kept_path.ts";
import { LaterWriter, type Writing } from "./write_later.ts";

/** Which files a geography is made of. */
export interface GeographyFiles {
  /** Paths of databases, the first to be asked first. */
  readonly databases: readonly string[];
  /** Path of the operator's networks. */
  readonly networks?: string;
  /** Whether to build in a worker of its own, or here. */
  readonly inWorker: boolean;
}

const POLL_MS = 5000;

/** Publishes a geography, and another whenever its files change. @throws {Error} When there is none to begin with. */
export async function keepGeography(files: GeographyFiles, scope: ControlScope): Promise<void> {
  await scope.own(new Keeper(files, scope)).start();
}

/** What a keeper hands over to the one of the next configuration: large, and of this process alone. */
interface Bequest {
  readonly paths: readonly string[];
  readonly stamp: string;
  readonly geography: Geography;
}

class Keeper {
  readonly #files: GeographyFiles;
  readonly #paths: readonly string[];
  readonly #scope: ControlScope;
  /** How the files looked when they were last built from. */
  #stamp = "";
  #current: Geography | undefined;
  #closed = false;
  readonly #writer: LaterWriter;
  #watch: { close(): void } | undefined;

  constructor(files: GeographyFiles, scope: ControlScope) {
    this.#files = files;
    this.#paths = pathsOf(files);
    this.#scope = scope;
    this.#writer = new LaterWriter(scope.clock, (writing) => this.#write(writing));
  }

  async start(): Promise<void> {
    // Stamped first: a file that changes while it is read is read again.
    this.#stamp = stampOf(...this.#paths);
    this.#take(this.#inherited() ?? await this.#buildFirst());
    this.#scope.bequeath((): Bequest => ({
      paths: this.#paths,
      stamp: this.#stamp,
      geography: this.#current!,
    }));
    if (!this.#closed) this.#watch = lookAgain(this.#scope.clock, POLL_MS, () => this.#look());
  }

  /** What was made of the very same files. */
  #inherited(): Geography | undefined {
    const { paths, stamp, geography } = this.#scope.inherited as Bequest | undefined ?? {};
    const isSame = stamp === this.#stamp && paths?.join("\n") === this.#paths.join("\n");
    return isSame ? geography : undefined;
  }

  async #buildFirst(): Promise<Geography> {
    const outcome = await this.#build();
    if ("geography" in outcome) return outcome.geography;
    throw new Error(`geo: cannot use ${outcome.refused.path}: ${outcome.refused.reason}`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    await this.#writer.close();
  }

  #look(): Promise<void> | void {
    const stamp = stampOf(...this.#paths);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    return this.#rebuild();
  }

  async #rebuild(): Promise<void> {
    const outcome = await this.#build();
    if (this.#closed) return;
    const { log, count } = this.#scope;
    if ("geography" in outcome) {
      count("meridian_geo_reloads_total", { outcome: "taken" });
      log.info(`geo: took ${this.#paths.join(", ")}: ${summary(outcome.geography)}`);
      return this.#take(outcome.geography);
    }
    const { path, reason } = outcome.refused;
    count("meridian_geo_reloads_total", { outcome: "refused" });
    log.error(`geo: ${path} has changed and cannot be used, serving what was read before: ${reason}`);
    this.#publish(withRefused(this.#current!, this.#paths.indexOf(path), reason));
  }

  #take(geography: Geography): void {
    if (!this.#closed) this.#publish(geography);
  }

  #publish(geography: Geography): void {
    this.#current = geography;
    this.#scope.publishGeography(geography);
  }

  /** Takes what is kept of these very files, or builds and keeps it. */
  async #build(): Promise<BuildOutcome> {
    const { databases, networks, inWorker } = this.#files, { stateDirectory } = this.#scope;
    const inherited = this.#scope.inherited as Bequest | undefined;
    const before = this.#current ?? inherited?.geography;
    const epoch = (before?.epoch ?? 0) + 1, loadedMs = this.#scope.clock.nowMs();
    const stamp = this.#stamp;
    const path = stateDirectory && await keptPath(stateDirectory, databases, networks);
    const kept = path && this.#readKept(path, epoch, loadedMs);
    if (kept) return { geography: kept, stamp };
    const plan: BuildPlan = {
      ...{ databases, epoch, loadedMs },
      ...networks !== undefined && { networks },
    };
    const outcome = inWorker ? await buildInWorker(plan) : build(plan);
    // What was read is what was stamped only if nothing has changed meanwhile.
    if (path && "geography" in outcome && outcome.stamp === stamp) {
      this.#writeLater({ path, geography: outcome.geography });
    }
    return outcome;
  }

  /** Who has closed waits for no writing any more: a timer then would go off in nobody's care. */
  #writeLater(writing: Writing): void {
    if (this.#closed) this.#scope.log.debug(`geo: closed before ${writing.path} was written, leaving it out`);
    else this.#writer.add(writing);
  }

  async #write(writing: Writing): Promise<void> {
    const why = this.#files.inWorker
      ? await writeInWorker(writing)
      : tryWriteKept(writing.path, writing.geography);
    if (why !== undefined) this.#scope.log.warn(`geo: cannot keep ${writing.path}: ${why}`);
  }

  #readKept(path: string, epoch: number, loadedMs: number): Geography | undefined {
    try {
      return readKept(path, epoch, loadedMs);
    } catch (error) {
      this.#scope.log.warn(`geo: cannot use ${path}, building it anew: ${(error as Error).message}`);
      return undefined;
    }
  }
}

/** The same geography, with why a newer file was not taken; `source` is the file's number. */
function withRefused(geography: Geography, source: number, reason: string): Geography {
  const sources = geography.sources.map((one, i) => i === source ? { ...one, refused: reason } : one);
  return { ...geography, sources };
}

function summary({ v4, v6, places }: Geography): string {
  return `${v4.count} IPv4 and ${v6.count} IPv6 networks, ${places.count - 1} places`;
}

/** A worker that ends early, as for want of memory, has refused all of it. */
function buildInWorker(plan: BuildPlan): Promise<BuildOutcome> {
  return inWorker({ build: plan }, (message) => ({
    refused: { path: plan.databases.join(", "), reason: `the build failed: ${message}` },
  }));
}

/** @returns Why it could not be written; undefined when it is there. */
function writeInWorker(writing: Writing): Promise<string | undefined> {
  // What is undefined when it is posted comes as null.
  return inWorker<string | null | undefined>({ write: writing }, (message) => message).then((why) =>
    why ?? undefined
  );
}

/** Has a worker do something; `failed` says what it means when that breaks. */
function inWorker<T>(work: GeoWork, failed: (message: string) => T): Promise<T> {
  const worker = new Worker(new URL("./build_worker.ts", import.meta.url), { type: "module", name: "geo" });
  const { promise, resolve } = Promise.withResolvers<T>();
  worker.onmessage = ({ data }: MessageEvent<T>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    resolve(failed(event.message));
  };
  worker.postMessage(work);
  return promise.finally(() => worker.terminate());
}
