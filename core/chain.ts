/**
 * Composes plugins into one function from a query's context to its answer.
 *
 * A chain of plugins that do not wait answers at once, without a promise: see {@linkcode Plugin.answer}.
 *
 * @module
 */

import { type Answer, type Dependence, emptyAnswer } from "./answer.ts";
import { RCODE } from "./dns/types.ts";
import type { Address } from "./net/address.ts";
import type { CookieState, QueryContext, RepeatedQuery, Sent } from "./query.ts";

/** The rest of the chain, below a plugin. */
export type Next = (context: QueryContext) => Answer | Promise<Answer>;

/** The half of a plugin that answers: one in every worker, reading the context and its snapshot, nothing else. */
export interface Plugin {
  readonly name: string;
  /** Answers, passes on to `next`, or changes what comes back. Returns a promise only when it must wait. */
  answer(context: QueryContext, next: Next): Answer | Promise<Answer>;
  /**
   * Hears of every reply once it has been encoded, for logs and metrics: also of one that was remembered, for
   * which no chain ran. `context` is the query's as it entered the chain. Must not throw, and changes nothing.
   */
  observe?(context: QueryContext, answer: Answer, sent: Sent): void;
  /**
   * What it counts of a reply, for metrics: the server adds it up for each reply like this one, those included that are
   * repeated without asking the chain. Must not throw, and counts nothing itself.
   */
  tallies?(context: QueryContext, answer: Answer, sent: Sent): readonly Sample[];
  /**
   * Its `tallies` leave `sent.durationMs` aside. Where nobody wants to know how long a reply took, the clock is not looked at,
   * and it is 0.
   */
  readonly untimed?: true;
  /**
   * What hears, in place of `observe`, of each query that gets this reply without the chain; asked once, when the reply is
   * remembered. Undefined = `observe` hears of each, for which a whole context is made: slow. What comes back must not throw.
   */
  repeater?(context: QueryContext, answer: Answer, sent: Sent): Repeater | undefined;
  /** Takes what the control isolate's half of this kind lent, in a data worker: see `AnswerScope.lend`. Must not throw. */
  borrow?(loan: unknown): void;
  /** What is to be asked before a reply to this query is given to another one; undefined = nothing. See {@linkcode Gate}. */
  gate?(context: QueryContext): Gate | undefined;
  /**
   * What gives each query that gets this reply a COOKIE option of its own; asked once, when the reply is remembered, of
   * the plugin whose answers depend on the key `cookie`. Undefined = the reply is not remembered.
   */
  cookies?(context: QueryContext): RepeatedCookies | undefined;
  /**
   * Whether it looks at EDNS options of a query, other than ECS, whether there is an NSID option, and what `cookies` sees
   * to. Replies to queries with such options are repeated only where no plugin of the block does.
   */
  readonly readsOptions?: boolean;
  /**
   * What it knows of a query, by the whole name of each label, such as `geoip/country/code`: see
   * {@linkcode QueryContext.label}. Takes the context as it entered the chain.
   */
  readonly labels?: Readonly<Record<string, (context: QueryContext) => string | undefined>>;
  /** Whether it answers queries that ask for nothing but a cookie (RFC 7873 section 5.4): their question is `NO_QUESTION`. */
  readonly givesCookies?: true;
  /** Whether its block takes the query at all: asked before the chain. Where it does not, the zone's next block is asked. */
  admits?(context: QueryContext): boolean;
  /** What `admits` looked at for this query, whichever way it went: any answer to the query depends on it too. */
  admission?(context: QueryContext): Dependence;
}

/** Hears of each query that gets a reply again, or where it has `skips`, of some of them. */
export interface Repeater {
  (query: RepeatedQuery): void;
  /** One object for many: whoever repeats may count down and tell nothing, as long as any are left. */
  readonly skips?: Skips;
}

/** How many queries go by before the next that is told of, which says anew how many: a whole number below 2^31. */
export interface Skips {
  left: number;
}

/** One number to be added to a series. */
export interface Sample {
  readonly series: Series;
  readonly value: number;
}

/** A metric under given labels, bound once for what happens at every query: a nanosecond or two each time. */
export interface Series {
  /** Adds to a counter, sets a gauge, adds a sample to a histogram: `times` times, 1 by default. */
  record(value: number, times?: number): void;
}

/**
 * Whether a query from `source` may have a reply that another one had, and has been charged for it. Where not, nothing was
 * charged and the chain is asked. `source` is the caller's: it changes with the next query. `cookie` is what its COOKIE option
 * is worth, as `QueryContext.cookie` would say.
 */
export type Gate = (source: Address, nowMs: number, cookie: CookieState) => boolean;

/**
 * Does for queries that get a reply again what the chain does about their COOKIE options (RFC 7873). Each is judged, and then
 * written, before the next one is judged. Neither may throw, and neither should make an object.
 */
export interface RepeatedCookies {
  /**
   * What the data of a query's first COOKIE option is worth, `count` octets at `at`: 8, or 16 to 40. Undefined = the chain
   * is asked.
   */
  judge(
    octets: Uint8Array,
    at: number,
    count: number,
    source: Address,
    nowMs: number,
  ): CookieState | undefined;
  /** Writes the data of the reply's option, as many octets as the reply had, and counts the query. */
  write(octets: Uint8Array, at: number): void;
}

/** A throw in a plugin, with the plugin's name: a bug, for the exchange to turn into SERVFAIL. */
export class PluginFault extends Error {
  override readonly name = "PluginFault";
  readonly plugin: string;

  constructor(plugin: string, cause: unknown) {
    super(`${plugin}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.plugin = plugin;
  }
}

/**
 * The chain of `plugins`, first to last. Past the last is REFUSED. `reached` gets the name of the plugin that a query
 * came to last, "" past all of them: read when the chain returns, it is who answered.
 */
export function compose(plugins: readonly Plugin[], reached: { plugin: string } = { plugin: "" }): Next {
  return plugins.reduceRight<Next>(
    (next, plugin) => (context) => {
      reached.plugin = plugin.name;
      return call(plugin, context, next);
    },
    () => {
      reached.plugin = "";
      return refused;
    },
  );
}

/** What the end of a chain says when no plugin answered. */
const refused = emptyAnswer(RCODE.REFUSED);

function call(plugin: Plugin, context: QueryContext, next: Next): Answer | Promise<Answer> {
  try {
    const answer = plugin.answer(context, next);
    return answer instanceof Promise ? answer.catch((cause) => fault(plugin, cause)) : answer;
  } catch (cause) {
    return fault(plugin, cause);
  }
}

/** The plugin nearest to the throw keeps the blame. */
function fault(plugin: Plugin, cause: unknown): never {
  throw cause instanceof PluginFault ? cause : new PluginFault(plugin.name, cause);
}

/**
 * Whether the query is answered by another isolate, which runs the chain anew: what a plugin counts of a query, it counts
 * there.
 */
export function isDeferred(answer: Answer | Promise<Answer>): boolean {
  return !(answer instanceof Promise) && answer.deferred === true;
}

/** Applies `change` to an answer that may still be on its way, without making a promise where there is none. */
export function then(
  answer: Answer | Promise<Answer>,
  change: (answer: Answer) => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  return answer instanceof Promise ? answer.then(change) : change(answer);
}
