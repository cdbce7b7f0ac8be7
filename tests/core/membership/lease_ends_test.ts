/**
 * Leases from what servers hear to what is answered: what it takes to tell workers of them, and that answers are kept no
 * longer than they hold.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { deadlineOf } from "../../../core/fleet/deadline.ts";
import { byTarget, ofTarget } from "../../../core/fleet/by_target.ts";
import { asItStands, type ToldDeadline } from "../../../core/fleet/verdict.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { AgreeingHub } from "../../../core/membership/agreeing_hub.ts";
import { leaseTarget } from "../../../core/membership/protocol.ts";
import { Publisher } from "../../../core/server/publisher.ts";
import { affectedBy } from "../../../core/server/memo/dropping.ts";
import { changesBetween, withChanges } from "../../../core/server/snapshot_changes.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { ttlOf } from "../../../plugins/ttl/mod.ts";
import { choose, policy, POOL } from "../fleet/make.ts";
import { gathererOf, LEASE_MS } from "./leased.ts";

const STRICT = { min: 5, max: 60, strict: true }, QUIET = { min: 5, max: 60, strict: false };

/** Where n0 is nearest. */
const CLIENT = [0, 0, "FR"] as const;

/** How much earlier than it is an end may be given, and how long it may take to be told of one. */
const EARLY_MS = 250, TOLD_MS = 20;

/** A data worker, as far as what it is told goes. */
class Worker {
  snapshot = EMPTY_SNAPSHOT;
  messages = 0;
  /** How often what is remembered of the pool was dropped, were it steady or counted down. */
  drops = 0;

  follow(publisher: Publisher): void {
    let sent = this.snapshot;
    publisher.onSnapshot((snapshot) => {
      const changes = structuredClone(changesBetween(sent, snapshot));
      sent = snapshot;
      this.messages++;
      const ground = { blocks: [], pools: [POOL], watches: false, volatile: true };
      if (affectedBy(changes, this.snapshot)?.(ground) !== false) this.drops++;
      this.snapshot = withChanges(this.snapshot, changes);
    });
  }

  /** Who is answered, and how long that may be kept, strictly and else. */
  answer(nowMs: number) {
    const choice = choose(this.snapshot, CLIENT, { nowMs });
    const deadline = deadlineOf(
      choice.consulted(),
      viewsAt(this.snapshot, 4, nowMs),
      this.snapshot.deadlines,
    );
    return {
      ...{ node: choice.chosen[0]!.member.node.id, ...deadline },
      ...{ strict: ttlOf(deadline, STRICT, nowMs).ttl, quiet: ttlOf(deadline, QUIET, nowMs).ttl },
    };
  }

  lease(node: string): ToldDeadline | undefined {
    return ofTarget(this.snapshot.deadlines, leaseTarget(node));
  }
}

/** A store with nodes, a server's control isolate over it, and a worker of that. */
async function world(count: number, { behindMs = 0, heardMs = (_: number): number => 0 } = {}) {
  const clock = new ManualClock(), beganMs = clock.nowMs(), worker = new Worker();
  const publisher = new Publisher({ clock, log: { error: (message) => assert.fail(message) } });
  const agreement = { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 } as const;
  const hub = new AgreeingHub({
    ...{ hub: publisher, server: "here", region: "", agreement, clock },
    report() {},
    tellBesides() {},
  });
  hub.onRegistry((nodes) => hub.setNodes({ policy: policy(), block: "1", nodes }));
  worker.follow(publisher);
  const store = gathererOf(clock, count, (i) => beganMs + heardMs(i), {
    onNews(news) {
      hub.take(news);
      publisher.flush();
    },
  });
  store.start(behindMs);
  await Promise.resolve();
  const close = () => (store.gatherer.close(), hub.close(), publisher.close());
  return { ...store, clock, worker, publisher, close };
}

Deno.test("leases that are renewed cost a worker nothing, and the TTLs of strict follow them all the same", async () => {
  const { clock, hear, worker, publisher, told, close } = await world(300, { heardMs: (i) => -i });
  assert.equal(worker.answer(clock.nowMs()).node, "n0");
  assert.equal(worker.answer(clock.nowMs()).strict, 29);
  const { messages, drops } = worker, { epoch } = publisher.snapshot, before = told.length;
  for (let beat = 0; beat < 20; beat++) {
    const heardMs = clock.nowMs();
    hear((i) => heardMs - i);
    clock.advance(TOLD_MS);
    for (let second = 0; second < 10; second++, clock.advance(1000)) {
      const nowMs = clock.nowMs(), endMs = heardMs + LEASE_MS, answer = worker.answer(nowMs);
      assert.ok(
        answer.earliestMs <= endMs && answer.earliestMs >= endMs - EARLY_MS,
        `${answer.earliestMs - endMs}`,
      );
      assert.equal(answer.strict, Math.floor((endMs - EARLY_MS - nowMs) / 1000));
      assert.equal(answer.quiet, 60, "nothing stirs");
    }
  }
  assert.ok(told.slice(before).every(({ leases }) => leases === undefined), "no lease is news");
  assert.equal(worker.messages - messages, 0);
  assert.equal(worker.drops - drops, 0);
  assert.equal(publisher.snapshot.epoch, epoch);
  close();
});

Deno.test("a lease that ends takes its node out of answers at once, and no TTL given before outlives it by more than MIN", async () => {
  const { clock, hear, worker, close } = await world(300);
  const keptUntil: number[] = [];
  const ask = () => {
    const nowMs = clock.nowMs(), { node, strict } = worker.answer(nowMs);
    if (node === "n0") keptUntil.push(nowMs + 1000 * Math.max(0, strict - STRICT.min));
    return node;
  };
  clock.advance(10_000);
  // n0 falls silent, the others go on.
  const silentMs = 0, beganMs = clock.nowMs() - 10_000;
  let outMs = Infinity;
  const { drops } = worker;
  for (let step = 0; step < 300 && outMs === Infinity; step++) {
    if (step % 10 === 0) hear((i) => i === 0 ? beganMs + silentMs : clock.nowMs());
    clock.advance(100);
    if (ask() !== "n0") outMs = clock.nowMs();
  }
  const endMs = beganMs + LEASE_MS;
  assert.ok(outMs >= endMs && outMs <= endMs + 1100, `out ${outMs - endMs} ms after the lease's end`);
  assert.ok(Math.max(...keptUntil) <= endMs, `${Math.max(...keptUntil) - endMs}`);
  assert.equal(ask(), "n1");
  assert.equal(worker.drops - drops, 1, "whatever TTL it had, and only then, what was remembered is dropped");
  // Its next word may bring it back at any time.
  assert.deepEqual([worker.answer(clock.nowMs()).earliestMs, worker.answer(clock.nowMs()).strict], [
    -Infinity,
    5,
  ]);
  // It comes back, and its end moves by itself again.
  hear(() => clock.nowMs());
  clock.advance(TOLD_MS);
  assert.equal(ask(), "n0");
  const { messages } = worker;
  clock.advance(9000);
  const heardMs = clock.nowMs();
  hear(() => heardMs);
  clock.advance(TOLD_MS);
  assert.equal(worker.messages, messages);
  assert.ok(worker.answer(clock.nowMs()).earliestMs >= heardMs + LEASE_MS - EARLY_MS);
  close();
});

Deno.test("where something else stirs, an answer is kept until the lease's end at most, strict or not", async () => {
  const { clock, hear, worker, close } = await world(3);
  clock.advance(15_000);
  const heardMs = clock.nowMs();
  hear(() => heardMs);
  clock.advance(TOLD_MS);
  const { snapshot } = worker, nowMs = clock.nowMs(), address = "192.0.2.0";
  // A check of n0 has failed once.
  const check = { downMs: Infinity, upMs: Infinity, changeMs: Infinity, rampMs: Infinity, steady: false };
  const pool = snapshot.pools[POOL]!;
  worker.snapshot = {
    ...snapshot,
    pools: { [POOL]: { ...pool, targets: { ...pool.targets, [address]: ["tcp", leaseTarget("n0")] } } },
    deadlines: byTarget({ tcp: check, [leaseTarget("n0")]: worker.lease("n0")! }),
  };
  const answer = worker.answer(nowMs);
  assert.deepEqual([answer.node, answer.strict, answer.quiet], ["n0", 29, 29]);
  close();
});

Deno.test("an end that comes nearer by more than it was given early drops what looked at it; by less it is no news", async () => {
  // The first pulse took its time: clocks seem further apart than they are.
  const { clock, hear, worker, close } = await world(2, { behindMs: 1000 });
  const beganMs = clock.nowMs();
  assert.ok(asItStands(worker.lease("n0")!).downMs > beganMs + LEASE_MS);
  const { messages, drops } = worker;
  clock.advance(5000);
  hear(() => beganMs, 800);
  clock.advance(TOLD_MS);
  assert.equal(worker.messages, messages, "by 200 ms");
  assert.ok(asItStands(worker.lease("n0")!).downMs <= beganMs + 800 + LEASE_MS);
  hear(() => beganMs, 100);
  clock.advance(TOLD_MS);
  assert.ok(worker.messages > messages && worker.drops > drops, "by 900 ms");
  const { earliestMs } = worker.answer(clock.nowMs());
  assert.ok(earliestMs <= beganMs + 100 + LEASE_MS && earliestMs > beganMs + 100 + LEASE_MS - 2 * EARLY_MS);
  close();
});

Deno.test("a node that is removed and comes back has the end of its lease again", async () => {
  const { clock, worker, remove, putBack, close } = await world(2);
  assert.ok(worker.lease("n0"));
  remove("n0");
  clock.advance(TOLD_MS);
  assert.deepEqual([worker.lease("n0"), worker.answer(clock.nowMs()).node], [undefined, "n1"]);
  putBack("n0");
  clock.advance(TOLD_MS);
  assert.deepEqual([worker.answer(clock.nowMs()).node, worker.answer(clock.nowMs()).strict], ["n0", 29]);
  close();
});
