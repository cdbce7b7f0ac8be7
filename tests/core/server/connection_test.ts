import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Connection, framed } from "../../../core/server/connection.ts";
import { FaultReporter } from "../../../core/server/fault_reporter.ts";
import { TCP_LIMITS } from "../../../core/server/tcp.ts";
import type { Exchange } from "../../../core/server/arrival.ts";
import { LOOPBACK, memoryLog, messageOf } from "./sockets.ts";

/** A connection over a socket that reads `chunks`, then the end, and keeps what is written. */
function connect(chunks: readonly Uint8Array[], exchange: Exchange, writeOctetsMax = Infinity) {
  const writes: Uint8Array[] = [];
  const left = [...chunks];
  const socket = {
    setNoDelay() {},
    close() {},
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
  });
  return { connection, writes };
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
