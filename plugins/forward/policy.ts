/**
 * In which order upstreams are tried.
 *
 * @module
 */

/** CoreDNS's policies. */
export const POLICIES = ["random", "round_robin", "sequential"] as const;

/** See {@linkcode POLICIES}. */
export type Policy = (typeof POLICIES)[number];

/**
 * The numbers 0 to `count` − 1 in the order to try them. `turn` counts queries from 0 and moves `round_robin` on by
 * one; `random` is uniform in [0, 1).
 */
export function orderOf(policy: Policy, count: number, turn: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  switch (policy) {
    case "sequential":
      return order;
    case "round_robin":
      return order.map((i) => (i + turn) % count);
    case "random":
      return shuffle(order, random);
  }
}

/** Fisher and Yates: every order equally likely. */
function shuffle(order: number[], random: () => number): number[] {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
