/**
 * Prices that keep nodes from being asked for more than they can do: metres that are added to the distance of a full
 * node, for everybody alike. A client's node is the one of least distance + price, so whoever loses least by it goes
 * elsewhere first.
 *
 * The prices are the dual variables of the transportation problem (places with demand, nodes with capacity, the least sum
 * of demand × distance), solved by successive shortest paths: an overfull node sends away the place that loses least on
 * the way to a node with room, perhaps through nodes that are full themselves and send on somebody else. When nobody is
 * overfull, how far a node is from room, in metres lost, is its price. (Ahuja, Magnanti, Orlin, "Network Flows", 9.7.)
 *
 * Everything is counted in whole metres, so that all servers come to the same.
 *
 * @module
 */

import { LeastHeap } from "./least_heap.ts";

/** Demand, capacities and distances; the units of the first two are the same. */
export interface Load {
  /** What each place asks for; at least 0. A place is not cut in two. */
  readonly demand: Float64Array;
  /** What each node can do; at least 0. Infinity where that is not known. */
  readonly capacity: Float64Array;
  /** From place `p` to node `n` at `p * capacity.length + n`, in whole metres. */
  readonly metres: Int32Array;
  /** At how many nodes each place is, an equal share of it at each: as many as an answer has. 1 by default. */
  readonly answers?: number;
}

/** Prices, and what they come to. */
export interface Priced {
  /** Of each node, whole metres; 0 for one that has room. */
  readonly prices: Int32Array;
  /** What each node is asked for. */
  readonly asked: Float64Array;
  /** The nodes of each place, those of the least distance + price: from `place * answers` on, the least first. */
  readonly nodes: Int32Array;
  /**
   * How much of its capacity each node is taken to have: 1, or more where all together cannot do what is asked for. Then all
   * are overloaded alike.
   */
  readonly stretch: number;
}

/** The prices at which every node is asked for no more than it can do, and the sum of all distances is the least. */
export function price(load: Load): Priced {
  const stretch = stretchOf(load);
  const room = load.capacity.map((one) => one * stretch);
  const flow = new Flow(load, room.slice());
  let best = flow.settle(), least = Infinity;
  // A place that was cut in two goes whole to one of its nodes, which may be beyond what that can do: then so much less is
  // asked of that as it takes for the place to go elsewhere.
  for (let round = 0, priced = best; round < ROUNDS; round++, priced = flow.settle()) {
    const over = priced.asked.map((asked, node) => Math.max(0, asked - room[node]!));
    const most = over.reduce((most, one, node) => Math.max(most, one / room[node]!), 0);
    if (most < least) [best, least] = [priced, most];
    if (most <= TOLERANCE || flow.isStuck) break;
    flow.withdraw(over, priced.nodes);
  }
  return { ...best, stretch };
}

/** How often it is tried to fit whole places in, and what share of a node's capacity is as good as none. */
const ROUNDS = 100, TOLERANCE = 1e-9;

/** What is left over so that places, which are not cut, find room even where all is needed. */
const SLACK = 0.005;

function stretchOf({ demand, capacity }: Load): number {
  const sum = (values: Float64Array) => values.reduce((sum, one) => sum + one, 0);
  const can = sum(capacity);
  return can > 0 ? Math.max(1, sum(demand) * (1 + SLACK) / can) : 1;
}

function answersOf({ answers = 1, capacity }: Load): number {
  return Math.min(answers, capacity.length);
}

/** The part of a place's demand that is at a node. */
interface Share {
  readonly place: number;
  readonly node: number;
  amount: number;
}

/** Who is where, and who would lose how much by going elsewhere. */
class Flow {
  readonly #load: Load;
  readonly #room: Float64Array;
  readonly #count: number;
  /** At how many nodes each place is. */
  readonly #answers: number;
  readonly #asked: Float64Array;
  /** Every share there has been; those of a place at a node by `place * count + node`. */
  readonly #shares: Share[] = [];
  readonly #byPlace = new Map<number, number>();
  /** Nodes that have been full: nobody is sent there to stay. */
  readonly #full: Uint8Array;
  /** For full nodes, by `from * count + to`: shares at `from` by what each unit loses at `to`. Some are used up. */
  readonly #leaving: (LeastHeap | undefined)[] = [];
  /** What the first to go loses, by `from * count + to`; Infinity = nobody can. Old for nodes where somebody came or went. */
  readonly #losses: Float64Array;
  readonly #isOld: Uint8Array;
  /** From each node to one with room: metres lost, and the next node on the way; −1 = has room, or no way. */
  readonly #lost: Float64Array;
  readonly #next: Int32Array;

  constructor(load: Load, room: Float64Array) {
    const count = room.length;
    [this.#load, this.#room, this.#count] = [load, room, count];
    this.#answers = answersOf(load);
    this.#asked = new Float64Array(count);
    this.#full = new Uint8Array(count);
    this.#losses = new Float64Array(count * count).fill(Infinity);
    this.#isOld = new Uint8Array(count).fill(1);
    this.#lost = new Float64Array(count);
    this.#next = new Int32Array(count);
    const none = new Int32Array(count), cheapest = new Int32Array(this.#answers);
    for (let place = 0; place < load.demand.length; place++) {
      this.#findCheapest(place, none, cheapest);
      for (const node of cheapest) this.#add(place, node, this.#most(place));
    }
    for (let node = 0; node < count; node++) if (this.#isOver(node)) this.#fill(node);
  }

  /**
   * Asks less of each node that whole places overfill: what it has of the least of those that are cut, or all that is too much.
   * @param nodes Where whole places are, as {@linkcode Priced.nodes}.
   */
  withdraw(over: Float64Array, nodes: Int32Array): void {
    const amounts = over.slice(), answers = this.#answers;
    for (const { place, node, amount } of this.#shares) {
      if (over[node] === 0 || amount <= 0 || amount >= this.#most(place) * (1 - TOLERANCE)) continue;
      if (!nodes.subarray(place * answers, (place + 1) * answers).includes(node)) continue;
      // A little more, so that nothing of it stays.
      amounts[node] = Math.min(amounts[node]!, amount * (1 + TOLERANCE / 2));
    }
    for (const [node, amount] of amounts.entries()) {
      if (amount === 0) continue;
      this.#room[node] = Math.max(0, Math.min(this.#room[node]!, this.#asked[node]!) - amount);
      if (!this.#full[node] && this.#isOver(node)) this.#fill(node);
    }
  }

  /** Whether some node is overfull and none has room. */
  get isStuck(): boolean {
    return this.#lost.some((lost, node) => lost === Infinity && this.#isOver(node));
  }

  /** Moves demand until no node is overfull, or none has room: the prices then, and where they send whole places. */
  settle(): Omit<Priced, "stretch"> {
    for (;;) {
      this.#findWays();
      const from = this.#nextToSend();
      if (from < 0) break;
      this.#send(from);
    }
    const prices = this.#prices(), places = this.#load.demand.length, answers = this.#answers;
    const nodes = new Int32Array(places * answers), asked = new Float64Array(this.#count);
    for (let place = 0; place < places; place++) {
      const cheapest = nodes.subarray(place * answers, (place + 1) * answers);
      this.#findCheapest(place, prices, cheapest);
      for (const node of cheapest) asked[node]! += this.#most(place);
    }
    return { prices, asked, nodes };
  }

  /** How far each node is from room. */
  #prices(): Int32Array {
    return Int32Array.from(this.#lost, (lost) => Math.min(Math.max(0, lost), PRICE_MAX_METRES));
  }

  #isOver(node: number): boolean {
    return this.#asked[node]! > this.#room[node]! * (1 + TOLERANCE);
  }

  #metres(place: number, node: number): number {
    return this.#load.metres[place * this.#count + node]!;
  }

  /** What of a place's demand a node can have. */
  #most(place: number): number {
    return this.#load.demand[place]! / this.#answers;
  }

  /** Finds the nodes of least distance + price, as many as there is room for. Ties go to the first. */
  #findCheapest(place: number, prices: Int32Array, cheapest: Int32Array): void {
    const last = cheapest.length - 1;
    let found = 0, worst = Infinity;
    for (let node = 0; node < this.#count; node++) {
      const cost = this.#metres(place, node) + prices[node]!;
      if (found > last && cost >= worst) continue;
      let at = found > last ? last : found++;
      for (; at > 0 && this.#metres(place, cheapest[at - 1]!) + prices[cheapest[at - 1]!]! > cost; at--) {
        cheapest[at] = cheapest[at - 1]!;
      }
      cheapest[at] = node;
      worst = this.#metres(place, cheapest[found - 1]!) + prices[cheapest[found - 1]!]!;
    }
  }

  /** Of the overfull nodes the one from which demand goes at the least loss; −1 = from none. */
  #nextToSend(): number {
    let next = -1;
    for (let node = 0; node < this.#count; node++) {
      if (!this.#isOver(node) || this.#lost[node] === Infinity) continue;
      if (next < 0 || this.#lost[node]! < this.#lost[next]!) next = node;
    }
    return next;
  }

  /** Sends as much as can go the whole way: what is too much here, has room there, and each share on the way has. */
  #send(from: number): void {
    const way: Share[] = [];
    let to = from, amount = this.#asked[from]! - this.#room[from]!;
    for (; this.#next[to]! >= 0; to = this.#next[to]!) {
      const share = this.#shares[this.#first(to, this.#next[to]!)!]!;
      amount = Math.min(amount, share.amount, this.#roomFor(share.place, this.#next[to]!));
      way.push(share);
    }
    const room = this.#room[to]! - this.#asked[to]!;
    for (const share of way) this.#move(share, this.#next[share.node]!, Math.min(amount, room));
    if (amount >= room) this.#fill(to);
  }

  #move(share: Share, to: number, amount: number): void {
    share.amount -= amount;
    this.#asked[share.node]! -= amount;
    this.#isOld[share.node] = 1;
    this.#add(share.place, to, amount);
    if (this.#answers > 1) this.#noteRoom(share.place, share.node);
  }

  /** How much more of a place a node can have. */
  #roomFor(place: number, node: number): number {
    // Of a place that is at one node all may go to any.
    if (this.#answers === 1) return Infinity;
    const id = this.#byPlace.get(place * this.#count + node), most = this.#most(place);
    const room = id === undefined ? most : most - this.#shares[id]!.amount;
    return room > most * TOLERANCE ? room : 0;
  }

  /** Some of a place has left a node: what of it is elsewhere may go there now. */
  #noteRoom(place: number, left: number): void {
    for (let node = 0; node < this.#count; node++) {
      const id = this.#byPlace.get(place * this.#count + node);
      if (id === undefined || this.#shares[id]!.amount <= 0) continue;
      this.#isOld[node] = 1;
      if (node !== left && this.#full[node]) {
        this.#leaving[node * this.#count + left]!.push(
          id,
          this.#metres(place, left) - this.#metres(place, node),
        );
      }
    }
  }

  #add(place: number, node: number, amount: number): void {
    this.#asked[node]! += amount;
    this.#isOld[node] = 1;
    const key = place * this.#count + node, there = this.#byPlace.get(key);
    if (there !== undefined && this.#shares[there]!.amount > 0) {
      this.#shares[there]!.amount += amount;
      return;
    }
    const id = this.#shares.push({ place, node, amount }) - 1;
    this.#byPlace.set(key, id);
    if (this.#full[node]) this.#mayLeave(id);
  }

  /** From now on a node is full: whoever is there may have to leave. */
  #fill(node: number): void {
    if (this.#full[node]) return;
    this.#full[node] = 1;
    for (let to = 0; to < this.#count; to++) this.#leaving[node * this.#count + to] = new LeastHeap();
    for (const [id, share] of this.#shares.entries()) {
      if (share.node === node && share.amount > 0) this.#mayLeave(id);
    }
  }

  #mayLeave(id: number): void {
    const { place, node } = this.#shares[id]!, here = this.#metres(place, node);
    for (let to = 0; to < this.#count; to++) {
      if (to !== node) this.#leaving[node * this.#count + to]!.push(id, this.#metres(place, to) - here);
    }
  }

  /** The share at `from` that loses least at `to`. */
  #first(from: number, to: number): number | undefined {
    const heap = this.#leaving[from * this.#count + to]!;
    while (heap.size > 0 && !this.#mayGo(heap.least, to)) heap.pop();
    return heap.size > 0 ? heap.least : undefined;
  }

  #mayGo(id: number, to: number): boolean {
    const { amount, place } = this.#shares[id]!;
    return amount > 0 && this.#roomFor(place, to) > 0;
  }

  /** The shortest ways from every full node to one that is not (Bellman and Ford: losses may be gains). */
  #findWays(): void {
    const count = this.#count, lost = this.#lost, next = this.#next, losses = this.#losses;
    next.fill(-1);
    for (let node = 0; node < count; node++) {
      lost[node] = this.#full[node] ? Infinity : 0;
      if (this.#full[node] && this.#isOld[node]) this.#renewLosses(node);
    }
    for (let round = 0, isBetter = true; isBetter && round < count; round++) {
      isBetter = false;
      for (let from = 0; from < count; from++) {
        if (!this.#full[from]) continue;
        for (let to = 0, at = from * count; to < count; to++, at++) {
          const way = losses[at]! + lost[to]!;
          if (way < lost[from]!) [lost[from], next[from], isBetter] = [way, to, true];
        }
      }
    }
  }

  #renewLosses(from: number): void {
    this.#isOld[from] = 0;
    for (let to = 0; to < this.#count; to++) {
      const at = from * this.#count + to;
      if (to !== from) {
        this.#losses[at] = this.#first(from, to) === undefined ? Infinity : this.#leaving[at]!.key;
      }
    }
  }
}

/** Of a full node from which nobody can go anywhere: more than any distance on Earth. */
const PRICE_MAX_METRES = 1e9;
