import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../../core/clock.ts";
import type { Degraded } from "../../../core/fleet/degradation.ts";
import type { DegradationNews } from "../../../core/fleet/hub.ts";
import type { DegradePolicy } from "../../../core/fleet/pool.ts";
import { Demands } from "../../../core/management/demand.ts";
import { Degradations } from "../../../core/membership/degradations.ts";
import type { AuditRecord } from "../../../core/state/audit.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import type { Difference, Replica } from "../../../core/state/replica.ts";
import { type Entry, type Store, StoreUnavailableError } from "../../../core/state/store.ts";
import { ANNA, emptyWorld, MemoryStore, NOW_MS } from "../management/support.ts";

const POOL = "entry.example.", POLICY: DegradePolicy = { below: 0.6, above: 0.75, dwellMs: 10_000 };

/** How long something takes from the store to a server, at most. */
const DELAY_MS = 300;

/** Servers over one store, each of which hears of it after a while, or not for now. */
class World {
  readonly clock = new ManualClock(NOW_MS);
  readonly store = new MemoryStore();
  readonly servers: Server[];

  constructor(count = 3) {
    this.servers = Array.from({ length: count }, (_, i) => new Server(`s${i}`, this));
  }

  /** What all see from now on. */
  see(shares: Readonly<Record<string, number>>): void {
    for (const server of this.servers) server.see(shares);
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      await settle();
      for (const server of this.servers) server.look();
      this.clock.advance(Math.min(100, left));
      await settle();
    }
  }

  /** What was decided, in turn: `+eu`, `-eu`. */
  async decided(): Promise<string[]> {
    const { entries } = await this.store.list(PREFIXES.audit);
    return entries.toSorted((a, b) => a.revision - b.revision).map(({ value }) => {
      const { action, reason = "" }: AuditRecord = JSON.parse(value);
      return `${action === "pool.degrade" ? "+" : "-"}${/^region (\w+):/.exec(reason)?.[1]}`;
    });
  }

  close(): void {
    for (const { degradations } of this.servers) degradations.close();
  }
}

class Server {
  readonly degradations: Degradations;
  readonly told: DegradationNews[] = [];
  readonly errors: string[] = [];
  delayMs = 0;
  isCutOff = false;
  readonly #world: World;
  readonly #entries = new Map<string, Entry>();
  #revision = 0;
  /** Up to where of the store something is on its way. */
  #sent = 0;
  readonly #listeners: ((differences: readonly Difference[]) => void)[] = [];

  constructor(id: string, world: World) {
    this.#world = world;
    const store = Object.assign(Object.create(world.store) as Store, {
      get: (key: string) => this.#isThere(() => world.store.get(key)),
      list: (prefix: string) => this.#isThere(() => world.store.list(prefix)),
      transact: (...args: Parameters<Store["transact"]>) =>
        this.#isThere(() => world.store.transact(...args)),
    });
    const entries = this.#entries, revision = () => this.#revision;
    const replica: Pick<Replica, "get" | "below" | "revision" | "onChange"> = {
      get: (key) => entries.get(key),
      *below(prefix) {
        for (const entry of entries.values()) if (entry.key.startsWith(prefix)) yield entry;
      },
      get revision() {
        return revision();
      },
      onChange: (listener) => {
        this.#listeners.push(listener);
        return () => void this.#listeners.splice(0);
      },
    };
    this.degradations = new Degradations({
      member: { replica, ledger: new Ledger({ store, server: id, clock: world.clock }) },
      ...{ server: id, clock: world.clock, log: { error: (message) => void this.errors.push(message) } },
      tell: (news) => void this.told.push(news),
    });
  }

  see(shares: Readonly<Record<string, number>>): void {
    this.degradations.take({ [POOL]: { degrade: POLICY, shares } });
  }

  get degraded(): Degraded {
    return this.told.at(-1)?.degraded[POOL] ?? {};
  }

  /** Whatever the store has by now comes after a while. */
  look(): void {
    const { store, clock } = this.#world;
    if (this.isCutOff || store.revision === this.#sent) return;
    const revision = this.#sent = store.revision, then = new Map(store.entries);
    clock.after(this.delayMs, () => this.#take(revision, then));
  }

  #take(revision: number, then: ReadonlyMap<string, Entry>): void {
    if (revision < this.#revision) return;
    const keys = new Set([...this.#entries.keys(), ...then.keys()]);
    const differences = [...keys].flatMap((key): Difference[] => {
      const before = this.#entries.get(key), after = then.get(key);
      if (before?.revision === after?.revision) return [];
      return [{ key, ...before && { before }, ...after && { after } }];
    });
    this.#revision = revision;
    for (const { key, after } of differences) {
      if (after) this.#entries.set(key, after);
      else this.#entries.delete(key);
    }
    for (const listener of this.#listeners) listener(differences);
  }

  #isThere<T>(run: () => Promise<T>): Promise<T> {
    return this.isCutOff ? Promise.reject(new StoreUnavailableError("the store is gone")) : run();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

const regionsOf = (servers: readonly Server[]) =>
  servers.map(({ degraded }) => Object.keys(degraded).join(" "));

Deno.test("all servers have the same regions degraded, whoever notices first, with one record of each change", async () => {
  const world = new World();
  world.servers.forEach((server, i) => server.delayMs = 100 * i);
  world.see({ eu: 1, us: 1 });
  await world.pass(500);
  world.servers[1]!.see({ eu: 0.5, us: 1 });
  await world.pass(600);
  assert.deepEqual(regionsOf(world.servers), ["eu", "eu", "eu"]);
  const [{ degraded }] = world.servers as [Server];
  for (const server of world.servers) assert.deepEqual(server.degraded, degraded);
  world.see({ eu: 0.5, us: 0.2 });
  await world.pass(600);
  assert.deepEqual(regionsOf(world.servers), ["eu us", "eu us", "eu us"]);
  world.see({ eu: 0.74, us: 1 });
  await world.pass(10_600);
  assert.deepEqual(regionsOf(world.servers), ["eu", "eu", "eu"]);
  world.see({ eu: 0.75, us: 1 });
  await world.pass(9900);
  assert.deepEqual(regionsOf(world.servers), ["eu", "eu", "eu"]);
  await world.pass(700);
  assert.deepEqual(regionsOf(world.servers), ["", "", ""]);
  assert.deepEqual(await world.decided(), ["+eu", "+us", "-us", "-eu"]);
  assert.equal(world.store.entries.has(KEYS.degraded(POOL)), false);
  assert.deepEqual(world.servers.flatMap(({ errors }) => errors), []);
  world.close();
});

Deno.test("a server that loses the store goes on by itself, and says so when it is back if nobody else has", async () => {
  const world = new World();
  world.see({ eu: 1 });
  await world.pass(500);
  for (const server of world.servers) server.isCutOff = true;
  world.servers[2]!.see({ eu: 0.4 });
  await world.pass(3000);
  assert.deepEqual(regionsOf(world.servers), ["", "", "eu"]);
  for (const server of world.servers) server.isCutOff = false;
  await world.pass(2000);
  assert.deepEqual(regionsOf(world.servers), ["eu", "eu", "eu"]);
  assert.deepEqual(await world.decided(), ["+eu"]);
  world.close();
});

Deno.test("a server that knows no node of a region yet ends for nobody that it is degraded", async () => {
  const world = new World(), [first, , last] = world.servers as [Server, Server, Server];
  world.see({ eu: 1 });
  await world.pass(500);
  first.see({ eu: 0.5 });
  await world.pass(500);
  last.see({});
  await world.pass(5000);
  world.see({ eu: 0.65 });
  await world.pass(20_000);
  assert.deepEqual(regionsOf(world.servers), ["eu", "eu", "eu"]);
  assert.deepEqual(await world.decided(), ["+eu"]);
  // Nobody has any.
  world.see({});
  await world.pass(10_600);
  assert.deepEqual(regionsOf(world.servers), ["", "", ""]);
  assert.deepEqual(await world.decided(), ["+eu", "-eu"]);
  world.close();
});

Deno.test("demand is told with its version, of the store's and no other", async () => {
  const world = new World(1), [server] = world.servers as [Server];
  world.see({ eu: 1 });
  const demands = new Demands({ ...emptyWorld(world.store), clock: world.clock });
  await demands.put({ source: "given", networks: { "198.51.100.0/24": 7 } }, ANNA);
  await world.pass(500);
  const { number, clients } = server.told.at(-1)!.demand!;
  assert.deepEqual([number, [...clients.demand], [...clients.octets.subarray(0, 4)]], [1, [7], [
    198,
    51,
    100,
    0,
  ]]);
  await demands.clear(ANNA);
  await world.pass(500);
  assert.equal(server.told.at(-1)!.demand, undefined);
  world.close();
});

/** What happens in a run: shares at and around the thresholds, and who is cut off, for so many tenths of a second. */
const STEPS = fc.array(
  fc.record({
    share: fc.constantFrom(0.55, 0.59, 0.6, 0.65, 0.74, 0.75, 0.76, 1),
    /** What one server sees for a moment before the others do. */
    first: fc.nat(2),
    cutOff: fc.constantFrom(-1, -1, -1, 0, 1, 2),
    tenths: fc.integer({ min: 1, max: 130 }),
  }),
  { minLength: 5, maxLength: 30 },
);

Deno.test("whatever shares do at the thresholds, and whoever is cut off, nothing swings, and in the end all have the same", async () => {
  await fc.assert(
    fc.asyncProperty(
      STEPS,
      fc.array(fc.nat(DELAY_MS), { minLength: 3, maxLength: 3 }),
      async (steps, delays) => {
        const world = new World();
        world.servers.forEach((server, i) => server.delayMs = delays[i]!);
        world.see({ eu: 1 });
        await world.pass(DELAY_MS + 200);
        /** When all servers saw the region below the higher threshold. */
        const belowMs: number[] = [];
        let wasDegraded = false;
        const watch = () => {
          const isDegraded = world.servers.every(({ degraded }) => "eu" in degraded);
          // The first to turn has decided; what others see only this moment it did not know.
          const nowMs = world.clock.nowMs(), known = belowMs.filter((ms) => ms <= nowMs - 2 * DELAY_MS);
          const sinceMs = nowMs - (known.at(-1) ?? -Infinity);
          if (wasDegraded && !isDegraded) assert.ok(sinceMs >= POLICY.dwellMs, `well after ${sinceMs} ms`);
          wasDegraded = isDegraded;
        };
        let lastMs = -Infinity;
        for (const { share, first, cutOff, tenths } of steps) {
          world.servers.forEach((server, i) => server.isCutOff = i === cutOff);
          world.servers[first]!.see({ eu: share });
          await world.pass(100);
          world.see({ eu: share });
          for (let i = 0; i < tenths; i++) {
            if (share < POLICY.above) belowMs.push(world.clock.nowMs());
            await world.pass(100);
            watch();
          }
          lastMs = world.clock.nowMs();
        }
        for (const server of world.servers) server.isCutOff = false;
        await world.pass(DELAY_MS + 2 * 1000 + POLICY.dwellMs + 500);
        const { share } = steps.at(-1)!, regions = regionsOf(world.servers);
        assert.equal(new Set(regions).size, 1, `in the end servers have ${regions.join(", ")}`);
        if (share < POLICY.below) assert.equal(regions[0], "eu");
        if (share >= POLICY.above) assert.equal(regions[0], "");
        // One record of each change, in turn: none is made twice.
        const decided = await world.decided();
        decided.forEach((one, i) => assert.equal(one, i % 2 === 0 ? "+eu" : "-eu", decided.join(" ")));
        const most = 2 * Math.ceil((lastMs - NOW_MS) / POLICY.dwellMs + 1);
        assert.ok(decided.length <= most, `${decided.length} changes`);
        assert.deepEqual(world.servers.flatMap(({ errors }) => errors), []);
        world.close();
      },
    ),
    { seed: 11, numRuns: 100 },
  );
});
