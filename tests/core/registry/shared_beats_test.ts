import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { sharedBeats } from "../../../core/registry/shared_beats.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { bucketOf } from "../../../core/registry/hearings.ts";

Deno.test("two who hear nodes on one server write one account, which ends with the last of them", async () => {
  const clock = new ManualClock(), folder = await Deno.makeTempDir();
  const store = openSqliteStore(`${folder}/fleet.db`, clock);
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const options = { store, server: "fra", clock, log: quiet, leaseMs: 30_000 };
  const member = {};
  const [a, b] = ["a", "b"].map((id) => sharedBeats(member, { ...options, isNode: (one) => one === id }));
  a!.start();
  b!.start();
  a!.hear("a", false);
  b!.hear("b", false);
  await a!.flush();
  const heard = async (id: string) =>
    id in JSON.parse((await store.get(KEYS.alive("fra", bucketOf(id))))!.value).heard;
  assert.deepEqual([await heard("a"), await heard("b")], [true, true]);
  // With one gone the other goes on.
  await a!.close();
  clock.advanceTo(clock.nowMs() + 40_000);
  b!.hear("b", false);
  await b!.close();
  assert.equal(await heard("b"), true);
  assert.notEqual(
    sharedBeats(member, { ...options, isNode: () => true }).pulse().notedMs,
    b!.pulse().notedMs,
  );
  await store.close();
  await Deno.remove(folder, { recursive: true });
});
