import assert from "node:assert/strict";
import fc from "fast-check";
import { leafHash } from "../../../core/fleet/rendezvous.ts";
import { select } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { parsePrefix } from "../../../core/net/address.ts";
import { modelAnswer, type ModelPool } from "../../model/selection.ts";
import { geography, ids, NOW_MS, place, type PlaceText, policy, POOL } from "./make.ts";
import { randomPlace, type RandomPool, randomPool, snapshotOf, SPARE } from "./random_fleet.ts";

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
    nodes: nodes.map(({ at, weight, out, state, ramp }, i) => ({
      ...place(at),
      ...{ id: `n${i}`, weight, out, ramp, down: state === "down", degraded: state === "degraded" },
    })),
    lastServing: nodes.flatMap(({ remembered }, i) => remembered ? [`n${i}`] : []),
  };
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
  assert.deepEqual(ids(choice), model);
  assert.deepEqual(ids(select(views, POOL, client)), model, "the choice kept");
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
