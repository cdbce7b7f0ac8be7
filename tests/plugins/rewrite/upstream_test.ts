import assert from "node:assert/strict";
import { startBlock } from "../../support/block.ts";
import { FakeUpstream, replyWith } from "../forward/fake_upstream.ts";

Deno.test("options that rewrite sets reach the upstream, and the cache tells queries apart by them", async () => {
  await using fake = new FakeUpstream((asked) => {
    const [option] = asked.query.edns!.options;
    assert.equal(option?.code, 0xffee);
    return replyWith(`@ 60 A 192.0.2.${option!.data.at(-1)}`)(asked);
  });
  const block = await startBlock(`.:1053 {
  rewrite edns0 local set 0xffee {client_ip} revert
  cache
  forward . 127.0.0.1:${fake.upstream.port}
}
`);
  const ask = async (source: string) =>
    (await block.ask("www.example.org", "A", { source, recursionDesired: true }))[1];
  assert.equal(await ask("198.51.100.1"), "www.example.org. 60 A 192.0.2.1");
  assert.equal(await ask("198.51.100.2"), "www.example.org. 60 A 192.0.2.2");
  assert.equal(await ask("198.51.100.1"), "www.example.org. 60 A 192.0.2.1");
  assert.equal(fake.count(), 2);
  await block.close();
});
