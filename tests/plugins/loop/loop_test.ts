import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import { type Answer, emptyAnswer, formatName, isWithin, parseName, Problems } from "../../../core/plugin.ts";
import loop, { answerer, type LoopProbe, parse, probeName, start } from "../../../plugins/loop/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, controlScopeOf, parseScopeOf, SILENT } from "../../support/scopes.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { FakeUpstream, replyWith } from "../forward/fake_upstream.ts";

const ZONE = parseName("example.org");

Deno.test("a probe's name is below the zone, and no two are the same", () => {
  const names = Array.from({ length: 100 }, () => probeName(ZONE));
  assert.equal(new Set(names).size, 100);
  assert.ok(names.every((name) => isWithin(name, ZONE)));
  assert.match(formatName(probeName(parseName("."))), /^[0-9a-z]+\.[0-9a-z]+\.$/);
});

/** The control half at work, `answers` in turn, the last one for ever. */
async function probing(answers: readonly number[], more: { probing?: boolean } = {}) {
  const clock = new ManualClock(), asked: string[] = [];
  let published: LoopProbe | undefined;
  start(
    { zone: ZONE },
    controlScopeOf({
      clock,
      publish: (value) => void (published = value as LoopProbe),
      ask: (name, type) => {
        assert.equal(type, TYPE.HINFO);
        asked.push(formatName(name));
        return Promise.resolve(emptyAnswer(answers[Math.min(asked.length, answers.length) - 1]!));
      },
      ...more,
    }),
  );
  for (let second = 0; second < 120; second++) {
    clock.advance(1000);
    for (let turn = 0; turn < 8; turn++) await undefined;
  }
  return { asked, published };
}

Deno.test("the probe is asked for until there is an answer, and not for ever", async () => {
  const found = await probing([RCODE.SERVFAIL, RCODE.SERVFAIL, RCODE.NXDOMAIN]);
  assert.equal(found.asked.length, 3);
  assert.deepEqual(new Set(found.asked), new Set([formatName(found.published!.name)]));
  assert.equal((await probing([RCODE.SERVFAIL])).asked.length, 15);
});

Deno.test("a server that only explains asks nobody", async () => {
  const { asked, published } = await probing([RCODE.NXDOMAIN], { probing: false });
  assert.deepEqual([asked, published], [[], undefined]);
});

/** What becomes of an HINFO query for the probe's name or another. */
function answering(logged: string[], counted: string[]) {
  const probe: LoopProbe = { name: probeName(ZONE) };
  const plugin = answerer(
    { zone: ZONE },
    answerScopeOf({
      published: () => probe,
      log: { ...SILENT, error: (message) => void logged.push(message) },
      count: (name) => void counted.push(name),
    }),
  );
  return (name: string, more: { type?: number; sizeOctets?: number } = {}) => {
    const { type = TYPE.HINFO, sizeOctets = 60 } = more;
    const text = name === "probe" ? formatName(probe.name).toUpperCase() : name;
    const question = { name: parseName(text), type, class: 1 };
    let passed: boolean | undefined;
    const answer = plugin.answer(
      contextOf({ question, sizeOctets, recursionDesired: false }, text),
      (context) => {
        passed = context.recursionDesired;
        return emptyAnswer(RCODE.NXDOMAIN);
      },
    ) as Answer;
    return { rcode: answer.rcode, passed };
  };
}

Deno.test("a probe that comes back is told of once, counted always, and goes no further", () => {
  const logged: string[] = [], counted: string[] = [];
  const ask = answering(logged, counted);
  for (let i = 0; i < 3; i++) assert.deepEqual(ask("probe"), { rcode: RCODE.REFUSED, passed: undefined });
  assert.equal(counted.length, 3);
  assert.equal(logged.length, 1);
  assert.match(
    logged[0]!,
    /Loop detected for zone "example\.org\.".*from 192\.0\.2\.53 to port 53.*name another upstream/,
  );
});

Deno.test("the probe on its way out wants recursion, and nothing else is touched", () => {
  const logged: string[] = [];
  const ask = answering(logged, []);
  assert.deepEqual(ask("probe", { sizeOctets: 0 }), { rcode: RCODE.NXDOMAIN, passed: true });
  assert.deepEqual(ask("probe", { type: TYPE.A }), { rcode: RCODE.NXDOMAIN, passed: false });
  assert.deepEqual(ask("a.b.example.org"), { rcode: RCODE.NXDOMAIN, passed: false });
  assert.deepEqual(logged, []);
});

Deno.test("loop takes nothing", () => {
  for (const [text, message] of [["loop 5", /takes no more here/], ["loop\nloop", /stands twice/]] as const) {
    const problems = new Problems();
    problems.attempt(() => parse(directivesOf(text), parseScopeOf({ problems, zones: [ZONE] })));
    assert.match(problems.errors[0]!.message, message);
  }
  assert.deepEqual(loop.options, {});
});

for (const workers of [0, 1]) {
  Deno.test(`a server that forwards to itself says so and lives on${workers ? ", with a data worker" : ""}`, async () => {
    const server = await startServer(
      ".:1053 {\ncache\nloop\nforward . 127.0.0.1:1053\n}\nexample.org:1053 {\nwhoami\n}\n",
      { workers },
    );
    try {
      await until(
        "a line about the loop",
        () => server.logged.some((line) => /^error: plugin\/loop: Loop detected/.test(line)),
      );
      assert.equal((await server.ask("www.example.org")).rcode, RCODE.NOERROR);
    } finally {
      await server.close();
    }
  });
}

Deno.test("a server whose upstream answers has no loop", async () => {
  await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
  const server = await startServer(`.:1053 {\nloop\nforward . 127.0.0.1:${upstream.upstream.port}\n}`);
  try {
    await upstream.until(1);
    const { type, name } = upstream.asked[0]!.query.questions[0]!;
    assert.equal(type, TYPE.HINFO);
    assert.match(formatName(name), /^[0-9a-z]{8,14}\.[0-9a-z]{8,14}\.$/);
    assert.equal(upstream.asked[0]!.query.recursionDesired, true);
    assert.deepEqual(server.logged.filter((line) => line.includes("loop")), []);
  } finally {
    await server.close();
  }
});
