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
  | "state";

/** What is done with it. `register` and `beat` are a node's own. */
export type Verb =
  | "read"
  | "create"
  | "update"
  | "delete"
  | "propose"
  | "approve"
  | "apply"
  | "register"
  | "beat";

/** One role, and where it holds. */
export interface Grant {
  readonly role: Role;
  /** Patterns of pool names, `*` for any run of characters; absent = every pool. */
  readonly pools?: readonly string[];
  /** Patterns of zone names; absent = every zone. */
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
  /** The one node that a `node` may speak for. */
  readonly node?: string;
}

/** What is asked for. */
export interface Action {
  readonly resource: Resource;
  readonly verb: Verb;
  /** The pools, zones and node that it concerns: every one of them has to be within a grant. */
  readonly pools?: readonly string[];
  readonly zones?: readonly string[];
  readonly node?: string;
}
