/**
 * Certifies a pool: for every leaf of the client partition, IPv4 and IPv6, in each of many states of health, the answer is
 * the oracle's, the scope sound, and the scope minimal.
 *
 * @module
 */

import type { Node } from "../fleet/node.ts";
import type { Geography } from "../fleet/place.ts";
import { placeAt, SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { answerKey, classesOf, makePartition } from "../fleet/partition.ts";
import { leafHash } from "../fleet/rendezvous.ts";
import { type Choice, select } from "../fleet/select.ts";
import { type Views, viewsAt } from "../fleet/view.ts";
import { type Family, formatPrefix, type Prefix } from "../net/address.ts";
import { networkAt, type NetworkTable } from "../net/network_table.ts";
import type { Snapshot } from "../snapshot.ts";
import { Oracle, type OracleState } from "./oracle.ts";
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
  /** Takes the place of a new one, where it was made for the same nodes and places. */
  readonly oracle?: Oracle;
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
export function oracleFor({ snapshot, geography, pool, family }: ProveRequest): Oracle {
  const state = snapshot.pools[pool];
  if (!state) throw new RangeError(`Cannot prove pool ${pool}: there is no such pool`);
  const nodes = state.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
  return new Oracle(
    state.policy,
    nodes.map(({ id, place, weight }) => ({ id, ...place, weight })),
    geography.places,
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

/** An answer as a number, equal for equal sets of addresses; and the answer itself. */
class Answers {
  readonly #numbers = new Map<string, number>();
  readonly texts: string[] = [];

  of(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      this.#numbers.set(text, number = this.texts.length);
      this.texts.push(text);
    }
    return number;
  }
}

class Run {
  readonly #request: ProveRequest;
  readonly #oracle: Oracle;
  readonly #nodes: readonly Node[];
  readonly #counterExamples: CounterExample[] = [];
  #statesChecked = 0;
  #failures = 0;
  #regretMetres = 0;
  #blocks = 0;
  #leavesChecked = 0;

  constructor(request: ProveRequest) {
    this.#request = request;
    const { snapshot, pool, family } = request;
    this.#oracle = request.oracle ?? oracleFor(request);
    this.#nodes = snapshot.pools[pool]!.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
  }

  /** Checks every leaf with the nodes in one state of health. */
  check(state: HealthState): void {
    const { geography, pool, family, nowMs } = this.#request;
    const snapshot = snapshotIn(state, this.#request.snapshot, pool);
    const partition = makePartition({ snapshot, geography, pool, family, nowMs })!;
    const views = viewsAt(snapshot, family, nowMs);
    const oracleState = this.#oracleState(state);
    const answers = new Answers();
    const byPlace = this.#oracle.leafMatters
      ? undefined
      : this.#answersByPlace(views, oracleState, state, answers);
    for (const client of [4, 6] as const) {
      const leaves = geography[client === 4 ? "v4" : "v6"];
      const answerOfLeaf = byPlace
        ? leaves.values.map((value) => byPlace[value >= SPECIAL_CLASS_FIRST ? 0 : value]!)
        : Uint32Array.from(
          leaves.values,
          (_, i) => this.#answerOfLeaf(leaves, i, views, oracleState, state, answers),
        );
      this.#checkBlocks(leaves, partition.blocks[client], answerOfLeaf, answers, state);
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

  /**
   * For each place the answer's number, held against the oracle's. Where only the order of the nearest nodes matters,
   * places that share it are chosen for once; some of them, others in each state, are asked for by themselves as well.
   */
  #answersByPlace(views: Views, oracleState: OracleState, state: HealthState, answers: Answers): Int32Array {
    const { pool, geography: { places } } = this.#request;
    const choose = (placeId: number) => {
      const place = placeId === 0 ? undefined : placeAt(places, placeId);
      return select(views, pool, { place, placeId, leaf: 0, places });
    };
    const classOf = classesOf(views(pool)!, places);
    const chosen = new Map<number, Right>();
    const numbers = new Int32Array(places.count);
    const turn = this.#statesChecked++ % SAMPLE;
    for (let placeId = 0; placeId < places.count; placeId++) {
      const near = classOf?.(placeId) ?? 0;
      let answer = near === 0 ? undefined : chosen.get(near);
      if (!answer || placeId % SAMPLE === turn) {
        const choice = choose(placeId);
        const own = {
          number: answers.of(answerKey(choice)),
          nodes: indexesOf(choice),
          isSpill: choice.why.startsWith("spill"),
        };
        if (answer && own.number !== answer.number) {
          this.#fail(
            "objective",
            state.name,
            `place ${placeId}`,
            "another answer than its class",
            answers.texts[answer.number]!,
          );
        }
        answer = own;
        if (near > 0) chosen.set(near, answer);
      }
      numbers[placeId] = answer.number;
      // What another pool answers is proved there.
      if (answer.isSpill) continue;
      const right = this.#oracle.answer(placeId, undefined, oracleState);
      this.#hold(placeId, answer.nodes, right, state, undefined, places.countries[places.country[placeId]!]!);
    }
    return numbers;
  }

  #answerOfLeaf(
    leaves: NetworkTable,
    i: number,
    views: Views,
    oracleState: OracleState,
    state: HealthState,
    answers: Answers,
  ): number {
    const placeId = placeOf(leaves, i);
    const network = networkAt(leaves, i);
    const place = placeId === 0 ? undefined : placeAt(this.#request.geography.places, placeId);
    const choice = select(views, this.#request.pool, { place, placeId, leaf: leafHash(network) });
    if (!this.#isSpill(choice.why)) {
      const right = this.#oracle.answer(placeId, leafOctets(network), oracleState);
      this.#hold(placeId, indexesOf(choice), right, state, network, "");
    }
    return answers.of(answerKey(choice));
  }

  /** What another pool answers is proved there. */
  #isSpill(why: string): boolean {
    return why.startsWith("spill");
  }

  /** Holds an answer against the right one: equal as a set, or else at an equal distance, node by node. */
  #hold(
    placeId: number,
    found: readonly number[] | undefined,
    right: readonly number[] | undefined,
    state: HealthState,
    network: Prefix | undefined,
    country: string,
  ): void {
    if (sameSet(found, right)) return;
    const distances = (nodes: readonly number[] = []) =>
      nodes.map((n) => this.#oracle.metres(placeId, n)).sort((a, b) => a - b);
    const [here, there] = [distances(found), distances(right)];
    // Two formulas for a distance may round to neighbouring metres; that is a tie, not a miss.
    const isTie = found && right && here.length === there.length &&
      here.every((d, i) => Math.abs(d - there[i]!) <= 1);
    if (isTie) return;
    const regret = here.reduce((sum, d) => sum + d, 0) - there.reduce((sum, d) => sum + d, 0);
    this.#regretMetres = Math.max(this.#regretMetres, Math.abs(regret), 1);
    const names = (nodes: readonly number[] | undefined) =>
      nodes?.map((n) => this.#oracle.nodes[n]!.id).join(", ") ?? "no nodes";
    this.#fail(
      "objective",
      state.name,
      network ?? `clients of place ${placeId} (${country})`,
      names(found),
      names(right),
    );
  }

  /** The blocks cover the leaves, each holds one answer, and no two siblings hold the same. */
  #checkBlocks(
    leaves: NetworkTable,
    blocks: NetworkTable,
    answerOfLeaf: Uint32Array,
    answers: Answers,
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
          const [found, wanted] = [answers.texts[answer]!, answers.texts[answerOfLeaf[leaf]!]!];
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
    this.#checkMinimal(blocks, answerOfBlock, answers, state);
  }

  /**
   * A scope is too long where a whole sibling has the same answer. Were a sibling cut further, two siblings within it
   * would have equal answers too: so it is enough to look at neighbours of equal length.
   */
  #checkMinimal(blocks: NetworkTable, answerOfBlock: Int32Array, answers: Answers, state: HealthState): void {
    for (let block = 1; block < blocks.count; block++) {
      const answer = answerOfBlock[block]!;
      if (answer < 0 || answer !== answerOfBlock[block - 1]) continue;
      if (blocks.lengths[block] !== blocks.lengths[block - 1] || !isRightSibling(blocks, block)) continue;
      const network = networkAt(blocks, block);
      this.#fail(
        "scope not minimal",
        state.name,
        network,
        `/${network.length} for ${answers.texts[answer]}`,
        `/${network.length - 1}`,
      );
    }
  }

  #oracleState({ down, degraded }: HealthState): OracleState {
    const at = (ids: readonly string[]) => {
      const addresses = addressesOf(this.#nodes.filter(({ id }) => ids.includes(id)));
      return this.#nodes.map((node) => addresses.has(this.#request.family === 4 ? node.ipv4! : node.ipv6!));
    };
    return {
      serving: at(down).map((isDown) => !isDown),
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

/** What was chosen for a place. */
interface Right {
  readonly number: number;
  readonly nodes: readonly number[] | undefined;
  readonly isSpill: boolean;
}

/** Of the places that share another's answer, one in so many is asked for by itself in each state. */
const SAMPLE = 32;

function indexesOf({ outcome, chosen }: Choice): number[] | undefined {
  return outcome === "nodes" ? chosen.map(({ member }) => member.index) : undefined;
}

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

function sameSet(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (!a || !b) return a === b;
  return a.length === b.length && a.every((n) => b.includes(n));
}
