import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { Exchange } from "../../../core/server/arrival.ts";
import { framed } from "../../../core/server/framing.ts";
import { ConnectionSet, type TcpLimits } from "../../../core/server/connection_set.ts";
import { serveTcp } from "../../../core/server/tcp.ts";
import { idOf, memoryCounters, memoryLog, messageOf, TcpClient, until } from "./sockets.ts";

const LARGE = messageOf(1, 60_000);
/** Large replies to everybody but who asks with this ID. */
const MODEST = 9;
const exchange: Exchange = (octets) => idOf(octets) === MODEST ? octets : LARGE;

/** A server on 127.0.0.1 and ::1 under one limit. */
function serveBoth(limits: Partial<TcpLimits>) {
  const counters = memoryCounters(), log = memoryLog();
  const connections = new ConnectionSet(SYSTEM_CLOCK, counters.count, limits);
  const servers = ["127.0.0.1", "::1"].map((text) =>
    serveTcp({
      ...{ address: parseAddress(text)!, port: 0, exchange, clock: SYSTEM_CLOCK, log, connections },
      ...{ count: counters.count, drainMs: 10 },
    })
  );
  return {
    connections,
    counters,
    endpoints: servers.map(({ endpoint }) => endpoint),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** A thousand connections from 127.0.0.1, each of which asks for a megabyte and reads nothing. */
async function crowdAt(endpoint: { address: ReturnType<typeof parseAddress> & object; port: number }) {
  const clients: TcpClient[] = [];
  const asked = framed(Array.from({ length: 16 }, () => messageOf(1)));
  for (let i = 0; i < 1000; i++) {
    const client = await TcpClient.connect(endpoint);
    clients.push(client);
    client.write(asked).catch(() => {});
  }
  return clients;
}

async function isServed(endpoint: Parameters<typeof TcpClient.connect>[0]): Promise<void> {
  using client = await TcpClient.connect(endpoint);
  await client.ask(messageOf(MODEST));
  assert.deepEqual(await client.receive(), messageOf(MODEST));
}

for (
  const [what, limits] of [
    ["that the server keeps to 20", { limitsLoopback: true }],
    ["that takes every place there is", { limitsLoopback: false }],
    ["that takes every place, with little memory", { limitsLoopback: false, memoryOctets: 18_000_000 }],
  ] as const
) {
  Deno.test(`a thousand connections that do not read, from one address ${what}, keep no other client out`, async () => {
    await using server = serveBoth(limits);
    const [hostile, modest] = server.endpoints;
    await isServed(modest!);
    const clients = await crowdAt(hostile!);
    try {
      for (let i = 0; i < 5; i++) await isServed(modest!);
      const { connections } = server;
      assert.ok(connections.size <= connections.limits.connections);
      assert.ok(
        connections.heldOctets <= connections.limits.memoryOctets,
        `${connections.heldOctets} octets`,
      );
      // Whoever has just been served may not have been seen to have gone.
      if (limits.limitsLoopback) await until(() => connections.size <= 21, "no more than 21 connections");
    } finally {
      for (const client of clients) client[Symbol.dispose]();
    }
  });
}
