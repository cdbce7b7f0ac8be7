import assert from "node:assert/strict";
import { makePartition, type PartitionJob } from "../../../core/fleet/partition.ts";
import { type Builder, PartitionKeeper } from "../../../plugins/anycast/partition_keeper.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { CITIES, geography, node, POOL, pool, snapshot } from "../../core/fleet/make.ts";
import { ControlStage } from "./scopes.ts";

const NODES = [node("a", CITIES.london), node("b", CITIES.sydney)];
const WORLD = geography([CITIES.paris], { "0.0.0.0/0": 1 });

/** A keeper whose partitions are made here and now, or not at all while `broken`. */
class Kept implements Builder {
  readonly stage = new ControlStage();
  readonly jobs: PartitionJob[] = [];
  broken = false;
  takesMs = 5;
  readonly keeper = new PartitionKeeper([POOL], this.stage.scope, this, new Uint32Array(1));
  #epoch = 0;

  make(job: PartitionJob) {
    this.jobs.push(job);
    this.stage.clock.advance(this.takesMs);
    return this.broken ? Promise.reject(new Error("it broke")) : Promise.resolve(makePartition(job));
  }

  get published(): number {
    return this.stage.partitions.length;
  }

  /** Shows a snapshot in which the pool has changed. */
  async change(): Promise<void> {
    const answers = 1 + ++this.#epoch % 2;
    this.stage.snapshot = snapshot([pool(NODES, { answers }, { epoch: this.#epoch })], {
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
  for (let i = 0; i < 51; i++) await kept.change();
  assert.equal(kept.published, 1);
  await kept.pass(300);
  assert.equal(kept.published, 2);
  assert.equal(kept.jobs.at(-1)!.snapshot.pools[POOL]!.epoch, 52);
  await kept.pass(1000);
  assert.equal(kept.published, 2);
});

Deno.test("a keeper has a partition made of what there was of the pool", async () => {
  const kept = new Kept();
  kept.takesMs = 0;
  await kept.change();
  await kept.change();
  const [first, second] = kept.jobs;
  assert.equal(first!.before, undefined);
  assert.equal(second!.before, kept.stage.partitions[0]![POOL]![4]);
  assert.ok(second!.before);
});

Deno.test("a keeper whose builder failed has the next made of all leaves", async () => {
  const kept = new Kept();
  await kept.change();
  kept.broken = true;
  await kept.pass(300);
  await kept.change();
  kept.broken = false;
  await kept.pass(1500);
  await kept.change();
  await kept.pass(300);
  assert.deepEqual(kept.jobs.map(({ before }) => before !== undefined), [false, true, false, true]);
});

Deno.test("a keeper whose builder fails tries again ever more seldom, and says so once", async () => {
  const kept = new Kept();
  kept.broken = true;
  for (let i = 0; i < 50; i++) await kept.change();
  assert.equal(kept.jobs.length, 1);
  await kept.pass(7500);
  assert.equal(kept.jobs.length, 4, "after 0, 1, 3 and 7 s");
  assert.deepEqual(kept.stage.journal.lines, [
    "error anycast: partitions cannot be made, every query looks for its own scope: it broke",
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

Deno.test("a keeper goes on with what the one before made of the very same, whatever the epochs, and of nothing else", async () => {
  const before = new ControlStage();
  let bequeathed: () => unknown = () => undefined;
  const scopeOf = (stage: ControlStage, more: object) => ({ ...stage.scope, ...more });
  const shown = (epoch: number, nodes = NODES, world = WORLD) =>
    snapshot([pool(nodes, {}, { epoch })], { geographies: { "1": world } });
  const keep = async (stage: ControlStage, more: object, now: Snapshot) => {
    const jobs: PartitionJob[] = [];
    const make = (job: PartitionJob) => (jobs.push(job), Promise.resolve(makePartition(job)));
    stage.snapshot = now;
    const keeper = new PartitionKeeper([POOL], scopeOf(stage, more), { make }, new Uint32Array(1));
    await keeper.refresh();
    keeper.close();
    return { jobs: jobs.length, made: stage.partitions.at(-1)?.[POOL]?.[4] };
  };
  const first = await keep(before, { bequeath: (make: () => unknown) => bequeathed = make }, shown(7));
  assert.equal(first.jobs, 1);
  const inherited = bequeathed();
  const same = await keep(new ControlStage(), { inherited }, shown(3));
  assert.equal(same.jobs, 0);
  const anew = {
    snapshot: shown(3),
    geography: WORLD,
    pool: POOL,
    family: 4,
    nowMs: before.clock.nowMs(),
  } as const;
  assert.deepEqual(same.made, makePartition(anew));
  const moved = [node("a", CITIES.london), node("b", CITIES.perth)];
  assert.equal((await keep(new ControlStage(), { inherited }, shown(7, moved))).jobs, 1);
  assert.equal((await keep(new ControlStage(), { inherited }, shown(7, NODES, { ...WORLD }))).jobs, 1);
  // What was old when it was handed over says nothing of now.
  before.snapshot = shown(8);
  assert.deepEqual(bequeathed(), []);
});

Deno.test("in a block of many pools only those asked for get partitions, and they stay", async () => {
  const stage = new ControlStage(), names = Array.from({ length: 6 }, (_, i) => `p${i}.`);
  stage.snapshot = snapshot(names.map((name) => pool(NODES, { name })), { geographies: { "1": WORLD } });
  const asked = new Uint32Array(names.length);
  const make = (job: PartitionJob) => Promise.resolve(makePartition(job));
  const keeper = new PartitionKeeper(names, stage.scope, { make }, asked);
  await keeper.refresh();
  assert.deepEqual(stage.partitions, []);
  asked[3] = stage.clock.nowMs() / 1000;
  stage.clock.advance(1000);
  await keeper.refresh();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(stage.partitions.map((made) => Object.keys(made)), [["p3."]]);
  stage.clock.advance(600_000);
  await keeper.refresh();
  assert.equal(stage.partitions.length, 1);
  keeper.close();
});
