/**
 * Grants as people write them, and what is wrong with some.
 *
 * @module
 */

import type { Action, Grant, Role } from "./actor.ts";
import { AccessError } from "./error.ts";
import { isUnrestricted, ROLES } from "./roles.ts";

/** The most grants that anybody has, and patterns in one of them. */
const GRANTS_MAX = 32, PATTERNS_MAX = 64;

/** A pattern: what names have, and `*`. */
const PATTERN = /^[\w*.:/@-]{1,255}$/;

/** Checks grants that came from outside. @throws {AccessError} With the field, below `field`. */
export function checkGrants(grants: readonly Grant[], field = "grants"): void {
  if (grants.length === 0 || grants.length > GRANTS_MAX) {
    throw new AccessError("invalid", `Cannot grant ${grants.length} roles: wanted 1 to ${GRANTS_MAX}`, field);
  }
  for (const [i, grant] of grants.entries()) checkGrant(grant, `${field}.${i}`);
}

/**
 * Reads `ROLE [pool PATTERN…] [zone PATTERN…]`, in words: `operator pool eu-* zone example.org`.
 *
 * @throws {AccessError} It is none; the field is the place of the word at fault.
 */
export function readGrant(words: readonly string[]): Grant {
  const [role = "", ...rest] = words;
  if (!isRole(role)) throw new AccessError("invalid", unknownRole(role), "0");
  const places: Record<string, string[]> = {};
  let current: string[] | undefined;
  for (const [i, word] of rest.entries()) {
    if (word === "pool" || word === "zone") current = places[`${word}s`] ??= [];
    else if (!current) {
      throw new AccessError("invalid", `Cannot read the grant at "${word}": wanted pool or zone`, `${i + 1}`);
    } else current.push(word);
  }
  const grant: Grant = { role, ...places };
  checkGrant(grant, "0");
  return grant;
}

/** What an action that hands out, or takes back, such grants concerns: nothing named where one of them holds everywhere. */
export function placesOf(grants: readonly Grant[]): Pick<Action, "pools" | "zones"> {
  if (grants.some(isUnrestricted)) return {};
  return {
    pools: grants.flatMap(({ pools = [] }) => pools),
    zones: grants.flatMap(({ zones = [] }) => zones),
  };
}

/** Checks one. @throws {AccessError} With the field, below `field`. */
export function checkGrant(grant: Grant, field: string): void {
  if (!isRole(grant.role)) throw new AccessError("invalid", unknownRole(grant.role), `${field}.role`);
  if (isUnrestricted(grant)) return;
  const { pools = [], zones = [] } = grant;
  if (pools.length + zones.length === 0) {
    throw new AccessError("invalid", `Cannot grant ${grant.role} for no pool and no zone`, field);
  }
  if (pools.length + zones.length > PATTERNS_MAX) {
    throw new AccessError("invalid", `Cannot grant so many patterns: at most ${PATTERNS_MAX}`, field);
  }
  for (const [kind, patterns] of Object.entries({ pools, zones })) {
    const bad = patterns.findIndex((pattern) => !PATTERN.test(pattern));
    if (bad < 0) continue;
    const what = `Cannot use ${
      JSON.stringify(patterns[bad])
    } as a pattern: wanted a name, in which * is anything`;
    throw new AccessError("invalid", what, `${field}.${kind}.${bad}`);
  }
}

function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

function unknownRole(text: string): string {
  return `Cannot grant "${text}": wanted ${ROLES.join(", ")}`;
}
