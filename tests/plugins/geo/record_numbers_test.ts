import assert from "node:assert/strict";
import fc from "fast-check";
import { RecordNumbers, UNKNOWN } from "../../../plugins/geo/record_numbers.ts";

Deno.test("RecordNumbers has the number that each record was given, and none of any other", () => {
  // A file of any size: those of large ones share what small ones have for themselves.
  const files = fc.tuple(fc.nat(1000), fc.integer({ min: 12, max: 32 }));
  fc.assert(
    fc.property(
      fc.array(fc.nat(1e9), { maxLength: 60 }),
      fc.nat(1e9),
      fc.nat(9),
      files,
      (some, first, gap, [from, bits]) => {
        const octets = 2 ** bits;
        // Records that follow each other closely are found all the same.
        const near = Array.from({ length: 3000 }, (_, i) => first + i * (gap + 1));
        const all = [...new Set([...some, ...near].map((at) => from + at * 5 % octets))];
        const numbers = new RecordNumbers(from, from + octets), known = new Map<number, number>();
        for (const [i, record] of all.entries()) {
          const number = i % 10 === 9 ? 0xffffffff - i : i * 77;
          assert.equal(numbers.get(record), UNKNOWN);
          assert.equal(numbers.put(record, number), number);
          known.set(record, number);
          assert.equal(numbers.get(all[i >> 1]!), known.get(all[i >> 1]!));
        }
        for (const [record, number] of known) assert.equal(numbers.get(record), number);
      },
    ),
    { numRuns: 20, seed: 4 },
  );
});
