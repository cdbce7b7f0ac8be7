import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { DegradationNews, PoolShares } from "../../../core/fleet/hub.ts";
import { type PriceJob, type Prices, pricesOf } from "../../../core/fleet/moving.ts";
import type { DegradePolicy } from "../../../core/fleet/pool.ts";
import type { Labels } from "../../../core/plugin.ts";
import { Publisher } from "../../../core/server/publisher.ts";
import { PriceKeeper } from "../../../plugins/anycast/price_keeper.ts";
import { CITIES, geography, node, NOW_MS, policy, POOL } from "../../core/fleet/make.ts";
import { controlScopeOf } from "../../support/scopes.ts";
import { Journal } from "./scopes.ts";

const DEGRADE: DegradePolicy = { below: 0.6, above: 0.75, dwellMs: 10_000 };

/** Two nodes in Europe, which can do what it asks for, and one in America, which can do twice what that asks for. */
const NODES = [
  node("fra", CITIES.frankfurt, { region: "eu", capacity: 110 }),
  node("lon", CITIES.london, { region: "eu", capacity: 110 }),
  node("nyc", CITIES.newYork, { region: "us", capacity: 200 }),
];

/** Half of each region's clients are in one network, half in the other. */
const WORLD = geography([CITIES.frankfurt, CITIES.paris, CITIES.london, CITIES.newYork], {
  "198.51.100.0/26": 1,
  "198.51.100.64/26": 2,
  "198.51.100.128/26": 3,
  "203.0.113.0/26": 4,
});

/** A block with one pool, and what its keeper does; `others`: it has a fleet's word. */
class Stage {
  readonly clock = new ManualClock(NOW_MS);
  readonly journal = new Journal();
  readonly errors: string[] = [];
  readonly publisher = new Publisher({
    clock: this.clock,
    log: { error: (message) => void this.errors.push(message) },
  });
  readonly gauges = new Map<string, number | undefined>();
  readonly noted: (PoolShares | undefined)[] = [];
  readonly jobs: PriceJob[] = [];
  pools: readonly string[] = [POOL];
  hear: (news: DegradationNews) => void = () => {};
  /** How long prices take, and whether they come to anything. */
  tookMs = 0;
  fails = false;
  /** Jobs that fail: by what their first node can do. */
  failsFor: readonly number[] = [];
  readonly identity = {};
  readonly #others: boolean;

  constructor(others = false) {
    this.#others = others;
    this.publisher.publishGeography("1", WORLD);
    this.setPool(DEGRADE);
    this.publisher.setTargets(POOL, Object.fromEntries(NODES.map(({ ipv4 }) => [ipv4!, [`tcp ${ipv4}`]])), 0);
    this.down();
  }

  setPool(degrade: DegradePolicy | undefined, name = POOL, nodes = NODES): void {
    const terms = { name, ...degrade && { degrade } };
    this.publisher.setNodes({ policy: policy(terms), block: "1", nodes });
  }

  /** Another pool, first of all, of which prices differ whenever they are looked at. */
  setRestless(capacity: number): void {
    const name = "restless.example.org.",
      nodes = NODES.map((one) => ({ ...one, capacity: capacity + one.capacity }));
    this.pools = [name, POOL];
    this.setPool(DEGRADE, name, nodes);
    this.publisher.setTargets(name, Object.fromEntries(NODES.map(({ ipv4 }) => [ipv4!, [`tcp ${ipv4}`]])), 0);
  }

  down(...ids: string[]): void {
    this.publisher.setVerdicts(Object.fromEntries(NODES.map(({ id, ipv4 }) => [
      `tcp ${ipv4}`,
      { state: ids.includes(id) ? "down" : "up", sinceMs: 0, reason: "", ramp: 1 },
    ])));
  }

  keeper(): PriceKeeper {
    const { publisher } = this;
    const told = {
      noteShares: (_: string, shares: PoolShares | undefined) => void this.noted.push(shares),
      onDegradations: (listener: (news: DegradationNews) => void) => void (this.hear = listener),
    };
    const fleet = Object.assign(Object.create(publisher) as Publisher, {
      setDegradation: publisher.setDegradation.bind(publisher),
      ...this.#others && told,
    });
    const scope = controlScopeOf({
      ...{ clock: this.clock, log: this.journal, fleet },
      snapshot: () => publisher.snapshot,
      onSnapshot: (listener) => void publisher.onSnapshot(listener),
      gauge: (name: string, value: number | undefined, labels?: Labels) =>
        void this.gauges.set([name, ...Object.values(labels ?? {})].join(" "), value),
    });
    const keeper = new PriceKeeper(() => this.pools, {
      ...scope,
      process: { ...scope.process, identity: this.identity },
    }, { price: (job) => this.#price(job) });
    keeper.start();
    return keeper;
  }

  async #price(job: PriceJob): Promise<Prices> {
    this.jobs.push(job);
    if (this.tookMs > 0) await new Promise<void>((resolve) => void this.clock.after(this.tookMs, resolve));
    if (this.fails || this.failsFor.includes(job.nodes[0]!.capacity)) throw new Error("no memory");
    return pricesOf(job);
  }

  async pass(ms = 0): Promise<void> {
    for (let left = ms; left >= 0; left -= 1000) {
      for (let i = 0; i < 20; i++) await Promise.resolve();
      this.clock.advance(Math.min(1000, left));
      for (let i = 0; i < 20; i++) await Promise.resolve();
      if (left === 0) break;
    }
  }

  get degradation() {
    return this.publisher.snapshot.pools[POOL]?.degradation;
  }

  /** Regions, and who has a price. */
  get shown(): string {
    const { degradation } = this;
    return degradation ? `${degradation.regions}: ${Object.keys(degradation.prices)}` : "";
  }
}

Deno.test("a pool that goes, or goes by another policy, takes its prices and gauges along", async () => {
  const stage = new Stage(true), keeper = stage.keeper();
  await stage.pass();
  assert.deepEqual(stage.noted, [{ degrade: DEGRADE, shares: { eu: 1, us: 1 } }]);
  stage.down("fra");
  await stage.pass();
  assert.deepEqual(stage.noted.at(-1)?.shares, { eu: 0.5, us: 1 });
  assert.equal(stage.shown, "", "the fleet has not said so");
  stage.hear({ degraded: { [POOL]: { eu: NOW_MS } } });
  await stage.pass();
  assert.equal(stage.shown, "eu: lon");
  keeper.show();
  assert.equal(stage.gauges.get(`meridian_pool_degraded ${POOL} eu`), 1);
  assert.equal(stage.gauges.get(`meridian_pool_region_healthy_ratio ${POOL} eu`), 0.5);
  assert.ok(stage.gauges.get(`meridian_pool_price_max_metres ${POOL}`)! > 1_000_000);
  stage.setPool(undefined);
  await stage.pass();
  assert.equal(stage.shown, "");
  assert.equal(stage.noted.at(-1), undefined);
  assert.deepEqual([...stage.gauges.values()].filter((value) => value !== undefined), []);
  // It comes back while the fleet still says so.
  stage.setPool(DEGRADE);
  await stage.pass();
  assert.equal(stage.shown, "eu: lon");
  stage.pools = [];
  stage.publisher.setPools([], [POOL]);
  await stage.pass();
  assert.equal(stage.noted.at(-1), undefined);
  keeper.show();
  assert.deepEqual([...stage.gauges.values()].filter((value) => value !== undefined), []);
  keeper.close();
});

Deno.test("the keeper of the next configuration goes on with decision and prices, at once", async () => {
  const stage = new Stage(), before = stage.keeper();
  stage.down("fra");
  await stage.pass();
  assert.equal(stage.shown, "eu: lon");
  const { degradation } = stage;
  before.close();
  stage.publisher.setDegradation(POOL, undefined);
  stage.publisher.flush();
  stage.tookMs = 2000;
  const after = stage.keeper();
  stage.publisher.flush();
  assert.deepEqual(stage.degradation?.regions, ["eu"]);
  await stage.pass(5000);
  assert.deepEqual(stage.degradation, degradation);
  after.close();
});

Deno.test("prices that cannot be worked out stay as they are, are told of, and tried again", async () => {
  const stage = new Stage(), keeper = stage.keeper();
  stage.fails = true;
  stage.down("fra");
  await stage.pass();
  assert.equal(stage.shown, "");
  assert.equal(stage.jobs.length, 1);
  assert.match(stage.journal.lines.at(-1)!, /^error .*prices of pool www\.example\.org\. cannot .*no memory/);
  stage.fails = false;
  await stage.pass(4000);
  assert.equal(stage.jobs.length, 1);
  await stage.pass(1000);
  assert.equal(stage.shown, "eu: lon");
  keeper.close();
});

Deno.test("a pool of which prices fail, or never stay, leaves others their turn, and is told of once", async () => {
  const stage = new Stage();
  stage.failsFor = [210];
  stage.setRestless(100);
  const keeper = stage.keeper();
  stage.down("fra");
  await stage.pass(20_000);
  assert.equal(stage.shown, "eu: lon");
  assert.equal(stage.journal.lines.filter((line) => line.startsWith("error")).length, 1);
  stage.failsFor = [];
  stage.tookMs = 1000;
  stage.down("lon");
  for (let i = 0; i < 10; i++) {
    stage.setRestless(101 + i);
    await stage.pass(1000);
  }
  assert.equal(stage.shown, "eu: fra");
  keeper.close();
});

Deno.test("a countdown that goes on is no reason to look at regions", async () => {
  const stage = new Stage(), keeper = stage.keeper();
  await stage.pass();
  const { epoch } = stage.publisher.snapshot, pools = stage.publisher.snapshot.pools;
  let told = 0, read = 0;
  stage.publisher.onSnapshot(() => void told++);
  const state = pools[POOL]!, { nodes } = state;
  Object.defineProperty(state, "nodes", { get: () => (read++, nodes) });
  for (let i = 1; i <= 5; i++) {
    const deadline = {
      downMs: NOW_MS + i,
      upMs: Infinity,
      changeMs: Infinity,
      rampMs: Infinity,
      steady: true,
    };
    stage.publisher.setDeadlines({ [`tcp ${NODES[0]!.ipv4}`]: deadline });
    await stage.pass();
  }
  assert.deepEqual([told, read, stage.publisher.snapshot.epoch], [5, 0, epoch]);
  keeper.close();
});

Deno.test("after prices there is a rest, as long as they took; what changed meanwhile comes once", async () => {
  const stage = new Stage(), keeper = stage.keeper();
  stage.tookMs = 2000;
  stage.down("fra");
  await stage.pass(2000);
  assert.equal(stage.shown, "eu: lon");
  for (const down of [["lon"], ["fra"], ["lon"], ["fra", "lon"], ["lon"]]) {
    stage.down(...down);
    await stage.pass(300);
  }
  assert.equal(stage.jobs.length, 1);
  await stage.pass(1000);
  assert.equal(stage.jobs.length, 2);
  await stage.pass(9000);
  assert.equal(stage.shown, "eu: fra");
  assert.equal(stage.jobs.length, 2);
  assert.deepEqual(stage.errors, []);
  keeper.close();
});

Deno.test("nodes that recover find their own room, and nobody is turned away from others for them", () => {
  const job = (fra: "recovering" | "up" | "down"): PriceJob => ({
    nodes: NODES.map(({ id, place: { latitude, longitude }, region, capacity }) => {
      return { id, latitude, longitude, region, capacity, state: id === "fra" ? fra : "up" };
    }),
    ...{ regions: ["eu"], answers: 1, below: 0.6, geography: WORLD },
  });
  const without = pricesOf(job("down")), recovering = pricesOf(job("recovering"));
  assert.ok(without["lon"]! > 0);
  assert.equal(recovering["lon"], without["lon"]);
  assert.deepEqual(Object.keys(pricesOf(job("up"))), []);
});
