import assert from "node:assert/strict";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { formatAddress, parseAddress } from "../../../core/net/address.ts";
import type { Arrival, Exchange, Serving } from "../../../core/server/arrival.ts";
import { serveUdp, type UdpOptions } from "../../../core/server/udp.ts";
import {
  deferred,
  idOf,
  LOOPBACK,
  memoryCounters,
  memoryLog,
  messageOf,
  UdpClient,
  until,
} from "./sockets.ts";
import { sendFromPortZero } from "./raw_socket.ts";

function serve(exchange: Exchange, more: Partial<UdpOptions> = {}): Serving & AsyncDisposable {
  const serving = serveUdp({
    address: LOOPBACK,
    port: 0,
    exchange,
    clock: SYSTEM_CLOCK,
    log: memoryLog(),
    ...more,
  });
  return {
    endpoint: serving.endpoint,
    close: () => serving.close(),
    retire: (withinMs) => serving.retire(withinMs),
    [Symbol.asyncDispose]: () => serving.close(),
  };
}

Deno.test("serveUdp() answers from the address that was asked", async () => {
  for (const text of ["127.0.53.77", "127.0.0.1", "::1"]) {
    const arrivals: Arrival[] = [];
    await using server = serve((octets, arrival) => (arrivals.push(arrival), octets), {
      address: parseAddress(text)!,
    });
    using client = new UdpClient(text === "::1" ? "::1" : "127.0.0.1");
    await client.send(messageOf(7), server.endpoint);
    const { octets, from } = await client.receive();
    assert.deepEqual(octets, messageOf(7));
    assert.equal(from.hostname, text);
    assert.equal(from.port, server.endpoint.port);
    assert.equal(formatAddress(arrivals[0]!.server.address), text);
    assert.equal(arrivals[0]!.source.port, client.port);
    assert.equal(arrivals[0]!.transport, "udp");
  }
});

Deno.test("serveUdp() keeps queries apart whose answers wait", async () => {
  const all = deferred<void>();
  const seen: Uint8Array[] = [];
  await using server = serve(async (octets) => {
    seen.push(octets);
    await all.promise;
    return octets;
  });
  using client = new UdpClient();
  const sent = Array.from({ length: 50 }, (_, i) => messageOf(i, 20 + i));
  for (const message of sent) await client.send(message, server.endpoint);
  await until(() => seen.length === 50, "every query has arrived");
  all.resolve();
  const replies: Uint8Array[] = [];
  while (replies.length < 50) replies.push((await client.receive()).octets);
  assert.deepEqual(replies.sort((a, b) => idOf(a) - idOf(b)), sent);
});

Deno.test("serveUdp() says nothing where the exchange does", async () => {
  await using server = serve((octets) => idOf(octets) === 1 ? undefined : octets);
  using client = new UdpClient();
  await client.send(messageOf(1), server.endpoint);
  await client.send(messageOf(2), server.endpoint);
  assert.equal(idOf((await client.receive()).octets), 2);
});

Deno.test("serveUdp() outlives an exchange that throws, tells it once and counts it", async () => {
  const log = memoryLog();
  const counters = memoryCounters();
  const exchange: Exchange = (octets) => {
    if (idOf(octets) === 1) throw new Error("sudden");
    return idOf(octets) === 2 ? Promise.reject(new Error("late")) : octets;
  };
  await using server = serve(exchange, { log, count: counters.count });
  using client = new UdpClient();
  for (const id of [1, 2, 1, 3]) await client.send(messageOf(id), server.endpoint);
  assert.equal(idOf((await client.receive()).octets), 3);
  assert.equal(log.lines.length, 1);
  assert.match(log.lines[0]!, /sudden/);
  assert.equal(counters.of('meridian_socket_faults_total{kind="exchange",transport="udp"}'), 3);
});

Deno.test("serveUdp() outlives a reply that cannot be sent", async () => {
  const counters = memoryCounters();
  const exchange: Exchange = (octets) => idOf(octets) === 1 ? new Uint8Array(65_530) : octets;
  await using server = serve(exchange, { count: counters.count });
  using client = new UdpClient();
  await client.send(messageOf(1), server.endpoint);
  await client.send(messageOf(2), server.endpoint);
  assert.equal(idOf((await client.receive()).octets), 2);
  await until(() => counters.of('meridian_udp_dropped_total{reason="send"}') === 1, "the drop is counted");
});

Deno.test({
  name: "serveUdp() drops what claims to come from port 0 before anything is worked out",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    const counters = memoryCounters();
    const ids: number[] = [];
    await using server = serve((octets) => (ids.push(idOf(octets)), octets), { count: counters.count });
    using client = new UdpClient();
    sendFromPortZero(messageOf(1), server.endpoint.port);
    await client.send(messageOf(2), server.endpoint);
    assert.equal(idOf((await client.receive()).octets), 2);
    assert.deepEqual(ids, [2]);
    assert.equal(counters.of('meridian_udp_dropped_total{reason="port"}'), 1);
  },
});

Deno.test("serveUdp() holds only so many waiting answers, and takes more when they have left", async () => {
  const counters = memoryCounters();
  const first = deferred<void>();
  const asked: number[] = [];
  const exchange: Exchange = async (octets) => {
    asked.push(idOf(octets));
    await first.promise;
    return octets;
  };
  await using server = serve(exchange, { underWayMax: 2, count: counters.count });
  using client = new UdpClient();
  for (const id of [1, 2, 3]) await client.send(messageOf(id), server.endpoint);
  await until(
    () => counters.of('meridian_udp_dropped_total{reason="overload"}') === 1,
    "the third is dropped",
  );
  assert.deepEqual(asked, [1, 2]);
  first.resolve();
  await client.receive();
  await client.receive();
  await client.send(messageOf(4), server.endpoint);
  assert.equal(idOf((await client.receive()).octets), 4);
});

Deno.test("close() sends the answers under way before it lets go of the port", async () => {
  const answer = deferred<Uint8Array>();
  let asked = 0;
  const server = serve(() => (asked++, answer.promise));
  using client = new UdpClient();
  await client.send(messageOf(1), server.endpoint);
  await until(() => asked === 1, "the query has arrived");
  const closed = server.close();
  answer.resolve(messageOf(1));
  await closed;
  assert.equal(idOf((await client.receive()).octets), 1);
  serveUdp({
    address: LOOPBACK,
    port: server.endpoint.port,
    exchange: () => undefined,
    clock: SYSTEM_CLOCK,
    log: memoryLog(),
  }).close();
});

Deno.test("close() has let go of an idle socket's port when it resolves", async () => {
  const server = serve(() => undefined);
  for (let i = 0; i < 3; i++) {
    await server.close();
    await serve(() => undefined, { port: server.endpoint.port }).close();
  }
});

Deno.test("close() waits no longer than it was told for an answer that never comes", async () => {
  const clock = new ManualClock();
  let asked = 0;
  const server = serve(() => (asked++, new Promise(() => {})), { clock, drainMs: 3000 });
  using client = new UdpClient();
  await client.send(messageOf(1), server.endpoint);
  await until(() => asked === 1, "the query has arrived");
  let closed = false;
  const closing = server.close().then(() => closed = true);
  clock.advance(2999);
  await Promise.resolve();
  assert.equal(closed, false);
  clock.advance(1);
  await closing;
});

Deno.test("retire() answers what has come to the socket before it lets go of the port", async () => {
  const server = serve((octets) => octets);
  using client = new UdpClient();
  // In one turn of the event loop: the kernel has them, and nobody has read one.
  const sent = Array.from({ length: 100 }, (_, id) => client.send(messageOf(id), server.endpoint));
  const retired = server.retire(5000);
  await Promise.all(sent);
  const ids = new Set<number>();
  const receive = async () => {
    for (;;) ids.add(idOf((await client.receive()).octets));
  };
  receive().catch(() => {});
  await until(() => ids.size === 100, "an answer to each");
  await retired;
  Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: server.endpoint.port }).close();
});

Deno.test("retire() ends in time although queries go on coming", async () => {
  const clock = new ManualClock();
  const server = serve((octets) => octets, { clock });
  using client = new UdpClient();
  let isRetired = false;
  const retired = server.retire(1000).then(() => isRetired = true);
  for (let passedMs = 0; passedMs < 1000; passedMs += 50) {
    assert.equal(isRetired, false);
    await client.send(messageOf(passedMs), server.endpoint);
    await client.receive();
    clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve));
  }
  await retired;
});
