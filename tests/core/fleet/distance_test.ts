import assert from "node:assert/strict";
import {
  chordSquared,
  chordSquaredAt,
  FARTHEST_M,
  metresBetween,
  vectorOf,
} from "../../../core/fleet/distance.ts";
import { CITIES, place, type PlaceText } from "./make.ts";

function metres(a: PlaceText, b: PlaceText): number {
  return metresBetween(place(a), place(b));
}

Deno.test("metresBetween() gives New York to Los Angeles as the plan's formula does", () => {
  assert.equal(Math.round(metres(CITIES.newYork, CITIES.losAngeles) / 100), 39357);
  assert.equal(Math.round(metres(CITIES.seattle, CITIES.vancouver) / 1000), 195);
  // The plan's table has 3865 km for other coordinates of the two cities; with these it is 3866.
  assert.equal(Math.round(metres(CITIES.seattle, CITIES.newYork) / 1000), 3866);
});

Deno.test("metresBetween() is nothing between a point and itself, whatever its longitude is called", () => {
  for (const point of [...Object.values(CITIES), [90, 0], [-90, 77], [0, 180]] as PlaceText[]) {
    assert.equal(metres(point, point), 0);
  }
  assert.equal(metres([12.5, 180], [12.5, -180]), 0);
  assert.equal(metres([90, 0], [90, 123]), 0);
  assert.equal(metres([-90, -180], [-90, 4]), 0);
});

Deno.test("metresBetween() is half the way round between antipodes", () => {
  const half = Math.round(Math.PI * 6_371_000);
  for (
    const [a, b] of [[[90, 0], [-90, 0]], [[0, 0], [0, 180]], [[50.11, 8.68], [-50.11, -171.32]]] as const
  ) {
    assert.equal(metres(a, b), half);
  }
});

Deno.test("metresBetween() crosses the antimeridian and the pole by the short way", () => {
  // A degree of a great circle is 6371 km · π/180 = 111.195 km.
  assert.equal(metres([0, 179.5], [0, -179.5]), 111_195);
  assert.equal(metres([89.5, 0], [89.5, 180]), 111_195);
  assert.equal(metres([0, 0], [90, 45]), 10_007_543);
});

Deno.test("metresBetween() tells points apart that are metres apart", () => {
  // 0.00001° of latitude is 1.11 m.
  assert.equal(metres([10, 10], [10.00001, 10]), 1);
  assert.equal(metres([10, 10], [10.00002, 10]), 2);
  assert.equal(metres([-10, -170], [10.00001, 10]), metres([10.00001, 10], [-10, -170]));
});

Deno.test("chordSquaredAt() is chordSquared() of points at that distance", () => {
  const chord = chordSquared(vectorOf(place(CITIES.london)), vectorOf(place(CITIES.sydney)));
  assert.ok(Math.abs(chordSquaredAt(metres(CITIES.london, CITIES.sydney)) - chord) < 1e-6);
  assert.equal(chordSquaredAt(FARTHEST_M + 1), 4);
});
