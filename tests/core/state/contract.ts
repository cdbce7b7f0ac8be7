/**
 * What every store does, as tests that each driver passes.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type Change,
  type Changes,
  CompactedError,
  KEY_OCTETS_MAX,
  type Lease,
  LeaseEndedError,
  type Store,
  VALUES_OCTETS_MAX,
  WRITES_MAX,
} from "../../../core/state/store.ts";
import { until } from "../../support/until.ts";

/** A store to be tested: each handle is one that another process could have. */
export interface Subject {
  readonly kind: string;
  /** Opens a new, empty store; further handles of it by `again`. */
  open(): Promise<Opened>;
  /** Makes the store forget what was before its present revision. */
  compact(store: Opened): Promise<void>;
}

export interface Opened extends AsyncDisposable {
  readonly store: Store;
  again(): Promise<Store>;
}

/** Declares the tests. */
export function testContract(subject: Subject): void {
  const { kind } = subject;
  const test = (name: string, run: (store: Store, opened: Opened) => Promise<void>) =>
    Deno.test(`${kind}: ${name}`, async () => {
      await using opened = await subject.open();
      await run(opened.store, opened);
    });

  test("get() of a key that is not there is undefined", async (store) => {
    assert.equal(await store.get("nodes/a"), undefined);
  });

  test("a key that was written is there, with its revision and version", async (store) => {
    const first = await store.transact([{ put: "nodes/a", value: `"ä ∞"` }]);
    assert.equal(first.succeeded, true);
    assert.deepEqual(await store.get("nodes/a"), {
      key: "nodes/a",
      value: `"ä ∞"`,
      revision: first.revision,
      version: 1,
    });
    const second = await store.transact([{ put: "nodes/a", value: "2" }]);
    assert.equal(second.revision, first.revision + 1);
    assert.deepEqual(await store.get("nodes/a"), {
      key: "nodes/a",
      value: "2",
      revision: second.revision,
      version: 2,
    });
  });

  test("a key that was removed begins anew", async (store) => {
    await store.transact([{ put: "a", value: "1" }]);
    await store.transact([{ put: "a", value: "2" }]);
    await store.transact([{ remove: "a" }]);
    assert.equal(await store.get("a"), undefined);
    const { revision } = await store.transact([{ put: "a", value: "3" }]);
    assert.deepEqual(await store.get("a"), { key: "a", value: "3", revision, version: 1 });
  });

  test("list() has what begins with the prefix, in order, and nothing else", async (store) => {
    const keys = ["b/", "b/2", "b/10", "b/~", "b0", "a", "b", "c/1"];
    await store.transact(keys.map((key) => ({ put: key, value: key })));
    const { entries } = await store.list("b/");
    assert.deepEqual(entries.map(({ key }) => key), ["b/", "b/10", "b/2", "b/~"]);
    assert.deepEqual(entries.map(({ value }) => value), ["b/", "b/10", "b/2", "b/~"]);
    assert.deepEqual((await store.list("")).entries.map(({ key }) => key), keys.toSorted());
  });

  test("list() of very many keys is whole, and of one revision", async (store) => {
    for (let i = 0; i < 1500; i += 50) {
      await store.transact(Array.from({ length: 50 }, (_, j) => ({ put: `k/${1000 + i + j}`, value: "v" })));
    }
    const { entries, revision } = await store.list("k/");
    assert.equal(entries.length, 1500);
    assert.deepEqual(entries.map(({ key }) => key), entries.map(({ key }) => key).toSorted());
    assert.equal(revision, entries.at(-1)!.revision);
  });

  test("a transaction writes everything or nothing", async (store) => {
    const { revision } = await store.transact([{ put: "a", value: "1" }]);
    const failed = await store.transact([{ put: "b", value: "2" }, { remove: "a" }], [
      { key: "a", revision },
      { key: "c", revision: 7 },
    ]);
    assert.deepEqual(failed, { succeeded: false, revision });
    assert.deepEqual((await store.list("")).entries.map(({ key }) => key), ["a"]);
    const done = await store.transact([{ put: "b", value: "2" }, { remove: "a" }], [
      { key: "a", revision },
      { key: "c", revision: 0 },
    ]);
    assert.deepEqual(done, { succeeded: true, revision: revision + 1 });
    assert.deepEqual((await store.list("")).entries.map(({ key }) => key), ["b"]);
  });

  test("of many that each count one up where it stands, none is lost", async (store, opened) => {
    const stores = [store, await opened.again(), await opened.again()];
    await store.transact([{ put: "n", value: "0" }]);
    await Promise.all(stores.map(async (store) => {
      for (let done = 0; done < 20;) {
        const { value, revision } = (await store.get("n"))!;
        const outcome = await store.transact([{ put: "n", value: `${Number(value) + 1}` }], [{
          key: "n",
          revision,
        }]);
        if (outcome.succeeded) done++;
      }
    }));
    assert.equal((await store.get("n"))!.value, "60");
  });

  test("what changes nothing is no revision", async (store) => {
    const { revision } = await store.transact([{ put: "a", value: "1" }]);
    assert.equal((await store.transact([{ remove: "b" }])).revision, revision);
    assert.equal((await store.transact([], [{ key: "a", revision }])).revision, revision);
  });

  test("what cannot be written is refused", async (store) => {
    const refused = (writes: Parameters<Store["transact"]>[0]) =>
      assert.rejects(store.transact(writes), RangeError);
    await refused([{ put: "", value: "" }]);
    await refused([{ put: "with space", value: "" }]);
    await refused([{ put: "ü", value: "" }]);
    await refused([{ put: "k".repeat(KEY_OCTETS_MAX + 1), value: "" }]);
    await refused([{ put: "a", value: "ü".repeat(VALUES_OCTETS_MAX / 2 + 1) }]);
    await refused([{ put: "a", value: "x" }, { put: "b", value: "x".repeat(VALUES_OCTETS_MAX) }]);
    await refused([{ put: "a", value: "1" }, { remove: "a" }]);
    await refused(Array.from({ length: WRITES_MAX + 1 }, (_, i) => ({ put: `${i}`, value: "" })));
    assert.deepEqual((await store.list("")).entries, []);
    const most = "x".repeat(VALUES_OCTETS_MAX);
    await store.transact([{ put: "k".repeat(KEY_OCTETS_MAX), value: most }]);
    assert.equal((await store.get("k".repeat(KEY_OCTETS_MAX)))!.value, most);
  });

  test("the largest transaction goes through", async (store) => {
    const keys = Array.from({ length: WRITES_MAX }, (_, i) => `k/${100 + i}`);
    const outcome = await store.transact(
      keys.map((key) => ({ put: key, value: key })),
      keys.map((key) => ({ key, revision: 0 })),
    );
    assert.equal(outcome.succeeded, true);
    assert.deepEqual((await store.list("k/")).entries.map(({ value }) => value), keys);
  });

  test(
    "a watcher hears of every transaction once, whole and in order, of whoever wrote it",
    async (store, opened) => {
      const other = await opened.again();
      const { revision: after } = await store.transact([{ put: "n/0", value: "before" }]);
      const heard = listen(store, "n/", after);
      for (let i = 1; i <= 30; i++) {
        await (i % 2 ? store : other).transact([{ put: `n/${i}`, value: `${i}` }, { remove: `n/${i - 1}` }, {
          put: `o/${i}`,
          value: "not watched",
        }]);
      }
      const changes = await heard.until((all) => all.length >= 30);
      assert.deepEqual(
        changes.map(({ changes }) =>
          changes.map((change) => change.kind === "put" ? change.entry.value : change.key)
        ),
        Array.from({ length: 30 }, (_, i) => {
          const [put, removed] = [`${i + 1}`, `n/${i}`];
          return removed < `n/${i + 1}` ? [removed, put] : [put, removed];
        }),
      );
      assert.deepEqual(
        changes.map(({ revision }) => revision),
        changes.map(({ revision }) => revision).toSorted((a, b) => a - b),
      );
      assert.ok(changes[0]!.revision > after);
      await heard.end();
    },
  );

  test("a watcher that comes back hears of what was in the meantime", async (store) => {
    const { revision } = await store.transact([{ put: "a", value: "1" }]);
    await store.transact([{ put: "a", value: "2" }]);
    await store.transact([{ remove: "a" }]);
    const heard = listen(store, "", revision);
    const [second, third] = await heard.until((all) => all.length >= 2);
    assert.deepEqual(second!.changes, [{
      kind: "put",
      entry: { key: "a", value: "2", revision: revision + 1, version: 2 },
    }]);
    assert.deepEqual(third, { revision: revision + 2, changes: [{ kind: "delete", key: "a" }] });
    await heard.end();
  });

  test("a watcher ends when it is told to", async (store) => {
    const heard = listen(store, "", (await store.list("")).revision);
    await heard.end();
    assert.deepEqual(heard.all, []);
  });

  test("what is so long ago that it is forgotten cannot be watched", async (store, opened) => {
    const { revision } = await store.transact([{ put: "a", value: "1" }]);
    await store.transact([{ put: "a", value: "2" }]);
    await store.transact([{ put: "a", value: "3" }]);
    await subject.compact(opened);
    await assert.rejects(listen(store, "", revision).until((all) => all.length >= 2), CompactedError);
    const { revision: now } = await store.list("");
    const heard = listen(store, "", now);
    await store.transact([{ put: "a", value: "4" }]);
    assert.equal((await heard.until((all) => all.length >= 1))[0]!.revision, now + 1);
    await heard.end();
  });

  test("what is not yet cannot be watched: the store was put back to an earlier state", async (store) => {
    const { revision } = await store.transact([{ put: "a", value: "1" }]);
    await assert.rejects(listen(store, "", revision + 5).until((all) => all.length >= 1), CompactedError);
  });

  test("keys go with their lease, and everybody hears of it", async (store, opened) => {
    const other = await opened.again();
    const { lease, revision } = await withinLease(store, (lease) =>
      store.transact([
        { put: "a", value: "1", lease },
        { put: "b", value: "2", lease },
        { put: "c", value: "3" },
      ]));
    const heard = listen(other, "", revision);
    const gone = await heard.until((all) => all.flatMap(({ changes }) => changes).length >= 2);
    assert.deepEqual(gone.flatMap(({ changes }) => changes).toSorted(byKey), [
      { kind: "delete", key: "a" },
      { kind: "delete", key: "b" },
    ]);
    assert.deepEqual((await store.list("")).entries.map(({ key }) => key), ["c"]);
    await assert.rejects(lease.renew(), LeaseEndedError);
    await assert.rejects(store.transact([{ put: "d", value: "4", lease }]), LeaseEndedError);
    assert.equal(await store.get("d"), undefined);
    await heard.end();
  });

  test("a lease that is renewed goes on, and one that is ended ends at once", async (store) => {
    const lease = await until("a lease that was renewed all the time", () => longRenewed(store));
    assert.equal((await store.get("a"))!.value, "1");
    await lease.end();
    assert.equal(await store.get("a"), undefined);
    await lease.end();
  });

  test("a key that is written again without its lease outlives it", async (store) => {
    const lease = await store.lease(60);
    await store.transact([{ put: "a", value: "1", lease }]);
    await store.transact([{ put: "a", value: "2" }]);
    await lease.end();
    assert.equal((await store.get("a"))!.value, "2");
  });
}

/** Writes under a lease of a second; under another one where the machine stood still until that had ended. */
async function withinLease(
  store: Store,
  write: (lease: Lease) => ReturnType<Store["transact"]>,
): Promise<{ lease: Lease; revision: number }> {
  for (;;) {
    const lease = await store.lease(1);
    try {
      return { lease, revision: (await write(lease)).revision };
    } catch (error) {
      if (!(error instanceof LeaseEndedError)) throw error;
    }
  }
}

/** A lease that holds `a`, and would be over by now; undefined where the machine stood still for nearly as long as it holds. */
async function longRenewed(store: Store): Promise<Lease | undefined> {
  const lease = await store.lease(4);
  await store.transact([{ put: "a", value: "1", lease }]);
  for (let i = 0, renewedMs = performance.now(); i < 9; i++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const beforeMs = performance.now();
    try {
      await lease.renew();
    } catch (error) {
      if (error instanceof LeaseEndedError && performance.now() - renewedMs > 2500) return undefined;
      throw error;
    }
    renewedMs = beforeMs;
  }
  return lease;
}

const keyOf = (change: Change) => change.kind === "put" ? change.entry.key : change.key;
const byKey = (a: Change, b: Change) => keyOf(a) < keyOf(b) ? -1 : 1;

/** Collects what a watcher hears, empty batches aside: after these too only what is later may come. */
export function listen(store: Store, prefix: string, after: number) {
  const all: Changes[] = [], controller = new AbortController();
  let wake = Promise.withResolvers<void>();
  const ended = (async () => {
    let known = after;
    for await (const batch of store.watch(prefix, after, controller.signal)) {
      const isNew = batch.revision > known || batch.changes.length === 0;
      assert.ok(isNew, `revision ${batch.revision} is told after ${known}`);
      known = batch.revision;
      if (batch.changes.length > 0) all.push(batch);
      wake.resolve();
    }
  })();
  ended.catch(() => wake.resolve());
  return {
    all,
    /** Everything heard, as soon as that suffices. @throws What the watch throws. */
    async until(suffices: (all: readonly Changes[]) => boolean): Promise<readonly Changes[]> {
      while (!suffices(all)) {
        wake = Promise.withResolvers<void>();
        await Promise.race([wake.promise, ended]);
      }
      return all;
    },
    async end(): Promise<void> {
      controller.abort();
      await ended;
    },
  };
}
