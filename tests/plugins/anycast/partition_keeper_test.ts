import assert from "node:assert/strict";
import { makePartition, type PartitionJob } from "../../../core/fleet/partition.ts";
import { type Builder, PartitionKeeper } from "../../../plugins/anycast/partition_keeper.ts";
import { CITIES, geography, node, POOL, pool, snapshot } from "../../core/fleet/make.ts";
import { ControlStage } from "./scopes.ts";

const NODES = [node("a", CITIES.london), node("b", CITIES.sydney)];
const WORLD = geography([CITIES.paris], { "0.0.0.0/0": 1 });

/** A keeper whose partitions are made here and now, or not at all while `broken`. */
class Kept implements Builder {
  readonly stage = new ControlStage();
  readonly jobs: PartitionJob[] = [];
  published = 0;
  broken = false;
  takesMs = 5;
  readonly keeper = new PartitionKeeper([POOL], this.stage.scope, this, () => this.published++);
  #epoch = 0;

  make(job: PartitionJob) {
    this.jobs.push(job);
    this.stage.clock.advance(this.takesMs);
    return this.broken ? Promise.reject(new Error("it broke")) : Promise.resolve(makePartition(job));
  }

  /** Shows a snapshot in which the pool has changed. */
  async change(): Promise<void> {
    this.stage.snapshot = snapshot([pool(NODES, {}, { epoch: ++this.#epoch })], {
      geographies: { "1": WORLD },
    });
    await this.keeper.refresh();
  }

  /** Lets time pass, a tenth of a second at a time. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.stage.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
}

Deno.test("a keeper rests between rebuilds, and then takes up what has changed meanwhile", async () => {
  const kept = new Kept();
  await kept.change();
  assert.equal(kept.published, 1);
  for (let i = 0; i < 50; i++) await kept.change();
  assert.equal(kept.published, 1);
  await kept.pass(300);
  assert.equal(kept.published, 2);
  assert.equal(kept.jobs.at(-1)!.snapshot.pools[POOL]!.epoch, 51);
  await kept.pass(1000);
  assert.equal(kept.published, 2);
});

Deno.test("a keeper whose builder fails tries again ever more seldom, and says so once", async () => {
  const kept = new Kept();
  kept.broken = true;
  for (let i = 0; i < 50; i++) await kept.change();
  assert.equal(kept.jobs.length, 1);
  await kept.pass(7500);
  assert.equal(kept.jobs.length, 4, "after 0, 1, 3 and 7 s");
  assert.deepEqual(kept.stage.journal.lines, [
    "error anycast: scopes stay longer than need be, partitions cannot be made: it broke",
  ]);
  kept.broken = false;
  await kept.pass(8000);
  assert.equal(kept.published, 1);
  kept.broken = true;
  await kept.change();
  assert.equal(kept.stage.journal.lines.length, 2);
});

Deno.test("a keeper that is closed makes no more", async () => {
  const kept = new Kept();
  await kept.change();
  kept.keeper.close();
  await kept.change();
  await kept.pass(1000);
  assert.deepEqual([kept.published, kept.stage.clock.nextMs], [1, Infinity]);
});

Deno.test("a keeper whose rebuilds take no time makes every one at once", async () => {
  const kept = new Kept();
  kept.takesMs = 0;
  for (let i = 0; i < 3; i++) await kept.change();
  assert.equal(kept.published, 3);
});
