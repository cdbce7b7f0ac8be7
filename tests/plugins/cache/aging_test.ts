import assert from "node:assert/strict";
import { type Answer, mapRRsets } from "../../../core/plugin.ts";
import { Bench, said, settle, SOA } from "./upstream.ts";

const WHOLE = said(["www.example.org. 60 A 192.0.2.1", "www.example.org. 45 AAAA 2001:db8::1"], {
  authority: ["example.org. 90 NS ns.example.org."],
  additional: ["ns.example.org. 20 A 192.0.2.53"],
});

/** What is kept, after one query for it; each query is at the cache's time. */
async function kept(text: string, answer: Answer = WHOLE) {
  const bench = new Bench(text, () => answer);
  const ask = () => bench.ask({ nowMs: bench.clock.nowMs() });
  const first = await ask();
  assert.equal(first.aging, undefined, "what was just heard is not repeated: it was no hit");
  return { bench, ask };
}

/** As a memo repeats a reply: its TTLs less the whole seconds that have passed since it was heard. */
function repeated(answer: Answer, madeMs: number, nowMs: number): Answer {
  const { sinceMs } = answer.aging!;
  const seconds = Math.floor((nowMs - sinceMs!) / 1000) - Math.floor((madeMs - sinceMs!) / 1000);
  return mapRRsets(answer, (rrset) => ({ ...rrset, ttl: rrset.ttl - seconds }));
}

const records = ({ answer, authority, additional }: Answer) => [answer, authority, additional];

for (const [what, text] of [["", "cache"], [", popular", "cache {\n prefetch 1 10s 25%\n}"]] as const) {
  Deno.test(`a hit that is repeated says what the cache would say, for as long as it may${what}`, async () => {
    for (const startMs of [0, 1, 999, 1000, 1001, 7300]) {
      const { bench, ask } = await kept(text);
      bench.pass(startMs / 1000);
      let hit = await ask(), madeMs = bench.clock.nowMs(), repeats = 0;
      for (let i = 0; i < 400; i++) {
        bench.pass(0.187);
        const nowMs = bench.clock.nowMs(), said = await ask();
        if (hit.aging && nowMs < hit.aging.untilMs) {
          repeats++;
          assert.deepEqual(
            records(repeated(hit, madeMs, nowMs)),
            records(said),
            `${nowMs - madeMs} ms later`,
          );
        } else [hit, madeMs] = [said, nowMs];
      }
      assert.ok(repeats > 50, `${repeats} repeats`);
    }
  });
}

Deno.test("a repeated hit ends before a record is gone, and before the answer is", async () => {
  const until = async (answer: Answer) => {
    const { bench, ask } = await kept("cache", answer);
    const { aging } = await ask();
    return aging && aging.untilMs - bench.clock.nowMs();
  };
  assert.equal(await until(WHOLE), 19_000);
  assert.equal(await until(said(["www.example.org. 60 A 192.0.2.1"])), 59_000);
  assert.equal(await until(said([], { authority: [SOA] })), 299_000);
  assert.equal(await until(said([], { rcode: 2 })), 5000);
  assert.equal(await until(said(["www.example.org. 1 A 192.0.2.1"])), undefined);
});

Deno.test("what says its TTL for good, or is for a network, is not repeated", async () => {
  const { ask } = await kept("cache {\n keepttl\n}");
  assert.equal((await ask()).aging, undefined);
  const network = await kept("cache", said(["www.example.org. 60 A 192.0.2.1"], { scope: 24 }));
  const ask24 = () => network.bench.ask({ subnet: "192.0.2.0/24", nowMs: network.bench.clock.nowMs() });
  await ask24();
  assert.equal((await ask24()).aging, undefined);
});

Deno.test("what is to be prefetched comes back to the cache until it is popular, and again when it is due", async () => {
  const { bench, ask } = await kept(
    "cache {\n prefetch 3 1m 50%\n}",
    said(["www.example.org. 600 A 192.0.2.1"]),
  );
  const agings: boolean[] = [];
  for (let i = 0; i < 4; i++) agings.push((await ask()).aging !== undefined);
  assert.deepEqual(agings, [false, false, true, true]);
  // Whoever repeats it comes back after half a gap, so that the gap is not taken for one in which nobody asked.
  for (let i = 0; i < 10; i++) {
    const { aging } = await ask();
    bench.pass((aging!.untilMs - bench.clock.nowMs()) / 1000);
  }
  assert.equal((await ask()).aging, undefined);
  await settle();
  assert.equal(bench.counts["coredns_cache_prefetch_total"], 1);
});

Deno.test("what is counted of a hit is the same however often it is repeated", async () => {
  const { bench } = await kept("cache");
  const context = { nowMs: bench.clock.nowMs() };
  await bench.ask(context);
  await bench.ask(context);
  assert.equal(bench.counts["coredns_cache_hits_total success"], 2);
  assert.equal(bench.counts["coredns_cache_requests_total"], 3);
});

Deno.test("a reply to a query that waited is repeated with the TTLs that the cache gives by then", async () => {
  for (const waitedMs of [1, 400, 999, 1400]) {
    const { bench } = await kept("cache");
    bench.pass(2.3);
    const askedMs = bench.clock.nowMs();
    bench.pass(waitedMs / 1000);
    const hit = await bench.ask({ nowMs: askedMs });
    for (let i = 0; i < 20; i++) {
      bench.pass(0.187);
      const nowMs = bench.clock.nowMs();
      assert.deepEqual(records(repeated(hit, askedMs, nowMs)), records(await bench.ask({ nowMs })));
    }
  }
});

Deno.test("what came after the query that it answers is not for others to repeat", async () => {
  const { bench } = await kept("cache");
  const early = await bench.ask({ nowMs: bench.clock.nowMs() - 1 });
  assert.equal(early.aging, undefined);
  assert.deepEqual(records(early), records(WHOLE));
});

Deno.test("after the clock was set back a reply is repeated by the clock as the cache would say it", async () => {
  const { bench, ask } = await kept("cache");
  let wallMs = bench.clock.nowMs() + 5500;
  bench.clock.nowMs = () => wallMs;
  await ask();
  wallMs -= 3250;
  const hit = await ask(), madeMs = wallMs;
  for (let i = 0; i < 20; i++) {
    wallMs += 187;
    assert.deepEqual(records(repeated(hit, madeMs, wallMs)), records(await ask()));
  }
});
