import assert from "node:assert/strict";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { openEtcdStore } from "../../../core/state/etcd_store.ts";
import { type Difference, type Keeper, type Kept, Replica } from "../../../core/state/replica.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { type Changes, type Store, StoreUnavailableError } from "../../../core/state/store.ts";
import { EtcdCluster } from "../../support/etcd.ts";
import { until } from "../../support/until.ts";

const LOG = { debug() {}, info() {}, warn() {}, error() {} };

/** A replica that writes its pulse to a key of its own. */
function replicaOf(
  store: Store,
  pulseKey = "pulse/a",
  keeper?: Keeper,
) {
  return new Replica({
    ...{ store, clock: SYSTEM_CLOCK, log: LOG, random: Math.random, ...keeper && { keeper } },
    pulse: async () => (await store.transact([{ put: pulseKey, value: `${Date.now()}` }])).revision,
  });
}

/** Everything that a replica tells, checked to fit: each difference begins where the one before it ended. */
class Witness {
  readonly #seen = new Map<string, string>();
  #count = 0;
  #fault: unknown;

  /** A replica goes on when a listener throws: what this one finds is told by {@linkcode seen} and {@linkcode count}. */
  readonly take = (differences: readonly Difference[]) => {
    try {
      for (const difference of differences) this.#takeOne(difference);
    } catch (error) {
      this.#fault ??= error;
    }
  };

  #takeOne({ key, before, after }: Difference): void {
    assert.equal(this.#seen.get(key), before?.value, `what was told of ${key} before`);
    assert.notDeepEqual(before, after);
    if (after) this.#seen.set(key, after.value);
    else this.#seen.delete(key);
    this.#count++;
  }

  get seen(): Map<string, string> {
    if (this.#fault) throw this.#fault;
    return this.#seen;
  }

  get count(): number {
    if (this.#fault) throw this.#fault;
    return this.#count;
  }
}

async function withSqlite(run: (open: () => Store, file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), stores: Store[] = [], file = `${folder}/fleet.db`;
  try {
    await run(() => stores[stores.push(openSqliteStore(file, SYSTEM_CLOCK)) - 1]!, file);
  } finally {
    for (const store of stores) await store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a replica knows what there is, and what comes to be", async () => {
  await withSqlite(async (open) => {
    const store = open();
    await store.transact([{ put: "nodes/a", value: "1" }, { put: "nodes/b", value: "2" }, {
      put: "o",
      value: "3",
    }]);
    const replica = replicaOf(store);
    await replica.start();
    assert.deepEqual([...replica.below("nodes/")].map(({ key }) => key).toSorted(), ["nodes/a", "nodes/b"]);
    const witness = new Witness();
    for (const { key, value } of replica.below("")) witness.seen.set(key, value);
    replica.onChange(witness.take);
    const { revision } = await open().transact([{ put: "nodes/a", value: "4" }, { remove: "nodes/b" }]);
    assert.ok(await replica.reached(revision, 60_000));
    assert.equal(replica.get("nodes/a")!.value, "4");
    assert.equal(replica.get("nodes/b"), undefined);
    assert.equal(witness.seen.get("nodes/a"), "4");
    assert.ok(Date.now() - replica.confirmedMs! < 60_000);
    await replica.close();
  });
});

Deno.test("a replica whose store is gone knows what was kept, and how old that is", async () => {
  const kept: Kept = {
    confirmedMs: 1000,
    revision: 7,
    entries: [{ key: "nodes/a", value: "1", revision: 7, version: 1 }],
  };
  const store = openEtcdStore({ urls: ["http://127.0.0.1:1"] });
  const replica = replicaOf(store, "pulse", { read: () => Promise.resolve(kept), keep() {} });
  await replica.start();
  assert.equal(replica.get("nodes/a")!.value, "1");
  assert.equal(replica.confirmedMs, 1000);
  const { message } = await until("a fault", () => replica.fault);
  assert.match(message, /etcd cannot be asked/);
  await replica.close();
  await store.close();
});

Deno.test("a replica without anything starts all the same when its store is gone", async () => {
  const store = openEtcdStore({ urls: ["http://127.0.0.1:1"] });
  const replica = replicaOf(store);
  await replica.start();
  assert.equal(replica.confirmedMs, undefined);
  assert.deepEqual([...replica.below("")], []);
  await replica.close();
  await store.close();
});

Deno.test("what a replica keeps is what it knows at the end", async () => {
  await withSqlite(async (open) => {
    const store = open(), kept: Kept[] = [];
    let isWritten = false;
    const replica = replicaOf(store, "pulse", {
      read: () => Promise.resolve(undefined),
      keep: (value) => void kept.push(value),
      async close() {
        await new Promise((resolve) => setTimeout(resolve, 5));
        isWritten = true;
      },
    });
    await replica.start();
    const { revision } = await store.transact([{ put: "nodes/a", value: "1" }]);
    assert.ok(await replica.reached(revision, 60_000));
    await replica.close();
    assert.ok(isWritten, "whoever closes it ends the process: what is to be kept has been written then");
    assert.equal(kept.at(-1)!.revision, revision);
    assert.ok(kept.at(-1)!.entries.some(({ key, value }) => key === "nodes/a" && value === "1"));
  });
});

Deno.test("of a store that was put back a replica tells what differs", async () => {
  await withSqlite(async (open) => {
    const store = open();
    await store.transact([{ put: "nodes/a", value: "now" }]);
    const entry = (key: string, revision: number) => ({ key, value: "then", revision, version: 1 });
    const kept: Kept = {
      confirmedMs: 1,
      revision: 99,
      entries: [entry("nodes/a", 98), entry("nodes/b", 99)],
    };
    const replica = replicaOf(store, "pulse", { read: () => Promise.resolve(kept), keep() {} });
    const witness = new Witness();
    replica.onChange(witness.take);
    await replica.start();
    await until("the store to be asked", () => replica.revision !== 99);
    assert.equal(replica.get("nodes/a")!.value, "now");
    assert.equal(replica.get("nodes/b"), undefined);
    assert.equal(witness.seen.get("nodes/a"), "now");
    await replica.close();
  });
});

Deno.test("a listener that throws keeps nobody else from hearing", async () => {
  await withSqlite(async (open) => {
    const store = open(), replica = replicaOf(store), heard: string[] = [];
    await replica.start();
    replica.onChange(() => {
      throw new Error("on purpose");
    });
    replica.onChange((differences) => heard.push(...differences.map(({ key }) => key)));
    const { revision } = await store.transact([{ put: "nodes/a", value: "1" }]);
    assert.ok(await replica.reached(revision, 60_000));
    assert.ok(heard.includes("nodes/a"));
    await replica.close();
  });
});

Deno.test("a replica whose store has gone away says so until that confirms something, and knows how old it is", async () => {
  const clock = new ManualClock(1000), unavailable = new StoreUnavailableError("it is away");
  const revision = 1;
  let isThere = true, asked = 0;
  const store = {
    name: "one that goes away",
    list: () => Promise.resolve({ revision, entries: [] }),
    transact: () => isThere ? Promise.resolve({ succeeded: true, revision }) : Promise.reject(unavailable),
    // deno-lint-ignore require-yield
    async *watch(_prefix: string, _after: number, signal: AbortSignal) {
      asked++;
      if (!isThere) throw unavailable;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as Store;
  const replica = new Replica({
    ...{ store, clock, log: LOG, random: () => 0.5 },
    pulse: async () => (await store.transact([])).revision,
  });
  const pass = async (ms: number) => {
    for (; ms > 0; ms -= 100) {
      clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  };
  await replica.start();
  assert.equal(replica.confirmedMs, 1000);
  isThere = false;
  await pass(5000);
  const before = asked;
  for (let i = 0; i < 20; i++) {
    await pass(500);
    assert.equal(replica.fault, unavailable);
    assert.equal(replica.confirmedMs, 1000, "to try it again confirms nothing");
  }
  assert.ok(asked - before >= 3 && asked - before < 12, `asked ${asked - before} times in 10 s`);
  isThere = true;
  await pass(5000);
  assert.equal(replica.fault, undefined);
  assert.ok(replica.confirmedMs! > 16_000);
  await replica.close();
});

Deno.test("what a watch tells again is told once", async () => {
  const entry = { key: "nodes/a", value: "1", revision: 2, version: 1 };
  const batch: Changes = { revision: 2, changes: [{ kind: "put", entry }] };
  const store = {
    name: "one that repeats itself",
    list: () => Promise.resolve({ revision: 1, entries: [] }),
    transact: () => Promise.resolve({ succeeded: true, revision: 2 }),
    async *watch(_prefix: string, _after: number, signal: AbortSignal) {
      yield* [batch, batch];
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as Store;
  const replica = replicaOf(store), witness = new Witness();
  replica.onChange(witness.take);
  await replica.start();
  assert.ok(await replica.reached(2, 60_000));
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(witness.count, 1);
  await replica.close();
});

Deno.test("a leader of etcd is killed, and what happened is forgotten: nothing is lost or told twice", async () => {
  await using cluster = await EtcdCluster.start(3, [
    "--heartbeat-interval",
    "50",
    "--election-timeout",
    "500",
  ]);
  const [reading, writing] = [openEtcdStore(cluster), openEtcdStore(cluster)];
  const replica = replicaOf(reading), witness = new Witness();
  replica.onChange(witness.take);
  await replica.start();
  const written = new Map<string, string>();
  /** Writes until the store says that it is done: what was not known to be done is done again, with the same outcome. */
  const write = async (i: number) => {
    const key = `nodes/${i % 17}`, value = `${i}`, removes = i % 5 === 4;
    for (;;) {
      try {
        await writing.transact([removes ? { remove: key } : { put: key, value }]);
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    if (removes) written.delete(key);
    else written.set(key, value);
  };
  /** Once the store answers: it may want another leader whenever the machine is slow. */
  const listed = () => until("the store to answer", () => writing.list("").catch(() => undefined));
  for (let i = 0; i < 300; i++) {
    if (i === 60 || i === 180) {
      const leader = await cluster.leader();
      await leader.kill();
      for (let j = 0; j < 5; j++) await write(i + j);
      leader.start();
    }
    if (i === 120 || i === 240) {
      const { revision } = await listed();
      await fetch(`${(await cluster.leader()).url}/v3/kv/compaction`, {
        ...{ method: "POST", body: JSON.stringify({ revision: `${revision}` }) },
      }).then((response) => response.body?.cancel());
    }
    await write(i);
  }
  const { revision, entries } = await listed();
  assert.ok(await replica.reached(revision, 60_000), "the replica comes to the last revision");
  const nodes = (pairs: Iterable<[string, string]>) =>
    [...pairs].filter(([key]) => key.startsWith("nodes/")).toSorted();
  assert.deepEqual(nodes(entries.map(({ key, value }) => [key, value])), nodes(written));
  assert.deepEqual(nodes([...replica.below("")].map(({ key, value }) => [key, value])), nodes(written));
  assert.deepEqual(nodes(witness.seen), nodes(written));
  await replica.close();
  await reading.close();
  await writing.close();
});
