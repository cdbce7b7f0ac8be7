import { targetEntries } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { Node } from "../../../core/fleet/node.ts";
import { Publisher } from "../../../core/server/publisher.ts";
import { CITIES, node, NOW_MS, override, policy, verdicts } from "../fleet/make.ts";

const A = node("a", CITIES.paris), B = node("b", CITIES.london);
const busy = { ...A, maintenance: [{ fromMs: NOW_MS + 50, untilMs: NOW_MS + 90, reason: "" }] };

/** A publisher of a pool for each list of nodes: `0.`, `1.`, …, and what it logged. */
function publish(...fleets: (readonly Node[])[]) {
  const clock = new ManualClock(NOW_MS);
  const errors: string[] = [];
  const publisher = new Publisher({ clock, log: { error: (message) => void errors.push(message) } });
  fleets.forEach((nodes, i) => publisher.setNodes({ policy: policy({ name: `${i}.` }), block: "1", nodes }));
  publisher.flush();
  const epochs = () => Object.values(publisher.snapshot.pools).map(({ epoch }) => epoch);
  return { publisher, clock, errors, epochs };
}

/** A check of each node, and its state. */
function check(publisher: Publisher, pool: string, nodes: readonly Node[], state: "up" | "down") {
  publisher.setTargets(
    pool,
    Object.fromEntries(nodes.map(({ ipv4 }) => [ipv4!, [`tcp ${ipv4}`]])),
    0,
  );
  publisher.setVerdicts(
    Object.fromEntries(
      targetEntries(verdicts(nodes, Object.fromEntries(nodes.map(({ id }) => [id, state])))),
    ),
  );
  publisher.flush();
}

Deno.test("what is published in one turn comes out together, and leaves what was out as it was", () => {
  const { publisher } = publish([A]);
  const before = publisher.snapshot;
  for (const key of ["1/file", "2/file"]) publisher.publish(key, key);
  assert.deepEqual(publisher.snapshot.slots, {});
  publisher.flush();
  const first = publisher.snapshot;
  publisher.publish("2/file", "later");
  publisher.flush();
  assert.deepEqual([before, first, publisher.snapshot].map(({ slots }) => slots), [
    {},
    { "1/file": "1/file", "2/file": "2/file" },
    { "1/file": "1/file", "2/file": "later" },
  ]);
});

Deno.test("a listener that throws is logged, and keeps nothing from the others", () => {
  const { publisher, errors } = publish([A]);
  const heard: string[] = [];
  publisher.onSnapshot(() => {
    throw new Error("out of order");
  });
  publisher.onSnapshot(({ slots }) => void heard.push(String(slots.word)));
  publisher.publish("word", "first");
  publisher.flush();
  publisher.publish("word", "second");
  publisher.flush();
  assert.deepEqual(heard, ["first", "second"]);
  assert.equal(errors.length, 2);
  assert.match(errors[0]!, /out of order/);
  publisher.close();
});

Deno.test("a window that starts and ends makes an epoch of the pool that has the node, and of no other", async () => {
  const { publisher, clock, epochs } = publish([busy], [B]);
  assert.deepEqual(epochs(), [1, 1]);
  clock.advanceTo(NOW_MS + 50);
  await undefined;
  assert.deepEqual(epochs(), [2, 1]);
  assert.equal(publisher.snapshot.epoch, 2);
  clock.advanceTo(NOW_MS + 90);
  await undefined;
  assert.deepEqual(epochs(), [3, 1]);
  assert.equal(clock.nextMs, Infinity);
  publisher.close();
});

Deno.test("a window that starts while something else is published makes an epoch of its pool, too", () => {
  let nowMs = NOW_MS;
  const clock = { nowMs: () => nowMs, after: () => () => {} };
  const publisher = new Publisher({ clock, log: { error() {} } });
  publisher.setNodes({ policy: policy({ name: "0." }), block: "1", nodes: [busy] });
  publisher.flush();
  nowMs += 60;
  publisher.publish("word", "more");
  publisher.flush();
  assert.equal(publisher.snapshot.pools["0."]!.epoch, 2);
  publisher.close();
});

Deno.test("a timer that is early waits for the rest of its time", async () => {
  let nowMs = NOW_MS;
  const waiting: { delayMs: number; then: () => void }[] = [];
  const after = (delayMs: number, then: () => void) => (waiting.push({ delayMs, then }), () => {});
  const publisher = new Publisher({ clock: { nowMs: () => nowMs, after }, log: { error() {} } });
  publisher.setNodes({ policy: policy({ name: "0." }), block: "1", nodes: [busy] });
  publisher.flush();
  nowMs += 49;
  waiting.shift()!.then();
  await undefined;
  assert.equal(publisher.snapshot.epoch, 1);
  assert.deepEqual(waiting.map(({ delayMs }) => delayMs), [1]);
  publisher.close();
});

Deno.test("setOverrides() makes an epoch of the pools whose nodes' overrides are others than before", () => {
  const { publisher, epochs } = publish([A], [B], [A, B]);
  const drained = override("a", "drain");
  publisher.setOverrides([drained]);
  publisher.flush();
  assert.deepEqual(epochs(), [2, 1, 2]);
  publisher.setOverrides([{ ...drained }, override("b", "drain")]);
  publisher.flush();
  assert.deepEqual(epochs(), [2, 2, 3]);
  publisher.setOverrides([drained]);
  publisher.flush();
  assert.deepEqual(epochs(), [2, 3, 4]);
  publisher.close();
});

Deno.test("who served last is looked up anew for pools that changed, and kept for the others", () => {
  const { publisher, epochs } = publish([A, B], [B]);
  check(publisher, "0.", [A, B], "up");
  const { lastServing } = publisher.snapshot.pools["0."]!;
  assert.deepEqual(lastServing, { 4: ["a", "b"], 6: [] });
  const before = epochs();
  publisher.publish("word", "more");
  publisher.flush();
  assert.deepEqual(epochs(), before);
  assert.equal(publisher.snapshot.pools["0."]!.lastServing, lastServing);
  check(publisher, "0.", [A, B], "down");
  assert.deepEqual(publisher.snapshot.pools["0."]!.lastServing, lastServing);
  publisher.close();
});

Deno.test("a node that went down long ago is forgotten although nothing else changed in its pool", () => {
  const { publisher, clock } = publish([A, B]);
  check(publisher, "0.", [A, B], "up");
  publisher.setVerdicts(Object.fromEntries(targetEntries(verdicts([A], { a: "down" }))));
  publisher.flush();
  assert.deepEqual(publisher.snapshot.pools["0."]!.lastServing[4], ["a", "b"]);
  clock.advance(60_000);
  publisher.publish("word", "more");
  publisher.flush();
  assert.deepEqual(publisher.snapshot.pools["0."]!.lastServing[4], ["b"]);
  publisher.close();
});

Deno.test("a publisher goes on from another's epochs, and from who served until when", () => {
  const { publisher, clock } = publish([A, B]);
  check(publisher, "0.", [A, B], "up");
  clock.advance(60_000);
  publisher.setVerdicts(Object.fromEntries(targetEntries(verdicts([A, B], { a: "down" }))));
  publisher.flush();
  const { epoch, pools } = publisher.snapshot;
  // As it is told to another process.
  const legacy = JSON.parse(JSON.stringify(publisher.legacy));
  const next = new Publisher({ clock, log: { error: assert.fail }, legacy });
  assert.equal(next.snapshot.epoch, epoch);
  next.setNodes({ policy: policy({ name: "0." }), block: "1", nodes: [A, B] });
  check(next, "0.", [A, B], "down");
  assert.ok(next.snapshot.epoch > epoch);
  assert.ok(next.snapshot.pools["0."]!.epoch > pools["0."]!.epoch);
  // Both went down within the moment that counts as one, with a change of publisher between.
  assert.deepEqual(next.snapshot.pools["0."]!.lastServing[4], ["a", "b"]);
  publisher.close();
  next.close();
});
