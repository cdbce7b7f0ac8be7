/**
 * What a change of deadlines ends among remembered replies.
 *
 * @module
 */

import assert from "node:assert/strict";
import { byTarget } from "../../../../core/fleet/by_target.ts";
import type { ToldDeadline, VerdictDeadline } from "../../../../core/fleet/verdict.ts";
import { affectedBy } from "../../../../core/server/memo/dropping.ts";
import { changesBetween } from "../../../../core/server/snapshot_changes.ts";
import { CITIES, node, POOL, pool, snapshot } from "../../fleet/make.ts";

const NODE = node("a", CITIES.paris, { ipv4: "192.0.2.1" });

const at = (downMs: number, steady = true): Omit<VerdictDeadline, "regions"> => {
  return { downMs, upMs: Infinity, changeMs: downMs, rampMs: Infinity, steady };
};

/** Whether replies that looked at the pool are dropped, when its one target's deadline becomes another. */
function drops(before: ToldDeadline, after: ToldDeadline): boolean {
  const shots = [before, after].map((deadline) =>
    snapshot([pool([NODE])], { deadlines: byTarget({ "tcp 192.0.2.1": deadline }) })
  );
  // The same pool, verdicts and all.
  const [old, now] = [shots[0]!, { ...shots[0]!, deadlines: shots[1]!.deadlines }];
  const isAffected = affectedBy(changesBetween(old, now), old)!;
  return isAffected({ blocks: [], pools: [POOL], watches: false, volatile: false });
}

Deno.test("a deadline that comes nearer, or stirs, drops what looked at it; one that moves away does not", () => {
  assert.equal(drops(at(1000), at(2000)), false);
  assert.equal(drops(at(2000), at(1000)), true);
  assert.equal(drops(at(1000), at(2000, false)), true);
});

Deno.test("so does that of a region's verdict, one that comes to be or is no more, and only these", () => {
  const eu = (deadline: Omit<VerdictDeadline, "regions">) => [{ region: "eu", ...deadline }];
  const all = at(5000);
  assert.equal(drops({ ...all, regions: eu(at(1000)) }, { ...all, regions: eu(at(2000)) }), false);
  assert.equal(drops({ ...all, regions: eu(at(2000)) }, { ...all, regions: eu(at(1000)) }), true);
  assert.equal(drops({ ...all, regions: eu(at(2000)) }, { ...all, regions: eu(at(3000, false)) }), true);
  assert.equal(drops(all, { ...all, regions: eu(at(9000)) }), true);
  assert.equal(drops({ ...all, regions: eu(at(2000)) }, all), true);
  assert.equal(
    drops({ ...all, regions: eu(at(2000)) }, { ...all, regions: [{ region: "us", ...at(3000) }] }),
    true,
  );
});

Deno.test("an end that moves by itself is told anew where it has come nearer, whatever it was when it was told before", () => {
  const end = { cells: new Float64Array(new SharedArrayBuffer(8)), at: 0 };
  // Told as 1000, moved to 9000 since, of which replies may know, and now nearer.
  assert.equal(drops({ ...at(1000), end }, { ...at(8000), end }), true);
  assert.equal(drops({ ...at(1000), end }, at(8000)), true);
});
