import assert from "node:assert/strict";
import { overrideKind } from "../../../core/management/overrides.ts";
import { Resources } from "../../../core/management/resource.ts";
import { sweep } from "../../../core/management/sweep.ts";
import { importZone } from "../../../core/management/zone_transfer.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { ANNA, emptyWorld, NOW_MS } from "./support.ts";

const at = (minutes: number) => new Date(NOW_MS + minutes * 60_000).toISOString();
const DAYS_9_MS = 9 * 86_400_000;

for (const value of ["{", "null", "[]", "{}"]) {
  Deno.test(`sweeping goes on past ${value}, which is nothing that it knows`, async () => {
    const world = emptyWorld(), overrides = new Resources(world, overrideKind());
    const override = { id: "zz", target: { node: "fra1" }, state: "drain", until: at(10), reason: "x" };
    await overrides.create(override, { ...ANNA, idempotencyKey: "zz" });
    const bad = [KEYS.override("a"), KEYS.drains("a"), KEYS.idempotency("a", "a")];
    world.store.apply(bad.map((put) => ({ put, value })));
    const clock = { ...world.clock, nowMs: () => NOW_MS + DAYS_9_MS, after: world.clock.after };
    const swept = await sweep({ ...world, clock }, "fra");
    assert.deepEqual([swept.overrides, swept.answers > 0], [1, true]);
    assert.equal(await world.store.get(KEYS.override("zz")), undefined);
  });
}

Deno.test("while a zone is imported, and what it was is taken away, others have their turn", async () => {
  let turns = 0;
  const world = { ...emptyWorld(), rest: () => Promise.resolve(void turns++) };
  const text = (count: number) =>
    ["@ 300 SOA ns host 1 2 3 4 5", "@ 300 NS ns.example.net."]
      .concat(Array.from({ length: count }, (_, i) => `h${i} 300 A 192.0.2.${i % 250}`)).join("\n") + "\n";
  await importZone(world, "example.org.", text(640), ANNA);
  assert.equal(turns, 10);
  await importZone(world, "example.org.", text(1), ANNA);
  assert.equal(turns, 20);
});
