/** Random days of a fleet: servers whose clocks differ, that crash, stall and lose the store; nodes that move and die. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Clock, ManualClock } from "../../../core/clock.ts";
import { Beats } from "../../../core/registry/beats.ts";
import { livenessOfAll, LivenessView } from "../../../core/registry/liveness_view.ts";
import { NODE_LEASE, type NodeLease } from "../../../core/registry/lease.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Difference } from "../../../core/state/replica.ts";
import { QUIET, settled } from "./make.ts";
import { MemoryStore } from "./memory_store.ts";

const PULSE_MS = 5000, SERVER_LEASE_MS = 15_000;

/** What servers tell nodes, each another time when it starts again. */
const LEASES: readonly NodeLease[] = [
  NODE_LEASE,
  { leaseMs: 12_000, beatMs: 4000 },
  { leaseMs: 60_000, beatMs: 25_000 },
];
const LONGEST_MS = Math.max(...LEASES.map(({ leaseMs }) => leaseMs));

/** One step of the world: half a second. */
const STEP_MS = 500;

/** The same time as the world's clock shows, by another clock. */
class Skewed implements Clock {
  constructor(readonly world: ManualClock, readonly skewMs: number) {}
  nowMs(): number {
    return this.world.nowMs() + this.skewMs;
  }
  after(delayMs: number, then: () => void): () => void {
    return this.world.after(delayMs, then);
  }
}

interface Server {
  readonly id: string;
  readonly clock: Clock;
  beats: Beats | undefined;
  lease: NodeLease;
  pulsedMs: number;
  /** It reaches the store through this. */
  readonly path: { isCut: boolean };
  /** When it was last not as it should be, by the world's clock. */
  troubleMs: number;
}

interface Node {
  readonly id: string;
  /** Which server it speaks to. */
  at: number;
  nextMs: number;
  isDead: boolean;
  /** By the world's clock: when any server heard it last, and which. */
  heardMs: number;
  heardBy: number;
  /** What that one told it. */
  leaseMs: number;
}

/** What one reader sees, with a clock of its own and late. */
interface Reader {
  readonly view: LivenessView;
  readonly clock: Clock;
  readonly delayMs: number;
  pending: { readonly atMs: number; readonly differences: readonly Difference[] }[];
}

type Event =
  | {
    readonly kind: "crash" | "restart" | "reload" | "cut" | "heal";
    readonly server: number;
    readonly lease?: NodeLease;
  }
  | { readonly kind: "die" | "live" | "move"; readonly node: number }
  | { readonly kind: "wait" };

const event = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Event>({ kind: "wait" }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("crash", "restart", "reload", "cut", "heal"),
      server: fc.nat(2),
      lease: fc.constantFrom(...LEASES),
    }) as fc.Arbitrary<Event>,
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("die", "live", "move"), node: fc.nat(5) }) as fc.Arbitrary<
      Event
    >,
  },
);

class World {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly store = new MemoryStore();
  readonly servers: Server[];
  readonly nodes: Node[];
  readonly readers: Reader[];
  constructor(skews: readonly number[], delays: readonly number[], leases: readonly NodeLease[]) {
    this.servers = skews.map((skewMs, at) => ({
      lease: leases[at]!,
      ...{ id: `s${at}`, clock: new Skewed(this.clock, skewMs), beats: undefined, pulsedMs: -Infinity },
      ...{ path: { isCut: false }, troubleMs: -Infinity },
    }));
    this.nodes = Array.from({ length: 6 }, (_, at) => ({
      ...{ id: `n${at}`, at: at % 3, nextMs: this.clock.nowMs() + at * 1700, isDead: false },
      ...{ heardMs: this.clock.nowMs(), heardBy: at % 3, leaseMs: NODE_LEASE.leaseMs },
    }));
    this.readers = delays.map((delayMs, at) => ({
      ...{ view: new LivenessView(), clock: new Skewed(this.clock, skews[at]!), delayMs, pending: [] },
    }));
    this.store.replicas.add({
      take: (_: number, differences: readonly Difference[]) => {
        for (const reader of this.readers) {
          reader.pending.push({ atMs: this.clock.nowMs() + reader.delayMs, differences });
        }
      },
    } as never);
    for (const { id, heardBy } of this.nodes) {
      const server = this.servers[heardBy]!;
      const value = JSON.stringify({ registeredMs: server.clock.nowMs(), server: server.id, said: "" });
      this.store.write([{ put: KEYS.node(id), value: '{"origin":"registry"}' }, {
        put: KEYS.registration(id),
        value,
      }]);
    }
    this.servers.forEach((_, at) => this.apply({ kind: "restart", server: at }));
  }

  apply(happening: Event): void {
    if ("server" in happening) {
      const server = this.servers[happening.server]!;
      const isNew = !server.beats || happening.kind === "reload" && !server.path.isCut;
      if (isNew) server.lease = happening.lease ?? server.lease;
      this.#happensToServer(happening.kind, server);
    } else if ("node" in happening) {
      const node = this.nodes[happening.node]!;
      if (happening.kind === "die") node.isDead = true;
      else if (happening.kind === "live") node.isDead = false;
      else node.at++;
    }
  }

  /** Half a second goes by. */
  async step(): Promise<void> {
    this.clock.advance(STEP_MS);
    for (const server of this.servers) {
      if (!server.beats || server.path.isCut) server.troubleMs = this.clock.nowMs();
    }
    for (const node of this.nodes) this.#speak(node);
    for (const server of this.servers) this.#pulse(server);
    await settled();
    const nowMs = this.clock.nowMs();
    for (const reader of this.readers) {
      for (; reader.pending[0] && reader.pending[0].atMs <= nowMs; reader.pending.shift()) {
        reader.view.take(reader.pending[0].differences, reader.clock.nowMs());
      }
      reader.view.changes(reader.clock.nowMs());
    }
  }

  #happensToServer(kind: string, server: Server): void {
    if (kind === "cut" || kind === "heal") server.path.isCut = kind === "cut";
    if (kind === "crash" && server.beats) {
      // What it had not written is lost.
      const { beats } = server, wasCut = server.path.isCut;
      server.beats = undefined;
      server.path.isCut = true;
      beats.close().finally(() => server.path.isCut = wasCut);
    }
    // The next one is there before the last one ends. What one heard that is cut off would go with it, as in a crash.
    const last = kind === "reload" && !server.path.isCut ? server.beats : undefined;
    if (last || kind === "restart" && !server.beats) {
      const store = Object.create(this.store, {
        transact: {
          value: (...change: Parameters<MemoryStore["transact"]>) =>
            server.path.isCut ? Promise.reject(new Error("cut off")) : this.store.transact(...change),
        },
        list: {
          value: (prefix: string) =>
            server.path.isCut ? Promise.reject(new Error("cut off")) : this.store.list(prefix),
        },
      });
      server.beats = new Beats({
        ...{
          store,
          server: server.id,
          clock: server.clock,
          log: QUIET,
          leaseMs: server.lease.leaseMs,
          isNode: () => true,
        },
      });
      server.beats.start();
      void last?.close();
    }
  }

  /** A node whose server does not answer goes to the next one at once. */
  #speak(node: Node): void {
    const nowMs = this.clock.nowMs();
    if (node.isDead || nowMs < node.nextMs) return;
    for (let tries = 0; tries < 3; tries++, node.at++) {
      const at = node.at % 3, { beats, lease: { leaseMs, beatMs } } = this.servers[at]!;
      if (!beats) continue;
      beats.hear(node.id, false);
      Object.assign(node, { heardMs: nowMs, heardBy: at, leaseMs, nextMs: nowMs + beatMs });
      return;
    }
  }

  /** What a server's own replica writes, and the store's lease on it. */
  #pulse({ id, beats, clock, path, ...server }: Server): void {
    const nowMs = this.clock.nowMs(), at = this.servers.findIndex((other) => other.id === id);
    if (beats && !path.isCut && nowMs - server.pulsedMs >= PULSE_MS) {
      this.servers[at]!.pulsedMs = nowMs;
      this.store.write([{
        put: KEYS.server(id),
        value: JSON.stringify({ ...beats.pulse(), nowMs: clock.nowMs() }),
      }]);
    } else if (nowMs - server.pulsedMs >= SERVER_LEASE_MS && this.store.entries.has(KEYS.server(id))) {
      this.store.write([{ remove: KEYS.server(id) }]);
    }
  }
}

const day = fc.record({
  skews: fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -3_600_000, max: 3_600_000 }))),
  delays: fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 0, max: 2000 }))),
  leases: fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(...LEASES))),
  events: fc.array(event, { minLength: 20, maxLength: 60 }),
});

/** Runs a day, and looks after every step. */
async function live(
  { skews, delays, leases, events }: typeof day extends fc.Arbitrary<infer T> ? T : never,
  look: (world: World) => void,
): Promise<World> {
  const world = new World(skews, delays, leases);
  for (const happening of events) {
    world.apply(happening);
    for (let i = 0; i < 8; i++) {
      await world.step();
      look(world);
    }
  }
  return world;
}

const RUNS = { numRuns: 60, seed: 7 };

Deno.test("no node is gone while a server that is there to tell has heard it within its lease, whatever clocks show", async () => {
  await fc.assert(
    fc.asyncProperty(day, async (given) => {
      let seen = 0;
      await live(given, (world) => {
        const nowMs = world.clock.nowMs();
        for (const node of world.nodes) {
          const server = world.servers[node.heardBy]!;
          const isFresh = server.beats !== undefined && !server.path.isCut &&
            nowMs - server.pulsedMs <= PULSE_MS;
          // It has been itself for long enough to have written what it heard, and that has come.
          if (!isFresh || nowMs - node.heardMs >= node.leaseMs || nowMs - server.troubleMs < 4000) continue;
          // What was gone is back when the news of it has come.
          if (nowMs - node.heardMs < 4000) continue;
          for (const { view } of world.readers) {
            seen++;
            assert.notEqual(
              view.entry(node.id)?.state,
              "gone",
              `${node.id} was heard ${nowMs - node.heardMs} ms ago`,
            );
          }
        }
      });
      fc.pre(seen > 0);
    }),
    RUNS,
  );
});

Deno.test("a node that is dead is gone within its lease and the bounds of servers, whatever clocks show", async () => {
  await fc.assert(
    fc.asyncProperty(day, async (given) => {
      const world = await live(given, () => {});
      for (const server of world.servers) {
        world.apply({ kind: "heal", server: world.servers.indexOf(server) });
        world.apply({ kind: "restart", server: world.servers.indexOf(server) });
      }
      const dead = world.nodes.slice(0, 3);
      for (const node of dead) node.isDead = true;
      for (const node of world.nodes.slice(3)) node.isDead = false;
      // Its lease, one more for the absence of a server that was away, the pulse that tells, and the way here.
      for (let i = 0; i < (2 * LONGEST_MS + PULSE_MS + 5000) / STEP_MS; i++) await world.step();
      for (const { view } of world.readers) {
        assert.deepEqual(dead.map(({ id }) => view.entry(id)?.state), ["gone", "gone", "gone"]);
        for (const { id } of world.nodes.slice(3)) assert.equal(view.entry(id)?.state, "alive");
      }
    }),
    RUNS,
  );
});

Deno.test("in a fleet without trouble a dead node is gone half a second after its lease, for everybody", async () => {
  await fc.assert(
    fc.asyncProperty(day, fc.nat(40), async ({ skews, leases }, steps) => {
      const world = new World(skews, [0, 0, 0], leases);
      for (let i = 0; i < 40 + steps; i++) await world.step();
      const node = world.nodes[0]!;
      node.isDead = true;
      const endMs = node.heardMs + node.leaseMs;
      const states = () => world.readers.map(({ view }) => view.entry(node.id)!.state);
      while (world.clock.nowMs() < endMs) {
        assert.deepEqual(states(), ["alive", "alive", "alive"]);
        await world.step();
      }
      if (world.clock.nowMs() < endMs + 500) await world.step();
      assert.deepEqual(states(), ["gone", "gone", "gone"]);
      const [verdict, ...others] = world.readers.map(({ view }) => view.entry(node.id)!.verdict);
      for (const other of others) assert.deepEqual(other, verdict, "all say the same, to the letter");
    }),
    { ...RUNS, numRuns: 20 },
  );
});

Deno.test("what is followed change by change is what is worked out at once", async () => {
  await fc.assert(
    fc.asyncProperty(day, async (given) => {
      let step = 0;
      await live({ ...given, delays: [0, 0, 0] }, (world) => {
        if (step++ % 5 !== 0) return;
        for (const { view, clock } of world.readers) {
          const all = livenessOfAll(world.store.entries.values(), view.servers, clock.nowMs());
          for (const [id, entry] of all) {
            // That it may be looked at again later, or not, says nothing of what it is.
            const { untilMs: _a, ...followed } = view.entry(id)!;
            const { untilMs: _b, ...wanted } = entry;
            assert.deepEqual(followed, wanted, id);
          }
        }
      });
    }),
    { ...RUNS, numRuns: 30 },
  );
});
