import assert from "node:assert/strict";
import { ManualClock, SYSTEM_CLOCK } from "../../core/clock.ts";
import { Ledger } from "../../core/state/ledger.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";
import { freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess, withFolder } from "./meridian.ts";

const DAY_MS = 86_400_000;

const corefile = (api: number) =>
  `{
    state state
    state sqlite fleet.db
    server fra
    workers 1
}
example.org:1053 {
    api localhost:${api}
    whoami
}
`;

/** What a fleet recorded five days ago. */
async function record(file: string, count: number): Promise<void> {
  const store = openSqliteStore(file, SYSTEM_CLOCK);
  const ledger = new Ledger({ store, server: "fra", clock: new ManualClock(Date.now() - 5 * DAY_MS) });
  const event = { actor: "token:ada", action: "thing.change", subject: "things/x" };
  for (let i = 0; i < count; i++) await ledger.write([event], []);
  await store.close();
}

Deno.test("old records go into a file that says whether it is whole, and out of a log that stays whole", async () => {
  await withFolder({
    "nodes.yaml": "nodes: [{ id: n1, addresses: [192.0.2.1], location: { latitude: 50, longitude: 8 } }]\n",
  }, async (folder) => {
    await record(`${folder}/fleet.db`, 70);
    await using server = await ServeProcess.start(folder, corefile(freePort()));
    await until("the interface", () => server.output.includes("/v1/"));
    const run = (...args: string[]) => meridian(folder, ...args, "-control", "state/control.sock");
    assert.equal((await run("node", "add", "nodes.yaml")).code, 0);
    const before = new Date(Date.now() - 3 * DAY_MS).toISOString();
    const unasked = await run("audit", "archive", before, "log.jsonl");
    assert.deepEqual([unasked.code, /want -yes/.test(unasked.stderr)], [2, true], unasked.stderr);
    await Deno.writeTextFile(`${folder}/other.jsonl`, "somebody's");
    const other = await run("audit", "archive", before, "other.jsonl", "-yes");
    assert.deepEqual(
      [other.code, /other\.jsonl is there already/.test(other.stderr)],
      [2, true],
      other.stderr,
    );
    assert.equal(await Deno.readTextFile(`${folder}/other.jsonl`), "somebody's");
    const done = await run("audit", "archive", before, "log.jsonl", "-yes", "-reason", "yearly");
    assert.deepEqual([done.code, done.stdout], [0, "the log begins after them\n"], done.stderr);
    assert.match(done.stderr, /^70 records are in log\.jsonl, sha256 [0-9a-f]{64}$/m);
    assert.match(
      (await meridian(folder, "audit", "check", "log.jsonl")).stdout,
      /70 records before .*all of them as they were/,
    );
    const verified = await run("audit", "verify");
    assert.deepEqual(
      [verified.code, /^\d records, all of them/.test(verified.stdout)],
      [0, true],
      verified.stdout,
    );
    assert.match(
      (await run("audit", "list", "action=audit.archive")).stdout,
      /fra\/\d+ .* audit\.archive +audit +yearly/,
    );
    await Deno.writeTextFile(
      `${folder}/log.jsonl`,
      (await Deno.readTextFile(`${folder}/log.jsonl`)).replace("ada", "eve"),
    );
    const spoiled = await meridian(folder, "audit", "check", "log.jsonl");
    assert.deepEqual(
      [spoiled.code, /is not as it was written/.test(spoiled.stderr)],
      [1, true],
      spoiled.stderr,
    );
    assert.match(
      (await run("audit", "archive", "2020-01-01T00:00:00Z", "none")).stderr,
      /there is no record so old/,
    );
  });
});
