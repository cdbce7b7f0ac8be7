/**
 * What becomes of a server block of a Corefile where queries are answered.
 *
 * @module
 */

import type { Next, Plugin } from "../chain.ts";
import type { BlockFacts } from "../plugin.ts";
import type { QueryContext } from "../query.ts";

/** A server block, ready to answer. */
export interface ChainedBlock {
  readonly facts: BlockFacts;
  readonly chain: Next;
  /** The same for questions of a class other than IN. */
  readonly otherClassChain: Next;
  /** The plugin that the query under way came to last. */
  readonly reached: { readonly plugin: string };
  /** The plugins of it that hear of every reply. */
  readonly observers: readonly Plugin[];
  /** The plugins of it that say what is to be counted of every reply. */
  readonly talliers?: readonly Plugin[];
  /** The plugins of it to be asked before a reply is repeated. */
  readonly gated?: readonly Plugin[];
  /** What all of its plugins allow: see `PluginModule.repeats`. */
  readonly repeats?: "question" | "absence";
  /** Whether a plugin of it looks at options: see `Plugin.readsOptions`. */
  readonly readsOptions?: boolean;
  /** The plugin of it that answers COOKIE options, where it lets such replies be repeated. */
  readonly cookies?: Plugin;
  /** Whether a plugin of it answers queries that ask for nothing but a cookie. */
  readonly givesCookies?: boolean;
  /** The plugins of it that say which queries it takes. */
  readonly filters: readonly Plugin[];
  /** What its plugins know of a query, by name. */
  readonly labels: ReadonlyMap<string, (context: QueryContext) => string | undefined>;
}
