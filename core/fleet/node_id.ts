/**
 * What nodes may be called.
 *
 * @module
 */

/** The same, in words. */
export const NODE_ID = "letters, digits, '.', '_' and '-', 63 at most";

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** What every object of a program answers to: a table by node that lies in JSON could not tell such a node from none. */
const EVERYBODYS: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Whether this can be a node's id. */
export function isNodeId(id: unknown): id is string {
  return typeof id === "string" && ID.test(id) && !EVERYBODYS.has(id);
}
