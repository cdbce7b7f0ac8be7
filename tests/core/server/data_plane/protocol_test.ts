import assert from "node:assert/strict";
import { receiveMessageOnPort } from "node:worker_threads";
import { type Envelope, sealed, type ToWorker } from "../../../../core/server/data_plane/protocol.ts";

Deno.test("a sealed message with large tables arrives in as much memory as it had", () => {
  const { port1, port2 } = new MessageChannel();
  const table = new Uint32Array(new SharedArrayBuffer(4_000_000));
  const entries = { 1: { v4: { codes: table } } };
  const message = {
    kind: "snapshot",
    changes: { parts: {}, tables: { geographies: { entries, removed: [] } } },
  } as ToWorker;
  const before = Deno.memoryUsage().heapUsed;
  port1.postMessage(sealed(message));
  const received = (receiveMessageOnPort(port2 as never)!.message as Envelope).get("message");
  const grown = Deno.memoryUsage().heapUsed - before;
  assert.deepEqual(Object.keys(received!), ["kind", "changes"]);
  assert.ok(grown < 10_000_000, `the heap grew by ${grown} octets`);
  port1.close();
});
