import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { encodeExtendedError } from "../../../core/dns/edns.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import {
  type Answer,
  type Clock,
  type Decision,
  type Labels,
  NEVER,
  parseName,
  ROOT,
} from "../../../core/plugin.ts";
import type { ForwardRule } from "../../../plugins/forward/config.ts";
import { Forwarder } from "../../../plugins/forward/forwarder.ts";
import { SYSTEM_SOCKETS } from "../../../plugins/forward/sockets.ts";
import { IGNORED_MAX, QUESTIONS_MAX } from "../../../plugins/forward/udp.ts";
import { contextOf } from "../../support/context.ts";
import { until } from "../../support/until.ts";
import { ruleTo } from "./rule.ts";
import { type Asked, FakeUpstream, replyTo, replyWith } from "./fake_upstream.ts";

const LOOSE_ENDS = { sanitizeOps: true, sanitizeResources: true };

/** A forwarder to fakes, tried in order, with what it counted; no time passes, however long the machine takes. */
function forwarderTo(
  fakes: readonly FakeUpstream[],
  more: Partial<ForwardRule> = {},
  { clock = new ManualClock(), random = () => 0 }: { clock?: Clock; random?: () => number } = {},
) {
  const counts: Record<string, number> = {};
  const rule = ruleTo(fakes.map(({ upstream }) => upstream), more);
  const count = (name: string) => void (counts[name] = (counts[name] ?? 0) + 1);
  const samples: Labels[] = [];
  const observe = (_: string, __: number, labels: Labels = {}) => void samples.push(labels);
  const forwarder = new Forwarder(rule, { clock, random, sockets: SYSTEM_SOCKETS, count, observe });
  return { forwarder, counts, samples, [Symbol.dispose]: () => forwarder.close() };
}

const silence = () => {};

/** The octets of the only address in an answer. */
function addressIn({ answer }: Answer): string {
  return answer[0]!.rdata[0]!.join(".");
}

/** Lets sockets and timers of zero length run. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

Deno.test("a reply becomes an answer: RRsets, TTLs, flags, RCODE, extended errors", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream(({ query, send }) =>
    send(
      replyTo(query, [
        "@ 300 CNAME web.example.org.",
        "web.example.org. 60 A 192.0.2.1",
        "web.example.org. 30 A 192.0.2.2",
      ], {
        authenticData: true,
        edns: {
          version: 0,
          payloadSize: 1232,
          dnssecOk: false,
          options: [encodeExtendedError({ infoCode: 3, text: "stale" }), {
            code: 10,
            data: new Uint8Array(24),
          }],
        },
      }),
    )
  );
  using to = forwarderTo([fake]);
  const answer = await to.forwarder.answer(contextOf());
  assert.deepEqual(
    answer.answer.map(({ type, ttl, rdata }) => [type, ttl, rdata.length]),
    [[TYPE.CNAME, 300, 1], [TYPE.A, 30, 2]],
  );
  assert.deepEqual(
    [answer.rcode, answer.authoritative, answer.recursionAvailable, answer.authenticData],
    [0, false, true, true],
  );
  assert.deepEqual(answer.extendedErrors, [{ infoCode: 3, text: "stale" }]);
  assert.equal(answer.options, undefined);
});

Deno.test("an answer from upstream is for this moment, and for any client", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream();
  using to = forwarderTo([fake]);
  const { dependence, momentary } = await to.forwarder.answer(contextOf());
  assert.deepEqual(dependence, { scopePrefixLength: 0, deadline: NEVER, keys: ["do", "cd"] });
  assert.equal(momentary, true);
});

Deno.test("the query is made anew: RD, CD, DO kept, no option passed on", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream();
  using to = forwarderTo([fake]);
  const options = [{ code: 8, data: Uint8Array.of(0, 1, 24, 0, 192, 0, 2) }, {
    code: 10,
    data: new Uint8Array(8),
  }];
  await to.forwarder.answer(contextOf({
    checkingDisabled: true,
    recursionDesired: false,
    edns: { version: 0, payloadSize: 4096, dnssecOk: true, options },
  }));
  await to.forwarder.answer(contextOf());
  const [strict, plain] = fake.asked.map(({ query }) => query);
  assert.deepEqual(strict!.edns, { version: 0, payloadSize: 1232, dnssecOk: true, options: [] });
  assert.deepEqual([strict!.checkingDisabled, strict!.recursionDesired], [true, false]);
  assert.deepEqual([plain!.checkingDisabled, plain!.recursionDesired, plain!.edns!.dnssecOk], [
    false,
    true,
    false,
  ]);
});

Deno.test("every query has an ID of its own, and one of many ports", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream();
  using to = forwarderTo([fake]);
  for (let i = 0; i < 300; i++) await to.forwarder.answer(contextOf({ messageId: 7 }));
  const byPort = Map.groupBy(fake.asked, ({ port }) => port);
  assert.ok(new Set(fake.asked.slice(0, 30).map(({ query }) => query.id)).size >= 28);
  // Of 64 places all but one or two are drawn in 300 draws.
  assert.ok(byPort.size >= 50, `${byPort.size} ports`);
  for (const asked of byPort.values()) assert.ok(asked.length <= QUESTIONS_MAX);
});

const forgeries: Record<string, (asked: Asked) => unknown> = {
  "another ID": ({ query, send }) => send(replyTo(query, ["@ 60 A 203.0.113.66"], { id: query.id ^ 1 })),
  "another name": ({ query, send }) =>
    send(replyTo(query, ["@ 60 A 203.0.113.66"], {
      questions: [{ ...query.questions[0]!, name: parseName("evil.example.org") }],
    })),
  "another type": ({ query, send }) =>
    send(replyTo(query, ["@ 60 A 203.0.113.66"], { questions: [{ ...query.questions[0]!, type: 28 }] })),
  "another class": ({ query, send }) =>
    send(replyTo(query, ["@ 60 A 203.0.113.66"], { questions: [{ ...query.questions[0]!, class: 3 }] })),
  "no question": ({ query, send }) => send(replyTo(query, [], { questions: [] })),
  "two questions": ({ query, send }) =>
    send(replyTo(query, ["@ 60 A 203.0.113.66"], { questions: [query.questions[0]!, query.questions[0]!] })),
  "QR clear": ({ query, send }) => send(replyTo(query, ["@ 60 A 203.0.113.66"], { isResponse: false })),
  "another opcode": ({ query, send }) => send(replyTo(query, ["@ 60 A 203.0.113.66"], { opcode: 4 })),
  "another port": ({ query, sendFromElsewhere }) =>
    sendFromElsewhere(replyTo(query, ["@ 60 A 203.0.113.66"])),
  "an echo of the query": ({ query, send }) => send(replyTo(query, [], { isResponse: false })),
  "too few octets": ({ query, send }) => send(Uint8Array.of(query.id >> 8, query.id & 255, 0x80)),
  "no octets": ({ send }) => send(new Uint8Array()),
};
for (const [what, forge] of Object.entries(forgeries)) {
  Deno.test(`a datagram with ${what} is ignored, and waiting goes on`, LOOSE_ENDS, async () => {
    await using fake = new FakeUpstream(async (asked) => {
      await forge(asked);
      await turn();
      await replyWith("@ 60 A 192.0.2.1")(asked);
    });
    using to = forwarderTo([fake]);
    assert.equal(addressIn(await to.forwarder.answer(contextOf())), "192.0.2.1");
    assert.equal(fake.asked.length, 1);
    assert.equal(to.counts["meridian_forward_ignored_total"], 1);
  });
}

Deno.test("a reply may write the name in another case", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream(({ query, send }) =>
    send(replyTo(query, ["@ 60 A 192.0.2.1"], {
      questions: [{ ...query.questions[0]!, name: parseName("wWw.EXAMPLE.org") }],
    }))
  );
  using to = forwarderTo([fake]);
  assert.equal((await to.forwarder.answer(contextOf())).rcode, 0);
});

Deno.test("a truncated reply is asked for again over TCP, at the same upstream", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream((asked) =>
    asked.transport === "tcp"
      ? replyWith("@ 60 A 192.0.2.1")(asked)
      : asked.send(replyTo(asked.query, [], { truncated: true }))
  );
  await using other = new FakeUpstream();
  using to = forwarderTo([fake, other]);
  assert.equal(addressIn(await to.forwarder.answer(contextOf())), "192.0.2.1");
  assert.deepEqual(fake.asked.map(({ transport }) => transport), ["udp", "tcp"]);
  assert.notEqual(fake.asked[0]!.query.id, fake.asked[1]!.query.id);
  assert.equal(other.asked.length, 0);
});

Deno.test("a flood of forgeries sends the question to TCP", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream(async (asked) => {
    if (asked.transport === "tcp") return await replyWith("@ 60 A 192.0.2.1")(asked);
    for (let i = 0; i < IGNORED_MAX; i++) await forgeries["another ID"]!(asked);
  });
  using to = forwarderTo([fake]);
  assert.equal(addressIn(await to.forwarder.answer(contextOf())), "192.0.2.1");
  assert.deepEqual(fake.asked.map(({ transport }) => transport), ["udp", "tcp"]);
});

Deno.test("a malformed reply fails over at once", LOOSE_ENDS, async () => {
  await using broken = new FakeUpstream(({ query, send }) => {
    const octets = replyTo(query, ["@ 60 A 192.0.2.1"]);
    return send(octets.subarray(0, octets.length - 12));
  });
  await using good = new FakeUpstream();
  using to = forwarderTo([broken, good], {}, { clock: new ManualClock() });
  assert.equal(addressIn(await to.forwarder.answer(contextOf())), "192.0.2.1");
  assert.equal(to.counts["meridian_forward_failures_total"], 1);
});

Deno.test("the upstream is asked over what the client used, or what the block says", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream();
  for (const transport of ["client", "udp", "tcp"] as const) {
    using to = forwarderTo([fake], { transport });
    await to.forwarder.answer(contextOf({ transport: "tcp" }));
    await to.forwarder.answer(contextOf({ transport: "udp" }));
  }
  assert.deepEqual(fake.asked.map(({ transport }) => transport), ["tcp", "udp", "udp", "udp", "tcp", "tcp"]);
});

Deno.test(
  "a connection that ends early, or replies to another question, fails over",
  LOOSE_ENDS,
  async () => {
    await using hangsUp = new FakeUpstream(silence);
    await using confused = new FakeUpstream(forgeries["another ID"]);
    await using good = new FakeUpstream();
    using to = forwarderTo([hangsUp, confused, good], { transport: "tcp" });
    assert.equal(addressIn(await to.forwarder.answer(contextOf())), "192.0.2.1");
    assert.equal(to.counts["meridian_forward_failures_total"], 2);
  },
);

Deno.test("an upstream that is silent for 2 s fails, and the next one is asked", LOOSE_ENDS, async () => {
  await using dead = new FakeUpstream(silence);
  await using good = new FakeUpstream();
  const clock = new ManualClock();
  using to = forwarderTo([dead, good], { maxFails: 0 }, { clock });
  const answer = to.forwarder.answer(contextOf());
  await dead.until(1);
  clock.advance(1999);
  await turn();
  assert.equal(good.asked.length, 0);
  clock.advance(1);
  assert.equal(addressIn(await answer), "192.0.2.1");
});

Deno.test("a reply that comes too late is nobody's", LOOSE_ENDS, async () => {
  const held: Asked[] = [];
  await using late = new FakeUpstream((asked) => void held.push(asked));
  await using good = new FakeUpstream();
  const clock = new ManualClock();
  using to = forwarderTo([late, good], { maxFails: 0 }, { clock });
  const answer = to.forwarder.answer(contextOf());
  await late.until(1);
  clock.advance(2000);
  await good.until(1);
  await replyWith("@ 60 A 203.0.113.66")(held[0]!);
  assert.equal(addressIn(await answer), "192.0.2.1");
  late.behaviour = replyWith("@ 60 A 192.0.2.9");
  assert.equal(addressIn(await to.forwarder.answer(contextOf())), "192.0.2.9");
  assert.deepEqual(to.samples.map(({ rcode }) => rcode), ["NOERROR", "NOERROR"]);
});

Deno.test(
  "a query ends after 5 s, as SERVFAIL with the reason for client and operator",
  LOOSE_ENDS,
  async () => {
    await using dead = new FakeUpstream(silence);
    const clock = new ManualClock();
    using to = forwarderTo([dead], { maxFails: 0, attemptsMax: 100 }, { clock });
    const decisions: Decision[] = [];
    const answering = to.forwarder.answer(contextOf({ record: (decision) => void decisions.push(decision) }));
    for (let i = 1; i <= 3; i++) {
      await dead.until(i);
      clock.advance(i < 3 ? 2000 : 1000);
    }
    const answer = await answering;
    assert.equal(answer.rcode, RCODE.SERVFAIL);
    assert.deepEqual(answer.extendedErrors, [{ infoCode: 22 }]);
    const said = `127.0.0.1:${dead.upstream.port} timed out`;
    assert.deepEqual(answer.fault, { plugin: "forward", message: `${said}; ${said}; ${said}` });
    assert.deepEqual(decisions.map(({ what }) => what), ["no upstream answered: SERVFAIL"]);
    assert.equal(dead.asked.length, 3);
  },
);

Deno.test("a query costs at most as many exchanges as allowed", LOOSE_ENDS, async () => {
  await using a = new FakeUpstream(silence);
  await using b = new FakeUpstream(silence);
  using to = forwarderTo([a, b], { transport: "tcp", maxFails: 0 });
  const answer = await to.forwarder.answer(contextOf());
  assert.deepEqual([a.asked.length, b.asked.length], [2, 2]);
  assert.deepEqual(answer.extendedErrors, [{ infoCode: 23 }]);
});

Deno.test("identical questions under way share one exchange; different ones do not", LOOSE_ENDS, async () => {
  const gate = Promise.withResolvers<void>();
  await using fake = new FakeUpstream(async (asked) => {
    await gate.promise;
    await replyWith("@ 60 A 192.0.2.1")(asked);
  });
  using to = forwarderTo([fake]);
  const edns = { version: 0, payloadSize: 1232, dnssecOk: true, options: [] };
  const answers = [
    ...Array.from({ length: 50 }, () => to.forwarder.answer(contextOf())),
    to.forwarder.answer(contextOf({}, "www.EXAMPLE.org")),
    to.forwarder.answer(contextOf({ edns })),
    to.forwarder.answer(contextOf({ checkingDisabled: true })),
    to.forwarder.answer(contextOf({ question: { ...contextOf().question, type: 28 } })),
  ];
  await fake.until(4);
  await turn();
  gate.resolve();
  for (const answer of await Promise.all(answers)) assert.equal(answer.rcode, 0);
  assert.equal(fake.asked.length, 4);
  await to.forwarder.answer(contextOf());
  assert.equal(fake.asked.length, 5);
});

Deno.test("queries beyond max_concurrent are refused and counted", LOOSE_ENDS, async () => {
  const gate = Promise.withResolvers<void>();
  await using fake = new FakeUpstream(async (asked) => {
    await gate.promise;
    await replyWith("@ 60 A 192.0.2.1")(asked);
  });
  using to = forwarderTo([fake], { concurrentMax: 2 });
  const waiting = [to.forwarder.answer(contextOf()), to.forwarder.answer(contextOf({}, "a.example.org"))];
  const refused = await to.forwarder.answer(contextOf());
  assert.equal(refused.rcode, RCODE.REFUSED);
  assert.equal(refused.momentary, true);
  assert.equal(to.counts["coredns_forward_max_concurrent_rejects_total"], 1);
  gate.resolve();
  await Promise.all(waiting);
  assert.equal((await to.forwarder.answer(contextOf())).rcode, 0);
});

Deno.test(
  "an upstream is down after max_fails failures, and up with its first reply to a probe",
  LOOSE_ENDS,
  async () => {
    await using flaky = new FakeUpstream(silence);
    await using good = new FakeUpstream();
    const clock = new ManualClock();
    using to = forwarderTo([flaky, good], {}, { clock });
    const first = to.forwarder.answer(contextOf());
    await flaky.until(1);
    clock.advance(2000);
    await first;
    // One failure is not enough to be down; the probe that it started is the second.
    await flaky.until(2);
    assert.deepEqual(flaky.asked[1]!.query.questions, [{ name: ROOT, type: TYPE.NS, class: 1 }]);
    clock.advance(1000);
    await turn();
    await to.forwarder.answer(contextOf());
    assert.equal(flaky.count(), 1);
    flaky.behaviour = ({ query, send }) => send(replyTo(query, [], { rcode: RCODE.SERVFAIL }));
    clock.advance(500);
    await flaky.until(3);
    flaky.behaviour = replyWith("@ 60 A 192.0.2.9");
    await until(
      "the reply to be heard",
      async () => addressIn(await to.forwarder.answer(contextOf())) === "192.0.2.9",
    );
    clock.advance(10_000);
    await turn();
    assert.equal(flaky.asked.length, 4);
  },
);

Deno.test(
  "when all upstreams are down one is asked all the same, or none with failfast",
  LOOSE_ENDS,
  async () => {
    await using a = new FakeUpstream(silence);
    await using b = new FakeUpstream(silence);
    for (const failFast of [false, true]) {
      const clock = new ManualClock();
      using to = forwarderTo([a, b], { maxFails: 1, transport: "tcp", failFast, attemptsMax: 2 }, { clock });
      await to.forwarder.answer(contextOf());
      a.behaviour = replyWith("@ 60 A 192.0.2.1");
      const answer = await to.forwarder.answer(contextOf());
      a.behaviour = silence;
      assert.equal(answer.rcode, failFast ? RCODE.SERVFAIL : 0);
      assert.equal(answer.fault?.message, failFast ? "every upstream is down" : undefined);
      assert.equal(to.counts["coredns_forward_healthcheck_broken_total"], 1);
    }
  },
);

Deno.test("max_fails 0 means never down and never probed", LOOSE_ENDS, async () => {
  await using fake = new FakeUpstream(silence);
  using to = forwarderTo([fake], { maxFails: 0, transport: "tcp", attemptsMax: 5 });
  await to.forwarder.answer(contextOf());
  await turn();
  assert.equal(fake.asked.length, 5);
  assert.equal(fake.count("."), 0);
});

Deno.test("failover asks on for some RCODEs; the last reply stands", LOOSE_ENDS, async () => {
  const refuse = ({ query, send }: Asked) => send(replyTo(query, [], { rcode: RCODE.REFUSED }));
  await using a = new FakeUpstream(refuse);
  await using b = new FakeUpstream();
  using to = forwarderTo([a, b], { failover: [RCODE.REFUSED], attemptsMax: 2 });
  assert.equal((await to.forwarder.answer(contextOf())).rcode, 0);
  b.behaviour = refuse;
  const last = await to.forwarder.answer(contextOf());
  assert.deepEqual([last.rcode, last.fault], [RCODE.REFUSED, undefined]);
});

Deno.test("close() ends the probes", LOOSE_ENDS, async () => {
  await using dead = new FakeUpstream(silence);
  const clock = new ManualClock();
  using to = forwarderTo([dead], { transport: "tcp", attemptsMax: 1 }, { clock });
  await to.forwarder.answer(contextOf());
  await dead.until(2);
  await turn();
  to.forwarder.close();
  const asked = dead.asked.length;
  clock.advance(60_000);
  await turn();
  assert.equal(dead.asked.length, asked);
});
