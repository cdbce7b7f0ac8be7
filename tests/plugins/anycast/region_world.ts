/**
 * A world with many client networks, and a pool whose nodes stand in regions: what its nodes are asked for, by choosing for
 * every network.
 *
 * @module
 */

import { ManualClock } from "../../../core/clock.ts";
import { packDemand } from "../../../core/fleet/client_places.ts";
import { metresBetween } from "../../../core/fleet/distance.ts";
import type { DegradationNews } from "../../../core/fleet/hub.ts";
import { type PriceJob, pricesOf } from "../../../core/fleet/moving.ts";
import type { Node } from "../../../core/fleet/node.ts";
import { type Geography, placeAt } from "../../../core/fleet/place.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import { leafHashAt } from "../../../core/fleet/rendezvous.ts";
import { select } from "../../../core/fleet/select.ts";
import type { Verdict } from "../../../core/fleet/verdict.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { NetworkCursor } from "../../../core/net/network_table.ts";
import { tableBuilder, uniformTable } from "../../../core/net/table_builder.ts";
import { Publisher } from "../../../core/server/publisher.ts";
import { PriceKeeper } from "../../../plugins/anycast/price_keeper.ts";
import { generator } from "../../../core/prove/states.ts";
import { geography, node, NOW_MS, place, type PlaceText, policy, POOL } from "../../core/fleet/make.ts";
import { controlScopeOf } from "../../support/scopes.ts";
import { Journal } from "./scopes.ts";
import type { Transport } from "./transport.ts";

/** Eight regions as a provider might have them. */
const CITIES_OF: Readonly<Record<string, readonly PlaceText[]>> = {
  "eu": [[50.1, 8.7], [51.5, -0.1], [48.9, 2.3], [52.4, 4.9], [40.4, -3.7], [45.5, 9.2], [59.3, 18], [
    52.2,
    21,
  ]],
  "na-east": [[40.7, -74], [38.9, -77], [33.7, -84.4], [25.8, -80.2], [43.7, -79.4], [41.9, -87.6]],
  "na-west": [[37.8, -122.4], [34, -118.2], [47.6, -122.3], [39.7, -105], [33.4, -112]],
  "asia-east": [[35.7, 139.7], [34.7, 135.5], [37.6, 127], [22.3, 114.2], [25, 121.5]],
  "asia-south": [[1.35, 103.8], [-6.2, 106.8], [13.7, 100.5], [19, 72.9], [28.6, 77.2]],
  "sa": [[-23.5, -46.6], [-34.6, -58.4], [4.6, -74], [-12, -77]],
  "africa": [[-26.2, 28], [6.5, 3.4], [30, 31.2]],
  "oceania": [[-33.9, 151.2], [-37.8, 145]],
};

/** How large a world is. */
export interface Size {
  readonly networks: number;
  readonly places: number;
  readonly answers: number;
  /** What share of their capacity nodes are asked for while all serve. */
  readonly use: number;
  readonly seed?: number;
}

/** What nodes are asked for. */
export interface Loads {
  /** By the node's number. */
  readonly asked: Float64Array;
  /** Metres × demand, all together. */
  readonly metres: number;
  /** By network: the ids of its nodes. */
  readonly nodes: readonly string[];
}

/** See the module. */
export class RegionWorld {
  readonly clock = new ManualClock(NOW_MS);
  readonly journal = new Journal();
  readonly publisher = new Publisher({ clock: this.clock, log: { error: (what) => this.errors.push(what) } });
  readonly errors: string[] = [];
  readonly geography: Geography;
  /** By network, in the order of its first address. */
  readonly asks: Float64Array;
  readonly nodes: readonly Node[];
  readonly policy: PoolPolicy;
  readonly keeper: PriceKeeper;
  /** Each set of degraded regions that there was, in turn. */
  readonly decided: string[] = [];
  priced = 0;
  readonly answers: number;
  readonly #random: () => number;
  #number = 1;
  #hear: (news: DegradationNews) => void = () => {};

  constructor({ networks, places, answers, use, seed = 7 }: Size) {
    const random = this.#random = generator(seed), gauss = () => gaussian(random);
    this.answers = answers;
    const cities = Object.values(CITIES_OF).flat();
    // Towns around the cities, and clients around the towns.
    const towns = Array.from({ length: 400 }, () => {
      const [north, east] = cities[Math.floor(random() * cities.length)]!;
      return [north + 7 * gauss(), east + 12 * gauss()] as const;
    });
    const at = Array.from({ length: places }, (): PlaceText => {
      const [north, east] = towns[Math.floor(random() ** 1.5 * towns.length)]!;
      return [Math.max(-85, Math.min(85, north + 0.7 * gauss())), (east + 0.7 * gauss() + 540) % 360 - 180];
    });
    this.geography = {
      ...geography(at, {}),
      v4: networksTable(networks, places, random),
      v6: uniformTable(6, 0),
    };
    this.asks = Float64Array.from({ length: networks }, () => 1 + Math.floor(50 * random() ** 4));
    const bare = Object.entries(CITIES_OF).flatMap(([region, cities]) =>
      cities.map((city, i) => node(`${region}-${i}`, city, { region }))
    ).sort((a, b) => a.id < b.id ? -1 : 1).map((node, i) => ({ ...node, ipv4: `192.0.2.${i + 1}` }));
    const own = this.#loadOf(bare, this.#nearest(bare));
    this.nodes = bare.map((node, i) => ({ ...node, capacity: Math.round(Math.max(own[i]!, 50) / use) }));
    this.policy = policy({ answers, degrade: { below: 0.6, above: 0.75, dwellMs: 120_000 } });
    this.publisher.publishGeography("1", this.geography);
    this.publisher.setNodes({ policy: this.policy, block: "1", nodes: this.nodes });
    const targets = Object.fromEntries(this.nodes.map(({ ipv4 }) => [ipv4!, [`tcp ${ipv4}`]]));
    this.publisher.setTargets(POOL, targets, 0);
    this.set(Object.fromEntries(this.nodes.map(({ id }) => [id, "up"])));
    const price = (job: PriceJob) => {
      this.priced++;
      return Promise.resolve(pricesOf(job));
    };
    this.keeper = new PriceKeeper(() => [POOL], this.#scope(), { price });
  }

  #scope() {
    const { publisher } = this;
    // By itself, but with a demand that is told: what servers have in common is tested elsewhere.
    const fleet = Object.assign(Object.create(publisher) as Publisher, {
      setDegradation: (pool: string, degradation: Parameters<Publisher["setDegradation"]>[1]) => {
        const now = degradation?.regions.join() ?? "";
        if ((this.decided.at(-1) ?? "") !== now) this.decided.push(now);
        publisher.setDegradation(pool, degradation);
      },
      onDegradations: (listener: (news: DegradationNews) => void) => {
        this.#hear = listener;
        this.tellDemand(this.asks);
      },
    });
    return controlScopeOf({
      ...{ clock: this.clock, log: this.journal, fleet },
      snapshot: () => publisher.snapshot,
      onSnapshot: (listener) => void publisher.onSnapshot(listener),
    });
  }

  /** A new version of what networks ask for. */
  tellDemand(asks: Float64Array): void {
    const table = this.geography.v4, at = new NetworkCursor(table, 1);
    const networks = new Map<string, number>();
    for (let i = 0; i < asks.length; i++, at.next()) {
      const [word] = at.start;
      networks.set(`${word! >>> 24}.${word! >> 16 & 255}.${word! >> 8 & 255}.0/${at.length}`, asks[i]!);
    }
    this.#hear({ degraded: {}, demand: { number: this.#number++, clients: packDemand(networks) } });
  }

  /** What each asks for, more or less by so much. */
  noisy(share: number): Float64Array {
    return this.asks.map((one) => one * (1 + share * (2 * this.#random() - 1)));
  }

  /** What checks say of nodes. */
  set(states: Readonly<Record<string, Verdict["state"] | Partial<Verdict>>>): void {
    this.publisher.setVerdicts(Object.fromEntries(
      Object.entries(states).map(([id, state]) => [
        `tcp ${this.nodes.find((node) => node.id === id)!.ipv4}`,
        { state: "up", sinceMs: 0, reason: "", ramp: 1, ...typeof state === "string" ? { state } : state },
      ]),
    ));
  }

  /** Lets time pass, and prices be worked out. */
  async pass(ms: number): Promise<void> {
    await settle();
    this.clock.advance(ms);
    await settle();
  }

  /** Nodes of a region that have at most a share of its capacity together, the largest first. */
  some(region: string, share: number): string[] {
    const own = this.nodes.filter((node) => node.region === region).sort((a, b) => b.capacity - a.capacity);
    let left = share * own.reduce((sum, { capacity }) => sum + capacity, 0);
    return own.flatMap(({ id, capacity }) => {
      if (capacity > left) return [];
      left -= capacity;
      return [id];
    });
  }

  /** What every node is asked for, an equal share by every network that gets it; and metres × demand, all together. */
  load(asks = this.asks): Loads {
    const { places } = this.geography, views = viewsAt(this.publisher.snapshot, 4, this.clock.nowMs());
    const numbers = new Map(this.nodes.map(({ id }, i) => [id, i])),
      asked = new Float64Array(this.nodes.length);
    let metres = 0;
    const got: string[] = [];
    const at = new NetworkCursor(this.geography.v4, 1);
    for (let i = 0; i < asks.length; i++, at.next()) {
      const client = { place: placeAt(places, at.value), placeId: at.value, leaf: leafHashAt(at), places };
      const { chosen } = select(views, POOL, client);
      got.push(chosen.map(({ member }) => member.node.id).join());
      for (const { member, distanceM } of chosen) {
        asked[numbers.get(member.node.id)!]! += asks[i]! / chosen.length;
        metres += asks[i]! / chosen.length * distanceM!;
      }
    }
    return { asked, metres, nodes: got };
  }

  /** Of what networks of other regions ask for, the share of those who have other nodes than before that still serve. */
  movedElsewhere(region: string, before: readonly string[]): number {
    const { places } = this.geography, { nodes } = this.load(), at = new NetworkCursor(this.geography.v4, 1);
    const serving = new Set(this.serving().map((n) => this.nodes[n]!.id));
    const isElsewhere = new Uint8Array(places.count);
    for (let id = 1; id < places.count; id++) {
      const from = placeAt(places, id);
      const metres = this.nodes.map(({ place }) => metresBetween(from, place));
      isElsewhere[id] = Number(this.nodes[metres.indexOf(Math.min(...metres))]!.region !== region);
    }
    let moved = 0, all = 0;
    for (let i = 0; i < this.asks.length; i++, at.next()) {
      if (!isElsewhere[at.value]) continue;
      all += this.asks[i]!;
      const had = before[i]!.split(",");
      if (had.every((id) => serving.has(id)) && nodes[i] !== before[i]) moved += this.asks[i]!;
    }
    return moved / all;
  }

  close(): void {
    this.keeper.close();
    this.publisher.close();
  }

  /** The nodes that serve, as the pool sees them, by number. */
  serving(): number[] {
    const view = viewsAt(this.publisher.snapshot, 4, this.clock.nowMs())(POOL)!;
    const ids = new Set(view.serving.map(({ node }) => node.id));
    return this.nodes.flatMap(({ id }, i) => ids.has(id) ? [i] : []);
  }

  /** Where clients are, and the nodes that serve with all that they can do. */
  transport(): Transport {
    const { demand, metres } = this.#byPlace(), serving = this.serving(), ids: number[] = [];
    for (let place = 0; place < demand.length; place++) if (demand[place]! > 0) ids.push(place);
    return {
      answers: this.answers,
      demand: Float64Array.from(ids, (place) => demand[place]!),
      metres: ids.map((place) =>
        Float64Array.from(serving, (node) => metres[place * this.nodes.length + node]!)
      ),
      capacity: Float64Array.from(serving, (node) => this.nodes[node]!.capacity),
    };
  }

  #byPlace(): { readonly demand: Float64Array; readonly metres: Float64Array } {
    const { places } = this.geography,
      demand = new Float64Array(places.count),
      at = new NetworkCursor(this.geography.v4, 1);
    for (let i = 0; i < this.asks.length; i++, at.next()) demand[at.value]! += this.asks[i]!;
    const metres = new Float64Array(places.count * this.nodes.length);
    for (let id = 1, i = this.nodes.length; id < places.count; id++) {
      const from = placeAt(places, id);
      for (const { place } of this.nodes) metres[i++] = metresBetween(from, place);
    }
    return { demand, metres };
  }

  /** By place, the nearest nodes, by number. */
  #nearest(nodes: readonly Node[]): number[][] {
    const { places } = this.geography;
    return Array.from({ length: places.count }, (_, id) => {
      const from = id === 0 ? place([0, 0]) : placeAt(places, id);
      const metres = nodes.map(({ place }) => metresBetween(from, place));
      return [...nodes.keys()].sort((a, b) => metres[a]! - metres[b]!).slice(0, this.answers);
    });
  }

  #loadOf(nodes: readonly Node[], nearest: readonly (readonly number[])[]): Float64Array {
    const asked = new Float64Array(nodes.length), at = new NetworkCursor(this.geography.v4, 1);
    for (let i = 0; i < this.asks.length; i++, at.next()) {
      for (const node of nearest[at.value]!) asked[node]! += this.asks[i]! / this.answers;
    }
    return asked;
  }
}

/** So many networks of 24 bits from 1.0.0.0 on, each at a place by chance; the rest of the space has none. */
function networksTable(networks: number, places: number, random: () => number) {
  const builder = tableBuilder(4);
  builder.append(8, 0);
  for (let i = 0; i < networks; i++) builder.append(24, 1 + Math.floor(random() * places));
  for (let next = 2 ** 24 + 256 * networks; next < 2 ** 32;) {
    let length = 32;
    while (next % 2 ** (33 - length) === 0 && length > 1) length--;
    builder.append(length, 0);
    next += 2 ** (32 - length);
  }
  return builder.finish();
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Lets promises that wait for nothing come to their end. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
