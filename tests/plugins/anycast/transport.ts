/**
 * The transportation problem, solved by ways that have nothing of the server's own: places with demand, nodes with capacity, and
 * the least sum of demand × distance in which no node has more than it can do.
 *
 * @module
 */

import assert from "node:assert/strict";
import { commandPath } from "../../../scripts/packages.ts";

/** Demand and capacity in one unit. */
export interface Transport {
  /** At how many nodes each place is, an equal share of it at each. */
  readonly answers: number;
  readonly demand: Float64Array;
  readonly capacity: Float64Array;
  /** By place: to each node. */
  readonly metres: readonly Float64Array[];
}

/**
 * Less than this no assignment has, whatever the prices are (weak duality): each share of a place pays at least the least of
 * distance + price, of which no node takes in more than capacity × price. That is for demand that may be cut, so it is no more
 * than the optimum for such as may not.
 */
export function boundAt({ answers, demand, capacity, metres }: Transport, prices: Float64Array): {
  readonly bound: number;
  /** What nodes are asked for at these prices. */
  readonly asked: Float64Array;
} {
  const asked = new Float64Array(capacity.length), taken = new Int32Array(answers);
  let sum = 0;
  demand.forEach((all, place) => {
    const one = all / answers, row = metres[place]!;
    for (let answer = 0; answer < answers; answer++) {
      let best = -1, least = Infinity;
      for (let node = 0; node < row.length; node++) {
        const cost = row[node]! + prices[node]!;
        if (cost < least && !taken.subarray(0, answer).includes(node)) [best, least] = [node, cost];
      }
      taken[answer] = best;
      asked[best]! += one;
      sum += one * least;
    }
  });
  return { bound: prices.reduce((sum, price, node) => sum - price * capacity[node]!, sum), asked };
}

/** Distance × demand where everybody goes to the nearest, whatever these can do. */
export function nearestMetres(transport: Transport): number {
  return boundAt(transport, new Float64Array(transport.capacity.length)).bound;
}

/** The highest bound that is found by following the subgradient from no prices on, step by step. */
export function highestBound(transport: Transport, steps = 600): number {
  const { capacity } = transport, prices = new Float64Array(capacity.length);
  let { bound, asked } = boundAt(transport, prices), highest = bound;
  for (let step = 0; step < steps; step++) {
    const length = 400_000 / (1 + step / 20);
    prices.forEach((price, node) =>
      prices[node] = Math.max(0, price + length * (asked[node]! / capacity[node]! - 1))
    );
    ({ bound, asked } = boundAt(transport, prices));
    highest = Math.max(highest, bound);
  }
  return highest;
}

/**
 * The optimum by GLPK's simplex method, of the package glpk-utils. The programme has of each place no more than some nodes, so
 * that it is small: `cheapest`, which are guessed. What makes it the whole problem's optimum is the certificate, for which no
 * guess is needed: with fewer ways the optimum is no less, and the duals that GLPK gives for capacities are prices, whose bound
 * over all nodes no assignment can be below. Where both are the same, that is the optimum.
 */
export async function optimum(transport: Transport, guess: Float64Array, cheapest: number): Promise<{
  /** What the programme comes to, and what the bound of its duals is: the optimum lies between. */
  readonly most: number;
  readonly least: number;
}> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-glpk-" });
  try {
    await Deno.writeTextFile(`${folder}/programme.lp`, programmeOf(transport, guess, cheapest));
    const { success, stdout } = await new Deno.Command(await commandPath("glpsol") ?? "glpsol", {
      args: ["--lp", "programme.lp", "--primal", "--nopresol", "-w", "solution"],
      cwd: folder,
    }).output();
    assert.ok(success, new TextDecoder().decode(stdout));
    return readSolution(transport, await Deno.readTextFile(`${folder}/solution`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** In kilometres: simplex methods like numbers that are not far apart. Rows are the nodes, in order, and then the places. */
function programmeOf(
  { answers, demand, capacity, metres }: Transport,
  guess: Float64Array,
  cheapest: number,
): string {
  const cost: string[] = [], bounds: string[] = [], places: string[] = [];
  const nodes: string[][] = Array.from(capacity, () => []);
  metres.forEach((row, place) => {
    const order = [...row.keys()].sort((a, b) => row[a]! + guess[a]! - row[b]! - guess[b]!);
    const ways = order.slice(0, cheapest).map((node) => {
      const way = `x${place}_${node}`;
      cost.push(`+ ${(row[node]! / 1000).toFixed(3)} ${way}`);
      if (answers > 1) bounds.push(`${way} <= ${demand[place]! / answers}`);
      nodes[node]!.push(`+ ${way}`);
      return `+ ${way}`;
    });
    places.push(`p${place}: ${ways.join(" ")} = ${demand[place]}`);
  });
  // A node that nobody may go to keeps its row, by a way that nobody takes.
  const rows = nodes.map((ways, node) => {
    if (ways.length === 0) cost.push(`+ 1 idle${node}`);
    return `n${node}: ${ways.length > 0 ? ways.join("\n") : `+ idle${node}`} <= ${capacity[node]}`;
  });
  return [
    "Minimize",
    `total: ${cost.join("\n")}`,
    "Subject To",
    ...[...rows, ...places],
    ...bounds.length > 0 ? ["Bounds", ...bounds] : [],
    "End\n",
  ].join("\n");
}

/** GLPK's own format: `s` has the sum, each `i` a row with its status, what it comes to, and its dual. */
function readSolution(transport: Transport, text: string): { readonly most: number; readonly least: number } {
  const total = /^s bas \d+ \d+ f f (\S+)$/m.exec(text)?.[1];
  assert.ok(total !== undefined, `no optimum: ${text.slice(0, 300)}`);
  const duals = new Map(
    Array.from(text.matchAll(/^i (\d+) \S+ \S+ (\S+)$/gm), ([, row, dual]) => [Number(row), Number(dual)]),
  );
  const prices = transport.capacity.map((_, node) => Math.max(0, -1000 * (duals.get(node + 1) ?? 0)));
  return { most: 1000 * Number(total), least: boundAt(transport, prices).bound };
}
