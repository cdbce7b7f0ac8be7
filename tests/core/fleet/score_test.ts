import assert from "node:assert/strict";
import { biasedScore, bonusOf, strategyScore } from "../../../core/fleet/score.ts";
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
