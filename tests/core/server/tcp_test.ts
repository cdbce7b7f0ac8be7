import assert from "node:assert/strict";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { Arrival, Exchange, Serving } from "../../../core/server/arrival.ts";
import { framed } from "../../../core/server/framing.ts";
import { serveTcp, type TcpLimits, type TcpOptions } from "../../../core/server/tcp.ts";
import {
  deferred,
  idOf,
  LOOPBACK,
  memoryCounters,
  memoryLog,
  messageOf,
  TcpClient,
  until,
} from "./sockets.ts";

const echo: Exchange = (octets) => octets;

function serve(exchange: Exchange, more: Partial<TcpOptions> = {}): Serving & AsyncDisposable {
  const server = serveTcp({
    address: LOOPBACK,
    port: 0,
    exchange,
    clock: SYSTEM_CLOCK,
    log: memoryLog(),
    drainMs: 50,
    ...more,
  });
  return {
    endpoint: server.endpoint,
    close: () => server.close(),
    retire: (withinMs) => server.retire(withinMs),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** A server whose time stands still, and what it counts. */
function serveByHand(exchange: Exchange, limits: Partial<TcpLimits> = {}) {
  const clock = new ManualClock();
  const counters = memoryCounters();
  const server = serve(exchange, { clock, limits, count: counters.count });
  const closedFor = (reason: string) => counters.of(`meridian_tcp_closed_total{reason="${reason}"}`);
  return {
    endpoint: server.endpoint,
    clock,
    closedFor,
    async [Symbol.asyncDispose]() {
      const closed = server.close();
      clock.advance(60_000);
      await closed;
    },
  };
}

Deno.test("serveTcp() answers on IPv4 and IPv6 and says where a query came from", async () => {
  for (const text of ["127.0.53.77", "::1"]) {
    const arrivals: Arrival[] = [];
    const exchange: Exchange = (octets, arrival) => (arrivals.push(arrival), octets);
    await using server = serve(exchange, { address: parseAddress(text)! });
    using client = await TcpClient.connect(server.endpoint);
    await client.ask(messageOf(7));
    assert.deepEqual(await client.receive(), messageOf(7));
    const { source, server: asked, transport } = arrivals[0]!;
    assert.deepEqual(asked.address, parseAddress(text));
    assert.equal(source.address.family, asked.address.family);
    assert.equal(transport, "tcp");
  }
});

Deno.test("serveTcp() puts messages together that come an octet at a time", async () => {
  await using server = serve(echo);
  using client = await TcpClient.connect(server.endpoint);
  for (const octet of framed([messageOf(258, 300), messageOf(259)])) await client.write(Uint8Array.of(octet));
  assert.deepEqual(await client.receive(), messageOf(258, 300));
  assert.deepEqual(await client.receive(), messageOf(259));
});

Deno.test("serveTcp() takes a message of 65535 octets, and small ones around it", async () => {
  await using server = serve(echo);
  using client = await TcpClient.connect(server.endpoint);
  const messages = [messageOf(1), messageOf(2, 65_535), messageOf(3), messageOf(4, 40_000)];
  const sent = client.ask(...messages);
  for (const message of messages) assert.deepEqual(await client.receive(), message);
  await sent;
});

Deno.test("serveTcp() answers 1000 pipelined queries", async () => {
  await using server = serve(echo);
  using client = await TcpClient.connect(server.endpoint);
  const ids = Array.from({ length: 1000 }, (_, i) => i);
  await client.ask(...ids.map((id) => messageOf(id)));
  assert.deepEqual(await client.receiveIds(1000), ids);
});

Deno.test("serveTcp() sends each answer when it is ready, whatever was asked before", async () => {
  const slow = deferred<void>();
  await using server = serve((octets) => idOf(octets) === 1 ? slow.promise.then(() => octets) : octets);
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(messageOf(1), messageOf(2), messageOf(3));
  assert.deepEqual(await client.receiveIds(2), [2, 3]);
  slow.resolve();
  assert.deepEqual(await client.receive(), messageOf(1));
});

Deno.test("serveTcp() keeps waiting queries apart although the buffer is used again", async () => {
  const all = deferred<void>();
  let asked = 0;
  await using server = serve(async (octets) => {
    asked++;
    await all.promise;
    return octets;
  });
  using client = await TcpClient.connect(server.endpoint);
  for (let id = 0; id < 20; id++) {
    await client.ask(messageOf(id, 30 + id));
    await until(() => asked === id + 1, "the query has arrived");
  }
  all.resolve();
  for (let id = 0; id < 20; id++) assert.deepEqual(await client.receive(), messageOf(id, 30 + id));
});

Deno.test("serveTcp() answers what was asked before the client's end of stream, then closes", async () => {
  const slow = deferred<void>();
  await using server = serve((octets) => idOf(octets) === 1 ? slow.promise.then(() => octets) : octets);
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(messageOf(1), messageOf(2));
  await client.finish();
  assert.deepEqual(await client.receive(), messageOf(2));
  slow.resolve();
  assert.deepEqual(await client.receive(), messageOf(1));
  assert.equal(await client.receive(), undefined);
});

Deno.test("serveTcp() ends a connection at a length that no message has", async () => {
  for (const length of [0, 11]) {
    await using server = serveByHand(echo);
    using client = await TcpClient.connect(server.endpoint);
    await client.ask(messageOf(1), new Uint8Array(length));
    assert.deepEqual(await client.receiveIds(2), [1]);
    assert.equal(server.closedFor("framing"), 1);
  }
});

Deno.test("serveTcp() says nothing where the exchange does, and outlives one that throws", async () => {
  const log = memoryLog();
  const exchange: Exchange = (octets) => {
    if (idOf(octets) === 1) throw new Error("sudden");
    if (idOf(octets) === 2) return Promise.reject(new Error("late"));
    return idOf(octets) === 3 ? undefined : octets;
  };
  await using server = serve(exchange, { log });
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(...[1, 2, 3, 4].map((id) => messageOf(id)));
  assert.deepEqual(await client.receive(), messageOf(4));
  assert.equal(log.lines.length, 1);
  await client.finish();
  assert.equal(await client.receive(), undefined);
});

Deno.test("serveTcp() closes a connection that has been idle for 10 s, not one in use", async () => {
  await using server = serveByHand(echo);
  using idle = await TcpClient.connect(server.endpoint);
  using busy = await TcpClient.connect(server.endpoint);
  for (const client of [idle, busy]) {
    await client.ask(messageOf(1));
    await client.receive();
  }
  server.clock.advance(9000);
  await busy.ask(messageOf(2));
  assert.deepEqual(await busy.receive(), messageOf(2));
  server.clock.advance(1500);
  assert.equal(await idle.receive(), undefined);
  assert.equal(server.closedFor("idle"), 1);
  await busy.ask(messageOf(3));
  assert.deepEqual(await busy.receive(), messageOf(3));
});

Deno.test("serveTcp() holds no standstill of its own against who has asked in time", async () => {
  const manual = new ManualClock(), counters = memoryCounters();
  let stillMs = 0;
  const clock = {
    nowMs: () => manual.nowMs() + stillMs,
    after: (delayMs: number, then: () => void) => manual.after(delayMs, then),
  };
  const server = serve(echo, { clock, count: counters.count });
  using client = await TcpClient.connect(server.endpoint), silent = await TcpClient.connect(server.endpoint);
  for (const one of [client, silent]) {
    await one.ask(messageOf(1));
    await one.receive();
  }
  const asking = client.ask(messageOf(2));
  // Fifteen seconds pass before the runtime can have read that, and timers are the first to be seen to.
  stillMs = 15_000;
  manual.advance(500);
  await asking;
  assert.deepEqual(await client.receive(), messageOf(2));
  manual.advance(500);
  assert.equal(await silent.receive(), undefined);
  assert.equal(counters.of('meridian_tcp_closed_total{reason="idle"}'), 1);
  const closed = server.close();
  manual.advance(60_000);
  await closed;
});

Deno.test("serveTcp() closes a connection whose message takes over 5 s, however it drips", async () => {
  await using server = serveByHand(echo);
  using client = await TcpClient.connect(server.endpoint);
  using other = await TcpClient.connect(server.endpoint);
  const [whole, started] = [framed([messageOf(1)]), framed([messageOf(2)]).subarray(0, 1)];
  await client.write(Uint8Array.from([...whole, ...started]));
  assert.deepEqual(await client.receive(), messageOf(1));
  server.clock.advance(4500);
  await client.write(framed([messageOf(2)]).subarray(1, 3));
  await other.ask(messageOf(3));
  assert.deepEqual(await other.receive(), messageOf(3));
  assert.equal(server.closedFor("message"), 0);
  server.clock.advance(1000);
  assert.equal(await client.receive(), undefined);
  assert.equal(server.closedFor("message"), 1);
});

Deno.test("serveTcp() stops reading while a client's answers wait, and goes on afterwards", async () => {
  const waiting: (() => void)[] = [];
  const exchange: Exchange = (octets) => new Promise((resolve) => waiting.push(() => resolve(octets)));
  await using server = serve(exchange, { limits: { outstanding: 4 } });
  using client = await TcpClient.connect(server.endpoint);
  using other = await TcpClient.connect(server.endpoint);
  await client.ask(...[1, 2, 3, 4, 5, 6].map((id) => messageOf(id)));
  await until(() => waiting.length === 4, "four queries are under way");
  await other.ask(messageOf(9));
  await until(() => waiting.length === 5, "another client's query is under way too");
  for (const resolve of waiting.splice(0)) resolve();
  assert.deepEqual(await client.receiveIds(4), [1, 2, 3, 4]);
  await until(() => waiting.length === 2, "the others are under way");
  for (const resolve of waiting.splice(0)) resolve();
  assert.deepEqual(await client.receiveIds(2), [5, 6]);
});

Deno.test("serveTcp() holds little for a client that does not read, and closes it after 10 s", async () => {
  const large = messageOf(1, 60_000);
  let asked = 0;
  await using server = serveByHand((octets) => {
    if (idOf(octets) === 9) return octets;
    asked++;
    return large;
  }, { queuedOctets: 100_000 });
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(...Array.from({ length: 2000 }, () => messageOf(1)));
  // The kernel takes some megabytes off our hands before it stops taking.
  for (let before = 0, same = 0; same < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = asked > 0 && asked === before ? same + 1 : 0;
    before = asked;
  }
  assert.ok(asked < 1000, `${asked} of 2000 answers were made for a client that reads none`);
  using other = await TcpClient.connect(server.endpoint);
  await other.ask(messageOf(9));
  assert.deepEqual(await other.receive(), messageOf(9));
  server.clock.advance(10_500);
  assert.equal(server.closedFor("write"), 1);
});

Deno.test("serveTcp() lets a new connection take the place of the one that was idle longest", async () => {
  await using server = serveByHand(echo, { connections: 2 });
  const open = async (id: number) => {
    const client = await TcpClient.connect(server.endpoint);
    await client.ask(messageOf(id));
    assert.deepEqual(await client.receive(), messageOf(id));
    server.clock.advance(100);
    return client;
  };
  using first = await open(1);
  using second = await open(2);
  await first.ask(messageOf(3));
  assert.deepEqual(await first.receive(), messageOf(3));
  using third = await open(4);
  assert.equal(await second.receive(), undefined);
  for (const client of [first, third]) {
    await client.ask(messageOf(5));
    assert.deepEqual(await client.receive(), messageOf(5));
  }
  assert.equal(server.closedFor("overflow"), 1);
});

Deno.test("serveTcp() turns a new connection away when every other one is owed an answer", async () => {
  const answer = deferred<void>();
  let asked = 0;
  await using server = serveByHand(async (octets) => {
    asked++;
    await answer.promise;
    return octets;
  }, { connections: 1 });
  using first = await TcpClient.connect(server.endpoint);
  await first.ask(messageOf(1));
  await until(() => asked === 1, "the query has arrived");
  using second = await TcpClient.connect(server.endpoint);
  assert.equal(await second.receive(), undefined);
  answer.resolve();
  assert.deepEqual(await first.receive(), messageOf(1));
});

Deno.test("serveTcp() gives up a connection whose answer never comes", async () => {
  let asked = 0;
  await using server = serveByHand(() => (asked++, new Promise(() => {})));
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(messageOf(1));
  await client.finish();
  await until(() => asked === 1, "the query has arrived");
  server.clock.advance(30_500);
  assert.equal(await client.receive(), undefined);
  assert.equal(server.closedFor("answer"), 1);
});

Deno.test("close() answers what was asked, ends idle connections, and takes no more", async () => {
  const answer = deferred<void>();
  let asked = 0;
  const server = serve(async (octets) => {
    asked++;
    await answer.promise;
    return octets;
  }, { clock: new ManualClock() });
  using client = await TcpClient.connect(server.endpoint);
  using idle = await TcpClient.connect(server.endpoint);
  await client.ask(messageOf(1), messageOf(2));
  await until(() => asked === 2, "both queries have arrived");
  const closed = server.close();
  assert.equal(await idle.receive(), undefined);
  await assert.rejects(TcpClient.connect(server.endpoint), Deno.errors.ConnectionRefused);
  answer.resolve();
  assert.deepEqual(await client.receiveIds(3), [1, 2]);
  await closed;
});

Deno.test("close() waits no longer than it was told", async () => {
  const clock = new ManualClock();
  let asked = 0;
  const server = serve(() => (asked++, new Promise(() => {})), { clock, drainMs: 3000 });
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(messageOf(1));
  await until(() => asked === 1, "the query has arrived");
  const closed = server.close();
  clock.advance(3000);
  await closed;
  assert.equal(await client.receive(), undefined);
});

Deno.test("retire() takes who was on the way, and lets connections go on until they end", async () => {
  const server = serve(echo);
  const before = await TcpClient.connect(server.endpoint);
  const retired = server.retire(10_000);
  {
    using late = await TcpClient.connect(server.endpoint);
    await late.ask(messageOf(1));
    assert.deepEqual(await late.receiveIds(1), [1]);
  }
  await until(() => isRefused(server.endpoint.port), "nobody to be on the way any more");
  await before.ask(messageOf(2), messageOf(3));
  assert.deepEqual(await before.receiveIds(2), [2, 3]);
  before[Symbol.dispose]();
  await retired;
});

Deno.test("retire() takes who was on the way though the process stood still meanwhile", async () => {
  const clock = new ManualClock();
  const server = serve(echo, { clock });
  const retired = server.retire(10_000);
  const connecting = TcpClient.connect(server.endpoint);
  // Before the runtime can have asked the kernel who has come.
  clock.advance(1000);
  {
    using late = await connecting;
    await late.ask(messageOf(1));
    assert.deepEqual(await late.receiveIds(1), [1]);
  }
  const advancing = setInterval(() => clock.advance(100), 1);
  await retired;
  clearInterval(advancing);
});

Deno.test("retire() ends connections that stay too long", async () => {
  const clock = new ManualClock();
  const server = serve(echo, { clock });
  using client = await TcpClient.connect(server.endpoint);
  await client.ask(messageOf(1));
  assert.deepEqual(await client.receiveIds(1), [1]);
  const retired = server.retire(4000);
  for (let passedMs = 0; passedMs < 5000; passedMs += 100) {
    clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve));
  }
  await retired;
  assert.equal(await client.receive(), undefined);
});

/** Whether the port can be had, so that nobody listens there. */
function isRefused(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}
