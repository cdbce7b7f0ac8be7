import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { RCODE } from "../../../core/dns/types.ts";
import { type Answer, type Clock, parseName } from "../../../core/plugin.ts";
import type { ForwardRule } from "../../../plugins/forward/config.ts";
import { Forwarder } from "../../../plugins/forward/forwarder.ts";
import { SYSTEM_SOCKETS } from "../../../plugins/forward/sockets.ts";
import { IGNORED_MAX } from "../../../plugins/forward/udp.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { contextOf } from "../../support/context.ts";
import { FakeStream, replyAtOnce, type StreamAsked } from "./fake_stream.ts";
import { replyTo } from "./fake_upstream.ts";
import { ruleTo } from "./rule.ts";
import { freePort } from "../../support/server.ts";
import { until } from "../../support/until.ts";

/** A forwarder over TCP to fakes, tried in order, with what it counted; no time passes unless a test says so. */
function forwarderTo(
  fakes: readonly FakeStream[],
  more: Partial<ForwardRule> = {},
  clock: Clock = new ManualClock(),
) {
  const counts: Record<string, number> = {};
  const count = (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const key = [name.replace("coredns_proxy_conn_cache_", ""), labels["proto"]].filter(Boolean).join(" ");
    counts[key] = (counts[key] ?? 0) + 1;
  };
  const rule = ruleTo(fakes.map(({ upstream }) => upstream), { transport: "tcp", maxFails: 0, ...more });
  const forwarder = new Forwarder(rule, {
    clock,
    random: () => 0,
    sockets: SYSTEM_SOCKETS,
    count,
    observe() {},
  });
  const ask = (name = "www.example.org") =>
    forwarder.answer(contextOf({ question: { name: parseName(name), type: 1, class: 1 } }, name));
  return { ask, counts, [Symbol.dispose]: () => forwarder.close() };
}

function addressIn({ answer }: Answer): string {
  return answer[0]!.rdata[0]!.join(".");
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

Deno.test("queries share a connection, and replies come in any order", async () => {
  const held: StreamAsked[] = [];
  await using fake = new FakeStream((asked) => void held.push(asked));
  using to = forwarderTo([fake]);
  const answers = ["a.example.org", "b.example.org", "c.example.org"].map(to.ask);
  await fake.until(() => held.length === 3);
  for (const [i, { query, send }] of held.toReversed().entries()) {
    await send(replyTo(query, [`@ 60 A 192.0.2.${query.questions[0]!.name.charCodeAt(1)}`]));
    assert.ok(i < 3);
  }
  assert.deepEqual((await Promise.all(answers)).map(addressIn), ["192.0.2.97", "192.0.2.98", "192.0.2.99"]);
  assert.equal(fake.connections, 1);
  assert.equal(new Set(held.map(({ query }) => query.id)).size, 3);
});

Deno.test("an open connection is used again, and counted as a hit", async () => {
  await using fake = new FakeStream();
  using to = forwarderTo([fake]);
  for (let i = 0; i < 3; i++) await to.ask();
  assert.equal(fake.connections, 1);
  assert.deepEqual(to.counts, { "misses_total tcp": 1, "hits_total tcp": 2 });
});

Deno.test("more than 32 queries at a time take more than one connection", async () => {
  const held: StreamAsked[] = [];
  await using fake = new FakeStream((asked) => void held.push(asked));
  using to = forwarderTo([fake]);
  const answers = Array.from({ length: 40 }, (_, i) => to.ask(`h${i}.example.org`));
  await fake.until(() => held.length === 40);
  assert.equal(fake.connections, 2);
  for (const asked of held) await replyAtOnce(asked);
  await Promise.all(answers);
});

Deno.test("a connection that was closed meanwhile is no failure: the query goes over a new one", async () => {
  await using fake = new FakeStream();
  using to = forwarderTo([fake], { attemptsMax: 1 });
  await to.ask();
  fake.hangUpAll();
  assert.equal((await to.ask()).rcode, RCODE.NOERROR);
  // Here it dies only when the query is there already.
  fake.behaviour = (asked) => {
    fake.behaviour = replyAtOnce;
    asked.hangUp();
  };
  assert.equal((await to.ask()).rcode, RCODE.NOERROR);
  assert.equal(fake.connections, 3);
  assert.equal(to.counts["meridian_forward_failures_total"], undefined);
});

Deno.test("a new connection that dies is a failure: it is not tried for ever", async () => {
  await using fake = new FakeStream((asked) => asked.hangUp());
  using to = forwarderTo([fake], { attemptsMax: 2 });
  const answer = await to.ask();
  assert.equal(answer.rcode, RCODE.SERVFAIL);
  assert.equal(fake.connections, 2);
  assert.match(answer.fault!.message, /^127\.0\.0\.1:\d+ /);
});

Deno.test("a reset is a failure of that upstream, and the next one is asked", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const resetting = (async () => {
    const connection = await listener.accept();
    // To close what has not been read is to reset.
    await turn();
    connection.close();
  })();
  await using good = new FakeStream();
  const { address } = good.upstream;
  const resets = { upstream: { protocol: "dns", address, port: listener.addr.port } } as FakeStream;
  using to = forwarderTo([resets, good]);
  assert.equal(addressIn(await to.ask()), "192.0.2.1");
  assert.equal(to.counts["meridian_forward_failures_total"], 1);
  await resetting;
  listener.close();
});

Deno.test("an idle connection is closed after expire", async () => {
  await using fake = new FakeStream();
  const clock = new ManualClock();
  using to = forwarderTo([fake], {}, clock);
  await to.ask();
  clock.advance(9_999);
  await to.ask();
  clock.advance(9_999);
  await turn();
  assert.equal(fake.open, 1);
  clock.advance(1);
  await fake.until(() => fake.open === 0);
});

Deno.test("max_age ends the use of a connection, max_idle_conns the keeping of many", async () => {
  await using fake = new FakeStream();
  const clock = new ManualClock();
  using to = forwarderTo([fake], { keep: { idleMs: 10_000, ageMaxMs: 15_000, idleMax: 1 } }, clock);
  await to.ask();
  clock.advance(8_000);
  await to.ask();
  assert.equal(fake.connections, 1);
  clock.advance(7_000);
  await to.ask();
  assert.equal(fake.connections, 2);
  await fake.until(() => fake.open === 1);
});

Deno.test("close() ends what is idle at once, and what is in use after its last reply", async () => {
  const held: StreamAsked[] = [];
  await using fake = new FakeStream((asked) => void held.push(asked));
  const to = forwarderTo([fake], {}, new ManualClock());
  const answer = to.ask();
  await fake.until(() => held.length === 1);
  to[Symbol.dispose]();
  await turn();
  assert.equal(fake.open, 1);
  await replyAtOnce(held[0]!);
  assert.equal((await answer).rcode, RCODE.NOERROR);
  await fake.until(() => fake.open === 0);
  await using other = new FakeStream();
  const idle = forwarderTo([other], {}, new ManualClock());
  await idle.ask();
  idle[Symbol.dispose]();
  await other.until(() => other.open === 0);
});

Deno.test("a flood of messages that nobody asked for ends the connection", async () => {
  await using fake = new FakeStream(async (asked) => {
    for (let i = 0; i < IGNORED_MAX; i++) await forgeries["another ID"]!(asked);
  });
  using to = forwarderTo([fake], { attemptsMax: 1 }, new ManualClock());
  assert.match((await to.ask()).fault!.message, /replied to questions that nobody asked/);
  await fake.until(() => fake.open === 0);
});

const forgeries: Record<string, (asked: StreamAsked) => unknown> = {
  "another ID": ({ query, send }) => send(replyTo(query, ["@ 60 A 203.0.113.66"], { id: query.id ^ 1 })),
  "another name": ({ query, send }) =>
    send(replyTo(query, ["@ 60 A 203.0.113.66"], {
      questions: [{ ...query.questions[0]!, name: parseName("evil.example.org") }],
    })),
  "no octets": ({ send }) => send(new Uint8Array()),
  "QR clear": ({ query, send }) => send(replyTo(query, ["@ 60 A 203.0.113.66"], { isResponse: false })),
};
for (const [what, forge] of Object.entries(forgeries)) {
  Deno.test(`a message with ${what} is ignored on a connection as well`, async () => {
    await using fake = new FakeStream(async (asked) => {
      await forge(asked);
      await replyAtOnce(asked);
    });
    using to = forwarderTo([fake], { attemptsMax: 1 });
    assert.equal(addressIn(await to.ask()), "192.0.2.1");
    assert.equal(to.counts["meridian_forward_ignored_total"], 1);
  });
}

Deno.test("a malformed reply fails its own query only", async () => {
  await using fake = new FakeStream(({ query, send }) => {
    const octets = replyTo(query, ["@ 60 A 192.0.2.1"]);
    return send(
      query.questions[0]!.name.startsWith("\x03bad") ? octets.subarray(0, octets.length - 12) : octets,
    );
  });
  using to = forwarderTo([fake], { attemptsMax: 1 });
  const [bad, good] = await Promise.all([to.ask("bad.example.org"), to.ask("good.example.org")]);
  assert.deepEqual([bad.rcode, good.rcode, fake.connections], [RCODE.SERVFAIL, RCODE.NOERROR, 1]);
});

Deno.test("a truncated reply over a stream is a failure", async () => {
  await using fake = new FakeStream(({ query, send }) => send(replyTo(query, [], { truncated: true })));
  using to = forwarderTo([fake], { attemptsMax: 1 });
  assert.match((await to.ask()).fault!.message, /truncated reply over a stream/);
});

Deno.test("a connection on which nothing is heard is not used again", async () => {
  await using fake = new FakeStream(() => {});
  const clock = new ManualClock();
  using to = forwarderTo([fake], { attemptsMax: 1 }, clock);
  const late = to.ask();
  await fake.until(() => fake.asked.length === 1);
  clock.advance(2000);
  assert.equal((await late).rcode, RCODE.SERVFAIL);
  fake.behaviour = replyAtOnce;
  assert.equal((await to.ask()).rcode, RCODE.NOERROR);
  assert.equal(fake.connections, 2);
});

Deno.test("source_address is where UDP, TCP and TLS queries come from", async () => {
  await using certificates = await makeCertificates();
  const tls = { authority: certificates.authority };
  const material = {
    cert: await Deno.readTextFile(certificates.server.certificate),
    key: await Deno.readTextFile(certificates.server.key),
  };
  for (const secret of [undefined, material]) {
    await using fake = new FakeStream(replyAtOnce, secret);
    using to = forwarderTo([fake], { sourceAddress: "127.0.0.7", tls });
    assert.equal((await to.ask()).rcode, RCODE.NOERROR);
    assert.equal(fake.asked[0]!.from, "127.0.0.7");
  }
});

Deno.test("DNS over TLS: the server must prove its name, by an authority that is trusted", async (t) => {
  await using certificates = await makeCertificates();
  const cert = await Deno.readTextFile(certificates.server.certificate);
  const key = await Deno.readTextFile(certificates.server.key);
  const { authority } = certificates;
  const ask = async (serverName: string | undefined, tls: ForwardRule["tls"]) => {
    await using fake = new FakeStream(replyAtOnce, { cert, key });
    Object.assign(fake.upstream, serverName === undefined ? {} : { serverName });
    using to = forwarderTo([fake], { tls, attemptsMax: 1, transport: "client" });
    const answers = [await to.ask(), await to.ask()];
    return {
      rcode: answers[1]!.rcode,
      fault: answers[1]!.fault?.message,
      counts: to.counts,
      asked: fake.asked.length,
    };
  };
  await t.step("by name, over a connection that is kept", async () => {
    const { rcode, counts } = await ask("dns.example.org", { authority });
    assert.equal(rcode, RCODE.NOERROR);
    assert.deepEqual(counts, { "misses_total tcp-tls": 1, "hits_total tcp-tls": 1 });
  });
  await t.step("by address, when no name is given", async () => {
    assert.equal((await ask(undefined, { authority })).rcode, RCODE.NOERROR);
  });
  await t.step("another name is refused, and told nothing", async () => {
    const { rcode, fault, asked } = await ask("other.example.org", { authority });
    assert.deepEqual([rcode, asked], [RCODE.SERVFAIL, 0]);
    assert.match(fault!, /certificate|NotValidForName/i);
  });
  await t.step("an unknown authority is refused, and told nothing", async () => {
    const { rcode, asked } = await ask("dns.example.org", {});
    assert.deepEqual([rcode, asked], [RCODE.SERVFAIL, 0]);
  });
  await t.step("the same holds when a certificate of ours goes along", async () => {
    const own = { authority, ...certificates.client };
    assert.equal((await ask("dns.example.org", own)).rcode, RCODE.NOERROR);
    assert.equal((await ask(undefined, own)).rcode, RCODE.NOERROR);
    assert.equal((await ask("other.example.org", own)).rcode, RCODE.SERVFAIL);
    assert.equal((await ask("dns.example.org", certificates.client)).rcode, RCODE.SERVFAIL);
  });
  await t.step("a certificate for another name does not prove an address", async () => {
    const other = {
      cert: await Deno.readTextFile(certificates.client.certificate),
      key: await Deno.readTextFile(certificates.client.key),
    };
    for (const tls of [{ authority }, { authority, ...certificates.client }]) {
      await using fake = new FakeStream(replyAtOnce, other);
      using to = forwarderTo([fake], { tls, attemptsMax: 1 });
      assert.equal((await to.ask()).rcode, RCODE.SERVFAIL);
      assert.equal(fake.asked.length, 0);
    }
  });
});

Deno.test("a server that wants our certificate gets it", async () => {
  await using certificates = await makeCertificates();
  const port = freePort();
  const { server, client, authority } = certificates;
  const child = new Deno.Command("openssl", {
    args: `s_server -accept 127.0.0.1:${port} -cert ${server.certificate} -key ${server.key} `.concat(
      `-CAfile ${authority} -Verify 1 -verify_return_error -quiet -naccept 1`,
    ).split(" "),
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const read = async (path: string) => await Deno.readTextFile(path);
  const options = {
    hostname: "127.0.0.1",
    port,
    signal: AbortSignal.timeout(120_000),
    tls: {
      serverName: "dns.example.org",
      authority: await read(authority),
      certificate: await read(client.certificate),
      key: await read(client.key),
    },
  };
  const socket = await until("a connection", () => SYSTEM_SOCKETS.connect(options).catch(() => undefined));
  await socket.write(new TextEncoder().encode("let in\n"));
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value), "let in\n");
  socket.close();
  await reader.cancel();
  await child.stdin.close();
  await child.status;
});
