import assert from "node:assert/strict";
import fc from "fast-check";
import { leafHash } from "../../../core/fleet/rendezvous.ts";
import { type Choice, select } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { parsePrefix } from "../../../core/net/address.ts";
import { type ModelAnswer, modelAnswer, type ModelPool } from "../../model/selection.ts";
import { choose, geography, ids, NOW_MS, place, type PlaceText, policy, POOL } from "./make.ts";
import {
  type RandomNode,
  randomPlace,
  type RandomPool,
  randomPool,
  regionalPool,
  snapshotOf,
  SPARE,
} from "./random_fleet.ts";

function modelPool({ nodes, policy: more }: RandomPool, name: string): ModelPool {
  const { bias, ...rest } = policy({ ...more, name });
  return {
    policy: {
      ...rest,
      region: bias.region,
      country: bias.country,
      biasMaxKm: bias.maxKm,
      unknown: rest.unknown as ModelPool["policy"]["unknown"],
    },
    nodes: nodes.map(({ at, weight, out, region = "", priceM, saidIn = {}, ...said }, i) => ({
      ...place(at),
      ...{ id: `n${i}`, weight, out, region, priceM, ...modelState(said) },
      saidIn: Object.fromEntries(Object.entries(saidIn).map(([region, own]) => [region, modelState(own)])),
    })),
    lastServing: nodes.flatMap(({ remembered }, i) => remembered ? [`n${i}`] : []),
  };
}

function modelState({ state, ramp }: Pick<RandomNode, "state" | "ramp">) {
  return { ramp, down: state === "down", degraded: state === "degraded" };
}

/** Where step 2 brings all-down about, those that serve are the last that served. */
function withPresentMemory(pool: ModelPool): ModelPool {
  const serving = pool.nodes.filter(({ out, down }) => !out && !down);
  const { threshold } = pool.policy;
  const isDown = serving.length === 0 || (threshold > 0 && serving.length / pool.nodes.length < threshold);
  return isDown ? pool : { ...pool, lastServing: serving.map(({ id }) => id) };
}

function check(main: RandomPool, spare: RandomPool, at: PlaceText | undefined, leafNumber: number): void {
  const leaf = parsePrefix(`10.${leafNumber >> 8}.${leafNumber & 255}.0/24`)!;
  const model = modelAnswer(
    {
      [POOL]: withPresentMemory(modelPool(main, POOL)),
      [SPARE]: withPresentMemory(modelPool(spare, SPARE)),
    },
    POOL,
    { family: 4, octets: [...leaf.octets], length: 24 },
    at && place(at),
  );
  const views = viewsAt(snapshotOf(main, spare), 4, NOW_MS);
  const { places } = geography(at ? [at] : [], {});
  const client = { place: at && place(at), placeId: at ? 1 : 0, leaf: leafHash(leaf), places };
  const choice = select(views, POOL, client);
  assert.deepEqual(answerOf(choice), model);
  assert.deepEqual(answerOf(select(views, POOL, client)), model, "the choice kept");
}

function answerOf(choice: Choice): ModelAnswer {
  return choice.outcome === "nodes" ? ids(choice) : choice.outcome;
}

/** Distance must not decide whether there is an answer: that is refused when a Corefile is read. */
function asMayBe(main: RandomPool, spare: RandomPool): RandomPool {
  if (main.policy.allDown?.policy !== "pool" || spare.policy.allDown?.policy !== "nodata") return main;
  return { ...main, policy: { ...main.policy, maxDistanceKm: Infinity } };
}

const RUNS = { numRuns: 3000, seed: 1 };

Deno.test("select() is what the model of decision 0001 finds by trying everything", () => {
  fc.assert(
    fc.property(randomPool(true), randomPool(false), randomPlace, fc.nat(65535), check),
    RUNS,
  );
});

Deno.test("select() is the model in pools large enough that far nodes are not looked at", () => {
  const large = fc.property(randomPool(true, 33, 50), randomPool(false), randomPlace, fc.nat(65535), check);
  fc.assert(large, { numRuns: 150, seed: 2 });
});

Deno.test("select() is the model where regions have verdicts of their own", () => {
  let differ = 0;
  const place = randomPlace.filter((at) => at !== undefined);
  fc.assert(
    fc.property(
      ...[regionalPool(true), regionalPool(false), fc.oneof(place, randomPlace), fc.nat(65535)],
      (random, spare, at, leafNumber) => {
        const main = asMayBe(random, spare);
        check(main, spare, at, leafNumber);
        const forgetting = ({ nodes, policy }: RandomPool): RandomPool => {
          return { policy, nodes: nodes.map((node) => ({ ...node, saidIn: {} })) };
        };
        const answer = (main: RandomPool, spare: RandomPool) => answerOf(choose(snapshotOf(main, spare), at));
        if (`${answer(main, spare)}` !== `${answer(forgetting(main), forgetting(spare))}`) differ++;
      },
    ),
    { numRuns: 3000, seed: 3 },
  );
  assert.ok(differ > 250, `regions made a difference ${differ} times`);
});
