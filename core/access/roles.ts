/**
 * The table of who may do what, and the one function that reads it.
 *
 *     actor's grants ──▶ those whose role has the verb ──▶ every pool and zone of the action within one of them ──▶ yes
 *
 * @module
 */

import type { Action, Actor, Grant, Resource, Role, Verb } from "./actor.ts";
import { matchesGlob, withinGlob } from "./glob.ts";
import { areApart, peopleOf } from "./people.ts";

/** The roles, in the order of the table's columns. */
export const ROLES = ["viewer", "operator", "admin", "node", "approver"] as const satisfies readonly Role[];

/** What each verb means. */
export const VERBS: Readonly<Record<Verb, string>> = {
  read: "see it; of tokens and secrets never what is secret",
  create: "make a new one; of `state`, export it",
  update: "change it",
  weigh: "change nothing but weights",
  delete: "take it away; of tokens, revoke; of `audit`, put old records away",
  propose: "put it forward without effect",
  approve: "agree to, or reject, what somebody else asked for",
  apply: "let it take effect; of `state`, import it",
  register: "enter a node",
  beat: "say that a node lives, and how it is",
};

/**
 * The table. A role that does not stand here for a resource and a verb does not have it. A node's column is about that
 * node alone.
 */
// deno-fmt-ignore: columns
const TABLE: Readonly<Record<Resource, readonly [viewer: string, operator: string, admin: string, node: string, approver: string]>> = {
  //               viewer   operator                     admin                                     node                   approver
  nodes:         ["read", "read create update delete", "read create update delete register beat", "read register beat", "read"],
  peers:         ["read", "read",                      "read",                                    "read",               "read"],
  pools:         ["read", "read weigh",                "read create update weigh delete",         "",                   "read"],
  zones:         ["read", "read",                      "read create update delete",               "",                   "read"],
  records:       ["read", "read create update delete", "read create update delete",               "",                   "read"],
  health:        ["read", "read",                      "read",                                    "",                   "read"],
  overrides:     ["read", "read create update delete", "read create update delete",               "",                   "read"],
  configuration: ["read", "read",                      "read propose approve apply",              "",                   "read approve"],
  demand:        ["read", "read create update delete", "read create update delete",               "",                   "read"],
  explain:       ["read", "read",                      "read",                                    "",                   "read"],
  audit:         ["read", "read",                      "read delete",                             "",                   "read"],
  events:        ["read", "read",                      "read",                                    "",                   "read"],
  tokens:        ["read", "read",                      "read create delete",                      "",                   "read"],
  approvals:     ["read", "read",                      "read approve",                            "",                   "read approve"],
  servers:       ["read", "read",                      "read delete",                             "",                   "read"],
  state:         ["read", "read",                      "read create apply",                       "",                   "read"],
  secrets:       ["read", "read",                      "read create update delete",               "",                   "read"],
};

const CELLS: ReadonlySet<string> = new Set(
  Object.entries(TABLE).flatMap(([resource, columns]) =>
    columns.flatMap((verbs, i) =>
      verbs.split(" ").filter(Boolean).map((verb) => `${ROLES[i]!} ${verb} ${resource}`)
    )
  ),
);

/** Every resource, in the order of the table. */
export const RESOURCES = Object.keys(TABLE) as readonly Resource[];

/** Whether a role has a verb of a resource at all. */
export function isGranted(role: Role, resource: Resource, verb: Verb): boolean {
  return CELLS.has(`${role} ${verb} ${resource}`);
}

/** Whether something may be done, and a sentence that tells the person why, or why not and what would allow it. */
export interface Decision {
  readonly allowed: boolean;
  readonly why: string;
}

/** Whether an actor may do something. */
export function may(actor: Actor, action: Action): Decision {
  const what = `${action.verb} ${action.resource}`;
  const no = (because: string): Decision => ({
    allowed: false,
    why: `${actor.id} may not ${what}: ${because}`,
  });
  if (action.verb === "approve") {
    if (!action.requestedBy) return no("it is not said who asked for it");
    if (!areApart(peopleOf(actor), action.requestedBy)) {
      return no(`${action.requestedBy.join(", ")} asked for it, and somebody else has to approve`);
    }
  }
  const able = actor.grants.filter(({ role }) => isGranted(role, action.resource, action.verb));
  if (able.length === 0) return no(missingRole(actor, action));
  const grants = able.filter(({ role }) => role !== "node" || isOwn(actor, action));
  if (grants.length === 0) return no(notOwn(actor, action));
  const outside = outsideOf(grants, action);
  if (outside !== undefined) return no(`${outside}; it is ${describeGrants(grants)}`);
  return { allowed: true, why: `${actor.id} may ${what}: it is ${describeGrants(grants)}` };
}

/** Whether an actor's grants include another grant: a role with all that its role has, wherever that holds. */
export function includesGrant(held: readonly Grant[], wanted: Grant): boolean {
  const grants = held.filter(({ role }) => includesRole(role, wanted.role));
  if (isUnrestricted(wanted)) return grants.some(isUnrestricted);
  const { pools = [], zones = [] } = wanted;
  return grants.length > 0 && firstOutside(grants, "pools", pools, withinGlob) === undefined &&
    firstOutside(grants, "zones", zones, withinGlob) === undefined;
}

/** Whether whoever has a role may do all that another role may. */
export function includesRole(role: Role, other: Role): boolean {
  const column = ROLES.indexOf(other);
  return Object.entries(TABLE).every(([resource, columns]) =>
    columns[column]!.split(" ").filter(Boolean).every((verb) =>
      isGranted(role, resource as Resource, verb as Verb)
    )
  );
}

/** Whether a grant holds everywhere. */
export function isUnrestricted({ pools, zones }: Grant): boolean {
  return !pools && !zones;
}

/** `operator for pools eu-*, zones none; viewer`. */
export function describeGrants(grants: readonly Grant[]): string {
  return grants.length === 0 ? "granted nothing" : grants.map(describeGrant).join("; ");
}

/** The table as Markdown, a row for each resource, aligned as `deno fmt` does. */
export function describeRoles(): string {
  const rows = [
    ["resource", ...ROLES],
    ...Object.entries(TABLE).map(([resource, columns]) => [resource, ...columns]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const [head, ...body] = rows.map(line);
  return [head, line(widths.map((width) => "-".repeat(width))), ...body].join("\n");
}

function describeGrant(grant: Grant): string {
  if (isUnrestricted(grant)) return grant.role;
  const { role, pools = [], zones = [] } = grant;
  const places = [["pools", pools], ["zones", zones]] as const;
  return `${role} for ${places.map(([kind, names]) => `${kind} ${names.join(" ") || "none"}`).join(", ")}`;
}

function missingRole(actor: Actor, { resource, verb }: Action): string {
  const roles = ROLES.filter((role) => isGranted(role, resource, verb));
  const held = `and it is ${describeGrants(actor.grants)}`;
  return roles.length === 0
    ? `nobody may, as there is no such thing`
    : `that takes the role ${roles.join(" or ")}, ${held}`;
}

/** A node's role is about that node; a join token has none yet, and may register any. What names no node is about nobody's. */
function isOwn({ node }: Actor, action: Action): boolean {
  if (action.verb === "register") return action.node !== undefined && (node ?? action.node) === action.node;
  if (action.resource === "peers" && action.node === undefined) return node !== undefined;
  return node !== undefined && node === action.node;
}

function notOwn({ node }: Actor, action: Action): string {
  const wanted = action.node === undefined ? "nodes in general" : `node ${action.node}`;
  return node === undefined
    ? `with the role node alone it registers nodes and does nothing else`
    : `it speaks for node ${node}, and this is about ${wanted}`;
}

/** What of an action lies outside all of the grants; undefined = nothing. */
function outsideOf(grants: readonly Grant[], { verb, pools = [], zones = [] }: Action): string | undefined {
  if (pools.length === 0 && zones.length === 0) {
    if (verb === "read" || grants.some(isUnrestricted)) return undefined;
    return "it concerns no pool or zone alone, which takes a grant without limits";
  }
  const pool = firstOutside(grants, "pools", pools, matchesGlob);
  if (pool !== undefined) return `pool ${pool} is outside what it was granted`;
  const zone = firstOutside(grants, "zones", zones, matchesGlob);
  if (zone !== undefined) return `zone ${zone} is outside what it was granted`;
}

/** The first of some names that is within none of the grants. */
function firstOutside(
  grants: readonly Grant[],
  kind: "pools" | "zones",
  names: readonly string[],
  isWithin: (pattern: string, name: string) => boolean,
): string | undefined {
  return names.find((name) =>
    !grants.some((grant) =>
      isUnrestricted(grant) || (grant[kind] ?? []).some((pattern) => isWithin(pattern, name))
    )
  );
}
