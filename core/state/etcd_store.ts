/**
 * A store in etcd v3: for several servers. All keys lie below `/meridian/`, or another prefix.
 *
 * Reads are linearizable. A transaction is one of etcd's, with conditions on when keys were changed last.
 *
 * @module
 */

import { decodeBase64, encodeBase64 } from "./base64.ts";
import { EtcdClient, EtcdError, type EtcdOptions } from "./etcd_client.ts";
import {
  beyond,
  type Change,
  type Changes,
  checkTransaction,
  CompactedError,
  type Condition,
  type Entry,
  keyOf,
  type Lease,
  LeaseEndedError,
  type Listing,
  type Outcome,
  type Store,
  StoreUnavailableError,
  type Write,
} from "./store.ts";

/** How many keys a page of a listing has. */
const PAGE_KEYS = 1000;

/** Where the keys of a fleet lie, unless said otherwise. */
export const ETCD_PREFIX = "/meridian/";

/** A store in etcd. Nothing is asked before the first operation. @param prefix Before every key. */
export function openEtcdStore(options: EtcdOptions, prefix: string = ETCD_PREFIX): Store {
  return new EtcdStore(options, prefix);
}

interface Header {
  readonly revision?: string;
}

interface KeyValue {
  readonly key: string;
  readonly value?: string;
  readonly mod_revision: string;
  readonly version?: string;
}

interface RangeReply {
  readonly header: Header;
  readonly kvs?: readonly KeyValue[];
  readonly more?: boolean;
}

interface WatchReply {
  readonly result?: {
    readonly header: Header;
    readonly created?: boolean;
    readonly canceled?: boolean;
    readonly cancel_reason?: string;
    readonly compact_revision?: string;
    readonly events?: readonly { readonly type?: "DELETE"; readonly kv: KeyValue }[];
  };
  readonly error?: { readonly message?: string };
}

class EtcdStore implements Store {
  readonly name: string;
  readonly #client: EtcdClient;
  readonly #prefix: string;

  constructor(options: EtcdOptions, prefix: string) {
    this.name = `etcd ${options.urls.join(" ")}`;
    this.#client = new EtcdClient(options);
    this.#prefix = prefix;
  }

  async get(key: string): Promise<Entry | undefined> {
    const { kvs } = await this.#range({ key: this.#wire(key) });
    return kvs?.[0] && this.#entry(kvs[0]);
  }

  async list(prefix: string): Promise<Listing> {
    const entries: Entry[] = [];
    for (let from = prefix, revision: string | undefined;;) {
      const page = await this.#range({
        key: this.#wire(from),
        range_end: this.#end(prefix),
        limit: PAGE_KEYS,
        ...revision !== undefined && { revision },
      });
      revision ??= page.header.revision ?? "0";
      for (const pair of page.kvs ?? []) entries.push(this.#entry(pair));
      if (!page.more) return { revision: Number(revision), entries };
      // The least key that is greater.
      from = entries.at(-1)!.key + "\0";
    }
  }

  async transact(writes: readonly Write[], conditions: readonly Condition[] = []): Promise<Outcome> {
    checkTransaction(writes, conditions);
    const lease = writes.map((write) => "put" in write && write.lease?.id).find((id) => id) || "";
    try {
      const reply = await this.#client.ask<{ header: Header; succeeded?: boolean }>("/v3/kv/txn", {
        compare: conditions.map(({ key, revision }) => ({
          ...{ key: this.#wire(key), target: "MOD", result: "EQUAL", mod_revision: `${revision}` },
        })),
        success: writes.map((write) => this.#operation(write)),
      }, "when refused");
      return { succeeded: reply.succeeded ?? false, revision: Number(reply.header.revision ?? 0) };
    } catch (error) {
      throw /lease not found/.test((error as Error).message) ? new LeaseEndedError(lease) : error;
    }
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncGenerator<Changes> {
    // Members would wait for a revision that is yet to come.
    if (await this.#revision() < after) throw new CompactedError();
    if (signal.aborted) return;
    const request = {
      create_request: {
        ...{ key: this.#wire(prefix), range_end: this.#end(prefix), start_revision: `${after + 1}` },
        progress_notify: true,
      },
    };
    for await (const { result, error } of this.#client.follow<WatchReply>("/v3/watch", request, signal)) {
      if (result?.compact_revision) throw new CompactedError();
      if (!result || result.canceled) {
        throw new StoreUnavailableError(
          "etcd ended the watch: " + (result?.cancel_reason ?? error?.message ?? "it gave no reason"),
        );
      }
      // The first reply has the store's present revision, and comes before what happened until then.
      if (!result.created) yield* this.#batches(result);
      if (signal.aborted) return;
    }
  }

  async lease(seconds: number): Promise<Lease> {
    const { ID: id } = await this.#client.ask<{ ID: string }>(
      "/v3/lease/grant",
      { TTL: Math.ceil(seconds) },
      "always",
    );
    return { id, seconds, renew: () => this.#renew(id), end: () => this.#revoke(id) };
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #renew(id: string): Promise<void> {
    const { result } = await this.#client.ask<{ result?: { TTL?: string } }>("/v3/lease/keepalive", {
      ID: id,
    }, "always");
    if (!Number(result?.TTL ?? 0)) throw new LeaseEndedError(id);
  }

  async #revoke(id: string): Promise<void> {
    try {
      await this.#client.ask("/v3/lease/revoke", { ID: id }, "always");
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
    }
  }

  async #revision(): Promise<number> {
    const { header } = await this.#range({ key: this.#wire("!"), count_only: true });
    return Number(header.revision ?? 0);
  }

  #range(request: Record<string, unknown>): Promise<RangeReply> {
    return this.#client.ask<RangeReply>("/v3/kv/range", request, "always");
  }

  #operation(write: Write): unknown {
    const key = this.#wire(keyOf(write));
    if (!("put" in write)) return { request_delete_range: { key } };
    return {
      request_put: { key, value: encodeBase64(write.value), ...write.lease && { lease: write.lease.id } },
    };
  }

  /** One batch for each transaction; an empty one where only time has passed. */
  #batches({ header, events = [] }: NonNullable<WatchReply["result"]>): Changes[] {
    const batches: { revision: number; changes: Change[] }[] = [];
    for (const { type, kv } of events) {
      const revision = Number(kv.mod_revision);
      if (batches.at(-1)?.revision !== revision) batches.push({ revision, changes: [] });
      const change: Change = type === "DELETE"
        ? { kind: "delete", key: this.#key(kv.key) }
        : { kind: "put", entry: this.#entry(kv) };
      batches.at(-1)!.changes.push(change);
    }
    for (const { changes } of batches) changes.sort((a, b) => keyOfChange(a) < keyOfChange(b) ? -1 : 1);
    return batches.length > 0 ? batches : [{ revision: Number(header.revision), changes: [] }];
  }

  #entry({ key, value = "", mod_revision, version }: KeyValue): Entry {
    return {
      key: this.#key(key),
      value: decodeBase64(value),
      revision: Number(mod_revision),
      version: Number(version ?? 1),
    };
  }

  #wire(key: string): string {
    return encodeBase64(this.#prefix + key);
  }

  #end(prefix: string): string {
    return encodeBase64(beyond(this.#prefix + prefix));
  }

  #key(wire: string): string {
    return decodeBase64(wire).slice(this.#prefix.length);
  }
}

function keyOfChange(change: Change): string {
  return change.kind === "put" ? change.entry.key : change.key;
}
