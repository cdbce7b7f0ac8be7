/**
 * Which tokens there may be, and who may make which.
 *
 * @module
 */

import type { Actor } from "./actor.ts";
import { AccessError } from "./error.ts";
import { checkGrants, placesOf } from "./grants.ts";
import { peopleOf, personName } from "./people.ts";
import { describeGrants, includesGrant, may } from "./roles.ts";
import type { JoinLimits, TokenRequest, TokenView } from "./tokens.ts";

/** The longest that a token may last, in milliseconds: a year, a leap day included. */
export const TOKEN_MS_MAX = 366 * 86_400_000;

/** The most nodes that one join token may make, the most labels that it may give, and the longest of its texts. */
const USES_MAX = 100_000, LABELS_MAX = 64, TEXT_LENGTH_MAX = 255;

/** Whether there may be such a token at all. @throws {AccessError} With the field. */
export function checkTokenRequest(request: TokenRequest, nowMs: number): void {
  checkText(request.name, "name");
  if (request.person !== undefined) checkText(request.person, "person");
  checkGrants(request.grants);
  const lastsMs = request.expiresMs - nowMs;
  if (!Number.isSafeInteger(request.expiresMs) || lastsMs <= 0 || lastsMs > TOKEN_MS_MAX) {
    const what = "Cannot make such a token: it has to expire, later than now and within a year";
    throw new AccessError("invalid", what, "expiresMs");
  }
  checkNode(request);
  if (request.join) checkJoin(request.join);
}

/** Whether an actor may make it: nobody hands out what they do not have. @throws {AccessError} */
export function checkMayCreate(actor: Actor, { grants }: TokenRequest): void {
  const decision = may(actor, { resource: "tokens", verb: "create", ...placesOf(grants) });
  if (!decision.allowed) throw new AccessError("forbidden", decision.why);
  // As the table is, who may make tokens is admin there, and has every role; this holds whatever the table becomes.
  const beyond = grants.findIndex((grant) => !includesGrant(actor.grants, grant));
  if (beyond < 0) return;
  throw new AccessError(
    "forbidden",
    `${actor.id} may not grant ${describeGrants([grants[beyond]!])}: it is ${describeGrants(actor.grants)}`,
    `grants.${beyond}`,
  );
}

/** What is known of a token that an actor makes. */
export function tokenViewOf(id: string, actor: Actor, request: TokenRequest, nowMs: number): TokenView {
  const { name, grants, expiresMs, person, node, join } = request;
  const creators = actor.way === "local" ? [] : peopleOf(actor);
  return {
    ...{ id, name, grants, person: personName(person ?? peopleOf(actor)[0]!) },
    ...{ createdBy: actor.id, creators, createdMs: nowMs, expiresMs },
    ...node !== undefined && { node },
    ...join && { join },
  };
}

/** A node's role goes with one node, or with the making of nodes; and with no other role. */
function checkNode({ grants, node, join }: TokenRequest): void {
  const nodeRoles = grants.filter(({ role }) => role === "node").length;
  if (nodeRoles === 0 && node === undefined && !join) return;
  if (nodeRoles < grants.length) {
    throw new AccessError("invalid", "Cannot make a token for nodes with other roles than node", "grants");
  }
  if ((node === undefined) === !join) {
    throw new AccessError("invalid", "Cannot make a token for nodes: wanted either node or join", "node");
  }
  if (node !== undefined) checkText(node, "node");
}

function checkJoin({ usesLeft, nodes = [], labels = {} }: JoinLimits): void {
  if (!Number.isInteger(usesLeft) || usesLeft < 1 || usesLeft > USES_MAX) {
    const what = `Cannot make a join token for ${usesLeft} nodes: wanted 1 to ${USES_MAX}`;
    throw new AccessError("invalid", what, "join.usesLeft");
  }
  if (nodes.length > LABELS_MAX || Object.keys(labels).length > LABELS_MAX) {
    throw new AccessError("invalid", `Cannot make such a join token: at most ${LABELS_MAX} of each`, "join");
  }
  for (const [i, pattern] of nodes.entries()) checkText(pattern, `join.nodes.${i}`);
  for (const [key, value] of Object.entries(labels)) {
    checkText(key, "join.labels");
    checkText(value, `join.labels.${key}`);
  }
}

function checkText(text: string, field: string): void {
  // deno-lint-ignore no-control-regex
  if (text.trim() !== "" && text.length <= TEXT_LENGTH_MAX && !/[\x00-\x1f\x7f]/.test(text)) return;
  throw new AccessError(
    "invalid",
    `Cannot use ${
      JSON.stringify(text)
    } as ${field}: wanted 1 to ${TEXT_LENGTH_MAX} characters, no control characters`,
    field,
  );
}
