import assert from "node:assert/strict";
import {
  bucketOf,
  BUCKETS,
  type HeardBucket,
  heardText,
  leaseMsIn,
} from "../../../core/registry/hearings.ts";
import { Noted } from "../../../core/registry/noted.ts";
import { canonicalJson } from "../../../core/state/canonical.ts";

const LEASE = 30_000, NOW = 1_700_000_000_000;

/** What would be written of all nodes. */
function written(noted: Noted, nowMs: number): HeardBucket["heard"] {
  const buckets = Array.from({ length: BUCKETS }, (_, at) => JSON.parse(noted.text(at, nowMs, () => true)));
  return Object.assign({}, ...buckets.map(({ heard }: HeardBucket) => heard));
}

/** Lets time go by as a server that is there does. */
function tick(noted: Noted, fromMs: number, toMs: number): void {
  for (let atMs = fromMs; atMs <= toMs; atMs += 1000) noted.end(atMs);
}

Deno.test("a bucket's text is canonical, and nodes are spread over all buckets", () => {
  const a = { id: "a", heardMs: 1, drainingMs: undefined, leaseMs: LEASE };
  const b = { id: "b", heardMs: 2, drainingMs: 1, leaseMs: LEASE };
  const text = heardText(5, LEASE, [a, b]);
  assert.equal(text, '{"atMs":5,"draining":{"b":1},"heard":{"a":1,"b":2}}');
  assert.equal(text, canonicalJson(JSON.parse(text)));
  assert.equal(heardText(5, LEASE, []), canonicalJson({ atMs: 5, heard: {} }));
  const other = heardText(5, 12_000, [{ ...a, leaseMs: 12_000 }, b]);
  assert.equal(
    other,
    '{"atMs":5,"draining":{"b":1},"heard":{"a":1,"b":2},"leaseMs":12000,"leases":{"b":30000}}',
  );
  assert.equal(other, canonicalJson(JSON.parse(other)));
  assert.deepEqual(["a", "b", "c"].map((id) => leaseMsIn(JSON.parse(other), id)), [12_000, LEASE, 12_000]);
  assert.equal(leaseMsIn(JSON.parse(text), "a"), LEASE);
  const sizes = new Array<number>(BUCKETS).fill(0);
  for (let i = 0; i < 6400; i++) sizes[bucketOf(`node-${i}`)]!++;
  assert.ok(Math.min(...sizes) > 50 && Math.max(...sizes) < 150, `${sizes}`);
});

Deno.test("what changed is to be written, once; the end of a lease at once", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("a", NOW, false);
  assert.deepEqual([noted.changed(false), noted.changed(true)], [[bucketOf("a")], []]);
  noted.text(bucketOf("a"), NOW, () => true);
  assert.deepEqual(noted.changed(false), []);
  assert.equal(noted.end(NOW + 1000), NOW + LEASE);
  tick(noted, NOW + 2000, NOW + LEASE - 1);
  assert.deepEqual(noted.changed(true), []);
  assert.equal(noted.end(NOW + LEASE), Infinity);
  assert.deepEqual(noted.changed(true), [bucketOf("a")]);
  noted.text(bucketOf("a"), NOW + LEASE, () => true);
  assert.equal(noted.hear("a", NOW + LEASE + 5, false), true, "it is back: that is news");
  assert.deepEqual(noted.changed(true), [bucketOf("a")]);
});

Deno.test("a longer lease is to be written at once: whoever has the shorter one would take the node for gone", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("a", NOW, false);
  assert.equal(noted.hear("a", NOW + 1, false, LEASE), false);
  assert.equal(noted.hear("a", NOW + 2, false, 2 * LEASE), true);
  assert.deepEqual(noted.changed(true), [bucketOf("a")]);
  assert.equal(noted.hear("a", NOW + 3, false, LEASE), false);
});

Deno.test("that a node drains, or does not any more, is to be written at once", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("a", NOW, false);
  noted.text(bucketOf("a"), NOW, () => true);
  assert.equal(noted.hear("a", NOW + 1, true), true);
  assert.deepEqual(JSON.parse(noted.text(bucketOf("a"), NOW + 2, () => true)), {
    ...{ atMs: NOW + 2, draining: { a: NOW + 1 }, heard: { a: NOW + 1 } },
  });
  assert.equal(noted.hear("a", NOW + 3, true), false);
  assert.equal(noted.drainingMs("a"), NOW + 1);
  assert.equal(noted.hear("a", NOW + 4, false), true);
});

Deno.test("time in which the server was not there counts against no node, and revives none", () => {
  for (const awayMs of [3000, 40_000, 86_400_000, -3_600_000]) {
    const noted = new Noted(LEASE, NOW - LEASE);
    noted.hear("gone", NOW - LEASE, false);
    tick(noted, NOW - LEASE, NOW - 5000);
    noted.hear("alive", NOW - 5000, false);
    tick(noted, NOW - 5000, NOW);
    noted.end(NOW + awayMs);
    assert.deepEqual(
      written(noted, NOW + awayMs),
      { gone: NOW - LEASE, alive: NOW - 5000 + awayMs },
      `${awayMs}`,
    );
  }
});

Deno.test("who is heard right after an absence is not heard in the future", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("a", NOW, false);
  noted.hear("a", NOW + 60_000, false);
  noted.end(NOW + 60_000);
  assert.deepEqual(written(noted, NOW + 60_000), { a: NOW + 60_000 });
});

Deno.test("a stall that event loops have is no absence", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("a", NOW, false);
  noted.end(NOW + 1900);
  assert.deepEqual(written(noted, NOW + 1900), { a: NOW });
});

Deno.test("a server that starts again goes on where it was: leases stand still while it is away", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("new", NOW, false);
  const atMs = NOW - 100_000;
  noted.recall([
    { atMs, heard: { alive: atMs - 4000, new: atMs - 8000 }, draining: { alive: atMs - 6000 } },
    { atMs: atMs - 60_000, heard: { gone: atMs - 60_000 - LEASE, over: atMs - 60_000 } },
  ], NOW);
  assert.deepEqual(written(noted, NOW), {
    ...{ alive: NOW - 4000, new: NOW, gone: atMs - 60_000 - LEASE, over: atMs - 60_000 },
  });
  assert.equal(noted.drainingMs("alive"), atMs - 6000);
  noted.end(NOW + 1);
  assert.deepEqual(noted.changed(true), [bucketOf("over")]);
});

Deno.test("a node may be silent for as long as it was told when it was heard, whatever others are told since", () => {
  for (const [beforeMs, sinceMs] of [[LEASE, 12_000], [12_000, 60_000]] as const) {
    const earlier = new Noted(beforeMs, NOW - 20_000);
    for (const id of ["silent", "heard"]) earlier.hear(id, NOW - 20_000, false);
    const inStore = Array.from(
      { length: BUCKETS },
      (_, at) => JSON.parse(earlier.text(at, NOW - 20_000, () => true)) as HeardBucket,
    );
    const noted = new Noted(sinceMs, NOW - 20_000);
    noted.recall(inStore, NOW - 20_000);
    noted.hear("heard", NOW - 19_000, false);
    // What it was told before stands: answers name it until then.
    const endMs = {
      silent: NOW - 20_000 + beforeMs,
      heard: Math.max(NOW - 20_000 + beforeMs, NOW - 19_000 + sinceMs),
    };
    const [first, second] = Object.values(endMs).toSorted((a, b) => a - b) as [number, number];
    assert.equal(noted.end(NOW - 19_000), first);
    tick(noted, NOW - 18_000, first - 1);
    const rest = first === second ? Infinity : second;
    assert.equal(noted.end(first), rest);
    assert.equal(noted.end(first + 1), rest, "and stays so");
    const buckets = Array.from(
      { length: BUCKETS },
      (_, at) => JSON.parse(noted.text(at, first, () => true)) as HeardBucket,
    );
    assert.equal(leaseMsIn(buckets[bucketOf("silent")]!, "silent"), beforeMs);
    assert.equal(leaseMsIn(buckets[bucketOf("heard")]!, "heard"), endMs.heard - (NOW - 19_000));
    // Heard once more, it has what it is told now.
    noted.hear("heard", second - 1, false);
    const again = JSON.parse(noted.text(bucketOf("heard"), second, () => true)) as HeardBucket;
    assert.equal(leaseMsIn(again, "heard"), sinceMs);
  }
});

Deno.test("a node of another process, or from before an absence, has the lease that it was told there", () => {
  const stored = [{ atMs: NOW, heard: { n: NOW - 1000 }, leaseMs: 60_000 }];
  const joined = new Noted(12_000, NOW - 1500);
  joined.hear("n", NOW - 1500, false);
  joined.join(stored);
  assert.equal(joined.end(NOW), NOW + 59_000);
  joined.join([{ atMs: NOW + 14_000, heard: { gone: NOW }, leases: { gone: 14_000 } }]);
  assert.equal(joined.hear("gone", NOW + 14_001, false), true, "it was gone by its own lease, not by ours");

  const recalled = new Noted(12_000, NOW);
  recalled.recall(stored, NOW);
  tick(recalled, NOW, NOW + 40_000);
  recalled.end(NOW + 50_000);
  assert.deepEqual(
    written(recalled, NOW + 50_000),
    { n: NOW + 9000 },
    "its lease had not ended when we were away",
  );
});

Deno.test("nodes that are none any more are forgotten when their lease has ended", () => {
  const noted = new Noted(LEASE, NOW);
  noted.hear("a", NOW, false);
  assert.equal(noted.text(bucketOf("a"), NOW, () => false), `{"atMs":${NOW},"heard":{"a":${NOW}}}`);
  tick(noted, NOW, NOW + LEASE);
  const text = noted.text(bucketOf("a"), NOW + LEASE, () => false);
  assert.equal(text, `{"atMs":${NOW + LEASE},"heard":{}}`);
  assert.equal(noted.size, 0);
});
