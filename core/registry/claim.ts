/**
 * Whose an id is: a pure rule over what the store has of it and what a node has shown.
 *
 *     nobody's             a join token
 *     a key's              that key; or a join token that may replace
 *     a join token's       that token, if the node has no key yet; or one that may replace
 *     a node list's        a join token that may replace
 *     an operator's        a join token that may replace (an operator who knows the node's key puts it there)
 *
 * @module
 */

import { canonicalJson, type Json } from "../state/canonical.ts";
import type { Condition, Write } from "../state/store.ts";
import { fingerprint } from "./keys.ts";
import type { NodeRecord } from "./node_record.ts";
import { type NodeDocument, RegistryProblem } from "./protocol.ts";

/** Lets a node in. */
export interface JoinGrant {
  /** The token's id, for the audit log. */
  readonly id: string;
  /** Whether it may take over an id that is another's. */
  readonly mayReplace: boolean;
  /** Labels that the node gets, whatever it says. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What is to be written with the registration, and only with it: that the token was used once more. */
  readonly writes?: readonly Write[];
  readonly conditions?: readonly Condition[];
}

/** Knows join tokens. */
export interface JoinTokens {
  /**
   * Whether a token lets this node in, as it describes itself; undefined = it does not, or is none. It may be asked again
   * for the same registration: what a token loses by being used stands in the grant's writes.
   *
   * @throws {RegistryProblem} `join-token-refused`, with a reason for the operator of the node.
   */
  redeem(token: string, node: NodeDocument): Promise<JoinGrant | undefined>;
}

/** What a node must not change by its key alone: into which pools it comes, and for how much of them. */
const GIVEN = ["labels", "region", "weight"] as const;

/** Takes the id for the node that asks for it, or says why not. `isListed`: it stands in a node list. @throws {RegistryProblem} */
export function checkClaim(
  id: string,
  before: NodeRecord | undefined,
  key: string | undefined,
  grant: JoinGrant | undefined,
  isListed = false,
): void {
  if (grant?.mayReplace) return;
  if (!before) {
    if (isListed) throw claimed(id, "a node list", grant ? "this token" : "nothing that may replace");
    if (grant) return;
    throw new RegistryProblem(
      "join-token-wanted",
      `node ${id} is not known: a join token is wanted`,
      "/proof",
    );
  }
  if (before.publicKey !== undefined) {
    if (before.publicKey === key) return;
    const shown = key === undefined ? "no key" : `key ${fingerprint(key)}`;
    throw claimed(id, `key ${fingerprint(before.publicKey)}`, shown);
  }
  if (grant && before.origin === "registry" && before.token === grant.id) return;
  if (grant) {
    throw claimed(id, before.origin === "registry" ? "another join token" : "an operator", "this token");
  }
  throw new RegistryProblem(
    "join-token-wanted",
    `node ${id} has no key here: a join token is wanted`,
    "/proof",
  );
}

function claimed(id: string, by: string, shown: string): RegistryProblem {
  const way = "a join token that may replace, or an operator, can give it to this one";
  return new RegistryProblem(
    "claimed",
    `node ${id} belongs to ${by}, and ${shown} was shown; ${way}`,
    "/node/id",
  );
}

/** What a node has shown, that it may have the id. */
export interface Shown {
  /** The key that it has, base64. */
  readonly key: string | undefined;
  readonly grant: JoinGrant | undefined;
}

/** The record that comes of a claim that stands, and what of the node's own words is not in it. */
export function recordAfterClaim(
  before: NodeRecord | undefined,
  node: NodeDocument,
  { key, grant }: Shown,
): { record: NodeRecord; notices: string[] } {
  const mayChange = grant !== undefined || !before;
  const given = pick(mayChange ? node : before, GIVEN);
  const labels = grant?.labels && { labels: { ...node.labels, ...grant.labels } };
  const notices = mayChange
    ? []
    : GIVEN.filter((name) => differ(node[name], before[name])).map((name) =>
      `${name} stays as it was: by its key alone a node cannot change it`
    );
  const publicKey = key ?? (grant?.mayReplace ? undefined : before?.publicKey);
  const token = grant?.id ?? before?.token;
  const record: NodeRecord = {
    ...without(before ?? {}, [...GIVEN, "capacity", "overlay", "publicKey", "token"]),
    ...without(node, GIVEN) as NodeDocument,
    ...given,
    ...labels,
    origin: before?.origin ?? "registry",
    ...publicKey !== undefined && { publicKey },
    ...token !== undefined && { token },
  };
  return { record, notices };
}

function pick<T extends object, K extends keyof T>(value: T, keys: readonly K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.filter((key) => value[key] !== undefined).map((key) => [key, value[key]]),
  ) as Partial<Pick<T, K>>;
}

function without(value: object, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

function differ(a: unknown, b: unknown): boolean {
  return canonicalJson((a ?? null) as Json) !== canonicalJson((b ?? null) as Json);
}
