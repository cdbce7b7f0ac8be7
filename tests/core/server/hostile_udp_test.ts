import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { serveUdp } from "../../../core/server/udp.ts";
import { LOOPBACK, memoryCounters, memoryLog, messageOf, UdpClient, until } from "./sockets.ts";

Deno.test("serveUdp() drops what comes while queries of many octets wait, and goes on when they are answered", async () => {
  const waiting: (() => void)[] = [], counters = memoryCounters();
  const server = serveUdp({
    ...{
      address: LOOPBACK,
      port: 0,
      clock: SYSTEM_CLOCK,
      log: memoryLog(),
      count: counters.count,
      drainMs: 10,
    },
    exchange: (octets) => new Promise((resolve) => waiting.push(() => resolve(octets))),
    underWayOctetsMax: 100_000,
  });
  try {
    using client = new UdpClient();
    for (let id = 0; id < 4; id++) await client.send(messageOf(id, 40_000), server.endpoint);
    const dropped = () => counters.of('meridian_udp_dropped_total{reason="overload"}');
    await until(() => waiting.length + dropped() === 4, "all have come");
    assert.deepEqual([waiting.length, dropped()], [3, 1]);
    for (const resolve of waiting.splice(0)) resolve();
    for (let i = 0; i < 3; i++) assert.equal((await client.receive()).octets.length, 40_000);
    await client.send(messageOf(9), server.endpoint);
    await until(() => waiting.length === 1, "the next one waits");
    waiting[0]!();
    assert.deepEqual((await client.receive()).octets, messageOf(9));
  } finally {
    await server.close();
  }
});
