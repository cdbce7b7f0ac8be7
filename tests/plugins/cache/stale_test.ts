import assert from "node:assert/strict";
import { RCODE } from "../../../core/dns/types.ts";
import { type Answer } from "../../../core/plugin.ts";
import { Bench, linesOf, said, settle, SOA } from "./upstream.ts";

const FAILED = said([], { rcode: RCODE.SERVFAIL });
const NEW = said(["www.example.org. 60 A 192.0.2.2"]);

/** A cache that holds an answer which expired a second ago, and whose upstream is dead. */
async function expired(options: string): Promise<Bench> {
  const bench = new Bench(`cache {\n${options}\n}`);
  await bench.ask();
  bench.pass(61);
  bench.upstream = () => FAILED;
  return bench;
}

Deno.test("without serve_stale what has expired is gone", async () => {
  const bench = await expired("servfail 0");
  assert.equal((await bench.ask()).rcode, RCODE.SERVFAIL);
});

Deno.test("a stale answer has a TTL of 30 s and says that it is stale", async () => {
  const bench = await expired("serve_stale");
  const answer = await bench.ask();
  assert.deepEqual(linesOf(answer.answer), ["www.example.org. 30 IN A 192.0.2.1"]);
  assert.deepEqual(answer.extendedErrors, [{ infoCode: 3 }]);
  assert.equal(bench.counts["coredns_cache_served_stale_total"], 1);
  bench.pass(3600);
  assert.equal((await bench.ask()).rcode, RCODE.SERVFAIL);
});

Deno.test("a stale denial says that, and has the same TTL", async () => {
  const bench = new Bench(
    "cache {\nserve_stale\n}",
    () => said([], { rcode: RCODE.NXDOMAIN, authority: [SOA] }),
  );
  await bench.ask();
  bench.pass(301);
  bench.upstream = () => FAILED;
  const { rcode, authority, extendedErrors } = await bench.ask();
  assert.deepEqual([rcode, authority[0]!.ttl, extendedErrors], [RCODE.NXDOMAIN, 30, [{ infoCode: 19 }]]);
});

Deno.test("immediate answers first and asks behind, once; the next query has the news", async () => {
  const bench = await expired("serve_stale 1h immediate");
  const gate = Promise.withResolvers<Answer>();
  bench.upstream = () => gate.promise;
  for (let i = 0; i < 3; i++) assert.equal((await bench.ask()).answer[0]!.ttl, 30);
  assert.equal(bench.asked.length, 2);
  gate.resolve(NEW);
  await settle();
  assert.deepEqual(linesOf((await bench.ask()).answer), ["www.example.org. 60 IN A 192.0.2.2"]);
});

Deno.test("after an attempt in vain nobody is asked for a while", async () => {
  const bench = await expired("serve_stale 1h immediate 30s 10s");
  await bench.ask();
  await settle();
  bench.pass(9);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
  bench.pass(1);
  await bench.ask();
  assert.equal(bench.asked.length, 3);
});

Deno.test("verify waits for upstream, and gives what is stale only when it fails", async () => {
  const bench = await expired("serve_stale 1h verify 1.8s 30s 0s");
  assert.deepEqual((await bench.ask()).extendedErrors, [{ infoCode: 3 }]);
  bench.upstream = () => NEW;
  assert.deepEqual(linesOf((await bench.ask()).answer), ["www.example.org. 60 IN A 192.0.2.2"]);
});

Deno.test("verify waits for 1.8 s by default, and takes the news when it comes", async () => {
  const bench = await expired("serve_stale 1h verify");
  const gate = Promise.withResolvers<Answer>();
  bench.upstream = () => gate.promise;
  const waiting = bench.ask();
  let isAnswered = false;
  waiting.then(() => isAnswered = true);
  bench.clock.advance(1799);
  await settle();
  assert.equal(isAnswered, false);
  bench.clock.advance(1);
  assert.deepEqual((await waiting).extendedErrors, [{ infoCode: 3 }]);
  gate.resolve(NEW);
  await settle();
  assert.deepEqual(linesOf((await bench.ask()).answer), ["www.example.org. 60 IN A 192.0.2.2"]);
});

Deno.test("a name that is gone is gone: a denial takes the place of what is stale", async () => {
  const bench = await expired("serve_stale 1h verify");
  bench.upstream = () => said([], { rcode: RCODE.NXDOMAIN, authority: [SOA] });
  assert.equal((await bench.ask()).rcode, RCODE.NXDOMAIN);
  bench.upstream = () => FAILED;
  assert.equal((await bench.ask()).rcode, RCODE.NXDOMAIN);
});

Deno.test("what may not be kept takes the place of what is stale, too", async () => {
  const bench = await expired("serve_stale 1h immediate");
  bench.upstream = () => said(["www.example.org. 0 A 192.0.2.3"]);
  await bench.ask();
  await settle();
  assert.deepEqual(linesOf((await bench.ask()).answer), ["www.example.org. 0 IN A 192.0.2.3"]);
});

Deno.test("prefer_positive gives what was there although it is denied now", async () => {
  const bench = await expired("serve_stale 1h verify\nserve_stale_policy prefer_positive");
  bench.upstream = () => said([], { rcode: RCODE.NXDOMAIN, authority: [SOA] });
  assert.deepEqual((await bench.ask()).extendedErrors, [{ infoCode: 3 }]);
  assert.equal((await bench.ask()).rcode, RCODE.NOERROR);
  bench.pass(31);
  bench.upstream = () => NEW;
  assert.deepEqual(linesOf((await bench.ask()).answer), ["www.example.org. 60 IN A 192.0.2.2"]);
});

Deno.test("a failure is no stale answer", async () => {
  const bench = new Bench("cache {\nserve_stale\n}", () => FAILED);
  await bench.ask();
  bench.pass(6);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});
