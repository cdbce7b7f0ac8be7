import assert from "node:assert/strict";
import { fuzzChain } from "../../scripts/fuzz.ts";

Deno.test("twenty thousand mutated messages meet no bug in a server with rrl, cookie, acl, any and cancel", async () => {
  const { answered, truncated, silent } = await fuzzChain(20_000, 7);
  for (const [what, count] of Object.entries({ answered, truncated, silent })) {
    assert.ok(count > 100, `${what}: ${count}`);
  }
});
