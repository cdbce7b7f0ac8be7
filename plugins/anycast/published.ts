/** What anycast's control half tells its answering half, and hears from it. @module */

import type { Node } from "../../core/fleet/node.ts";
import type { AnycastConfig } from "./parse.ts";

/** What this plugin publishes: plain data. */
export interface AnycastData {
  /** The pools that have nodes of their own: first those of the Corefile, then managed ones. */
  readonly pools: readonly string[];
  /** When each of these was last asked for, seconds since 1970: shared memory, written by whoever answers. */
  readonly askedS: Uint32Array;
  /** The nodes of the lists that pools from below name, by path. */
  readonly lists: Readonly<Record<string, readonly Node[]>>;
}

/** The names of the pools that have nodes of their own, in the order of the Corefile. */
export function ownPools({ pools }: AnycastConfig): readonly string[] {
  return pools.filter(({ nodes }) => nodes.from === "lists").map(({ policy }) => policy.name);
}
