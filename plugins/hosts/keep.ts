/**
 * Reads the hosts file, publishes what it says together with the lines of the Corefile, and reads it again when it
 * changes. What is published stands until something better comes.
 *
 * @module
 */

import type { Position } from "../../core/corefile/directive.ts";
import { atMost, lookAgain, readRegularFile, reasonOf, stampOf } from "../../core/files.ts";
import type { ControlScope, Problems } from "../../core/plugin.ts";
import { finish, type Steps } from "../../core/zone/steps.ts";
import type { HostsConfig } from "./mod.ts";
import { type HostTable, HostTableBuilder, type OddLine, readHostsInSteps } from "./table.ts";

/** What a hosts file came to. */
interface Reading {
  readonly table: HostTable;
  readonly odd: readonly OddLine[];
  /** Whether there is nothing in it, not so much as a comment. */
  readonly isEmpty: boolean;
}

const FILE_OCTETS_MAX = 256 * 2 ** 20;

/** Reports what is wrong with the file of a directive, so that `check` shows it. A file may come later. */
export function readForCheck(config: HostsConfig, at: Position, problems: Problems): void {
  const stamp = stampOf(config.path);
  try {
    const reading = finish(readInSteps(config));
    for (const { at, message } of reading.odd.slice(0, ODD_LINES_SHOWN)) {
      problems.warn(at, `hosts: ${message}: the line is left out`);
    }
    readAtParse.set(config, { stamp, reading });
  } catch (error) {
    const message = `hosts: cannot read the hosts file '${config.path}': ${reasonOf(error)}`;
    if (error instanceof Deno.errors.NotFound) problems.warn(at, message);
    else problems.error(at, message);
  }
}

/** The first of many that say the same. */
const ODD_LINES_SHOWN = 5;

/** What `readForCheck` read, kept for `start`: a list of blocked names is long. */
const readAtParse = new WeakMap<HostsConfig, { stamp: string; reading: Reading }>();

/** Publishes the table and keeps it up to date. Without the file, what the Corefile itself says is served. */
export function start(config: HostsConfig, scope: ControlScope): void {
  const keeper = new Keeper(config, scope);
  keeper.startOut();
  if (config.reloadMs > 0) {
    scope.own(lookAgain(scope.clock, config.reloadMs, () => keeper.look()));
  }
}

class Keeper {
  readonly #config: HostsConfig;
  readonly #scope: ControlScope;
  /** Of what was taken or refused last. */
  #stamp = "";
  /** What was last complained of. */
  #wrong: string | undefined;

  constructor(config: HostsConfig, scope: ControlScope) {
    [this.#config, this.#scope] = [config, scope];
  }

  startOut(): void {
    // The stamp is taken first: a file that changes while it is read is read again.
    this.#stamp = stampOf(this.#config.path);
    const before = readAtParse.get(this.#config);
    readAtParse.delete(this.#config);
    try {
      const isFresh = before?.stamp === this.#stamp;
      this.#publish((isFresh ? before.reading : finish(readInSteps(this.#config))).table);
    } catch (error) {
      this.#wrong = reasonOf(error);
      const { path } = this.#config;
      this.#scope.log.warn(`hosts: cannot read ${path}, serving without it: ${this.#wrong}`);
      this.#publish(builderOf(this.#config).finish());
    }
  }

  /** Reads the file if it is another. */
  *look(): Steps<void> {
    const stamp = stampOf(this.#config.path);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    const { log, count } = this.#scope;
    const { path } = this.#config;
    try {
      const { table, odd, isEmpty } = yield* readInSteps(this.#config);
      if (isEmpty) throw new Error("it is empty; a comment in it would say that this is meant");
      count("meridian_hosts_reloads_total", { outcome: "taken" });
      log.info(`hosts: took ${path}, ${table.entries} entries${left(odd)}`);
      this.#wrong = undefined;
      this.#publish(table);
    } catch (error) {
      if (this.#wrong === reasonOf(error)) return;
      this.#wrong = reasonOf(error);
      count("meridian_hosts_reloads_total", { outcome: "refused" });
      log.warn(`hosts: ${path} has changed and cannot be taken, serving what it said before: ${this.#wrong}`);
    }
  }

  #publish(table: HostTable): void {
    const { publish, gauge } = this.#scope;
    publish(table);
    gauge("coredns_hosts_entries", table.entries, { hostsfile: this.#config.path });
    const changedMs = mtimeMs(this.#config.path);
    if (changedMs !== undefined) gauge("coredns_hosts_reload_timestamp_seconds", changedMs / 1000);
  }
}

/** Reads the file and the lines of the Corefile, in this order. @throws {Error} When the file cannot be taken. */
function* readInSteps(config: HostsConfig): Steps<Reading> {
  const builder = new HostTableBuilder(config);
  const octets = readRegularFile(config.path, atMost(FILE_OCTETS_MAX));
  if (octets.includes(0)) throw new Error("it is no text: it has an octet 0");
  const text = new TextDecoder().decode(octets);
  const { odd, understood } = yield* readHostsInSteps(text, config.path, builder);
  const [first] = odd;
  if (first && understood === 0) {
    throw new Error(`no line of it is understood: line ${first.at.line}, ${first.message}`);
  }
  for (const line of config.inline) builder.add(line);
  return { table: builder.finish(), odd, isEmpty: octets.length === 0 };
}

function builderOf(config: HostsConfig): HostTableBuilder {
  const builder = new HostTableBuilder(config);
  for (const line of config.inline) builder.add(line);
  return builder;
}

function left(odd: readonly OddLine[]): string {
  const [first] = odd;
  return first
    ? `; ${odd.length} lines are left out, the first of them ${first.at.line}: ${first.message}`
    : "";
}

function mtimeMs(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime();
  } catch {
    return undefined;
  }
}
