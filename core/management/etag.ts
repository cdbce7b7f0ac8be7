/**
 * Entity tags (RFC 9110 section 8.8.3): the revision of the store at which something was written last.
 *
 * @module
 */

import { ProblemError } from "./problem.ts";

/** `"17"`. */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/**
 * Whether a field If-Match or If-None-Match names what was written at `revision`, 0 = it is not there: `*` names whatever
 * is there. A tag that something on the way has made weak names the same: there is one representation of a revision.
 *
 * @throws {ProblemError} `malformed`
 */
export function names(field: string, revision: number): boolean {
  if (field.trim() === "*") return revision > 0;
  return field.split(",").map(revisionIn).includes(revision);
}

function revisionIn(tag: string): number {
  const match = /^\s*(?:W\/)?"([^"]*)"\s*$/.exec(tag);
  if (!match) {
    throw new ProblemError("malformed", `wanted entity tags such as "17", or *, got ${JSON.stringify(tag)}`);
  }
  // A tag that is nothing of ours names nothing that is there.
  return /^[1-9]\d{0,15}$/.test(match[1]!) ? Number(match[1]) : -1;
}
