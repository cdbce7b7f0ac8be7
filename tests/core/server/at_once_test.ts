import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import type { Arrival } from "../../../core/server/arrival.ts";
import { framed } from "../../../core/server/framing.ts";
import { tellVerdicts } from "../../../core/server/told_verdicts.ts";
import { encodeQuery, freePort, startServer, type TestServer } from "../../support/server.ts";
import { LOOPBACK } from "./sockets.ts";

const corefile = () =>
  `anycast.example:1053 {
    bind 127.0.0.1
    log
    prometheus 127.0.0.1:${freePort()}
    geo
    anycast entry.anycast.example {
        nodes nodes.yaml
    }
    file zones/anycast.example.zone
}
`;

/** Sends all messages in one write, and reads as many replies. */
async function askAll(socket: Deno.TcpConn, queries: readonly Uint8Array[], replies = queries.length) {
  const writing = (async () => {
    const octets = framed(queries);
    for (let sent = 0; sent < octets.length;) sent += await socket.write(octets.subarray(sent));
  })();
  const received: Uint8Array[] = [];
  let left = new Uint8Array(0);
  while (received.length < replies) {
    const buffer = new Uint8Array(65_536);
    const count = await socket.read(buffer);
    if (count === null) throw new Error(`the connection ended after ${received.length} replies`);
    left = Uint8Array.of(...left, ...buffer.subarray(0, count));
    while (left.length >= 2 && left.length >= 2 + (left[0]! << 8 | left[1]!)) {
      const end = 2 + (left[0]! << 8 | left[1]!);
      received.push(left.slice(2, end));
      left = left.slice(end);
    }
  }
  await writing;
  return received;
}

/** What the chain says to each of them, which nothing is remembered of. */
async function examineAll(
  { server, port }: TestServer,
  socket: Deno.TcpConn,
  queries: readonly Uint8Array[],
) {
  const arrival: Arrival = {
    source: { address: LOOPBACK, port: (socket.localAddr as Deno.NetAddr).port },
    server: { address: LOOPBACK, port },
    transport: "tcp",
    keepaliveMs: 10_000,
  };
  return await Promise.all(
    queries.map(async (query) => (await server.answering.examine(query, arrival)).octets),
  );
}

/** A query with one EDNS option, or without EDNS. */
function query(
  id: number,
  name: string,
  type: number,
  option?: { code: number; data: Uint8Array },
): Uint8Array {
  const edns = option && { options: [option] };
  return encodeMessage(makeQuery(id, parseName(name), type, { recursionDesired: true, ...edns && { edns } }));
}

function mixed(): Uint8Array[] {
  const names = [
    "entry.anycast.example",
    "ENTRY.anycast.example",
    "anycast.example",
    "none.anycast.example",
    "x.org",
  ];
  const types = [TYPE.A, TYPE.AAAA, TYPE.SOA, TYPE.TXT];
  const asked: Uint8Array[] = [];
  for (let round = 0; round < 4; round++) {
    for (const [i, name] of names.entries()) {
      for (const type of types) {
        asked.push(query(round * 1000 + i, name, type));
        asked.push(encodeQuery(name, type, "192.0.2.0/24"), encodeQuery(name, type, "2001:db8::/48"));
      }
    }
    // RFC 7828: how long the connection may be idle; RFC 7830: padding, more than a slot has room for.
    asked.push(query(round, "entry.anycast.example", TYPE.A, { code: 11, data: new Uint8Array(0) }));
    asked.push(query(round, "entry.anycast.example", TYPE.A, { code: 12, data: new Uint8Array(5000) }));
    asked.push(query(round, "entry.anycast.example", TYPE.A).slice(0, 20));
  }
  return asked;
}

async function withServer(fn: (server: TestServer, socket: Deno.TcpConn) => Promise<void>): Promise<void> {
  const server = await startServer(corefile());
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  try {
    await fn(server, socket);
  } finally {
    socket.close();
    await server.close();
  }
}

/** Asks when the chain says the same as before: after a change its scopes are longer at first than they need be. */
async function compare(
  test: TestServer,
  socket: Deno.TcpConn,
  queries: readonly Uint8Array[],
): Promise<void> {
  for (let said = await examineAll(test, socket, queries), same = 0; same < 3;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = await examineAll(test, socket, queries);
    same = isDeepStrictEqual(said, now) ? same + 1 : 0;
    said = now;
  }
  for (;;) {
    const before = await examineAll(test, socket, queries), replies = await askAll(socket, queries);
    const after = await examineAll(test, socket, queries);
    // Something may change between them once more: a partition that took long, a TTL.
    if (!isDeepStrictEqual(before, after)) continue;
    return assert.deepEqual(replies, after);
  }
}

Deno.test("TCP has the octets that the chain says, the first time and each later one, whatever changes", async () => {
  await withServer(async (test, socket) => {
    const states = [{ fra1: "down" }, { fra1: "up" }, { fra1: "down", nyc1: "down" }] as const;
    for (const state of [{}, ...states]) {
      tellVerdicts(test.server.publisher, state, test.server.nowMs());
      await compare(test, socket, mixed());
    }
  });
});

Deno.test("TCP counts and logs each repeated reply", async () => {
  await withServer(async (test, socket) => {
    const queries = Array.from({ length: 50 }, (_, id) => query(id, "anycast.example", TYPE.SOA));
    await askAll(socket, queries);
    const lines = test.lines.filter((line) => line.includes("SOA IN anycast.example. tcp"));
    assert.equal(lines.length, 50, test.lines[0] ?? "no line");
    const families = test.server.metrics.read();
    const { labels, series } = families.find(({ name }) => name === "coredns_dns_requests_total")!;
    const counted = series.filter(({ values }) => values[labels.indexOf("proto")] === "tcp");
    assert.deepEqual(counted.map(({ cells }) => cells[0]), [50]);
  });
});
