import { compareMany } from "../e2e/explain/compare.ts";
import { seeded, withWorld } from "../e2e/explain/world.ts";

const TIMES = 100_000;

Deno.test(`explain says what ${TIMES} clients are answered`, async () => {
  const seed = Date.now();
  try {
    await withWorld(async (world) => void await compareMany(world, TIMES, seeded(seed)));
  } catch (cause) {
    throw new Error(`It failed with the seed ${seed}`, { cause });
  }
});
