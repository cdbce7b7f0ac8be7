import assert from "node:assert/strict";
import { biasedScore, bonusOf, scoreOf, strategyScore } from "../../../core/fleet/score.ts";
import { metresBetween } from "../../../core/fleet/distance.ts";
import { CITIES, place, type PlaceText, policy } from "./make.ts";

Deno.test("strategyScore() gives the plan's table", () => {
  const table: [km: number, linear: number, quadratic: number, logarithmic: number, stepped: number][] = [
    [10, .9995, .9990, .7697, 1.0],
    [100, .9950, .9900, .5395, 0.8],
    [500, .9750, .9506, .3785, 0.6],
    [2000, .9000, .8100, .2399, 0.4],
    [3944, .8028, .6445, .1720, 0.4],
    [5570, .7215, .5206, .1375, 0.2],
    [10000, .5000, .2500, .0790, 0.2],
    [19000, .0500, .0025, .0148, 0.2],
  ];
  for (const [km, ...scores] of table) {
    const found = (["linear", "quadratic", "logarithmic", "stepped"] as const)
      .map((strategy) => Number(strategyScore(strategy, km).toFixed(4)));
    assert.deepEqual(found, scores, `${km} km`);
  }
});

Deno.test("strategyScore() stays within 0 and 1 at the ends", () => {
  assert.equal(strategyScore("logarithmic", 0), 1);
  assert.equal(strategyScore("logarithmic", 0.999), 1);
  assert.equal(strategyScore("logarithmic", 1), 1);
  assert.equal(strategyScore("logarithmic", 22_027), 0);
  assert.equal(strategyScore("linear", 25_000), 0);
  assert.equal(strategyScore("quadratic", 25_000), 0);
});

Deno.test("bonusOf() compares subdivisions within their country, and what is unknown with nothing", () => {
  const bias = { region: 0.8, country: 0.4, maxKm: 1000 };
  const bonus = (a: PlaceText, b: PlaceText) => bonusOf(bias, place(a), place(b));
  assert.equal(bonus(CITIES.seattle, [47, -120, "US", "WA"]), 0.8);
  assert.equal(bonus(CITIES.seattle, CITIES.newYork), 0.4);
  assert.equal(bonus(CITIES.perth, CITIES.seattle), 0);
  assert.equal(bonus([0, 0, "US", ""], [0, 0, "US", ""]), 0.4);
  assert.equal(bonus([0, 0, "", ""], [0, 0, "", ""]), 0);
  assert.equal(bonus([0, 0, "", "WA"], [0, 0, "", "WA"]), 0);
});

Deno.test("biasedScore() gives the plan's scores for a client in Seattle at B = 0.8", () => {
  const biased = policy({ bias: { region: 0.8, country: 0.4, maxKm: Infinity } });
  const score = (city: PlaceText) => {
    const client = place(CITIES.seattle), there = place(city);
    return biasedScore(biased, metresBetween(client, there), bonusOf(biased.bias, client, there)).toFixed(3);
  };
  assert.equal(score(CITIES.newYork), "0.561");
  assert.equal(score(CITIES.vancouver), "0.198");
});

const COMPAT = policy({ compat: true, answers: 3, bias: { region: 0.8, country: 0.4, maxKm: 1000 } });

function compatScore(client: PlaceText, node: PlaceText, more: Partial<typeof COMPAT> = {}): number {
  const [from, to] = [place(client), place(node)];
  return scoreOf({ ...COMPAT, ...more }, from, to, metresBetween(from, to)).score;
}

Deno.test("scoreOf() gives a compat pool Formation's scores, to four digits", () => {
  const { seattle, newYork, vancouver, perth, sydney, singapore } = CITIES;
  const vectors: [client: PlaceText, node: PlaceText, linear: number][] = [
    [seattle, newYork, 0.5613],
    [seattle, vancouver, 0.1980],
    [perth, seattle, 0.8512],
    [perth, sydney, 0.5671],
    [perth, singapore, 0.1609],
    [seattle, seattle, 1],
  ];
  for (const [client, node, score] of vectors) {
    assert.equal(Number(compatScore(client, node).toFixed(4)), score, `${client} ${node}`);
  }
});

Deno.test("scoreOf() of a compat pool is s·(1−b)+bonus for each strategy, to four digits", () => {
  // Kilometres north of a node without country, on the sphere of 6371 km.
  const at = (km: number): PlaceText => [km / 6371 * 180 / Math.PI, 0, "FR", "IDF"];
  const table = { linear: .7215, quadratic: .5206, logarithmic: .1375, stepped: .2 };
  for (const [strategy, s] of Object.entries(table)) {
    const more = { strategy: strategy as keyof typeof table };
    const places = [["DE", "HE"], ["FR", "ARA"], ["US", "IDF"]] as const;
    const [abroad, country, region] = places.map(([country, subdivision]) =>
      compatScore([0, 0, country, subdivision], at(5570), more)
    );
    // Rounding of the table's own fourth digit, and of whole metres.
    const near = (found: number | undefined, wanted: number) => assert.ok(Math.abs(found! - wanted) < 1e-4);
    near(abroad, 0.2 * s);
    near(country, 0.2 * s + 0.4);
    near(region, 0.2 * s + 0.8);
  }
});

Deno.test("scoreOf() of a compat pool is 0 beyond the maximum distance, and not otherwise", () => {
  const { seattle, newYork } = CITIES;
  assert.equal(compatScore(seattle, newYork, { maxDistanceKm: 3000 }), 0);
  assert.ok(compatScore(seattle, newYork, { maxDistanceKm: 4000 }) > 0.5);
  const from = place(seattle), to = place(newYork);
  assert.ok(scoreOf({ ...COMPAT, compat: false, maxDistanceKm: 3000 }, from, to, 3_900_000).score > 0.5);
});
