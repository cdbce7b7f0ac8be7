/**
 * Small worlds by chance, for a server and for the model of it: nodes, pools, clients, timing, a calendar, and what
 * every probe will find. All of a world follows from its seed.
 *
 * @module
 */

import type { Override } from "../../core/fleet/node.ts";
import type { Geography } from "../../core/fleet/place.ts";
import { SPECIAL_CLASS_FIRST } from "../../core/fleet/place.ts";
import { formatPrefix } from "../../core/net/address.ts";
import { networkAt, valueAt } from "../../core/net/network_table.ts";
import { geography, place, type PlaceText } from "../core/fleet/make.ts";
import type { Client, ModelBounds, ModelSpan } from "../model/deadlines.ts";
import type { ModelTiming } from "../model/health.ts";
import type { PlannedNode } from "../model/replay.ts";
import type { ModelPolicy } from "../model/selection.ts";

/** 2023-11-14T22:13:20Z. */
export const START_MS = 1_700_000_000_000;

/** What the worlds have beside plain health and nearness. */
export interface Traits {
  /** Rings, biases and strategies. */
  readonly policies: boolean;
  /** Ramps and degraded states. */
  readonly degrees: boolean;
}

/** A world. */
export interface RandomWorld {
  readonly chance: Chance;
  readonly runMs: number;
  readonly timing: ModelTiming;
  readonly timeoutMs: number;
  readonly failing: number;
  readonly ports: readonly number[];
  readonly bounds: ModelBounds;
  /** The one that is asked for comes first. */
  readonly pools: readonly { readonly policy: ModelPolicy; readonly nodes: readonly PlannedNode[] }[];
  readonly overrides: readonly Override[];
  readonly geography: Geography;
  readonly leaves: readonly (Client & { readonly special: boolean; readonly text: string })[];
  readonly partitions: boolean;
  /** When each node is in trouble, and how many of its probes fail then. */
  readonly moods: ReadonlyMap<string, readonly { readonly untilMs: number; readonly failing: number }[]>;
}

/** Mulberry32. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  readonly unit = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  /** Both ends included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1));
  }

  of<T>(...choices: readonly T[]): T {
    return choices[this.whole(0, choices.length - 1)]!;
  }

  is(share: number): boolean {
    return this.unit() < share;
  }
}

export function randomWorld(seed: number, traits: Traits): RandomWorld {
  const chance = new Chance(seed);
  const timing = randomTiming(chance, traits);
  const runMs = Math.min(300_000, timing.intervalMs * chance.whole(15, 40));
  const ports = chance.is(0.25) ? [80, 81] : [80];
  const max = chance.of(5, 12, 20, 30, 60);
  const main = randomNodes(chance, "n", chance.whole(2, 5), runMs, ports);
  const spare = randomNodes(chance, "s", chance.whole(1, 2), runMs, ports);
  const nodes = [...main, ...spare];
  const pools = [
    { policy: randomPolicy(chance, "entry.example.org.", main, traits, true), nodes: main },
    { policy: randomPolicy(chance, "spare.example.org.", spare, traits, false), nodes: spare },
  ];
  const { geography, leaves } = randomGeography(chance);
  return {
    chance,
    ...{ runMs, timing, ports, pools, geography, leaves },
    timeoutMs: chance.whole(5, 9) * timing.intervalMs / 20,
    failing: ports.length > 1 && chance.is(0.5) ? 0.5 : 0,
    bounds: { min: Math.min(max, chance.of(0, 1, 2, 5)), max, strict: chance.is(0.5) },
    overrides: nodes.flatMap(({ id, calendar }) =>
      calendar.flatMap(({ state, ...span }) =>
        state ? [{ nodeId: id, state, reason: "test", actor: "test", ...span }] : []
      )
    ),
    partitions: chance.is(0.6),
    moods: randomMoods(chance, nodes, runMs, timing.intervalMs),
  };
}

function randomTiming(chance: Chance, { degrees }: Traits): ModelTiming {
  const fall = chance.whole(1, 4);
  const firstMs = chance.whole(5, 30) * 1000;
  return {
    intervalMs: chance.whole(2, 10) * 1000,
    fall,
    rise: chance.whole(1, 4),
    ...chance.is(0.6) && {
      slowFlap: { failures: Math.max(2, fall + chance.whole(0, 2)), ok: chance.whole(1, 4) },
    },
    confirm: chance.is(0.6),
    ...chance.is(0.4) && { holdDown: { firstMs, maxMs: firstMs * chance.whole(1, 3) } },
    rampMs: degrees && chance.is(0.7) ? chance.whole(5, 60) * 1000 : 0,
    slows: degrees && chance.is(0.5),
  };
}

/** Points near enough to one another that rings have members. */
function randomPlace(chance: Chance): PlaceText {
  const spread = chance.of(2, 20, 60);
  return [
    chance.whole(-spread, spread) + chance.of(0, 0.25),
    chance.whole(-spread, spread) * chance.of(1, 2.5),
    chance.of("", "DE", "DE", "US"),
    chance.of("", "A", "A", "B"),
  ];
}

function randomNodes(
  chance: Chance,
  prefix: string,
  count: number,
  runMs: number,
  ports: readonly number[],
): PlannedNode[] {
  return Array.from({ length: count }, (_, i) => {
    const address = `192.0.2.${prefix.charCodeAt(0) + i}`;
    const state = chance.is(0.05) ? chance.of("drain" as const, "down" as const) : "up";
    return {
      id: `${prefix}${i}`,
      ...place(randomPlace(chance)),
      weight: chance.of(1, 1, 2, 0.5),
      state,
      calendar: randomCalendar(chance, runMs),
      targets: ports.map((port) => `${address} ${port}`),
    };
  });
}

function randomCalendar(chance: Chance, runMs: number): ModelSpan[] {
  const span = () => {
    const fromMs = START_MS + 1000 * chance.whole(-10, runMs / 1000);
    return { fromMs, untilMs: fromMs + 1000 * chance.whole(1, runMs / 3000) };
  };
  return [
    ...chance.is(0.3) ? [span()] : [],
    ...chance.is(0.15) ? [span()] : [],
    ...chance.is(0.15)
      ? [{ ...span(), state: chance.of("up" as const, "drain" as const, "down" as const) }]
      : [],
  ];
}

function randomPolicy(
  chance: Chance,
  name: string,
  nodes: readonly PlannedNode[],
  { policies }: Traits,
  spills: boolean,
): ModelPolicy {
  const maxDistanceKm = chance.is(0.7) ? Infinity : chance.whole(1, 9) * 1000;
  const emptying = maxDistanceKm === Infinity ? ["nodata", "servfail"] as const : [];
  const allDown = chance.of("last-known-good", "last-known-good", "fail-open", ...emptying);
  const isBiased = policies && chance.is(0.5);
  return {
    name,
    answers: isBiased ? chance.of(1, 1, 2) : chance.whole(1, 3),
    strategy: policies ? chance.of("linear", "quadratic", "logarithmic", "stepped") : "linear",
    ...policies && chance.is(0.2) && { compat: true },
    region: isBiased ? chance.of(0, 0.3, 0.8) : 0,
    country: isBiased ? chance.of(0.1, 0.8) : 0,
    biasMaxKm: chance.of(300, 1000, 5000, 20_000),
    maxDistanceKm,
    ...policies && chance.is(0.4) && { ring: { share: chance.of(0.05, 0.5), km: chance.of(50, 1500) } },
    threshold: chance.is(0.65) ? 0 : chance.of(0.3, 0.5, 0.67, 1),
    unknown: chance.of<ModelPolicy["unknown"]>(
      { policy: "all" },
      { policy: "nearest", latitude: 10, longitude: 10 },
      {
        policy: "nodes",
        nodes: nodes.slice(1).map(({ id }) => id).reverse().concat(nodes[0]!.id).slice(0, 2),
      },
    ),
    // The spare pool never empties an answer, lest distance could.
    allDown: spills
      ? chance.is(0.2) ? { policy: "pool", pool: "spare.example.org." } : { policy: allDown }
      : { policy: allDown === "nodata" || allDown === "servfail" ? "fail-open" : allDown },
  };
}

/** A few wide networks with a place, without, and of special use. IPv6 is one leaf of which nothing is known. */
function randomGeography(chance: Chance) {
  const places = Array.from({ length: 4 }, () => randomPlace(chance));
  const networks: Record<string, number | string> = {};
  for (let head = 0; head < 256; head += 64) networks[`${head}.0.0.0/2`] = chance.whole(1, places.length);
  if (chance.is(0.5)) networks["32.0.0.0/3"] = chance.whole(1, places.length);
  if (chance.is(0.5)) networks["80.0.0.0/4"] = 0;
  if (chance.is(0.5)) networks["160.0.0.0/3"] = "test";
  const made = geography(places, networks);
  const leaves = [made.v4, made.v6].flatMap((table) =>
    Array.from({ length: table.count }, (_, entry) => {
      const prefix = networkAt(table, entry), value = valueAt(table, entry);
      const special = value >= SPECIAL_CLASS_FIRST;
      return {
        leaf: { family: prefix.family, octets: [...prefix.octets], length: prefix.length },
        place: special || value === 0 ? undefined : place(places[value - 1]!),
        special,
        text: formatPrefix(prefix),
      };
    })
  );
  return { geography: made, leaves };
}

/** Long well, now and then ill or fickle; and at times all of them at once. */
function randomMoods(chance: Chance, nodes: readonly PlannedNode[], runMs: number, intervalMs: number) {
  const endMs = START_MS + 2 * runMs;
  const outages = Array.from({ length: chance.whole(0, 2) }, () => {
    const fromMs = START_MS + chance.whole(0, runMs);
    return { fromMs, untilMs: fromMs + intervalMs * chance.whole(2, 10) };
  });
  return new Map(nodes.map(({ id }) => {
    const moods: { untilMs: number; failing: number }[] = [];
    for (let atMs = START_MS; atMs < endMs;) {
      const outage = outages.find(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs);
      const failing = outage ? 1 : chance.of(0.01, 0.01, 0.05, 0.4, 0.98);
      const untilMs = outage?.untilMs ?? atMs + intervalMs * chance.whole(1, 12);
      const next = outages.map(({ fromMs }) => fromMs).filter((fromMs) => fromMs > atMs);
      moods.push({ untilMs: atMs = outage ? untilMs : Math.min(untilMs, ...next), failing });
    }
    return [id, moods];
  }));
}

/** The Corefile of a world, its node list at `nodes`. */
export function corefileOf({ pools, timing, timeoutMs, failing, ports, bounds }: RandomWorld, nodes: string) {
  const { slowFlap, holdDown } = timing;
  const lines = [
    ...["{", "    state off", "}", "example.org:1053 {", "    geo", "    health {"],
    ...ports.map((port) => `        check tcp ${port}`),
    `        interval ${timing.intervalMs}ms`,
    `        timeout ${timeoutMs}ms`,
    `        fall ${timing.fall}`,
    `        rise ${timing.rise}`,
    `        slow-flap ${slowFlap ? `${slowFlap.failures} ok ${slowFlap.ok}` : "off"}`,
    `        confirm ${timing.confirm ? "on" : "off"}`,
    `        hold-down ${holdDown ? `${holdDown.firstMs}ms ${holdDown.maxMs}ms` : "off"}`,
    `        ramp ${timing.rampMs > 0 ? `${timing.rampMs}ms` : "off"}`,
    ...timing.slows ? [`        degraded latency ${SLOW_MS}ms`] : [],
    ...failing > 0 ? [`        degraded failing ${failing}`] : [],
    ...["    }"],
    ...pools.flatMap(({ policy }) => poolLines(policy, nodes)),
    `    ttl ${bounds.min} ${bounds.max}${bounds.strict ? " strict" : ""}`,
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** Where `degraded latency` is on, what takes longer is slow. */
export const SLOW_MS = 100;

function poolLines(policy: ModelPolicy, nodes: string): string[] {
  const { unknown, allDown, ring } = policy;
  return [
    `    anycast ${policy.name} {`,
    `        nodes ${nodes}`,
    `        select pool=${policy.name}`,
    `        answers ${policy.answers}`,
    `        strategy ${policy.strategy}${policy.compat ? " compat" : ""}`,
    `        bias region ${policy.region} country ${policy.country} max ${policy.biasMaxKm}km`,
    ...policy.maxDistanceKm < Infinity ? [`        max-distance ${policy.maxDistanceKm}km`] : [],
    ...ring ? [`        ring ${ring.share} ${ring.km}km`] : [],
    `        threshold ${policy.threshold}`,
    `        unknown ${
      unknown.policy === "all"
        ? "all"
        : unknown.policy === "nodes"
        ? `nodes ${unknown.nodes.join(" ")}`
        : `nearest ${unknown.latitude} ${unknown.longitude}`
    }`,
    `        all-down ${allDown.policy}${allDown.policy === "pool" ? ` ${allDown.pool}` : ""}`,
    "    }",
  ];
}

/** The node list of a world, as YAML. */
export function nodesYamlOf({ pools }: RandomWorld): string {
  const list = pools.flatMap(({ policy, nodes }) =>
    nodes.map(({ id, latitude, longitude, country, subdivision, weight, state, calendar, targets }) => ({
      id,
      addresses: [targets[0]!.split(" ")[0]],
      location: { latitude, longitude, ...country && { country }, ...subdivision && { subdivision } },
      weight,
      state,
      labels: { pool: policy.name },
      maintenance: calendar.filter((span) => !span.state).map(({ fromMs, untilMs }) => ({
        from: new Date(fromMs).toISOString(),
        until: new Date(untilMs).toISOString(),
      })),
    }))
  );
  return JSON.stringify({ nodes: list });
}
