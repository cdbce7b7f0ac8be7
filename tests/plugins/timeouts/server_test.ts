import assert from "node:assert/strict";
import { parseAddress } from "../../../core/plugin.ts";
import { decodeMessage, encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { TcpClient } from "../../core/server/sockets.ts";
import { startServer } from "../../support/server.ts";

const KEEPALIVE = 11;

function query(options: readonly number[]): Uint8Array {
  const edns = { options: options.map((code) => ({ code, data: new Uint8Array() })) };
  return encodeMessage(makeQuery(7, parseName("example.org"), TYPE.A, { edns }));
}

Deno.test("timeouts sets what a connection may take, and who asks is told how long it may be idle", async () => {
  const server = await startServer(`.:1053 {
    bind 127.0.0.1
    timeouts {
        idle 42s
        maxtcpqueries 3
    }
    whoami
}`);
  try {
    using client = await TcpClient.connect({ address: parseAddress("127.0.0.1")!, port: server.port });
    await client.ask(query([KEEPALIVE]), query([]), query([]), query([]), query([]));
    const keepalives: (string | undefined)[] = [];
    for (let reply = await client.receive(); reply; reply = await client.receive()) {
      keepalives.push(
        decodeMessage(reply).edns?.options.find(({ code }) => code === KEEPALIVE)?.data.toHex(),
      );
    }
    // In units of 100 ms; three answers, then the end.
    assert.deepEqual(keepalives, ["01a4", undefined, undefined]);
  } finally {
    await server.close();
  }
});
