import assert from "node:assert/strict";
import { asItStands, type VerdictDeadline } from "../../../core/fleet/verdict.ts";
import { LeaseEnds } from "../../../core/registry/lease_ends.ts";
import { leaseTarget } from "../../../core/registry/lease.ts";

const endAt = (downMs: number): VerdictDeadline => ({
  ...{ downMs, upMs: Infinity, changeMs: downMs, rampMs: Infinity, steady: true },
});

Deno.test("each of thousands of leases has an end of its own, and all of them move without a word", () => {
  const ends = new LeaseEnds(), count = 3000, target = (i: number) => leaseTarget(`n${i}`);
  const told = Array.from(
    { length: count },
    (_, i) => structuredClone(ends.take(target(i), endAt(1e6 + 1000 * i))!),
  );
  for (let i = 0; i < count; i++) assert.equal(ends.take(target(i), endAt(5e6 + 1000 * i)), undefined);
  for (let i = 0; i < count; i++) {
    const { downMs, changeMs } = asItStands(told[i]!), endMs = 5e6 + 1000 * i;
    assert.ok(downMs === changeMs && downMs <= endMs && downMs > endMs - 1000, `${i}: ${downMs}`);
  }
});

Deno.test("what takes the place of a lease that is no more moves the ends of no other", () => {
  const ends = new LeaseEnds();
  const [a, b] = [ends.take("lease a", endAt(30_000))!, ends.take("lease b", endAt(40_000))!];
  ends.drop("lease a");
  const c = ends.take("lease c", endAt(50_000));
  assert.ok(c, "it is told");
  assert.equal(ends.take("lease c", endAt(90_000)), undefined);
  assert.ok(asItStands(b).downMs <= 40_000);
  assert.ok(asItStands(c).downMs > 80_000);
  // One that comes again is told anew.
  assert.ok(ends.take("lease a", endAt(95_000)));
  assert.equal(a.downMs <= 30_000, true);
});

Deno.test("what is more than an end is told as it is, and an end after it anew", () => {
  const ends = new LeaseEnds();
  ends.take("lease a", endAt(30_000));
  const gone = { ...endAt(Infinity), upMs: -Infinity, changeMs: -Infinity };
  assert.equal(ends.take("lease a", gone), gone);
  const unknown = { ...endAt(-Infinity), steady: false };
  assert.equal(ends.take("lease a", unknown), unknown);
  assert.ok(ends.take("lease a", endAt(60_000))!.end);
  assert.equal(ends.take("lease a", endAt(70_000)), undefined);
});
