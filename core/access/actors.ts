/**
 * Actors that need no credential of theirs looked up here.
 *
 * @module
 */

import type { Actor } from "./actor.ts";

/** Who speaks through the control socket of the machine itself: whoever may open that could change the files as well. */
export function localActor(user: string): Actor {
  return { id: `local:${user}`, way: "local", grants: [{ role: "admin" }], people: [`local:${user}`] };
}

/** A node that has shown that it has the key it registered with. */
export function nodeActor(node: string): Actor {
  return { id: `node:${node}`, way: "node-key", grants: [{ role: "node" }], node, people: [`node:${node}`] };
}
