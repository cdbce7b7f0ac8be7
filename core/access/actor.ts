/**
 * Who asks for something, and what a person or program may be allowed to do.
 *
 * @module
 */

/** What somebody is trusted with. */
export type Role = "viewer" | "operator" | "admin" | "node" | "approver";

/** What there is to be read or changed. */
export type Resource =
  | "nodes"
  | "pools"
  | "zones"
  | "records"
  | "health"
  | "overrides"
  | "configuration"
  | "demand"
  | "explain"
  | "audit"
  | "events"
  | "tokens"
  | "approvals"
  | "servers"
  | "state"
  /** Who a node's best neighbours are. */
  | "peers"
  /** What is kept encrypted: keys, others' passwords. Its contents are read by nobody. */
  | "secrets";

/** What is done with it; core/access/roles.ts says what each means. `register` and `beat` are a node's own. */
export type Verb =
  | "read"
  | "create"
  | "update"
  /** An update of nothing but weights. */
  | "weigh"
  | "delete"
  | "propose"
  | "approve"
  | "apply"
  | "register"
  | "beat";

/**
 * One role, and where it holds. A grant that names neither pools nor zones holds everywhere; one that names pools alone
 * holds for no zone, and the other way round: who was given a pool was not given everybody's records.
 */
export interface Grant {
  readonly role: Role;
  /** Patterns of pool names, `*` for any run of characters. */
  readonly pools?: readonly string[];
  /** Patterns of zone names. */
  readonly zones?: readonly string[];
}

/** How somebody showed who they are. `local`: through the control socket of the machine itself. */
export type Way = "token" | "oidc" | "certificate" | "node-key" | "local";

/** Who asks. */
export interface Actor {
  /** As the audit log has it: `token:anna`, `oidc:anna@example.org`, `certificate:fra1`, `node:fra1`, `local:root`. */
  readonly id: string;
  readonly way: Way;
  readonly grants: readonly Grant[];
  /** The one node that a `node` may speak for; absent where it has a join token, which registers nodes and nothing else. */
  readonly node?: string;
  /**
   * Everybody who may be behind it, whichever way they come: the person, and who made the token. Absent = `id` alone. Two
   * actors with one of them in common are not two people; see core/access/people.ts.
   */
  readonly people?: readonly string[];
}

/** What is asked for. */
export interface Action {
  readonly resource: Resource;
  readonly verb: Verb;
  /** The pools, zones and node that it concerns: every one of them has to be within a grant. */
  readonly pools?: readonly string[];
  readonly zones?: readonly string[];
  readonly node?: string;
  /** Of `approve`, where it has to be there: who asked for what is to be approved, as {@linkcode Actor.people}. */
  readonly requestedBy?: readonly string[];
}
