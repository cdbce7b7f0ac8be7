import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { ManualClock } from "../../../core/clock.ts";
import { Connection, type ConnectionOptions } from "../../../core/server/connection.ts";
import { framed } from "../../../core/server/framing.ts";
import { FaultReporter } from "../../../core/server/fault_reporter.ts";
import { TCP_LIMITS } from "../../../core/server/tcp.ts";
import type { Exchange } from "../../../core/server/arrival.ts";
import { LOOPBACK, memoryLog, messageOf } from "./sockets.ts";

/** A connection over a socket that reads `chunks`, then the end, and keeps what is written. */
function connect(
  chunks: readonly Uint8Array[],
  exchange: Exchange,
  writeOctetsMax = Infinity,
  more: Partial<ConnectionOptions> = {},
  otherwise: { read?(buffer: Uint8Array): Promise<number | null> } = {},
) {
  const writes: Uint8Array[] = [];
  const left = [...chunks];
  const told: string[] = [];
  const socket = {
    setNoDelay() {},
    close: () => void told.push("close"),
    closeWrite: () => (told.push("closeWrite"), Promise.resolve()),
    read(buffer: Uint8Array) {
      const chunk = left.shift();
      if (chunk) buffer.set(chunk);
      return Promise.resolve(chunk ? chunk.length : null);
    },
    write(octets: Uint8Array) {
      const part = octets.slice(0, writeOctetsMax);
      writes.push(part);
      return Promise.resolve(part.length);
    },
    ...otherwise,
  } as unknown as Deno.TcpConn;
  const endpoint = { address: LOOPBACK, port: 53 };
  const count = () => {};
  const connection = new Connection(socket, {
    arrival: { source: endpoint, server: endpoint, transport: "tcp" },
    exchange,
    clock: new ManualClock(),
    limits: TCP_LIMITS,
    count,
    faults: new FaultReporter("tcp", memoryLog(), count),
    ...more,
  });
  return { connection, writes, told };
}

const messages = Array.from({ length: 300 }, (_, id) => messageOf(id));

Deno.test("serve() sends the answers to all that one read held in one write", async () => {
  const { connection, writes } = connect([framed(messages)], (octets) => octets);
  await connection.serve();
  assert.deepEqual(writes, [framed(messages)]);
});

Deno.test("serve() goes on where a write was taken in part", async () => {
  const { connection, writes } = connect([framed(messages)], (octets) => octets, 1000);
  await connection.serve();
  assert.ok(writes.length > 1);
  assert.deepEqual(Uint8Array.from(writes.flatMap((part) => [...part])), framed(messages));
});

Deno.test("serve() finds the same messages wherever the stream is cut", async () => {
  const stream = framed([messageOf(1), messageOf(2, 257), messageOf(3)]);
  for (let cut = 1; cut < stream.length; cut++) {
    const chunks = [stream.slice(0, cut), stream.slice(cut)];
    const seen: Uint8Array[] = [];
    await connect(chunks, (octets) => void seen.push(octets)).connection.serve();
    assert.deepEqual(seen, [messageOf(1), messageOf(2, 257), messageOf(3)], `cut at ${cut}`);
  }
});

Deno.test("serve() drops an answer that no length can tell, and goes on", async () => {
  const answers = [new Uint8Array(65_536), messageOf(2)];
  const { connection, writes } = connect([framed([messageOf(1), messageOf(2)])], () => answers.shift());
  await connection.serve();
  assert.deepEqual(writes, [framed([messageOf(2)])]);
});

Deno.test("serve() answers as many queries as a connection may bring, says that it is done, and takes what still comes", async () => {
  const chunks = [framed(messages.slice(0, 2)), framed(messages.slice(2, 10)), framed(messages.slice(10))];
  const limits = { ...TCP_LIMITS, queries: 5 };
  const { connection, writes, told } = connect(chunks, (octets) => octets, Infinity, { limits });
  await connection.serve();
  assert.deepEqual(writes, [framed(messages.slice(0, 2)), framed(messages.slice(2, 5))]);
  assert.deepEqual(told, ["closeWrite", "close"]);
});

Deno.test("serve() holds a buffer, what waits for an answer and what waits to leave, and in the end nothing", async () => {
  let held = 0, most = 0;
  const hold = (octets: number) => void (most = Math.max(most, held += octets));
  const stream = framed([messageOf(1, 40_000), messageOf(2, 100)]);
  const chunks = [stream.slice(0, 16_384), stream.slice(16_384, 40_002), stream.slice(40_002)];
  const exchange: Exchange = (octets) => Promise.resolve(octets);
  await connect(chunks, exchange, Infinity, { hold }).connection.serve();
  assert.equal(held, 0);
  // The buffer in which the long message was put together, the message itself, and the reply to it.
  assert.ok(most >= 40_002 + 40_000 && most <= 3 * 40_002 + 16_384, `${most} octets`);
});

Deno.test("serve() tells the exchange how long the connection may be idle just now", async () => {
  const told: unknown[] = [];
  const exchange: Exchange = (_, { keepaliveMs }) => void told.push(keepaliveMs);
  let idleMs = 10_000;
  const chunks = [framed([messageOf(1)]), framed([messageOf(2)])];
  await connect(chunks, exchange, Infinity, { idleMs: () => idleMs -= 1000 }).connection.serve();
  assert.deepEqual(told, [9000, 8000]);
});

Deno.test("serve() reads no more once it is closed, though the client goes on sending after its last query", async () => {
  let reads = 0, readsIntoNothing = 0;
  const flood = framed(messages.slice(0, 100));
  const { connection } = connect([], (octets) => octets, Infinity, {
    limits: { ...TCP_LIMITS, queries: 5 },
  }, {
    read(buffer) {
      // As the runtime does, whether or not the socket is open.
      if (buffer.length === 0) return Promise.resolve(++readsIntoNothing > 9 ? null : 0);
      if (++reads === 20) connection.close();
      buffer.set(flood);
      return Promise.resolve(flood.length);
    },
  });
  await connection.serve();
  assert.deepEqual([reads, readsIntoNothing], [20, 0]);
});

Deno.test("serve() lets others have their turn between the queries of a client that sends without a pause", async () => {
  let asked = 0;
  const { connection } = connect([framed(messages)], () => void asked++);
  const served = connection.serve();
  const askedBetween: number[] = [];
  while (asked < messages.length) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    askedBetween.push(asked);
  }
  await served;
  assert.ok(askedBetween.length > 5, `${askedBetween}`);
  assert.ok(askedBetween.every((count, i) => count - (askedBetween[i - 1] ?? 0) <= 32), `${askedBetween}`);
});
