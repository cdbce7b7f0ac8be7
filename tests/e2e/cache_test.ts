import assert from "node:assert/strict";
import { OPTION, RCODE } from "../../core/dns/types.ts";
import { loadCorefile } from "../../core/command/load.ts";
import { decodeExtendedError } from "../../core/dns/edns.ts";
import type { Message } from "../../core/dns/message.ts";
import { formatRecord } from "../../core/explain.ts";
import { plugins } from "../../plugins/mod.ts";
import { FakeUpstream, replyTo, replyWith } from "../plugins/forward/fake_upstream.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A server with these directives beside forward, and its upstream. */
async function withServer(
  directives: string,
  body: (server: TestServer, upstream: FakeUpstream) => Promise<void>,
  { workers = 0, forward = "", readTimeout = "20s" } = {},
): Promise<void> {
  await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
  const server = await startServer(
    `.:1053 {
    ${directives}
    forward . 127.0.0.1:${upstream.upstream.port} {
        read_timeout ${readTimeout}
        max_connect_attempts 1
        ${forward}
    }
}
anycast.example:1053 {
    cache
    file zones/anycast.example.zone
}
`,
    { workers },
  );
  try {
    await body(server, upstream);
  } finally {
    await server.close();
  }
}

function extendedErrorsOf({ edns }: Message): number[] {
  return edns!.options.filter(({ code }) => code === OPTION.EDE).map(({ data }) =>
    decodeExtendedError(data)!.infoCode
  );
}

Deno.test("a Corefile pasted from CoreDNS is read without a word", async () => {
  const text = ".:53 {\n    cache 30\n    forward . 9.9.9.9 149.112.112.112\n}\n";
  const { problems, configuration } = await loadCorefile({ file: "Corefile", text }, plugins, 53);
  assert.deepEqual([problems.errors, problems.warnings], [[], []]);
  assert.deepEqual(configuration.blocks[0]!.plugins.map(({ name }) => name), ["cache", "forward"]);
});

for (const workers of [0, 1]) {
  Deno.test(`upstream is asked once${workers ? ", with a data worker" : ""}`, async () => {
    await withServer("cache 30", async (server, upstream) => {
      for (const name of ["www.example.org", "WWW.example.ORG", "www.example.org"]) {
        const reply = await server.ask(name);
        assert.match(
          formatRecord(reply.answer[0]!),
          new RegExp(`^${name}\\. (30|2\\d) IN A 192\\.0\\.2\\.1$`),
        );
      }
      assert.equal(upstream.count(), 1);
      assert.equal((await server.ask("www.anycast.example")).rcode, RCODE.NOERROR);
    }, { workers });
  });
}

Deno.test("clients of different networks share an answer, and are told that it holds for all", async () => {
  await withServer("cache", async (server, upstream) => {
    for (const subnet of ["192.0.2.0/24", "198.51.100.0/24"]) {
      const { edns } = await server.ask("www.example.org", "A", { subnet });
      const option = edns!.options.find(({ code }) => code === OPTION.CLIENT_SUBNET)!;
      assert.equal(option.data[3], 0);
    }
    assert.equal(upstream.count(), 1);
  });
});

Deno.test("where upstream is told of networks, each has its own answer", async () => {
  await withServer("cache", async (server, upstream) => {
    upstream.behaviour = ({ query, send }) => {
      const { data } = query.edns!.options.find(({ code }) => code === OPTION.CLIENT_SUBNET)!;
      const options = [{ code: OPTION.CLIENT_SUBNET, data: data.with(3, 24) }];
      return send(replyTo(query, [`@ 60 A 192.0.2.${data[6]}`], {
        edns: { version: 0, payloadSize: 1232, dnssecOk: false, options },
      }));
    };
    for (const subnet of ["198.51.100.0/24", "203.0.113.0/24", "198.51.100.0/24"]) {
      const { answer, edns } = await server.ask("www.example.org", "A", { subnet });
      assert.equal(answer[0]!.rdata.join("."), `192.0.2.${subnet.split(".")[2]}`);
      assert.equal(edns!.options.find(({ code }) => code === OPTION.CLIENT_SUBNET)!.data[3], 24);
    }
    assert.equal(upstream.count(), 2);
  }, { forward: "ecs pass" });
});

Deno.test("an outage of the upstream is bridged by what has expired, and is over with it", async () => {
  await withServer("cache {\nserve_stale 1h verify 0 30s 0\nservfail 0\n}", async (server, upstream) => {
    upstream.behaviour = replyWith("@ 1 A 192.0.2.1");
    await until("an answer", async () => (await server.ask("www.example.org")).rcode === RCODE.NOERROR);
    // The one thing here that needs time to pass: the TTL of a second.
    await new Promise((resolve) => setTimeout(resolve, 1050));
    upstream.behaviour = () => {};
    const stale = await server.ask("www.example.org");
    assert.deepEqual(stale.answer.map(formatRecord), ["www.example.org. 30 IN A 192.0.2.1"]);
    assert.deepEqual(extendedErrorsOf(stale), [3]);
    assert.equal((await server.ask("other.example.org")).rcode, RCODE.SERVFAIL);
    upstream.behaviour = replyWith("@ 60 A 192.0.2.2");
    // A machine may stand still for the second that upstream has: then it is asked with the next query.
    const before = upstream.count();
    let asked = 0;
    const fresh = await until("a fresh answer", async () => {
      const reply = await server.ask("www.example.org");
      asked++;
      return extendedErrorsOf(reply).length === 0 && reply;
    });
    assert.equal(upstream.count() - before, asked, "upstream is asked with every query");
    assert.deepEqual(fresh.answer.map(formatRecord), ["www.example.org. 60 IN A 192.0.2.2"]);
  }, { readTimeout: "1s" });
});
