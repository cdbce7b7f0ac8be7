import assert from "node:assert/strict";
import { RCODE } from "../../core/dns/types.ts";
import { freePort, startServer } from "../support/server.ts";

Deno.test("a lame duck still answers queries and its endpoint, then neither", async () => {
  const health = freePort();
  const server = await startServer(`.:1053 {
    bind 127.0.0.1
    health 127.0.0.1:${health} {
        lameduck 4s
    }
    whoami
}
`);
  const closing = server.close();
  assert.equal((await server.ask("example.org")).rcode, RCODE.NOERROR);
  assert.equal(await (await fetch(`http://127.0.0.1:${health}/health`)).text(), "OK");
  await closing;
  await assert.rejects(server.ask("example.org", "A", { timeoutMs: 200 }));
  await assert.rejects(fetch(`http://127.0.0.1:${health}/health`));
});
