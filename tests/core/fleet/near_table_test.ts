import assert from "node:assert/strict";
import { NEAR_MAX, nearestMembers, nearestToChosen, NearTable } from "../../../core/fleet/near_table.ts";
import { metresBetween, vectorOf } from "../../../core/fleet/distance.ts";
import type { PlaceTable } from "../../../core/fleet/place.ts";
import type { Member, PoolView } from "../../../core/fleet/view.ts";
import { generator } from "../../../core/prove/states.ts";

interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

function membersAt(points: readonly Point[]): Member[] {
  return points.map((point, index) => ({ index, vector: vectorOf(point) }) as unknown as Member);
}

function placesAt(points: readonly Point[]): PlaceTable {
  const count = points.length + 1;
  return {
    count,
    latitude: Float64Array.from([0, ...points.map(({ latitude }) => latitude)]),
    longitude: Float64Array.from([0, ...points.map(({ longitude }) => longitude)]),
    country: new Uint16Array(count),
    subdivision: new Uint16Array(count),
    source: new Uint8Array(count),
    countries: [""],
    subdivisions: [""],
    sourceNames: [],
  };
}

function randomPoints(count: number, seed: number): Point[] {
  const random = generator(seed);
  return Array.from(
    { length: count },
    () => ({ latitude: random() * 180 - 90, longitude: random() * 360 - 180 }),
  );
}

/** What a row should be: every member sorted by distance, then index. */
function sorted(place: Point, nodes: readonly Point[]): number[] {
  return nodes.map((node, index) => ({ index, metres: metresBetween(place, node) }))
    .sort((a, b) => a.metres - b.metres || a.index - b.index).map(({ index }) => index);
}

Deno.test("row() is the nearest members by distance, then id", () => {
  const nodes = randomPoints(60, 1), places = randomPoints(300, 2);
  const table = new NearTable(membersAt(nodes), placesAt(places));
  for (const [i, place] of places.entries()) {
    assert.deepEqual([...table.row(i + 1)], sorted(place, nodes).slice(0, NEAR_MAX));
  }
});

Deno.test("row() overlooks nobody where more members than it holds are equally far", () => {
  const here = { latitude: 10, longitude: 20 }, far = { latitude: -40, longitude: 20 };
  const nodes = Array.from({ length: 70 }, (_, i) => i % 2 ? here : far);
  const table = new NearTable(membersAt(nodes), placesAt([here, far]));
  for (const [i, place] of [here, far].entries()) {
    assert.deepEqual([...table.row(i + 1)], sorted(place, nodes).slice(0, NEAR_MAX));
  }
});

Deno.test("classOf() is the same for two places exactly when their rows begin alike", () => {
  const nodes = randomPoints(12, 3), places = randomPoints(200, 4);
  const table = new NearTable(membersAt(nodes), placesAt(places));
  for (const length of [1, 3, 2, 12]) {
    const beginnings = new Map<string, number>();
    for (let placeId = 1; placeId <= places.length; placeId++) {
      const beginning = table.row(placeId).subarray(0, length).join();
      const number = table.classOf(placeId, length);
      assert.equal(beginnings.get(beginning) ?? number, number);
      beginnings.set(beginning, number);
    }
    assert.equal(new Set(beginnings.values()).size, beginnings.size);
  }
});

Deno.test("lengthTo() counts only those marked, and says 0 where the row has too few", () => {
  const nodes = randomPoints(40, 5), places = randomPoints(50, 6);
  const table = new NearTable(membersAt(nodes), placesAt(places));
  const marked = Uint8Array.from(nodes, (_, i) => Number(i % 3 === 0));
  for (let placeId = 1; placeId <= places.length; placeId++) {
    const length = table.lengthTo(placeId, 2, marked);
    const found = [...table.row(placeId).subarray(0, length)].filter((index) => marked[index]).length;
    assert.equal(found, length === 0 ? 0 : 2);
    assert.ok(length === 0 || marked[table.row(placeId)[length - 1]!]);
  }
  assert.equal(table.lengthTo(1, 1, new Uint8Array(nodes.length)), 0);
});

Deno.test("nearestMembers() of members within metres of each other are by whole metres, then id", () => {
  const random = generator(5), from = { latitude: 48, longitude: 11 };
  // Two micro-degrees are less than a metre.
  const nodes = Array.from({ length: 40 }, () => ({
    latitude: 48.1 + Math.floor(random() * 8) * 2e-6,
    longitude: 11 + Math.floor(random() * 8) * 2e-6,
  }));
  for (const count of [1, 3, 8, 36]) {
    const near = nearestMembers(membersAt(nodes), vectorOf(from), count);
    assert.deepEqual(near, sorted(from, nodes).slice(0, count));
  }
});

Deno.test("nearestToChosen() are the nearest up to the last that an answer has, wherever the client is", () => {
  const random = generator(6), nodes = [...randomPoints(90, 1), ...randomPoints(5, 1)];
  const members = membersAt(nodes).map((member, index) => ({
    ...member,
    serving: random() < 0.8,
    node: { id: `n${index}`, place: nodes[index]! },
  })) as unknown as Member[];
  const serving = members.filter(({ serving }) => serving);
  let found = 0;
  for (const answers of [1, 2, 4]) {
    const view = { members, serving, policy: { answers } } as unknown as PoolView;
    for (const place of [...randomPoints(200, 2), ...nodes]) {
      const order = sorted(place, nodes), served = order.filter((index) => members[index]!.serving);
      const length = order.indexOf(served[answers - 1]!) + 1;
      const near = nearestToChosen(view, vectorOf(place));
      assert.deepEqual(near, length <= NEAR_MAX ? order.slice(0, length) : undefined);
      if (near) found++;
    }
  }
  assert.ok(found > 800, `${found}`);
});
