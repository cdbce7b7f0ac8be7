/**
 * Asks again and again, and keeps what changed.
 *
 * @module
 */

import { CLIENTS } from "./clients.ts";
import type { Stage, Told } from "./stage.ts";

/** For how long an answer named the same nodes, and with what TTLs. */
export interface Span {
  readonly nodes: readonly string[];
  /** Since the watch began. */
  readonly fromMs: number;
  /** Seconds, in the order in which they came, equal neighbours once. */
  readonly ttls: readonly number[];
}

/** What was seen until what was watched for had come. */
export interface Watched {
  readonly spans: readonly Span[];
  readonly tookMs: number;
}

const EVERY_MS = 50, PATIENCE_MS = 60_000;

/**
 * Asks for the first client until `isDone`, given all spans so far.
 *
 * @throws {Error} When that takes a minute.
 */
export async function watch(stage: Stage, isDone: (spans: readonly Span[]) => boolean): Promise<Watched> {
  const beganMs = performance.now(), spans: Span[] = [];
  for (;;) {
    const told = await stage.ask(CLIENTS[0]!), tookMs = performance.now() - beganMs;
    addTold(spans, told, tookMs);
    if (isDone(spans)) return { spans, tookMs };
    if (tookMs > PATIENCE_MS) {
      throw new Error(
        `Nothing changed in ${PATIENCE_MS / 1000} s. The server said:\n${stage.log.join("\n")}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/** Adds an answer to the last span, or begins a new one with it. */
export function addTold(spans: Span[], { nodes, ttl }: Pick<Told, "nodes" | "ttl">, atMs: number): void {
  const ids = nodes.map(({ id }) => id), last = spans.at(-1);
  if (!last || last.nodes.join() !== ids.join()) {
    // What is told first was so when the watch began.
    spans.push({ nodes: ids, fromMs: last ? atMs : 0, ttls: [ttl] });
  } else if (last.ttls.at(-1) !== ttl) {
    spans[spans.length - 1] = { ...last, ttls: [...last.ttls, ttl] };
  }
}

/** Whether the latest answer names a node. */
export function names(id: string): (spans: readonly Span[]) => boolean {
  return (spans) => spans.at(-1)!.nodes.includes(id);
}
