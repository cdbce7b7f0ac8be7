import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Beats } from "../../../core/registry/beats.ts";
import {
  bucketOf,
  BUCKETS,
  type HeardBucket,
  type LoadBucket,
  loadText,
} from "../../../core/registry/hearings.ts";
import { canonicalJson, type Json } from "../../../core/state/canonical.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { type Store, VALUES_OCTETS_MAX } from "../../../core/state/store.ts";
import { BEAT, QUIET, settled } from "./make.ts";
import { MemoryStore } from "./memory_store.ts";

function make(store: Store = new MemoryStore(), isNode = (_: string) => true) {
  const clock = new ManualClock();
  const beats = new Beats({ store, server: "fra", clock, log: QUIET, leaseMs: 30_000, isNode });
  return { beats, clock, store: store as MemoryStore };
}

const heardIn = (store: MemoryStore, node: string): HeardBucket | undefined => {
  const entry = store.entries.get(KEYS.alive("fra", bucketOf(node)));
  return entry && JSON.parse(entry.value);
};

async function pass(clock: ManualClock, ms: number, stepMs = 100): Promise<void> {
  for (let i = 0; i < ms / stepMs; i++) {
    clock.advance(stepMs);
    await settled();
  }
}

Deno.test("a thousand nodes that are heard within a second are one transaction a second", async () => {
  const { beats, clock, store } = make();
  beats.start();
  await settled();
  for (let i = 0; i < 1000; i++) beats.hear(`node-${i}`, false);
  await pass(clock, 1000);
  assert.equal(store.transactions, 1);
  assert.equal([...store.entries.keys()].filter((key) => key.startsWith("alive/")).length, BUCKETS);
  await pass(clock, 10_000);
  assert.equal(store.transactions, 1, "nothing new, nothing written");
  await beats.close();
});

Deno.test("of ten thousand nodes a quarter is written each second, and only what is in the store counts as noted", async () => {
  const { beats, clock, store } = make();
  beats.start();
  await settled();
  for (let i = 0; i < 10_000; i++) beats.hear(`node-${i}`, false);
  const heardMs = clock.nowMs();
  for (let second = 1; second <= 4; second++) {
    assert.ok(beats.pulse().notedMs <= heardMs, `${second}`);
    await pass(clock, 1000);
    assert.equal(store.transactions, second);
    const written = [...store.entries.keys()].filter((key) => key.startsWith("alive/"));
    assert.equal(written.length, second * BUCKETS / 4);
  }
  assert.ok(beats.pulse().notedMs > heardMs);
  await pass(clock, 10_000);
  assert.equal(store.transactions, 4, "nothing new, nothing written");
  // What is urgent waits for no turn, and what somebody waits for neither.
  for (let i = 0; i < 100; i++) beats.hear(`node-${i}`, true);
  await pass(clock, 300);
  assert.ok(
    Array.from({ length: 100 }, (_, i) => heardIn(store, `node-${i}`)!.draining?.[`node-${i}`]).every(
      Boolean,
    ),
  );
  for (let i = 0; i < 10_000; i++) beats.hear(`node-${i}`, false);
  assert.equal(await beats.flush(), true);
  assert.ok(
    Array.from(
      { length: 10_000 },
      (_, i) => heardIn(store, `node-${i}`)!.heard[`node-${i}`] === clock.nowMs(),
    ).every(Boolean),
  );
  await beats.close();
});

Deno.test("what does not fit in one transaction goes in several", async () => {
  const sizes: number[] = [], store = new MemoryStore();
  const { beats } = make(Object.create(store, {
    list: { value: (prefix: string) => store.list(prefix) },
    transact: {
      value: (...change: Parameters<Store["transact"]>) => {
        const [writes] = change;
        sizes.push(writes.reduce((sum, write) => sum + ("put" in write ? write.value.length : 0), 0));
        return store.transact(...change);
      },
    },
  }));
  for (let i = 0; i < 30_000; i++) beats.hear(`a-node-with-a-rather-long-name-${i}`, false);
  assert.equal(await beats.flush(), true);
  assert.ok(sizes.length >= 2 && Math.max(...sizes) <= VALUES_OCTETS_MAX, `${sizes}`);
  assert.equal([...store.entries.keys()].length, BUCKETS);
  await beats.close();
});

Deno.test("a server that hears nobody for long still writes that it was there, and so does one that ends", async () => {
  const { beats, clock, store } = make();
  beats.start();
  beats.hear("a", false, undefined, 3_600_000);
  await pass(clock, 2000);
  assert.equal(store.transactions, 1);
  await pass(clock, 600_000, 500);
  assert.equal(store.transactions, 1 + 600 / 30);
  await pass(clock, 20_000);
  await beats.close();
  assert.equal(heardIn(store, "a")!.atMs, clock.nowMs());
  // So it is not an absence of ten minutes for which the node's lease would stand still.
  const heardMs = heardIn(store, "a")!.heard.a!, next = make(store).beats;
  next.start();
  await settled();
  await next.flush();
  assert.ok(heardIn(store, "a")!.heard.a! - heardMs <= 1000);
  await next.close();
});

Deno.test("what a store that was made anew has lost is written into it", async () => {
  const { beats, clock, store } = make();
  beats.start();
  for (let i = 0; i < 500; i++) beats.hear(`node-${i}`, false);
  await pass(clock, 2000);
  store.write(
    [...store.entries.keys()].filter((key) => key.startsWith("alive/")).map((remove) => ({ remove })),
  );
  beats.hear("node-1", false);
  await pass(clock, 2000);
  const all = [...store.entries].filter(([key]) => key.startsWith("alive/")).flatMap(([, { value }]) =>
    Object.keys((JSON.parse(value) as HeardBucket).heard)
  );
  assert.equal(all.length, 500);
  await beats.close();
});

Deno.test("what could not be written is written later, and until then counts as not noted", async () => {
  const { beats, clock, store } = make();
  beats.start();
  await pass(clock, 2000);
  beats.hear("a", false);
  const heardMs = clock.nowMs();
  store.isAway = true;
  await pass(clock, 5000);
  assert.ok(beats.fault);
  assert.ok(beats.pulse().notedMs <= heardMs);
  store.isAway = false;
  await pass(clock, 2000);
  assert.equal(beats.fault, undefined);
  assert.deepEqual(heardIn(store, "a")!.heard, { a: heardMs });
  assert.ok(beats.pulse().notedMs > heardMs);
  await beats.close();
});

Deno.test("a server that starts again has heard what it had heard, and says nothing before it knows", async () => {
  const { beats, clock, store } = make();
  const put = (node: string, heard: object) =>
    store.write([{
      put: KEYS.alive("fra", bucketOf(node)),
      value: JSON.stringify({ atMs: clock.nowMs(), heard }),
    }]);
  put("a", { a: clock.nowMs() - 1000 });
  store.isAway = true;
  beats.start();
  beats.hear("b", false);
  await pass(clock, 10_000);
  assert.equal(beats.pulse().notedMs, 0);
  store.isAway = false;
  await pass(clock, 2000);
  assert.ok(
    heardIn(store, "a")!.heard.a! > clock.nowMs() - 5000,
    "the time that it was away is no node's fault",
  );
  assert.ok(heardIn(store, "b")!.heard.b);
  await beats.close();
});

Deno.test("what was heard is taken over but for what cannot be read", async () => {
  const { beats, clock, store } = make(),
    buckets: [number, unknown][] = [
      [bucketOf("a"), {
        atMs: clock.nowMs(),
        heard: { a: clock.nowMs(), b: "now" },
        draining: { a: clock.nowMs() },
      }],
      [bucketOf("toString"), {
        ...{ atMs: clock.nowMs(), heard: { toString: clock.nowMs() }, draining: { a: clock.nowMs() } },
      }],
      [(bucketOf("a") + 1) % BUCKETS, null],
    ];
  for (const [at, value] of buckets) {
    store.write([{ put: KEYS.alive("fra", at), value: JSON.stringify(value) }]);
  }
  beats.start();
  await pass(clock, 2000);
  assert.equal(beats.fault, undefined);
  assert.ok(beats.drainingMs("a"));
  assert.equal(beats.drainingMs("toString"), undefined);
  assert.equal(heardIn(store, "b")?.heard.b, undefined);
  await beats.close();
});

Deno.test("load is written for those who were heard, every ten seconds", async () => {
  const { beats, clock, store } = make();
  beats.start();
  await settled();
  beats.hear("a", false, { ...BEAT.load, capacity: 7 });
  await pass(clock, 11_000);
  const key = KEYS.load("fra", bucketOf("a")), first = store.entries.get(key)!;
  assert.deepEqual((JSON.parse(first.value) as LoadBucket).load, { a: { ...BEAT.load, capacity: 7 } });
  await pass(clock, 20_000);
  assert.equal(store.entries.get(key), first);
  await beats.close();
});

Deno.test("nodes that were removed are forgotten with the end of their lease", async () => {
  const nodes = new Set(["a", "b"]);
  const { beats, clock, store } = make(undefined, (id) => nodes.has(id));
  beats.start();
  beats.hear("a", false);
  beats.hear("b", false);
  await pass(clock, 2000);
  assert.ok(heardIn(store, "a")!.heard.a);
  nodes.delete("a");
  await pass(clock, 31_000);
  assert.deepEqual([heardIn(store, "a")!.heard.a, heardIn(store, "b")!.heard.b !== undefined], [
    undefined,
    true,
  ]);
  await beats.close();
});

Deno.test("while one process takes the place of another, what both hear is joined", async () => {
  const { beats: old, clock, store } = make();
  const ids = Array.from({ length: 1000 }, (_, i) => `n${i}`).filter((id) => bucketOf(id) === bucketOf("n0"));
  const [a, b, c] = ids as [string, string, string];
  const next = new Beats({ store, server: "fra", clock, log: QUIET, leaseMs: 30_000, isNode: () => true });
  const second = clock.nowMs() + 10_000;
  for (const id of [a, b]) old.hear(id, false);
  old.start();
  await pass(clock, 2000);
  next.start();
  await pass(clock, second - clock.nowMs());
  next.hear(a, true);
  await pass(clock, 2000);
  // The one that leaves has heard b and c, and a long ago.
  for (const id of [b, c]) old.hear(id, false);
  const third = clock.nowMs();
  await old.close();
  assert.deepEqual(heardIn(store, a)!.heard, { [a]: second, [b]: third, [c]: third });
  assert.deepEqual(heardIn(store, a)!.draining, { [a]: second });
  await pass(clock, 2000);
  next.hear(a, true);
  const fourth = clock.nowMs();
  await pass(clock, 2000);
  assert.deepEqual(heardIn(store, a)!.heard, { [a]: fourth, [b]: third, [c]: third });
  assert.equal(next.fault, undefined);
  await next.close();
});

Deno.test("a bucket of loads is the canonical text of what is in it, in whatever order nodes were heard", () => {
  const load: Record<string, Json> = {
    b: { cpu: 0.5, capacity: 7 },
    a: { memory: 1, cpu: 0.25 },
    "a.b-c_1": {},
  };
  const texts = new Map(Object.entries(load).map(([id, one]) => [id, canonicalJson(one)]));
  assert.equal(loadText(17, texts), canonicalJson({ atMs: 17, load }));
  assert.equal(loadText(17, new Map()), canonicalJson({ atMs: 17, load: {} }));
});
