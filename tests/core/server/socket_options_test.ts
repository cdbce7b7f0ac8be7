/** How the kernel parts a port between two sockets, as two processes have them while one takes over from the other. */

import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { formatAddress, parseAddress } from "../../../core/net/address.ts";
import type { Endpoint, Exchange } from "../../../core/server/arrival.ts";
import { libC, share, steer } from "../../../core/server/socket_options.ts";
import { serveTcp } from "../../../core/server/tcp.ts";
import { serveUdp } from "../../../core/server/udp.ts";
import { memoryLog, messageOf, TcpClient, UdpClient } from "./sockets.ts";

const ignore = libC() === undefined;

/** Opens a socket that counts what comes to it. */
function open(
  serve: typeof serveUdp | typeof serveTcp,
  { port = 0, takesOver = false, text = "127.0.0.1" } = {},
) {
  const seen = { count: 0 };
  const exchange: Exchange = (octets) => (seen.count++, octets);
  const address = parseAddress(text)!;
  const server = serve({ address, port, exchange, clock: SYSTEM_CLOCK, log: memoryLog(), takesOver });
  return { server, seen, endpoint: server.endpoint, port: server.endpoint.port };
}

async function askByUdp(endpoint: Endpoint, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    using client = new UdpClient(formatAddress(endpoint.address));
    await client.send(messageOf(i), endpoint);
    await client.receive();
  }
}

async function askByTcp(endpoint: Endpoint, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    using client = await TcpClient.connect(endpoint);
    await client.ask(messageOf(i));
    await client.receiveIds(1);
  }
}

for (const [transport, serve] of [["UDP", serveUdp], ["TCP", serveTcp]] as const) {
  Deno.test({
    name: `a ${transport} port is its owner's alone until that shares it`,
    ignore,
    async fn() {
      const old = open(serve);
      const again = () => open(serve, { port: old.port, takesOver: true });
      assert.throws(again, Deno.errors.AddrInUse);
      assert.equal(share(new Set([old.port]), true), true);
      const other = again();
      assert.throws(() => open(serve, { port: old.port }), Deno.errors.AddrInUse);
      await other.server.close();
      await old.server.close();
    },
  });
}

for (const text of ["127.0.0.1", "::1"]) {
  Deno.test({
    name:
      `every datagram goes to the socket that came last, and to the other one when that has gone (${text})`,
    ignore,
    async fn() {
      const old = open(serveUdp, { text });
      share(new Set([old.port]), true);
      const next = open(serveUdp, { port: old.port, takesOver: true, text });
      await askByUdp(old.endpoint, 50);
      assert.deepEqual([old.seen.count, next.seen.count], [0, 50]);
      await next.server.close();
      await askByUdp(old.endpoint, 10);
      assert.equal(old.seen.count, 10);
      share(new Set([old.port]), false);
      assert.throws(() => open(serveUdp, { port: old.port, takesOver: true, text }), Deno.errors.AddrInUse);
      await old.server.close();
    },
  });

  Deno.test({
    name: `steer() sends every connection to the second listener, process after process (${text})`,
    ignore,
    async fn() {
      let old = open(serveTcp, { text });
      for (let generation = 0; generation < 3; generation++) {
        share(new Set([old.port]), true);
        const next = open(serveTcp, { port: old.port, takesOver: true, text });
        assert.equal(steer([next.endpoint]), true);
        const before = old.seen.count;
        await askByTcp(next.endpoint, 50);
        assert.deepEqual([old.seen.count - before, next.seen.count], [0, 50]);
        await old.server.close();
        await askByTcp(next.endpoint, 10);
        assert.equal(next.seen.count, 60);
        old = next;
      }
      await old.server.close();
    },
  });
}
