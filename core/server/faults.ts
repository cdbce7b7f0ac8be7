/**
 * Bugs of ours that queries bring to light: counted and logged, whatever becomes of the query.
 *
 * @module
 */

import { PluginFault } from "../chain.ts";
import { formatName } from "../dns/name.ts";
import { typeToText } from "../dns/types.ts";
import type { Labels, Log } from "../plugin.ts";
import type { Question } from "../query.ts";

/** Who hears of them. What it is tells one exchange from another. */
export interface FaultListener {
  readonly log: Log;
  count(name: string, labels?: Labels): void;
}

/** Is told which plugin's bug it is, and what came of it. */
export type TellFault = (plugin: string, what: string, error: unknown) => void;

/** Where bugs were met, by exchange: a stranger who has found one must not fill the log with its stack. */
const metBefore = new WeakMap<FaultListener, Set<string>>();

const KEPT_PLACES_MAX = 1000;

/** Counts and logs a bug of ours, under the plugin whose it is; its stack once, and each time for who debugs. */
export function tellFault(listener: FaultListener, plugin: string, what: string, error: unknown): void {
  const { count, log } = listener;
  count("coredns_panics_total");
  count("meridian_faults_total", { plugin });
  let places = metBefore.get(listener);
  if (!places) metBefore.set(listener, places = new Set());
  const [message, ...frames] = stackOf(error).split("\n    at ");
  // How a query came to the plugin differs from one to the next.
  const place = frames.slice(0, 2).join();
  const isNew = !places.has(place) && places.size < KEPT_PLACES_MAX;
  if (isNew) places.add(place);
  const stack = frames.map((frame) => `\n    at ${frame}`).join("");
  log.error(`plugin/${plugin}: a bug, ${what}: ${message}${isNew ? stack : ""}`);
  if (!isNew) log.debug(`plugin/${plugin}: the stack of it:${stack}`);
}

/** What was asked, for messages: `www.example.org. A`. */
export function askedOf({ question }: { readonly question: Question }): string {
  return `${formatName(question.name)} ${typeToText(question.type)}`;
}

function stackOf(error: unknown): string {
  const cause = error instanceof PluginFault ? error.cause : error;
  return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
}
