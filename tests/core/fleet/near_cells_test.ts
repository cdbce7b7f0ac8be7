import assert from "node:assert/strict";
import { chordSquared, type Point, vectorOf } from "../../../core/fleet/distance.ts";
import { NearCells } from "../../../core/fleet/near_cells.ts";
import { generator } from "../../../core/prove/states.ts";

function randomPoints(count: number, seed: number): Point[] {
  const random = generator(seed);
  return Array.from(
    { length: count },
    () => ({ latitude: random() * 180 - 90, longitude: random() * 360 - 180 }),
  );
}

const CORNERS: readonly Point[] = [
  ...[-90, 90, 0].map((latitude) => ({ latitude, longitude: 0 })),
  ...[-180, 180, 90, -90].map((longitude) => ({ latitude: 0, longitude })),
];

Deno.test("around() has all of the nearest members, those that are equally far included, and few others", () => {
  const count = 6, vectors = [...randomPoints(150, 3), ...randomPoints(10, 3)].map(vectorOf);
  const cells = new NearCells(vectors, count);
  let looked = 0;
  const points = [...randomPoints(2000, 4), ...CORNERS];
  for (const from of points.map(vectorOf)) {
    const chords = vectors.map((vector) => chordSquared(vector, from));
    const last = chords.toSorted((a, b) => a - b)[count - 1]!;
    const around = cells.around(from), here = new Set(around);
    for (const [index, chord] of chords.entries()) if (chord <= last) assert.ok(here.has(index));
    assert.deepEqual(around, around.toSorted((a, b) => a - b));
    looked += around.length;
  }
  assert.ok(looked / points.length < 20, `${looked / points.length} of ${vectors.length}`);
});

Deno.test("around() has all members where there are fewer than are wanted", () => {
  const cells = new NearCells(randomPoints(3, 1).map(vectorOf), 8);
  assert.deepEqual(cells.around(vectorOf({ latitude: 50, longitude: 8 })), [0, 1, 2]);
});
