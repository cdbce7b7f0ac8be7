import assert from "node:assert/strict";
import fc from "fast-check";
import { RecordNumbers, UNKNOWN } from "../../../plugins/geo/record_numbers.ts";

Deno.test("RecordNumbers has the number that each record was given, and none of any other", () => {
  const record = fc.integer({ min: 1, max: 0xffffffff });
  fc.assert(
    fc.property(fc.uniqueArray(record, { maxLength: 60 }), record, fc.nat(9), (some, first, gap) => {
      // Records that follow each other closely crowd one part of the table, and have it grow.
      const near = Array.from({ length: 3000 }, (_, i) => Math.min(first, 4e9) + i * (gap + 1));
      const all = [...new Set([...some, ...near])];
      const numbers = new RecordNumbers(), known = new Map<number, number>();
      for (const [i, record] of all.entries()) {
        assert.equal(numbers.get(record), UNKNOWN);
        assert.equal(numbers.put(record, i * 77), i * 77);
        known.set(record, i * 77);
        assert.equal(numbers.get(all[i >> 1]!), known.get(all[i >> 1]!));
      }
      for (const [record, number] of known) assert.equal(numbers.get(record), number);
    }),
    { numRuns: 20, seed: 4 },
  );
});
