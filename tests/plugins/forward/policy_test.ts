import assert from "node:assert/strict";
import { orderOf } from "../../../plugins/forward/policy.ts";

Deno.test("sequential is the order of the Corefile, whatever was before", () => {
  assert.deepEqual(orderOf("sequential", 3, 5, () => 0.9), [0, 1, 2]);
});

Deno.test("round_robin starts one further each time", () => {
  const orders = [0, 1, 2, 3].map((turn) => orderOf("round_robin", 3, turn, () => 0.9));
  assert.deepEqual(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
});

Deno.test("random gives every order equally often", () => {
  const counts = new Map<string, number>();
  // Every pair of draws in steps of a sixth: all orders of three, each as often.
  for (let a = 0; a < 6; a++) {
    for (let b = 0; b < 6; b++) {
      const draws = [a / 6, b / 6];
      const order = orderOf("random", 3, 0, () => draws.shift()!).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
  }
  assert.deepEqual([...counts.values()], [6, 6, 6, 6, 6, 6]);
});
