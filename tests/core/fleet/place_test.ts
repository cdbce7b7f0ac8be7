/** Where places lie, in columns. */

import assert from "node:assert/strict";
import { coordinatesOf, degreesAt } from "../../../core/fleet/place.ts";

const columns = [
  { what: "numbers of 32 bits", degrees: [0, -27.476699829101562, 153.01699829101562], Column: Float32Array },
  { what: "four decimals", degrees: [0, -27.4767, 153.017, 0.0001, -179.9999, 180, -90], Column: Int32Array },
  { what: "five decimals", degrees: [0, -27.4767, 153.01701], Column: Float64Array },
  { what: "a number that no few decimals write", degrees: [0, 1 / 3], Column: Float64Array },
];

for (const { what, degrees, Column } of columns) {
  Deno.test(`a column of ${what} is a ${Column.name} in shared memory, and exact`, () => {
    const column = coordinatesOf(Float64Array.from(degrees));
    assert.ok(column instanceof Column && column.buffer instanceof SharedArrayBuffer);
    assert.equal(column.byteLength, degrees.length * Column.BYTES_PER_ELEMENT);
    assert.deepEqual(degrees.map((_, id) => degreesAt(column, id)), degrees);
  });
}

Deno.test("of every ten-thousandth of a degree a column has the very number", () => {
  const degrees = Float64Array.from({ length: 3_600_001 }, (_, i) => Number(`${(i - 1_800_000) / 10_000}`));
  const column = coordinatesOf(degrees);
  assert.ok(column instanceof Int32Array);
  assert.ok(degrees.every((number, id) => degreesAt(column, id) === number));
});
