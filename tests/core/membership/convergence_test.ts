import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { snapshotDigest } from "../../../core/fleet/digest.ts";
import type { Verdict } from "../../../core/fleet/verdict.ts";
import { AgreeingHub } from "../../../core/membership/agreeing_hub.ts";
import { FleetKnowledge } from "../../../core/membership/knowledge.ts";
import type { News, Reports, ServerNews } from "../../../core/membership/protocol.ts";
import { readReports, writeReports } from "../../../core/membership/report_record.ts";
import { Publisher } from "../../../core/server/publisher.ts";
import { Chance } from "../../support/random_world.ts";
import { CITIES, node, policy } from "../fleet/make.ts";

const NODES = [node("a", CITIES.frankfurt), node("b", CITIES.london), node("c", CITIES.paris)];
const TARGETS = NODES.map(({ ipv4 }) => `tcp ${ipv4}`);
const STATES: readonly Verdict["state"][] = ["up", "up", "down", "degraded"];

/** How long something takes from one server to another by way of the store, at most. */
const DELAY_MS = 400;
const PULSE_MS = 5000, LEASE_MS = 15_000;

/** Three servers, and a store between them that is slow, loses nobody, and from which one may be cut off. */
class World {
  readonly clock = new ManualClock(1_000_000);
  readonly servers = new Map<string, Member>();
  readonly chance: Chance;
  /** What the store has. */
  readonly pulses = new Map<string, number>();
  readonly reports = new Map<string, string>();

  constructor(seed: number) {
    this.chance = new Chance(seed);
    for (const id of ["x", "y", "z"]) this.servers.set(id, new Member(id, this));
    for (const member of this.servers.values()) member.start();
  }

  /** Tells everybody who is not cut off, each after a while of their own, in order. */
  tell(news: (member: Member) => News): void {
    for (const member of this.servers.values()) member.hear(news);
  }

  /** What the publisher gathered in this turn. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(100, left));
      for (let i = 0; i < 4; i++) await Promise.resolve();
    }
  }

  digests(): string[] {
    return Array.from(this.servers.values(), ({ publisher }) => {
      publisher.flush();
      return snapshotDigest(publisher.snapshot, this.clock.nowMs());
    });
  }
}

class Member {
  readonly publisher: Publisher;
  readonly hub: AgreeingHub;
  readonly #world: World;
  readonly #told = new Map<string, Verdict>();
  isCutOff = false;
  #heardMs = 0;

  constructor(readonly id: string, world: World) {
    this.#world = world;
    const { clock } = world,
      log = { debug() {}, info() {}, warn() {}, error: (what: string) => assert.fail(what) };
    this.publisher = new Publisher({ clock, log });
    const agreement = { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 } as const;
    this.hub = new AgreeingHub({
      ...{ hub: this.publisher, server: id, region: "", agreement, clock },
      report: (reports) => this.#report(reports),
      tellBesides() {},
    });
    this.hub.setNodes({ policy: policy(), block: "1", nodes: NODES });
    this.hub.setTargets(
      policy().name,
      Object.fromEntries(NODES.map(({ ipv4 }, i) => [ipv4!, [TARGETS[i]!]])),
      0,
    );
  }

  start(): void {
    for (const target of TARGETS) this.probe(target, "up");
    this.#pulse();
  }

  /** What its own probes find. */
  probe(target: string, state: Verdict["state"]): void {
    this.hub.setVerdicts({
      [target]: { state, sinceMs: this.#world.clock.nowMs(), reason: "probed", ramp: 1 },
    });
  }

  hear(make: (member: Member) => News): void {
    if (this.isCutOff) return;
    const { clock, chance } = this.#world;
    // What was told first comes first.
    this.#heardMs = Math.max(this.#heardMs + 1, clock.nowMs() + Math.floor(chance.unit() * DELAY_MS));
    clock.after(this.#heardMs - clock.nowMs(), () => !this.isCutOff && this.hub.take(make(this)));
  }

  /** Back again it is told what there is, as by a listing. */
  heal(): void {
    this.isCutOff = false;
    const knowledge = new FleetKnowledge();
    for (const server of this.#world.servers.keys()) knowledge.take(this.#world.newsOf(server));
    this.hear(() => knowledge.all());
    this.#writeReports();
  }

  #pulse(): void {
    const { clock } = this.#world;
    if (!this.isCutOff) {
      this.#world.pulses.set(this.id, clock.nowMs());
      this.#world.tell(() => ({ revision: 0, servers: { [this.id]: this.#world.serverNews(this.id) } }));
    } else if (
      clock.nowMs() - (this.#world.pulses.get(this.id) ?? 0) >= LEASE_MS && this.#world.pulses.delete(this.id)
    ) {
      this.#world.tell(() => ({ revision: 0, servers: { [this.id]: null } }));
    }
    clock.after(PULSE_MS, () => this.#pulse());
  }

  #report(reports: Reports): void {
    for (const [key, report] of Object.entries(reports)) if (report) this.#told.set(key, report);
    this.#writeReports();
  }

  #writeReports(): void {
    if (this.isCutOff) return;
    const text = writeReports(this.#told);
    this.#world.reports.set(this.id, text);
    this.#world.tell(() => ({ revision: 0, reports: { [this.id]: readReports(text) } }));
  }
}

interface World {
  newsOf(server: string): News;
  serverNews(server: string): ServerNews;
}

World.prototype.serverNews = function (id) {
  return { id, region: "", url: "", version: "", digest: "", configuration: "", pulseMs: this.clock.nowMs() };
};

World.prototype.newsOf = function (server) {
  const text = this.reports.get(server);
  return {
    revision: 0,
    servers: { [server]: this.pulses.has(server) ? this.serverNews(server) : null },
    ...text !== undefined && { reports: { [server]: readReports(text) } },
  };
};

Deno.test("servers that see one store answer from the same within a second of the last event, in 100 fault schedules", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const world = new World(seed), { chance, servers } = world, all = [...servers.values()];
    await world.advance(2000);
    for (let step = 0; step < 12; step++) {
      const member = all[Math.floor(chance.unit() * all.length)]!, what = chance.unit();
      if (what < 0.15) member.isCutOff = true;
      else if (what < 0.35) { for (const one of all) if (one.isCutOff) one.heal(); }
      else {
        const target = TARGETS[Math.floor(chance.unit() * TARGETS.length)]!;
        member.probe(target, STATES[Math.floor(chance.unit() * STATES.length)]!);
      }
      await world.advance(Math.floor(chance.unit() * 8000));
    }
    for (const one of all) if (one.isCutOff) one.heal();
    // A pulse of each says that all of them are there.
    await world.advance(PULSE_MS + 1000);
    const before = new Set(world.digests());
    assert.equal(before.size, 1, `seed ${seed}`);
    const target = TARGETS[seed % TARGETS.length]!;
    for (const one of all.slice(0, 2)) one.probe(target, seed % 2 ? "down" : "degraded");
    await world.advance(1000);
    const after = new Set(world.digests());
    assert.equal(after.size, 1, `seed ${seed}, a second after two servers saw a change`);
  }
});

Deno.test("a server that is cut off answers on, holds what it knew, then widens, and converges when it is back", async () => {
  const world = new World(1), [x, y, z] = [...world.servers.values()] as [Member, Member, Member];
  const serving = ({ publisher }: Member) => {
    publisher.flush();
    const { verdicts } = publisher.snapshot;
    return TARGETS.filter((target) => verdicts.every((record) => record[target]?.state !== "down")).length;
  };
  await world.advance(2000);
  for (const one of [x, y, z]) one.probe(TARGETS[0]!, "down");
  await world.advance(1000);
  assert.deepEqual([x, y, z].map(serving), [2, 2, 2]);
  x.isCutOff = true;
  // Its own network fails, and nothing else: it sees nobody.
  for (const target of TARGETS) x.probe(target, "down");
  await world.advance(10_000);
  assert.equal(serving(x), 2, "one of three turns nothing");
  await world.advance(200_000);
  assert.equal(serving(x), 2, "what the others said last is held");
  await world.advance(200_000);
  assert.equal(serving(x), 3, "then nothing is known, which counts as up");
  assert.equal(serving(y), 2);
  x.probe(TARGETS[1]!, "up");
  x.probe(TARGETS[2]!, "up");
  x.heal();
  await world.advance(PULSE_MS + 1000);
  assert.deepEqual([x, y, z].map(serving), [2, 2, 2]);
  assert.equal(new Set(world.digests()).size, 1);
});
