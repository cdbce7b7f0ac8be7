import assert from "node:assert/strict";
import { PartitionBuilder } from "../../../core/fleet/partition_builder.ts";
import { CITIES, geography, node, NOW_MS, POOL, pool, snapshot } from "./make.ts";

/** A partition of one pool, wanted. */
const JOB = {
  snapshot: snapshot([pool([node("a", CITIES.london)])]),
  geography: geography([CITIES.paris], { "0.0.0.0/0": 1 }),
  pool: POOL,
  family: 4,
  nowMs: NOW_MS,
} as const;

Deno.test("make() gives a partition, and undefined for no such pool", async () => {
  const builder = new PartitionBuilder();
  assert.equal((await builder.make(JOB))!.tailored, false);
  assert.equal(await builder.make({ ...JOB, pool: "other." }), undefined);
  await builder.close();
});

Deno.test("make() gives undefined when the builder is closed, meanwhile or before", async () => {
  const builder = new PartitionBuilder();
  const underWay = builder.make(JOB);
  const closing = builder.close();
  assert.equal(await underWay, undefined);
  await closing;
  assert.equal(await builder.make(JOB), undefined);
});

Deno.test("a worker that has nothing to do is ended, and the next job starts another", async () => {
  const { Worker } = globalThis, started: string[] = [];
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      started.push("started");
    }
    override terminate(): void {
      started.push("ended");
      super.terminate();
    }
  };
  try {
    const builder = new PartitionBuilder(0);
    for (let i = 0; i < 2; i++) {
      assert.equal((await builder.make(JOB))!.tailored, false);
      while (started.at(-1) !== "ended") await new Promise((resolve) => setTimeout(resolve));
    }
    await builder.close();
    assert.deepEqual(started, ["started", "ended", "started", "ended"]);
  } finally {
    globalThis.Worker = Worker;
  }
});
