import assert from "node:assert/strict";
import { type Answer, emptyAnswer } from "../../../core/plugin.ts";
import type { Loan } from "../../../plugins/cache/loan.ts";
import { Bench, said, settle, SOA } from "./upstream.ts";

const WHOLE = said(["www.example.org. 60 A 192.0.2.1", "www.example.org. 45 AAAA 2001:db8::1"], {
  authority: ["example.org. 90 NS ns.example.org."],
  additional: ["ns.example.org. 20 A 192.0.2.53"],
});

/** The cache of the control isolate and that of a worker, by one clock. */
class Pair {
  readonly loans: Loan[] = [];
  readonly control: Bench;
  readonly worker: Bench;
  /** Whether loans are taken. */
  takes = true;

  constructor(text = "cache", answer: Answer = WHOLE) {
    const lend = (make: () => Loan) => {
      if (this.takes) this.loans.push(structuredClone(make()));
      return this.takes;
    };
    this.control = new Bench(text, () => answer, { lend });
    this.worker = new Bench(text, () => emptyAnswer(0, { deferred: true }));
  }

  /** Asks the control isolate; `hand`: what it lends comes to the worker. */
  async ask(how: Parameters<Bench["ask"]>[0] = {}, hand = true): Promise<Answer> {
    const answer = await this.control.ask({ ...how, nowMs: this.control.clock.nowMs() });
    if (hand) { for (const loan of this.loans) this.worker.cache.borrow(loan); }
    return answer;
  }

  /** Asks the worker: undefined where it knows nothing. */
  async askWorker(how: Parameters<Bench["ask"]>[0] = {}): Promise<Answer | undefined> {
    const answer = await this.worker.ask({ ...how, nowMs: this.worker.clock.nowMs() });
    return answer.deferred ? undefined : answer;
  }

  pass(seconds: number): void {
    this.control.pass(seconds);
    this.worker.pass(seconds);
  }
}

for (const text of ["cache", "cache {\n prefetch 1 10s 25%\n}"]) {
  Deno.test(`what is lent says what the cache would say, for as long as it may: ${text}`, async () => {
    for (const startMs of [0, 1, 999, 1000, 1001, 7300]) {
      const pair = new Pair(text);
      await pair.ask();
      pair.pass(startMs / 1000);
      await pair.ask();
      let hits = 0;
      for (let i = 0; i < 400; i++) {
        pair.pass(0.187);
        const lent = await pair.askWorker(), asked = await pair.ask({}, lent === undefined);
        if (!lent) continue;
        hits++;
        // Each says until when itself, and a loan may not say for longer than the cache would.
        const { aging, ...rest } = lent, { aging: own, ...expected } = asked;
        assert.deepEqual(rest, expected);
        assert.equal(aging!.sinceMs, own!.sinceMs);
        assert.ok(aging!.untilMs <= own!.untilMs);
      }
      assert.ok(hits > 50, `${hits} hits`);
    }
  });
}

Deno.test("what is counted of what was lent is a hit, and counted where it is given", async () => {
  const pair = new Pair("cache", said([], { authority: [SOA] }));
  await pair.ask();
  await pair.ask();
  await pair.askWorker();
  assert.equal(pair.worker.counts["coredns_cache_hits_total denial"], 1);
  assert.equal(pair.worker.counts["coredns_cache_requests_total"], 1);
  await pair.askWorker({ name: "other.example.org" });
  assert.equal(pair.worker.counts["coredns_cache_requests_total"], 1);
  assert.equal(pair.worker.counts["coredns_cache_misses_total"], undefined);
});

Deno.test("an answer is lent once it is asked for again before long, and not twice in a second", async () => {
  const pair = new Pair("cache", said(["www.example.org. 600 A 192.0.2.1"]));
  await pair.ask();
  assert.equal(pair.loans.length, 0);
  pair.pass(11);
  await pair.ask();
  assert.equal(pair.loans.length, 0);
  pair.pass(9);
  for (let i = 0; i < 5; i++) await pair.ask();
  assert.equal(pair.loans.length, 1);
  pair.pass(1);
  await pair.ask();
  assert.equal(pair.loans.length, 2);
});

Deno.test("what found no room is lent the next time", async () => {
  const pair = new Pair();
  pair.takes = false;
  for (let i = 0; i < 3; i++) await pair.ask();
  assert.equal(pair.loans.length, 0);
  pair.takes = true;
  await pair.ask();
  assert.equal(pair.loans.length, 1);
});

Deno.test("nothing is lent for what came by TCP, nor for what nobody sent", async () => {
  const pair = new Pair();
  for (let i = 0; i < 3; i++) await pair.ask({ transport: "tcp" });
  for (let i = 0; i < 3; i++) await pair.ask({ rehearsed: true });
  assert.equal(pair.loans.length, 0);
});

Deno.test("a loan ends with what the cache may prefetch, which then happens", async () => {
  const pair = new Pair("cache {\n prefetch 3 1m 50%\n}", said(["www.example.org. 40 A 192.0.2.1"]));
  let asked = 0;
  for (let i = 0; i < 25; i++) {
    if (!await pair.askWorker()) asked += (await pair.ask(), 1);
    await settle();
    pair.pass(1);
  }
  assert.equal(pair.control.counts["coredns_cache_prefetch_total"], 1);
  assert.ok(asked < 8, `the control isolate was asked ${asked} times`);
});

Deno.test("what has expired is never answered from a loan, stale answers stay where upstream is asked", async () => {
  const pair = new Pair(
    "cache {\n serve_stale 1h\n}",
    said(["www.example.org. 30 A 192.0.2.1"]),
  );
  await pair.ask();
  await pair.ask();
  assert.ok(await pair.askWorker());
  pair.pass(29);
  assert.equal(await pair.askWorker(), undefined);
  pair.pass(5);
  assert.equal(await pair.askWorker(), undefined);
});

Deno.test("a loan is of no use once the clock has been set back to before it", async () => {
  const pair = new Pair();
  pair.pass(100);
  await pair.ask();
  await pair.ask();
  assert.ok(await pair.askWorker());
  const wallMs = pair.worker.clock.nowMs() - 50_000;
  pair.worker.clock.nowMs = () => wallMs;
  assert.equal(await pair.askWorker(), undefined);
});

Deno.test("a client of a network gets no loan where there are answers for networks", async () => {
  const pair = new Pair("cache", WHOLE);
  const subnet = "198.51.100.0/24";
  await pair.ask();
  await pair.ask();
  assert.ok(await pair.askWorker({ subnet }));
  pair.control.upstream = () => said(["other.example.org. 60 A 192.0.2.2"], { scope: 24 });
  await pair.ask({ name: "other.example.org", subnet: "203.0.113.0/24" });
  pair.pass(1);
  await pair.ask();
  assert.equal(await pair.askWorker({ subnet }), undefined);
  assert.ok(await pair.askWorker());
  assert.ok(await pair.askWorker({ subnet: "0.0.0.0/0" }));
});
