import assert from "node:assert/strict";
import { RCODE } from "../../core/dns/types.ts";
import { formatRecord } from "../../core/explain.ts";
import { type Asked, FakeUpstream, replyTo, replyWith } from "../plugins/forward/fake_upstream.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** Our own zone, and a forwarder for everything else. */
async function withForwarder(
  behaviour: (asked: Asked) => unknown,
  body: (server: TestServer, upstream: FakeUpstream) => Promise<void>,
  readTimeout = "20s",
): Promise<void> {
  await using upstream = new FakeUpstream(behaviour);
  const server = await startServer(`
anycast.example:1053 {
    log
    file zones/anycast.example.zone
}
.:1053 {
    log
    errors
    forward . 127.0.0.1:${upstream.upstream.port} {
        read_timeout ${readTimeout}
        max_connect_attempts 1
    }
}
`);
  try {
    await body(server, upstream);
  } finally {
    await server.close();
  }
}

/** A reply for later: what is asked waits until `open` is called. */
function gate(): { behaviour: (asked: Asked) => unknown; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    behaviour: async ({ query, send }) => {
      await promise;
      await send(replyTo(query, ["@ 60 A 192.0.2.1"]));
    },
    open: resolve,
  };
}

Deno.test("what is not ours is answered by the upstream, over either transport", async () => {
  await withForwarder(replyWith("@ 60 A 192.0.2.1"), async (server, upstream) => {
    for (const transport of ["udp", "tcp"] as const) {
      const reply = await server.ask("www.example.org", "A", { transport });
      assert.equal(reply.rcode, RCODE.NOERROR);
      assert.equal(reply.recursionAvailable, true);
      assert.deepEqual(reply.answer.map(formatRecord), ["www.example.org. 60 IN A 192.0.2.1"]);
    }
    assert.equal(upstream.count(), 2);
  });
});

Deno.test("what is ours is never asked of an upstream, whether it exists or not", async () => {
  await withForwarder(replyWith("@ 60 A 192.0.2.1"), async (server, upstream) => {
    assert.equal((await server.ask("www.anycast.example")).rcode, RCODE.NOERROR);
    assert.equal((await server.ask("absent.anycast.example")).rcode, RCODE.NXDOMAIN);
    assert.equal(upstream.asked.length, 0);
  });
});

Deno.test("a query that waits for an upstream holds up no other", async () => {
  const { behaviour, open } = gate();
  await withForwarder(behaviour, async (server, upstream) => {
    const slow = server.ask("www.example.org");
    await upstream.until(1);
    const order: string[] = [];
    slow.then(() => order.push("slow"));
    await server.ask("www.anycast.example").then(() => order.push("fast"));
    assert.deepEqual(order, ["fast"]);
    open();
    assert.deepEqual((await slow).answer.map(formatRecord), ["www.example.org. 60 IN A 192.0.2.1"]);
  });
});

Deno.test("a query that waits for an upstream is logged once", async () => {
  await withForwarder(replyWith("@ 60 A 192.0.2.1"), async (server) => {
    await server.ask("www.example.org");
    await server.ask("last.example.org");
    const about = (name: string) => server.lines.filter((line) => line.includes(name));
    await until("the last query's line", () => about("last.example.org").length > 0);
    assert.equal(about("www.example.org").length, 1);
    assert.match(about("www.example.org")[0]!, /NOERROR qr,rd,ra /);
  });
});

Deno.test("an upstream that says nothing is SERVFAIL to the client, and a line in the log", async () => {
  await withForwarder(() => {}, async (server) => {
    assert.equal((await server.ask("www.example.org")).rcode, RCODE.SERVFAIL);
    const line = await until(
      "a line about the upstream",
      () => server.logged.find((line) => line.includes("www.example.org")),
    );
    assert.match(line, /^error: plugin\/errors: 2 www\.example\.org\. A: 127\.0\.0\.1:\d+ timed out/);
  }, "100ms");
});
