/**
 * Certifies a pool: for every leaf of the client partition, IPv4 and IPv6, in each of many states of health, the answer is
 * the oracle's, the scope sound, and the scope minimal.
 *
 * @module
 */

import type { Node } from "../fleet/node.ts";
import type { Geography } from "../fleet/place.ts";
import { placeAt, SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { answerKey, makeTraced, type TracedPartition, UNMERGED } from "../fleet/partition.ts";
import { select } from "../fleet/select.ts";
import { type Views, viewsAt } from "../fleet/view.ts";
import { type Family, formatPrefix, type Prefix } from "../net/address.ts";
import { networkAt, type NetworkTable } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
import { isOut, Oracle, type OracleState } from "./oracle.ts";
import { addressesOf, type HealthState, snapshotIn } from "./states.ts";

/** What to prove. */
export interface ProveRequest {
  readonly snapshot: Snapshot;
  readonly geography: Geography;
  readonly pool: string;
  /** Of the answer: A or AAAA. */
  readonly family: Family;
  readonly states: readonly HealthState[];
  readonly nowMs: number;
  /** Told before each state. */
  progress?(done: number, of: number): void;
  /** The distances that an oracle for the same nodes and places has worked out. */
  readonly distances?: Uint32Array;
}

/** What came of it. */
export interface Proof {
  readonly pool: string;
  readonly family: Family;
  readonly states: number;
  readonly nodes: number;
  readonly leaves: { readonly 4: number; readonly 6: number };
  /** Over all states. */
  readonly blocks: number;
  readonly leavesChecked: number;
  /** The most by which an answer missed the oracle's objective, in metres; 0 when every answer is right. */
  readonly regretMetres: number;
  readonly failures: number;
  /** The first of them. */
  readonly counterExamples: readonly CounterExample[];
}

/** The oracle of a pool and a family: worth keeping, since it knows every distance. */
export function oracleFor({ snapshot, geography, pool, family, distances }: ProveRequest): Oracle {
  const state = snapshot.pools[pool];
  if (!state) throw new RangeError(`Cannot prove pool ${pool}: there is no such pool`);
  const nodes = state.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
  return new Oracle(
    state.policy,
    nodes.map(({ id, place, weight }) => ({ id, ...place, weight })),
    geography.places,
    distances,
  );
}

/** One client that gets something else than it should. */
export interface CounterExample {
  readonly what: "objective" | "scope not sound" | "scope not minimal" | "partition";
  readonly state: string;
  readonly network: string;
  readonly found: string;
  readonly wanted: string;
}

const COUNTER_EXAMPLES_MAX = 10;

/** Proves one pool for one family of answers. */
export function prove(request: ProveRequest): Proof {
  const run = new Run(request);
  for (const [i, state] of request.states.entries()) {
    request.progress?.(i, request.states.length);
    run.check(state);
  }
  request.progress?.(request.states.length, request.states.length);
  return run.proof();
}

class Run {
  readonly #request: ProveRequest;
  readonly #oracle: Oracle;
  readonly #nodes: readonly Node[];
  readonly #addresses: readonly string[];
  readonly #keys = new Map<string, string>();
  readonly #counterExamples: CounterExample[] = [];
  #statesChecked = 0;
  #failures = 0;
  #regretMetres = 0;
  #blocks = 0;
  #leavesChecked = 0;

  constructor(request: ProveRequest) {
    this.#request = request;
    const { snapshot, pool, family } = request;
    this.#oracle = oracleFor(request);
    this.#nodes = snapshot.pools[pool]!.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
    this.#addresses = this.#nodes.map((node) => (family === 4 ? node.ipv4 : node.ipv6)!);
  }

  /** Checks every leaf with the nodes in one state of health. */
  check(state: HealthState): void {
    const { geography, pool, family, nowMs } = this.#request;
    const snapshot = snapshotIn(state, this.#request.snapshot, pool);
    const traced = makeTraced({ snapshot, geography, pool, family, nowMs })!;
    const views = viewsAt(snapshot, family, nowMs);
    const oracleState = this.#oracleState(state);
    const { answerKeys } = traced;
    if (this.#oracle.leafMatters) {
      this.#checkLeaves(geography.v4, traced.answers[4], answerKeys, oracleState, state);
      this.#checkLeaves(geography.v6, traced.answers[6], answerKeys, oracleState, state);
    } else {
      this.#checkPlaces(traced, views, oracleState, state);
    }
    for (const client of [4, 6] as const) {
      const leaves = geography[client === 4 ? "v4" : "v6"];
      this.#checkBlocks(leaves, traced.partition.blocks[client], traced.answers[client], answerKeys, state);
    }
  }

  proof(): Proof {
    const { pool, family, states, geography } = this.#request;
    return {
      pool,
      family,
      states: states.length,
      nodes: this.#oracle.nodes.length,
      leaves: { 4: geography.v4.count, 6: geography.v6.count },
      blocks: this.#blocks,
      leavesChecked: this.#leavesChecked,
      regretMetres: this.#regretMetres,
      failures: this.#failures,
      counterExamples: this.#counterExamples,
    };
  }

  /** Every leaf of a place has the place's answer, and that is the oracle's. Some places, others in each state, are also asked for one by one. */
  #checkPlaces(traced: TracedPartition, views: Views, oracleState: OracleState, state: HealthState): void {
    const { pool, geography } = this.#request;
    const { places } = geography;
    const answerAt = new Int32Array(places.count).fill(-1);
    this.#collect(geography.v4, traced.answers[4], answerAt, state);
    this.#collect(geography.v6, traced.answers[6], answerAt, state);
    const turn = this.#statesChecked++ % SAMPLE;
    for (let placeId = 0; placeId < places.count; placeId++) {
      if (answerAt[placeId]! < 0) continue;
      const key = traced.answerKeys[answerAt[placeId]!]!;
      const country = places.countries[places.country[placeId]!]!;
      this.#hold(placeId, key, undefined, oracleState, state, `clients of place ${placeId} (${country})`);
      if (placeId % SAMPLE !== turn) continue;
      const place = placeId === 0 ? undefined : placeAt(places, placeId);
      const asked = answerKey(select(views, pool, { place, placeId, leaf: 0, places }));
      if (asked !== key) {
        this.#fail("objective", state.name, `clients of place ${placeId} (${country})`, asked, key);
      }
    }
  }

  #collect(leaves: NetworkTable, answers: Uint32Array, answerAt: Int32Array, state: HealthState): void {
    for (let leaf = 0; leaf < leaves.count; leaf++) {
      const placeId = placeOf(leaves, leaf);
      const answer = (answers[leaf]! & ~UNMERGED) >>> 0;
      if (answerAt[placeId] === answer) continue;
      if (answerAt[placeId]! < 0) answerAt[placeId] = answer;
      else {this.#fail(
          "objective",
          state.name,
          networkAt(leaves, leaf),
          "another answer than its place has elsewhere",
          "one",
        );}
    }
  }

  #checkLeaves(
    leaves: NetworkTable,
    answers: Uint32Array,
    answerKeys: readonly string[],
    oracleState: OracleState,
    state: HealthState,
  ): void {
    for (let leaf = 0; leaf < leaves.count; leaf++) {
      const network = networkAt(leaves, leaf);
      const key = answerKeys[(answers[leaf]! & ~UNMERGED) >>> 0]!;
      this.#hold(placeOf(leaves, leaf), key, leafOctets(network), oracleState, state, network);
    }
  }

  /** Holds an answer against the right one: equal as a set of addresses, or else at equal distances, node by node. */
  #hold(
    placeId: number,
    found: string,
    leaf: Uint8Array | undefined,
    oracleState: OracleState,
    state: HealthState,
    where: Prefix | string,
  ): void {
    const right = this.#oracle.answer(placeId, leaf, oracleState);
    // Not from nodes of its own: nothing, or what another pool answers, which is proved there.
    if (!right) return;
    const wanted = this.#keyOf(right);
    if (found === wanted) return;
    const distances = (key: string) =>
      key.split(",").map((address) => this.#metresTo(placeId, address)).sort((a, b) => a - b);
    const [here, there] = [distances(found), distances(wanted)];
    // Two formulas for a distance may round to neighbouring metres; that is a tie, not a miss.
    if (here.length === there.length && here.every((d, i) => Math.abs(d - there[i]!) <= 1)) return;
    const total = (all: readonly number[]) => all.reduce((sum, d) => sum + d, 0);
    this.#regretMetres = Math.max(this.#regretMetres, Math.abs(total(here) - total(there)), 1);
    this.#fail("objective", state.name, where, this.#namesOf(found), this.#namesOf(wanted));
  }

  /** As the server writes an answer: its addresses, each once, sorted. */
  #keyOf(nodes: readonly number[]): string {
    let key = "";
    for (const n of nodes) key += `${n} `;
    let known = this.#keys.get(key);
    if (known === undefined) {
      this.#keys.set(key, known = [...new Set(nodes.map((n) => this.#addresses[n]!))].sort().join());
    }
    return known;
  }

  #metresTo(placeId: number, address: string): number {
    const node = this.#addresses.indexOf(address);
    return node < 0 ? Infinity : this.#oracle.metres(placeId, node);
  }

  #namesOf(key: string): string {
    return key.split(",").map((address) => this.#nodes[this.#addresses.indexOf(address)]?.id ?? address).join(
      ", ",
    );
  }

  /** The blocks cover the leaves, each holds one answer, and no two siblings hold the same. */
  #checkBlocks(
    leaves: NetworkTable,
    blocks: NetworkTable,
    answerOfLeaf: Uint32Array,
    answerKeys: readonly string[],
    state: HealthState,
  ): void {
    const answerOfBlock = new Int32Array(blocks.count);
    let leaf = 0;
    for (let block = 0; block < blocks.count; block++) {
      if (!startsAt(leaves, leaf, blocks, block)) {
        this.#fail(
          "partition",
          state.name,
          networkAt(blocks, block),
          "a block that starts within a leaf",
          "whole leaves",
        );
        return;
      }
      const answer = answerOfBlock[block] = answerOfLeaf[leaf]!;
      const first = leaf;
      while (
        leaf < leaves.count && !(block + 1 < blocks.count && startsAt(leaves, leaf, blocks, block + 1))
      ) {
        const isAlone = leaf === first && leaves.lengths[leaf] === blocks.lengths[block];
        if (answerOfLeaf[leaf] !== answer || (isSpecial(leaves, leaf) && !isAlone)) {
          const [found, wanted] = [answerKeys[answer]!, answerKeys[answerOfLeaf[leaf]!]!];
          this.#fail("scope not sound", state.name, networkAt(leaves, leaf), found, wanted);
        }
        leaf++;
      }
      // Special-purpose blocks are never merged, and so stand as -1, which equals no answer.
      if (isSpecial(leaves, first)) answerOfBlock[block] = -1;
    }
    this.#leavesChecked += leaves.count;
    this.#blocks += blocks.count;
    if (leaf !== leaves.count) {
      this.#fail("partition", state.name, networkAt(leaves, leaf), "no block", "one");
    }
    this.#checkMinimal(blocks, answerOfBlock, answerKeys, state);
  }

  /**
   * A scope is too long where a whole sibling has the same answer. Were a sibling cut further, two siblings within it
   * would have equal answers too: so it is enough to look at neighbours of equal length.
   */
  #checkMinimal(
    blocks: NetworkTable,
    answerOfBlock: Int32Array,
    answerKeys: readonly string[],
    state: HealthState,
  ): void {
    for (let block = 1; block < blocks.count; block++) {
      const answer = answerOfBlock[block]!;
      if (answer < 0 || answer !== answerOfBlock[block - 1]) continue;
      if (blocks.lengths[block] !== blocks.lengths[block - 1] || !isRightSibling(blocks, block)) continue;
      const network = networkAt(blocks, block);
      this.#fail(
        "scope not minimal",
        state.name,
        network,
        `/${network.length} for ${answerKeys[answer]}`,
        `/${network.length - 1}`,
      );
    }
  }

  #oracleState({ down, degraded }: HealthState): OracleState {
    const at = (ids: readonly string[]) => {
      const addresses = addressesOf(this.#nodes.filter(({ id }) => ids.includes(id)));
      return this.#nodes.map((node) => addresses.has(this.#request.family === 4 ? node.ipv4! : node.ipv6!));
    };
    const { snapshot, nowMs } = this.#request;
    return {
      down: at(down),
      out: this.#nodes.map((node) => isOut(node, snapshot.overrides, nowMs)),
      degraded: at(degraded),
      lastServing: this.#nodes.map(() => true),
    };
  }

  #fail(
    what: CounterExample["what"],
    state: string,
    where: Prefix | string,
    found: string,
    wanted: string,
  ): void {
    this.#failures++;
    if (this.#counterExamples.length >= COUNTER_EXAMPLES_MAX) return;
    const network = typeof where === "string" ? where : formatPrefix(where);
    this.#counterExamples.push({ what, state, network, found, wanted });
  }
}

/** One place in so many is asked for by itself in each state. */
const SAMPLE = 32;

function placeOf({ values }: NetworkTable, i: number): number {
  return values[i]! >= SPECIAL_CLASS_FIRST ? 0 : values[i]!;
}

function isSpecial({ values }: NetworkTable, i: number): boolean {
  return values[i]! >= SPECIAL_CLASS_FIRST;
}

function startsAt(a: NetworkTable, i: number, b: NetworkTable, j: number): boolean {
  if (a.family === 4) return a.starts[i] === b.starts[j];
  const x = 4 * i, y = 4 * j;
  return a.starts[x] === b.starts[y] && a.starts[x + 1] === b.starts[y + 1] &&
    a.starts[x + 2] === b.starts[y + 2] && a.starts[x + 3] === b.starts[y + 3];
}

/** Whether the entry is the upper half of its parent: then the one before it, if as long, is the lower half. */
function isRightSibling({ family, starts, lengths }: NetworkTable, i: number): boolean {
  const bit = lengths[i]! - 1;
  if (bit < 0) return false;
  const word = starts[(family === 4 ? i : 4 * i) + (bit >> 5)]!;
  return ((word >>> (31 - (bit & 31))) & 1) === 1;
}

function leafOctets({ family, length, octets }: Prefix): Uint8Array {
  const whole = new Uint8Array(2 + octets.length);
  whole.set([family, length]);
  whole.set(octets, 2);
  return whole;
}
