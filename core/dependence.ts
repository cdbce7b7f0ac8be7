/**
 * What plugins add to an answer's dependence by looking at the name asked for, or without.
 *
 * @module
 */

import { type Answer, both, type DecidedAt, type Dependence, INDEPENDENT } from "./answer.ts";
import { hashNextCloser } from "./dns/name_hash.ts";
import { isWithin, type Name } from "./dns/name.ts";

/** What depends on the very name asked for: an answer that is joined with it stands for no other name. */
export const BY_NAME: Dependence = Object.freeze({ ...INDEPENDENT });

/** The answer, hanging on something beside the name: where it was decided stays as it was. */
export function alsoOn(answer: Answer, condition: Dependence): Answer {
  if (condition === INDEPENDENT) return answer;
  const { decidedAt } = answer.dependence, dependence = both(answer.dependence, condition);
  return { ...answer, dependence: decidedAt ? { ...dependence, decidedAt } : dependence };
}

/** The answer, for no other name than the one asked for. */
export function forOneName(answer: Answer): Answer {
  if (!answer.dependence.decidedAt) return answer;
  const { decidedAt: _, ...dependence } = answer.dependence;
  return { ...answer, dependence };
}

/**
 * The answer of a plugin that treats names within some zones otherwise than those outside: for one name, where a zone
 * divides the names that it stands for. Zones are folded.
 */
export function undivided(answer: Answer, zones: Iterable<Name>): Answer {
  const { decidedAt } = answer.dependence;
  if (!decidedAt) return answer;
  for (const zone of zones) if (divides(zone, decidedAt)) return forOneName(answer);
  return answer;
}

/** Whether a zone begins among the names that one decision stands for. */
function divides(zone: Name, { name, existing }: DecidedAt): boolean {
  if (zone.length <= name.length || !isWithin(zone, name)) return false;
  return !existing?.has(hashNextCloser(zone, name));
}
