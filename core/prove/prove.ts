/**
 * Certifies a pool: for every leaf of the client partition, IPv4 and IPv6, in each of many states of health, the answer is
 * the oracle's, the scope sound, and the scope minimal.
 *
 * @module
 */

import type { Node } from "../fleet/node.ts";
import type { PlaceTable } from "../fleet/place.ts";
import { placeAt, SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { answerKey, makeTraced, Workspace } from "../fleet/partition.ts";
import { leafHash } from "../fleet/rendezvous.ts";
import { select } from "../fleet/select.ts";
import { type Views, viewsAt } from "../fleet/view.ts";
import { formatPrefix, type Prefix } from "../net/address.ts";
import { findNetwork, lengthAt, networkAt, NetworkCursor } from "../net/network_table.ts";
import { isOut, type Oracle, type OracleState } from "./oracle.ts";
import { type CounterExample, oracleFor, type Proof, type ProveRequest, type SaidScope } from "./request.ts";
import { checkScopes } from "./scopes.ts";
import { addressesOf, type HealthState, snapshotIn } from "./states.ts";

const COUNTER_EXAMPLES_MAX = 10;

/** Proves one pool for one family of answers. `progress` is told how many states are done, before each and at the end. */
export function prove(request: ProveRequest, progress?: (done: number) => void): Proof {
  const run = new Run(request);
  for (const [i, state] of request.states.entries()) {
    progress?.(i);
    run.check(state);
  }
  progress?.(request.states.length);
  if (request.said) run.checkSaid(request.said);
  return run.proof();
}

class Run {
  readonly #request: ProveRequest;
  readonly #oracle: Oracle;
  readonly #nodes: readonly Node[];
  readonly #addresses: readonly string[];
  readonly #counterExamples: CounterExample[] = [];
  readonly #workspace = new Workspace();
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
    const job = { snapshot, geography, pool, family, nowMs };
    const { partition, answerOf, answerKeys } = makeTraced(job, this.#workspace)!;
    const supposed: Supposed = {
      name: state.name,
      views: viewsAt(snapshot, family, nowMs),
      oracle: this.#oracleState(state),
      answerKeys,
    };
    const turn = this.#statesChecked++;
    const holds = this.#oracle.leafMatters
      ? this.#leafByLeaf(supposed, turn)
      : this.#placeByPlace(supposed, turn);
    for (const client of [4, 6] as const) {
      const leaves = geography[client === 4 ? "v4" : "v6"];
      this.#leavesChecked += leaves.count;
      this.#blocks += partition.blocks[client].count;
      checkScopes(leaves, partition.blocks[client], answerOf, {
        leaf: (leaf, answer) => holds.leaf(leaf, answer),
        fail: (what, network, found, wanted) => {
          const text = (answer: number | string) =>
            typeof answer === "number" ? this.#namesOf(answerKeys[answer]!) : answer;
          this.#fail(what, state.name, network, text(found), text(wanted));
        },
      });
    }
    holds.rest();
  }

  /** Checks scopes that clients were told: until a server has made its partition, these are the leaves' own lengths. */
  checkSaid(said: readonly SaidScope[]): void {
    const { geography } = this.#request;
    const { tailored, blocks } = makeTraced(this.#request, this.#workspace)!.partition;
    for (const { family, leaf, scopePrefixLength } of said) {
      const network = networkAt(family === 4 ? geography.v4 : geography.v6, leaf);
      const block = findNetwork(blocks[family], network.octets);
      const wanted = tailored ? lengthAt(blocks[family], block) : 0;
      if (scopePrefixLength === wanted || scopePrefixLength === network.length) continue;
      this.#fail("scope not sound", "as answered", network, `/${scopePrefixLength ?? "none"}`, `/${wanted}`);
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
   * Every leaf of a place has the place's answer, and that is the oracle's. Some places, others in each state, are also
   * asked for one by one.
   */
  #placeByPlace(supposed: Supposed, turn: number): Holds {
    const { places } = this.#request.geography;
    const answerAt = new Int32Array(places.count).fill(-1);
    return {
      leaf: (leaf, answer) => {
        const placeId = placeOf(leaf);
        if (answerAt[placeId] === answer) return;
        if (answerAt[placeId]! < 0) {
          answerAt[placeId] = answer;
          return;
        }
        const found = "another answer than its place has elsewhere";
        this.#fail("objective", supposed.name, leaf.network(), found, "one");
      },
      rest: () => {
        const some = new NetworkCursor(this.#request.geography.v4);
        const isRight = this.#judge(supposed);
        for (let placeId = 0; placeId < places.count; placeId++) {
          const answer = answerAt[placeId]!;
          if (answer < 0) continue;
          // The oracle is asked for some leaf: here none matters.
          if (!isRight(answer, placeId, some)) {
            this.#hold(placeId, undefined, answer, supposed, whereOf(places, placeId));
          }
          if (placeId % SAMPLE === turn % SAMPLE) {
            this.#askFor(placeId, 0, answer, supposed, whereOf(places, placeId));
          }
        }
      },
    };
  }

  /** Every leaf has the oracle's answer. Some leaves, others in each state, are also asked for one by one. */
  #leafByLeaf(supposed: Supposed, turn: number): Holds {
    const isRight = this.#judge(supposed);
    const sampled = turn % LEAF_SAMPLE;
    return {
      leaf: (leaf, answer) => {
        const placeId = placeOf(leaf);
        if (!isRight(answer, placeId, leaf)) {
          const network = leaf.network();
          this.#hold(placeId, leafOctets(network), answer, supposed, network);
        }
        if (leaf.entry % LEAF_SAMPLE === sampled) {
          const network = leaf.network();
          this.#askFor(placeId, leafHash(network), answer, supposed, network);
        }
      },
      rest: () => {},
    };
  }

  /** Whether the number of an answer stands for what the oracle says, or the pool does not answer from its own nodes. */
  #judge({ oracle, answerKeys }: Supposed) {
    const numbers = new Map(answerKeys.map((key, number) => [key, number]));
    /** By the number of the oracle's set: that of the answer. */
    const wanted: number[] = [];
    return (answer: number, placeId: number, leaf: NetworkCursor): boolean => {
      const set = this.#oracle.answerSet(placeId, leaf, oracle);
      if (set === undefined) return true;
      const known = wanted[set] ??= numbers.get(this.#keyOf(this.#oracle.setNodes(set, oracle))) ?? -1;
      return known === answer;
    };
  }

  /** The answer as the server gives it to one client, with nothing kept and no table of who is near. */
  #askFor(placeId: number, leaf: number, answer: number, supposed: Supposed, where: Prefix | string): void {
    const { places } = this.#request.geography;
    const place = placeId === 0 ? undefined : placeAt(places, placeId);
    const key = supposed.answerKeys[answer]!;
    const asked = answerKey(select(supposed.views, this.#request.pool, { place, placeId, leaf }));
    if (asked !== key) {
      this.#fail("objective", supposed.name, where, this.#namesOf(asked), this.#namesOf(key));
    }
  }

  /** Holds an answer against the right one, which is another: at equal distances, node by node, it is as good. */
  #hold(
    placeId: number,
    leaf: Uint8Array | undefined,
    answer: number,
    { name, oracle, answerKeys }: Supposed,
    where: Prefix | string,
  ): void {
    const found = answerKeys[answer]!, wanted = this.#keyOf(this.#oracle.answer(placeId, leaf, oracle)!);
    const costs = (key: string) =>
      key.split(",").map((address) => this.#costOf(placeId, address)).sort((a, b) => a - b);
    const [here, there] = [costs(found), costs(wanted)];
    // Two formulas for a distance may round to neighbouring metres; that is a tie, not a miss. Of nodes in one spot both give
    // the same: there it was the draw, or the order of ids.
    const isNear = here.length === there.length && here.every((d, i) => Math.abs(d - there[i]!) <= 1);
    if (isNear && !this.#areInOneSpot(found, wanted)) return;
    const total = (all: readonly number[]) => all.reduce((sum, d) => sum + d, 0);
    this.#regretMetres = Math.max(this.#regretMetres, Math.abs(total(here) - total(there)), 1);
    this.#fail("objective", name, where, this.#namesOf(found), this.#namesOf(wanted));
  }

  /** Whether one answer has a node where the other has another one in the very same place. */
  #areInOneSpot(found: string, wanted: string): boolean {
    const [here, there] = [new Set(found.split(",")), new Set(wanted.split(","))];
    const spots = (addresses: ReadonlySet<string>) =>
      new Set([...addresses].map((address) => {
        const { latitude, longitude } = this.#nodes[this.#addresses.indexOf(address)]?.place ?? {};
        return `${latitude} ${longitude}`;
      }));
    return !spots(here.difference(there)).isDisjointFrom(spots(there.difference(here)));
  }

  /** As the server writes an answer: its addresses, each once, sorted. */
  #keyOf(nodes: readonly number[]): string {
    return [...new Set(nodes.map((n) => this.#addresses[n]!))].sort().join();
  }

  #costOf(placeId: number, address: string): number {
    const node = this.#addresses.indexOf(address);
    return node < 0 ? Infinity : this.#oracle.cost(placeId, node);
  }

  #namesOf(key: string): string {
    return key.split(",").map((address) => this.#nodes[this.#addresses.indexOf(address)]?.id ?? address).join(
      ", ",
    );
  }

  #oracleState({ regions, ...everyone }: HealthState): OracleState {
    const state = this.#oracleStateOf(everyone);
    if (!regions) return state;
    const byRegion = regions.map(({ region, ...own }) => [region, this.#oracleStateOf(own)] as const);
    return { ...state, byRegion: new Map(byRegion) };
  }

  #oracleStateOf({ down, degraded }: Pick<HealthState, "down" | "degraded">): OracleState {
    const at = (ids: readonly string[]) => {
      const addresses = addressesOf(this.#nodes.filter(({ id }) => ids.includes(id)));
      return this.#nodes.map((node) => addresses.has(this.#request.family === 4 ? node.ipv4! : node.ipv6!));
    };
    const { snapshot, nowMs } = this.#request;
    return {
      down: at(down),
      out: this.#nodes.map((node) => isOut(node, snapshot.overrides, nowMs, this.#request.pool)),
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

/** A state of health, and what the server makes of it. */
interface Supposed {
  readonly name: string;
  readonly views: Views;
  readonly oracle: OracleState;
  readonly answerKeys: readonly string[];
}

/** Takes the answers leaf by leaf, and when there are no more checks what is left to check. */
interface Holds {
  leaf(leaf: NetworkCursor, answer: number): void;
  rest(): void;
}

/** One place, or leaf, in so many is asked for by itself in each state. */
const SAMPLE = 256, LEAF_SAMPLE = 4096;

function whereOf({ country, countries }: PlaceTable, placeId: number): string {
  return `clients of place ${placeId} (${countries[country[placeId]!]!})`;
}

function placeOf({ value }: NetworkCursor): number {
  return value >= SPECIAL_CLASS_FIRST ? 0 : value;
}

function leafOctets({ family, length, octets }: Prefix): Uint8Array {
  const whole = new Uint8Array(2 + octets.length);
  whole.set([family, length]);
  whole.set(octets, 2);
  return whole;
}
