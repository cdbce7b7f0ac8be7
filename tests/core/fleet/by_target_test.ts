import assert from "node:assert/strict";
import fc from "fast-check";
import {
  byTarget,
  changedTargets,
  NO_TARGETS,
  ofTarget,
  targetEntries,
  withTargets,
} from "../../../core/fleet/by_target.ts";

const key = fc.nat(40).map((i) => `192.0.2.${i} tcp 80`);
const record = fc.array(fc.tuple(key, fc.nat(3))).map((entries) => Object.fromEntries(entries));
const changes = fc.array(fc.tuple(key, fc.option(fc.nat(3), { nil: undefined })))
  .map((entries) => Object.fromEntries(entries));

Deno.test("a table by target has what was put into it and not taken out, and leaves others as they are", () => {
  fc.assert(
    fc.property(record, changes, (first, then) => {
      const before = byTarget<number>(first), after = withTargets(before, then);
      assert.deepEqual(Object.fromEntries(targetEntries(before)), { ...first });
      const wanted: Record<string, number> = {};
      for (const [key, value] of Object.entries({ ...first, ...then })) {
        if (value !== undefined) wanted[key] = value;
      }
      assert.deepEqual(Object.fromEntries(targetEntries(after)), wanted);
      for (const key in wanted) assert.equal(ofTarget(after, key), wanted[key]);
      assert.equal(ofTarget(after, "192.0.2.99 tcp 80"), undefined);
      const found = changedTargets(before, after);
      assert.deepEqual(
        Object.fromEntries(targetEntries(withTargets(before, found))),
        wanted,
      );
      for (const key in found) assert.notEqual(ofTarget(before, key), found[key]);
    }),
    { seed: 1 },
  );
});

Deno.test("a table by target shares what did not change", () => {
  const before = byTarget({ a: 1, b: 2, c: 3 }), after = withTargets(before, { b: 4 });
  assert.equal(after.filter((record, i) => record !== before[i]).length, 1);
  assert.equal(ofTarget(NO_TARGETS, "a"), undefined);
  assert.deepEqual(changedTargets(NO_TARGETS, byTarget({ a: 1 })), { a: 1 });
});
