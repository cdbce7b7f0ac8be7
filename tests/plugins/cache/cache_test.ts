import assert from "node:assert/strict";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import { type Answer, type Decision, emptyAnswer, NEVER, parseName } from "../../../core/plugin.ts";
import { asking, Bench, linesOf, said, settle, SOA } from "./upstream.ts";

const WWW = "www.example.org. 60 A 192.0.2.1";

Deno.test("what upstream said is said again, without asking, for as long as it said", async () => {
  const bench = new Bench("cache");
  await bench.ask();
  bench.pass(59);
  assert.deepEqual(linesOf((await bench.ask()).answer), ["www.example.org. 1 IN A 192.0.2.1"]);
  bench.pass(1);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("each RRset counts down by itself, and none is raised", async () => {
  const bench = new Bench(
    "cache",
    () =>
      said(["www.example.org. 300 CNAME a.example.org.", "a.example.org. 2 A 192.0.2.1"], {
        authority: ["example.org. 3600 NS ns.example.org."],
      }),
  );
  const first = await bench.ask();
  assert.deepEqual(first.answer.map(({ ttl }) => ttl), [300, 2]);
  bench.pass(1);
  const second = await bench.ask();
  assert.deepEqual([...second.answer, ...second.authority].map(({ ttl }) => ttl), [299, 1, 3599]);
  assert.equal(bench.asked.length, 1);
});

Deno.test("part of a second has passed as well: no TTL outlives what upstream said", async () => {
  const bench = new Bench("cache");
  await bench.ask();
  bench.pass(0.001);
  assert.equal((await bench.ask()).answer[0]!.ttl, 59);
});

Deno.test("TTL is the most that is kept and said, of the first reply as well", async () => {
  const bench = new Bench("cache 30");
  assert.equal((await bench.ask()).answer[0]!.ttl, 30);
  bench.pass(29);
  assert.equal((await bench.ask()).answer[0]!.ttl, 1);
  bench.pass(1);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("what stands beside the answer and has run out is left out", async () => {
  const bench = new Bench("cache", () =>
    said([WWW], {
      authority: ["example.org. 10 NS ns.example.org."],
      additional: ["ns.example.org. 60 A 192.0.2.53"],
    }));
  await bench.ask();
  bench.pass(10);
  const later = await bench.ask();
  assert.deepEqual([later.answer.length, later.authority.length, later.additional.length], [1, 0, 1]);
});

Deno.test("a TTL of 0 is passed on and not kept", async () => {
  const bench = new Bench("cache", () => said(["www.example.org. 0 A 192.0.2.1"]));
  assert.equal((await bench.ask()).answer[0]!.ttl, 0);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("MINTTL keeps an answer longer, and what is said goes down to 0", async () => {
  const bench = new Bench("cache {\nsuccess 100 3600 10\n}", () => said(["www.example.org. 2 A 192.0.2.1"]));
  assert.equal((await bench.ask()).answer[0]!.ttl, 2);
  bench.pass(9);
  assert.equal((await bench.ask()).answer[0]!.ttl, 0);
  bench.pass(1);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

for (const [what, rcode] of [["a name", RCODE.NXDOMAIN], ["a type", RCODE.NOERROR]] as const) {
  Deno.test(`the denial of ${what} is kept for the MINIMUM of its SOA record`, async () => {
    const bench = new Bench("cache", () => said([], { rcode, authority: [SOA] }));
    const first = await bench.ask();
    assert.deepEqual([first.rcode, first.authority[0]!.ttl], [rcode, 300]);
    bench.pass(299);
    const later = await bench.ask();
    assert.deepEqual([later.rcode, later.authority[0]!.ttl], [rcode, 1]);
    bench.pass(1);
    await bench.ask();
    assert.equal(bench.asked.length, 2);
  });

  Deno.test(`the denial of ${what} without an SOA record is not kept`, async () => {
    const bench = new Bench("cache", () => said([], { rcode }));
    await bench.ask();
    await bench.ask();
    assert.equal(bench.asked.length, 2);
  });
}

Deno.test("an alias of a name without such records is a denial: as long as alias and denial hold", async () => {
  const bench = new Bench(
    "cache",
    () => said(["www.example.org. 20 CNAME a.example.org."], { authority: [SOA] }),
  );
  await bench.ask({ type: TYPE.AAAA });
  bench.pass(19);
  await bench.ask({ type: TYPE.AAAA });
  bench.pass(1);
  await bench.ask({ type: TYPE.AAAA });
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.counts["coredns_cache_hits_total denial"], 1);
});

Deno.test("a failure is kept for 5 s, without its circumstances, and says that it is old", async () => {
  const fault = { plugin: "forward", message: "timed out" };
  const bench = new Bench(
    "cache",
    () => said([], { rcode: RCODE.SERVFAIL, extendedErrors: [{ infoCode: 22 }], fault }),
  );
  assert.deepEqual((await bench.ask()).fault, fault);
  bench.pass(4.9);
  const later = await bench.ask();
  assert.deepEqual(later.extendedErrors, [{ infoCode: 22 }, { infoCode: 13 }]);
  assert.deepEqual([later.rcode, later.fault], [RCODE.SERVFAIL, undefined]);
  bench.pass(0.1);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("servfail 0 keeps no failure", async () => {
  const bench = new Bench("cache {\nservfail 0\n}", () => said([], { rcode: RCODE.SERVFAIL }));
  await bench.ask();
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

const unkept: Record<string, Answer> = {
  "what is ours": { ...said([WWW]), momentary: undefined as never },
  "what depends on the client's address": {
    ...said([WWW]),
    dependence: { ...said([]).dependence, keys: ["source"] },
  },
  "what a pool chose": { ...said([WWW]), selections: [{ pool: "www", nodes: ["a"], why: "nearest" }] },
  "what has a deadline": {
    ...said([WWW]),
    dependence: { ...said([]).dependence, deadline: { ...NEVER, earliestMs: 1 } },
  },
  "what was truncated": { ...said([WWW]), truncated: true },
  "REFUSED": said([], { rcode: RCODE.REFUSED }),
  "FORMERR": said([], { rcode: RCODE.FORMERR }),
};
for (const [what, answer] of Object.entries(unkept)) {
  Deno.test(`${what} is not kept`, async () => {
    const bench = new Bench("cache", () => answer);
    assert.equal(await bench.ask(), answer);
    await bench.ask();
    assert.equal(bench.asked.length, 2);
  });
}

Deno.test("what is deferred goes up as it is, and is not counted", async () => {
  const deferred = emptyAnswer(RCODE.NOERROR, { deferred: true });
  const bench = new Bench("cache", () => deferred);
  assert.equal(await bench.ask(), deferred);
  assert.deepEqual(bench.counts, {});
});

Deno.test("an answer to another question is passed on, counted and not kept", async () => {
  const bench = new Bench("cache", () => said(["evil.example.org. 60 A 203.0.113.66"]));
  await bench.ask();
  await bench.ask();
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.counts["coredns_cache_drops_total"], 2);
});

Deno.test("a denial by a zone that does not hold the name is not kept", async () => {
  const soa = SOA.replace("example.org.", "example.net.");
  const bench = new Bench("cache", () => said([], { rcode: RCODE.NXDOMAIN, authority: [soa] }));
  await bench.ask();
  assert.equal(bench.counts["coredns_cache_drops_total"], 1);
});

Deno.test("everything that changes the answer is told apart", async () => {
  const bench = new Bench(
    "cache",
    ({ question }) => said([question.type === 1 ? WWW : "www.example.org. 60 AAAA 2001:db8::1"]),
  );
  const ways = [{}, { dnssecOk: true }, { checkingDisabled: true }, { recursionDesired: false }, {
    type: 28,
  }];
  for (const way of ways) await bench.ask(way);
  assert.equal(bench.asked.length, ways.length);
  for (const way of ways) await bench.ask(way);
  await bench.ask({ name: "WWW.eXample.ORG" });
  assert.equal(bench.asked.length, ways.length);
});

Deno.test("a kept answer is not authoritative, and keeps AD", async () => {
  const bench = new Bench(
    "cache",
    () =>
      said([WWW], {
        authoritative: true,
        authenticData: true,
        labels: { "forward/upstream": "192.0.2.53:53" },
      }),
  );
  assert.equal((await bench.ask()).authoritative, true);
  const { authoritative, authenticData, labels, momentary, recursionAvailable } = await bench.ask();
  assert.deepEqual([authoritative, authenticData, labels, momentary, recursionAvailable], [
    false,
    true,
    undefined,
    true,
    true,
  ]);
});

Deno.test("only names within ZONES are kept", async () => {
  const bench = new Bench("cache 60 example.net", () => said([WWW]));
  await bench.ask();
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("disable keeps nothing of one kind within its zones", async () => {
  const bench = new Bench(
    "cache {\ndisable denial sub.example.org\ndisable success sub.example.org\n}",
    ({ name }) =>
      name === parseName("www.example.org")
        ? said([WWW])
        : said([], { rcode: RCODE.NXDOMAIN, authority: [SOA] }),
  );
  for (const name of ["www.example.org", "a.sub.example.org"]) {
    await bench.ask({ name });
    await bench.ask({ name });
  }
  assert.equal(bench.asked.length, 3);
});

Deno.test("keepttl says TTLs as they came", async () => {
  const bench = new Bench("cache {\nkeepttl\n}");
  await bench.ask();
  bench.pass(59);
  assert.equal((await bench.ask()).answer[0]!.ttl, 60);
  bench.pass(1);
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("a clock that is set back makes no answer live longer", async () => {
  const bench = new Bench("cache");
  let wallMs = bench.clock.nowMs();
  bench.clock.nowMs = () => wallMs;
  await bench.ask();
  wallMs += 50_000;
  assert.equal((await bench.ask()).answer[0]!.ttl, 10);
  wallMs -= 3_600_000;
  assert.equal((await bench.ask()).answer[0]!.ttl, 10);
  wallMs += 10_000;
  await bench.ask();
  assert.equal(bench.asked.length, 2);
});

Deno.test("hits, misses, requests and entries are counted", async () => {
  const bench = new Bench("cache");
  await bench.ask();
  await bench.ask();
  await bench.ask();
  assert.deepEqual(bench.counts, {
    coredns_cache_requests_total: 3,
    coredns_cache_misses_total: 1,
    "coredns_cache_hits_total success": 2,
  });
  const { success, denial, labels } = bench.cache.sizes()!;
  assert.deepEqual([success, denial], [1, 0]);
  assert.deepEqual(labels, { server: "dns://:53", zones: ".", view: "" });
});

Deno.test("who asks for an explanation is told", async () => {
  const bench = new Bench("cache");
  await bench.ask();
  const decisions: Decision[] = [];
  await bench.ask(
    asking({ nowMs: bench.clock.nowMs(), record: (decision) => void decisions.push(decision) }),
  );
  assert.deepEqual(decisions.map(({ plugin, what }) => [plugin, what]), [["cache", "kept, 60 s left"]]);
});

Deno.test("prefetch asks anew for what is popular, once, in the last tenth of its time", async () => {
  const gate = Promise.withResolvers<Answer>();
  const bench = new Bench("cache {\nprefetch 2 1m 10%\n}");
  await bench.ask();
  bench.pass(30);
  await bench.ask();
  bench.pass(24);
  bench.upstream = () => gate.promise;
  const decisions: Decision[] = [];
  const record = (decision: Decision) => void decisions.push(decision);
  for (let i = 0; i < 3; i++) {
    assert.equal((await bench.ask(asking({ nowMs: bench.clock.nowMs(), record }))).answer[0]!.ttl, 6);
  }
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.asked[1]!.record, undefined);
  assert.equal(bench.asked[1]!.nowMs, bench.clock.nowMs());
  gate.resolve(said([WWW]));
  await settle();
  assert.equal((await bench.ask()).answer[0]!.ttl, 60);
  assert.equal(bench.counts["coredns_cache_prefetch_total"], 1);
});

Deno.test("a gap makes an answer unpopular again", async () => {
  const bench = new Bench("cache {\nprefetch 2 10s 90%\n}");
  await bench.ask();
  for (let i = 0; i < 5; i++) {
    bench.pass(10);
    await bench.ask();
  }
  assert.equal(bench.asked.length, 1);
});

Deno.test("a prefetch that fails leaves what there is", async () => {
  const bench = new Bench("cache {\nprefetch 1 1m 90%\n}");
  await bench.ask();
  bench.upstream = () => said([], { rcode: RCODE.SERVFAIL });
  bench.pass(50);
  await bench.ask();
  await settle();
  assert.equal((await bench.ask()).rcode, RCODE.NOERROR);
  bench.upstream = () => {
    throw new Error("broken");
  };
  await settle();
  assert.equal((await bench.ask()).rcode, RCODE.NOERROR);
  await settle();
  assert.match(bench.logged[0]!, /asking anew for www\.example\.org\.: Error: broken/);
});
