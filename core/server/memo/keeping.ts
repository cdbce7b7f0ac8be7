/**
 * What is to be known of a reply before it is kept: whether it may be, and what is told of each repetition.
 *
 * @module
 */

import type { Answer, RRset } from "../../answer.ts";
import { PluginFault, type Sample } from "../../chain.ts";
import { OPTION, TYPE } from "../../dns/types.ts";
import type { Repeatable } from "../exchange.ts";
import { type Extra, extraOf } from "./extras.ts";
import { optionAt } from "./reply_octets.ts";

/** What was an accident, or is true of a moment, is not said twice. */
export function mayBeKept({ momentary, aging, silent, fault }: Answer): boolean {
  return !silent && !fault && (!momentary || aging !== undefined);
}

/** Whether it has, beside what pools gave, addresses that may be probed. */
export function mayBeWatched({ answer, authority, additional, dependence: { pools } }: Answer): boolean {
  return !pools || hasOwnAddress(answer) || hasOwnAddress(authority) || hasOwnAddress(additional);
}

function hasOwnAddress(section: readonly RRset[]): boolean {
  for (const { type, pool } of section) {
    if (pool === undefined && (type === TYPE.A || type === TYPE.AAAA)) return true;
  }
  return false;
}

/** Whether it has octets of the name in the case it was asked in, elsewhere than in an owner's place (RFC 6672 section 3.1). */
export function isBoundToCase({ answer }: Answer): boolean {
  for (const { type } of answer) if (type === TYPE.DNAME) return true;
  return false;
}

/** Where the data of a COOKIE option of ours begins, from the question's end; 0 = there is none, -1 = there should be. */
export function cookieIn({ answer, reply, block }: Repeatable, questionEnd: number): number {
  if (!answer.dependence.keys.includes("cookie")) return 0;
  const at = optionAt(reply.octets, questionEnd, OPTION.COOKIE);
  return at > 0 && block.cookies ? at - questionEnd : -1;
}

const NO_SAMPLES: readonly Sample[] = [];

/** What is counted of each repetition: it takes no time worth measuring. Undefined when a plugin cannot say. */
export function samplesOf(
  { block: { talliers = [] }, context, answer, sent }: Repeatable,
): readonly Sample[] | undefined {
  if (talliers.length === 0) return NO_SAMPLES;
  try {
    const again = { ...sent, durationMs: 0 }, first = talliers[0]!.tallies!(context, answer, again);
    if (talliers.length === 1) return first;
    const samples = [...first];
    for (let i = 1; i < talliers.length; i++) {
      samples.push(...talliers[i]!.tallies!(context, answer, again));
    }
    return samples;
  } catch {
    // The exchange has told of it.
    return undefined;
  }
}

/** What is to be kept beside its octets; null when a plugin cannot say, so that it is not remembered. */
export function extraHeld(
  repeatable: Repeatable,
  absence: Parameters<typeof extraOf>[1],
  cookieAt: number,
): Extra | undefined | null {
  try {
    return extraOf(repeatable, absence, cookieAt);
  } catch (error) {
    const plugin = error instanceof PluginFault ? error.plugin : "server";
    repeatable.fault(plugin, "its reply is not remembered", error);
    return null;
  }
}
