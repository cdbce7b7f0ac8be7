/**
 * The nodes of a mixed load: what takes connections for them, how they go and come back, and whether an answer of the pool is
 * right.
 *
 * @module
 */

import { NODES, rankedFrom } from "./world.ts";

/** How long after a change of its own a node may be given, or missing: interval, probes and their patience, and much more. */
const SETTLED_MS = 10_000;

/** So many are always up. */
const UP_MIN = 3;

interface State {
  listener: Deno.TcpListener | undefined;
  changedMs: number;
}

/** See the module. */
export class NodeListeners {
  /** How often a node went down or came up. */
  flips = 0;
  /** How many answers were held against the very nodes that are right. */
  exact = 0;
  readonly #port: number;
  readonly #states: readonly State[];
  readonly #ranked = NODES.map((_, i) => rankedFrom(i));

  /** All of them up. */
  constructor(port: number) {
    this.#port = port;
    this.#states = NODES.map((_, i) => ({ listener: this.#listen(i), changedMs: -Infinity }));
  }

  /** Takes a node down or brings one up, by chance. */
  flip(): void {
    const [up, down] = [true, false].map((isUp) =>
      this.#states.map((_, i) => i).filter((i) => this.#isUp(i) === isUp)
    ) as [number[], number[]];
    const goesDown = down.length === 0 || up.length > UP_MIN && Math.random() < 0.5;
    const from = goesDown ? up : down, node = from[Math.floor(Math.random() * from.length)]!;
    const state = this.#states[node]!;
    state.listener?.close();
    state.listener = goesDown ? undefined : this.#listen(node);
    state.changedMs = performance.now();
    this.flips++;
  }

  /** What is wrong with an answer for clients where node `at` is. */
  judge(at: number, addresses: readonly string[], wanted: number): string | undefined {
    const nowMs = performance.now();
    const isSettled = (i: number) => nowMs > this.#states[i]!.changedMs + SETTLED_MS;
    const given = addresses.map((address) => NODES.findIndex((node) => node.address === address));
    if (given.length !== wanted || given.includes(-1)) return `addresses ${addresses.join()}`;
    const down = given.find((i) => !this.#isUp(i) && isSettled(i));
    if (down !== undefined) return `${NODES[down]!.address} has been down for more than ${SETTLED_MS} ms`;
    if (!NODES.every((_, i) => isSettled(i))) return undefined;
    this.exact++;
    const right = this.#ranked[at]!.filter((i) => this.#isUp(i)).slice(0, wanted);
    return given.join() === right.join() ? undefined : `nodes ${given.join()}, wanted ${right.join()}`;
  }

  #isUp(node: number): boolean {
    return this.#states[node]!.listener !== undefined;
  }

  #listen(node: number): Deno.TcpListener {
    const listener = Deno.listen({ hostname: NODES[node]!.address, port: this.#port });
    accept(listener);
    return listener;
  }
}

async function accept(listener: Deno.TcpListener): Promise<void> {
  try {
    for await (const connection of listener) connection.close();
  } catch {
    // Closed.
  }
}
