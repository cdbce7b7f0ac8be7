import assert from "node:assert/strict";
import { TYPE } from "../../../core/dns/types.ts";
import { formatRecord } from "../../../core/explain.ts";
import { startServer } from "../../support/server.ts";
import { type Asked, FakeUpstream, recordOf, replyTo } from "../forward/fake_upstream.ts";

/** A name server whose names have A records only. */
function onlyA({ query, send }: Asked): unknown {
  const soa = recordOf("example.org. 60 SOA ns.example.org. admin.example.org. 1 3600 600 86400 60");
  return query.questions[0]!.type === TYPE.A
    ? send(replyTo(query, ["@ 60 A 192.0.2.33"]))
    : send(replyTo(query, [], { authority: [soa] }));
}

for (const workers of [0, 1]) {
  Deno.test(`dns64 over a cache, over an upstream${workers ? ", with a data worker" : ""}`, async () => {
    await using upstream = new FakeUpstream(onlyA);
    const server = await startServer(
      `.:1053 {
    dns64 2001:db8:64::/96
    cache
    forward . 127.0.0.1:${upstream.upstream.port}
}
anycast.example:1053 {
    dns64 2001:db8:64::/96
    file zones/anycast.example.zone
}
`,
      { workers },
    );
    try {
      for (let i = 0; i < 2; i++) {
        const { answer } = await server.ask("www.example.org", "AAAA", { address: "::1" });
        assert.deepEqual(answer.map(({ rdata }) => rdata.join(".")), [
          "32.1.13.184.0.100.0.0.0.0.0.0.192.0.2.33",
        ]);
      }
      assert.equal(upstream.asked.length, 2);
      assert.deepEqual((await server.ask("www.example.org", "AAAA")).answer, []);
      const own = await server.ask("ns1.anycast.example", "AAAA", { address: "::1" });
      assert.ok(own.answer.length > 0, own.answer.map(formatRecord).join());
    } finally {
      await server.close();
    }
  });
}
