import assert from "node:assert/strict";
import fc from "fast-check";
import { type Load, price, type Priced } from "../../../core/fleet/prices.ts";
import { LeastHeap } from "../../../core/fleet/least_heap.ts";

/** Places and nodes on a sphere, as whole metres; the generator is small and always the same. */
function world(seed: number, places: number, nodes: number, room: number): Load {
  let state = seed >>> 0;
  const random = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
  const point = () => {
    const z = 2 * random() - 1, angle = 2 * Math.PI * random(), radius = Math.sqrt(1 - z * z);
    return [radius * Math.cos(angle), radius * Math.sin(angle), z] as const;
  };
  const at = Array.from({ length: nodes }, point);
  const demand = new Float64Array(places).map(() => 1 + Math.floor(20 * random()));
  const total = demand.reduce((sum, one) => sum + one, 0);
  const metres = new Int32Array(places * nodes);
  for (let place = 0; place < places; place++) {
    const [x, y, z] = point();
    at.forEach(([a, b, c], node) => {
      metres[place * nodes + node] = Math.round(
        6_371_009 * Math.acos(Math.max(-1, Math.min(1, x * a + y * b + z * c))),
      );
    });
  }
  return {
    demand,
    metres,
    capacity: new Float64Array(nodes).map(() => (0.5 + random()) * room * total / nodes),
  };
}

/** The node of least distance + price, by definition. */
function chosen({ metres, capacity: { length } }: Load, prices: Int32Array, place: number): number {
  let best = 0;
  const cost = (node: number) => metres[place * length + node]! + prices[node]!;
  for (let node = 1; node < length; node++) if (cost(node) < cost(best)) best = node;
  return best;
}

/** Metres × demand beyond what it is when everybody goes to the nearest. */
function added({ demand, metres, capacity: { length } }: Load, nodes: Int32Array): number {
  return demand.reduce((sum, one, place) => {
    const row = metres.subarray(place * length, (place + 1) * length);
    return sum + one * (row[nodes[place]!]! - Math.min(...row));
  }, 0);
}

/**
 * No assignment within the capacities adds less than this, whatever the prices are (weak duality): for each unit of demand at
 * least the least of distance + price is paid, of which no node takes in more than capacity × price.
 */
function leastAdded({ demand, metres, capacity }: Load, { prices, stretch }: Priced): number {
  const { length } = capacity;
  const paid = demand.reduce((sum, one, place) => {
    const row = metres.subarray(place * length, (place + 1) * length);
    return sum + one * (Math.min(...row.map((metres, node) => metres + prices[node]!)) - Math.min(...row));
  }, 0);
  return paid - prices.reduce((sum, one, node) => sum + one * capacity[node]! * stretch, 0);
}

const WORLDS = fc.record({
  seed: fc.nat(),
  places: fc.integer({ min: 300, max: 900 }),
  nodes: fc.integer({ min: 2, max: 9 }),
  room: fc.constantFrom(0.6, 1.1, 1.3, 2, 4),
});

Deno.test("price(): places go to the least distance + price, nobody is asked for more than it can, at the least added distance", () => {
  fc.assert(
    fc.property(WORLDS, ({ seed, places, nodes, room }) => {
      const load = world(seed, places, nodes, room), priced = price(load);
      const asked = new Float64Array(nodes);
      load.demand.forEach((one, place) => {
        assert.equal(priced.nodes[place], chosen(load, priced.prices, place), `the node of place ${place}`);
        asked[priced.nodes[place]!]! += one;
      });
      assert.deepEqual(priced.asked, asked);
      const largest = Math.max(...load.demand), isShort = priced.stretch > 1;
      for (let node = 0; node < nodes; node++) {
        // Where all are needed to the last, a place may stand over.
        const room = load.capacity[node]! * priced.stretch + (isShort ? largest : 0);
        assert.ok(asked[node]! <= room + 1e-6, `node ${node} is asked for ${asked[node]} of ${room}`);
        assert.ok(priced.prices[node]! >= 0);
      }
      const total = load.demand.reduce((sum, one) => sum + one, 0);
      const least = leastAdded(load, priced), most = added(load, priced.nodes);
      // Some places that are not cut: on average less than a tenth of a place's demand, twenty thousand kilometres.
      assert.ok(
        most <= 1.05 * least + 0.004 * total * 20e6 / 4,
        `${most / total} m on average, ${least / total} at least`,
      );
    }),
    { seed: 3, numRuns: 60 },
  );
});

Deno.test("price(): where everybody has room there are no prices", () => {
  const load = world(1, 500, 6, 1000), { prices, nodes, stretch } = price(load);
  assert.deepEqual([...prices], [0, 0, 0, 0, 0, 0]);
  assert.equal(added(load, nodes), 0);
  assert.equal(stretch, 1);
});

Deno.test("price(): what all together cannot do overloads all alike", () => {
  const load = world(2, 800, 5, 0.5), { asked, stretch } = price(load);
  assert.ok(stretch > 1.5, `${stretch}`);
  asked.forEach((one, node) =>
    assert.ok(Math.abs(one / load.capacity[node]! / stretch - 1) < 0.1, `node ${node}`)
  );
});

Deno.test("price(): a node without any capacity is asked for nothing, one of unknown capacity never full", () => {
  const load = world(3, 400, 4, 1.5);
  load.capacity[1] = 0;
  load.capacity[2] = Infinity;
  const { asked, prices } = price(load);
  assert.equal(asked[1], 0);
  assert.equal(prices[2], 0);
});

Deno.test("price(): of a node is taken no more than it takes for a place that was cut to leave", () => {
  // Kilometres from Paris, Berlin, Madrid, Lisbon and New York to Madrid, New York and Sao Paulo.
  const km = [
    ...[1050, 5830, 9400],
    ...[1870, 6385, 10_250],
    ...[0, 5770, 8370],
    ...[500, 5420, 7940],
    ...[5770, 0, 7680],
  ];
  const { nodes, asked } = price({
    demand: Float64Array.of(60, 60, 60, 30, 50),
    capacity: Float64Array.of(100, 200, 1000),
    metres: Int32Array.from(km, (one) => 1000 * one),
  });
  assert.deepEqual([...nodes], [1, 1, 0, 0, 1]);
  assert.deepEqual([...asked], [90, 170, 0]);
});

Deno.test("price(): the same load has the same prices", () => {
  assert.deepEqual(price(world(4, 700, 7, 1.2)), price(world(4, 700, 7, 1.2)));
});

Deno.test("LeastHeap gives back the least first", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 200 }), (keys) => {
      const heap = new LeastHeap();
      keys.forEach((key, value) => heap.push(value, key));
      const got: [number, number][] = [];
      while (heap.size > 0) {
        got.push([heap.key, heap.least]);
        heap.pop();
      }
      const expected = keys.map((key, value): [number, number] => [key, value]);
      assert.deepEqual(got, expected.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
    }),
    { seed: 1, numRuns: 300 },
  );
});

/** The nodes of least distance + price, by definition: as many as an answer has. */
function severalChosen(
  { metres, capacity: { length }, answers = 1 }: Load,
  prices: Int32Array,
  place: number,
) {
  const cost = (node: number) => metres[place * length + node]! + prices[node]!;
  return Array.from({ length }, (_, node) => node).sort((a, b) => cost(a) - cost(b) || a - b).slice(
    0,
    answers,
  );
}

Deno.test("price() with several answers: places go to so many nodes of the least distance + price, none of which is asked for more than it can, at the least added distance", () => {
  fc.assert(
    fc.property(WORLDS, fc.integer({ min: 2, max: 4 }), ({ seed, places, nodes, room }, most) => {
      const answers = Math.min(most, nodes), load = { ...world(seed, places, nodes, room), answers };
      // No node can have more of a place than its share: where that is too little for all, who is overloaded differs.
      fc.pre(room > 1.2);
      const priced = price(load), { metres, demand, capacity } = load, asked = new Float64Array(nodes);
      const total = demand.reduce((sum, one) => sum + one, 0);
      const can = capacity.reduce((sum, one) => sum + Math.min(one, total / answers), 0);
      fc.pre(can > 1.1 * total);
      let added = 0, paid = 0;
      demand.forEach((one, place) => {
        const wanted = severalChosen(load, priced.prices, place);
        assert.deepEqual([...priced.nodes.subarray(place * answers, (place + 1) * answers)], wanted);
        const near = severalChosen(load, new Int32Array(nodes), place), row = place * nodes;
        wanted.forEach((node, i) => {
          asked[node]! += one / answers;
          added += one / answers * (metres[row + node]! - metres[row + near[i]!]!);
          paid += one / answers * (metres[row + node]! + priced.prices[node]! - metres[row + near[i]!]!);
        });
      });
      assert.deepEqual(priced.asked, asked);
      const over = capacity.findIndex((one, node) => asked[node]! > one * priced.stretch + 1e-6);
      assert.equal(over, -1, `node ${over} is asked for ${asked[over]} of ${capacity[over]}`);
      // Weak duality: no division within the capacities adds less.
      const least = paid - priced.prices.reduce((sum, one, node) => sum + one * capacity[node]!, 0);
      assert.ok(
        added <= 1.05 * least + 0.004 * total * 20e6 / 4,
        `${added / total} m, ${least / total} at least`,
      );
    }),
    { seed: 4, numRuns: 60 },
  );
});
