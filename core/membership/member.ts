/**
 * A server as a member of a fleet: follows the store, tells the store that it lives and what it sees, signs the audit log.
 *
 * @module
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import { canonicalJson } from "../state/canonical.ts";
import { KEYS } from "../state/keys.ts";
import { Ledger } from "../state/ledger.ts";
import { type Keeper, Replica } from "../state/replica.ts";
import { isImporting } from "../state/restore.ts";
import {
  type Lease,
  LeaseEndedError,
  NotWholeError,
  type Store,
  StoreRefusedError,
  StoreUnavailableError,
} from "../state/store.ts";
import type { ChangeGuard } from "./change_guard.ts";
import { NewsGatherer } from "./news.ts";
import type {
  Answering,
  Besides,
  MembershipConfiguration,
  News,
  Reports,
  SeenConfiguration,
} from "./protocol.ts";
import { DrainWriter } from "./drain_writer.ts";
import { ReportWriter } from "./report_writer.ts";
import { SeenWriter } from "./seen_writer.ts";

/** The layout of the store that this program knows. */
export const SCHEMA_VERSION = 1;

/** How long the store remembers a server that tells nothing. */
const LEASE_S = 15;

/** How often the heads of all audit chains are signed. */
const WITNESS_MS = 60_000;

/** What a member works with. */
export interface MemberOptions {
  readonly configuration: MembershipConfiguration;
  readonly store: Store;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly keeper?: Keeper;
  /** Its Ed25519 key: what it signs the audit log with. */
  readonly key: KeyObject;
  tell(news: News): void;
}

/** See the module. */
export class Member {
  readonly replica: Replica;
  readonly ledger: Ledger;
  /** What looks at people's changes that come by other ways than the API; undefined where nothing waits. */
  guard: ChangeGuard | undefined;
  readonly #options: MemberOptions;
  readonly #reports: ReportWriter;
  readonly #news: NewsGatherer;
  readonly #seen: SeenWriter;
  readonly #drains: DrainWriter;
  readonly #publicKey: string;
  #besides: Besides = { nodes: [], pools: [] };
  #digest = "";
  /** The version of the configuration that it answers by; "" = what is on its disk. */
  #configuration = "";
  #notedMs: () => number;
  #lease: Lease | undefined;
  #cancelWitness: () => void = () => {};
  #isSchemaKnown = false;
  #isKeyWritten = false;
  /** Tells this process from another one that has its name. */
  readonly #instance = crypto.randomUUID();
  /** Whether the store has had a pulse of this process. */
  #hasPulsed = false;
  #isClosed = false;

  constructor(options: MemberOptions) {
    this.#options = options;
    // Who hears nobody has noted everything.
    this.#notedMs = () => options.clock.nowMs();
    const { store, clock, log, random, keeper, configuration: { server } } = options;
    this.#publicKey = createPublicKey(options.key).export({ type: "spki", format: "pem" }) as string;
    this.ledger = new Ledger({ store, server, clock });
    this.#reports = new ReportWriter({ store, ledger: this.ledger, server, clock, log });
    this.replica = new Replica({
      ...{ store, clock, log, random, ...keeper && { keeper } },
      pulse: () => this.#pulse(),
      seal: { key: KEYS.schema, check: checkSeal },
    });
    this.#news = new NewsGatherer({ replica: this.replica, server, clock, log, tell: options.tell });
    this.#seen = new SeenWriter({ store, ledger: this.ledger, server, clock, log });
    this.#drains = new DrainWriter({
      ...{ store, server, clock, log, replica: this.replica, instance: this.#instance },
      besides: () => this.#besides,
    });
  }

  /** Resolves when something is known, or the store cannot be had for now. @throws {StoreRefusedError} Newer data than this program knows. */
  async start(): Promise<void> {
    await this.#checkSchema().catch((error) => {
      if (!(error instanceof StoreUnavailableError)) throw error;
    });
    await this.replica.start();
    this.#news.start();
    this.#comeBackWhenMissed();
    this.#witnessLater();
  }

  /** A process of this name that ends takes the record of the one that takes its place along: that is there again at once. */
  #comeBackWhenMissed(): void {
    const key = KEYS.server(this.#options.configuration.server);
    this.replica.onChange((differences) => {
      const isMissed = differences.some((one) => one.key === key && !one.after);
      if (isMissed && !this.#isClosed) void this.#pulse().catch(() => {});
    });
  }

  /** Own reports that changed. */
  report(reports: Reports): void {
    this.#reports.take(reports);
  }

  /** The store. */
  get store(): Store {
    return this.#options.store;
  }

  /** Nodes of this server's lists, and the pools of its Corefile. */
  get besides(): Besides {
    return this.#besides;
  }

  /** What decides over overrides besides the store. */
  takeBesides(besides: Besides): void {
    this.#besides = besides;
    this.#news.takeBesides(besides);
  }

  /** Until when all that this server has heard of nodes is in the store, where it hears of any. */
  tellNoted(notedMs: () => number): void {
    this.#notedMs = notedMs;
  }

  /** What this server answers from now. */
  tellDigest(digest: string): void {
    this.#digest = digest;
    if (this.#lease) void this.#pulse().catch(() => {});
  }

  /** What it answers by from now. */
  tellAnswering(answering: Answering): void {
    this.#drains.take(answering);
  }

  /** What became of a version of the configuration here. */
  tellSeen(seen: SeenConfiguration): void {
    this.#configuration = seen.runs === 0 ? "" : `${seen.runs}`;
    this.#seen.take(seen);
    if (this.#lease) void this.#pulse().catch(() => {});
  }

  /** Signs something by this server's own key, whose public half is in the store by then: Ed25519, base64. */
  async sign(octets: Uint8Array): Promise<string> {
    await this.#writeKey();
    return sign(null, octets, this.#options.key).toString("base64");
  }

  /** Leaves: the others need not wait for the lease to end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWitness();
    this.#news.close();
    await this.#reports.close();
    await this.#seen.close();
    await this.#drains.close();
    await this.replica.close();
    await this.#lease?.end().catch(() => {});
    await this.#options.store.close();
  }

  /** Writes that the server lives and what it answers from. */
  async #pulse(): Promise<number> {
    if (!this.#isSchemaKnown) await this.#writeSchema();
    try {
      this.#lease ??= await this.#options.store.lease(LEASE_S);
      await this.#lease.renew();
      return await this.#writePulse(this.#lease);
    } catch (error) {
      if (!(error instanceof LeaseEndedError)) throw error;
      this.#lease = await this.#options.store.lease(LEASE_S);
      return await this.#writePulse(this.#lease);
    }
  }

  async #writePulse(lease: Lease): Promise<number> {
    const { store, clock, configuration: { server, region, url, version } } = this.#options;
    this.#lookForNamesake();
    const value = canonicalJson({
      ...{ region, url, version, digest: this.#digest, key: this.#publicKey, nowMs: clock.nowMs() },
      ...{ instance: this.#instance, notedMs: this.#notedMs(), configuration: this.#configuration },
    });
    return (await store.transact([{ put: KEYS.server(server), value, lease }])).revision;
  }

  /** Two servers of one name would each take what the other reports for its own. */
  #lookForNamesake(): void {
    const { log, configuration: { server } } = this.#options;
    const { instance } = JSON.parse(this.replica?.get(KEYS.server(server))?.value ?? "{}");
    if (instance === undefined || instance === this.#instance) {
      this.#hasPulsed ||= instance === this.#instance;
    } else if (this.#hasPulsed) {
      log.error(
        `Another server calls itself ${server}: each needs a name of its own (server NAME in the global options)`,
      );
    }
  }

  /** @throws {StoreRefusedError} @throws {StoreUnavailableError} Half of an import lies there. */
  async #checkSchema(): Promise<void> {
    const entry = await this.#options.store.get(KEYS.schema);
    if (!entry) return;
    checkVersion(entry.value);
    this.#isSchemaKnown = true;
  }

  /** A new store says what it holds, once it is known that it is to be this fleet's. */
  async #writeSchema(): Promise<void> {
    await this.#checkSchema();
    if (this.#isSchemaKnown) return;
    const value = canonicalJson({ version: SCHEMA_VERSION });
    await this.#options.store.transact([{ put: KEYS.schema, value }], [{ key: KEYS.schema, revision: 0 }]);
    await this.#checkSchema();
  }

  /** Before anything is signed by it: what a server has signed is verified when that is gone, or has another key. */
  async #writeKey(): Promise<void> {
    if (this.#isKeyWritten) return;
    const { store, configuration: { server } } = this.#options, key = KEYS.auditKeys(server);
    const entry = await store.get(key), before = entry ? JSON.parse(entry.value).keys as string[] : [];
    if (!before.includes(this.#publicKey)) {
      const keys = [...before, this.#publicKey];
      const { succeeded } = await this.ledger.write(
        [{
          actor: `server:${server}`,
          action: "audit.key",
          subject: `servers/${server}`,
          before,
          after: keys,
        }],
        [{ put: key, value: canonicalJson({ keys }) }],
        [{ key, revision: entry?.revision ?? 0 }],
      );
      if (!succeeded) return await this.#writeKey();
    }
    this.#isKeyWritten = true;
  }

  #witnessLater(): void {
    if (this.#isClosed) return;
    this.#cancelWitness = this.#options.clock.after(WITNESS_MS, async () => {
      try {
        await this.#writeKey();
        await this.ledger.witness(this.#options.key);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) {
          this.#options.log.error(`The audit log could not be signed: ${error}`);
        }
      }
      this.#witnessLater();
    });
  }
}

/** Looks at what lies under the key of the schema. @throws {StoreRefusedError} Newer data than this program knows. @throws {NotWholeError} Half of an import. */
export function checkVersion(schema: string): void {
  const { version } = JSON.parse(schema);
  if (version > SCHEMA_VERSION) {
    throw new StoreRefusedError(
      `the store holds data of version ${version}: this program knows version ${SCHEMA_VERSION} and older`,
    );
  }
  if (!isImporting(schema)) return;
  throw new NotWholeError("half of an import lies there: `meridian state import` ends it, or begins it anew");
}

/** What a running server takes over of a store that others write. @throws {NotWholeError} What it knows is to stay. */
function checkSeal(now: string | undefined, known: string | undefined): void {
  if (now === undefined) {
    if (known === undefined) return;
    throw new NotWholeError(
      "there is nothing in it, though there was: `meridian state import` puts a backup there; to begin anew, remove fleet.json in the state directory and restart",
    );
  }
  try {
    checkVersion(now);
  } catch (error) {
    // It serves on by what it knows, as with any store that is of no use.
    throw error instanceof StoreRefusedError ? new NotWholeError(error.message, { cause: error }) : error;
  }
}

/** The server's key, made at its first start; of a server that keeps nothing, one for as long as it runs. */
export async function readKey(directory: string): Promise<KeyObject> {
  if (!directory) return generateKeyPairSync("ed25519").privateKey;
  const path = `${directory}/server.key`;
  try {
    return createPrivateKey(await Deno.readTextFile(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw new Error(`Cannot use ${path}: ${error}`);
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(path, pem, { mode: 0o600, createNew: true });
  return privateKey;
}
