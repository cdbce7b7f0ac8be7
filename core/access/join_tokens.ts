/**
 * Join tokens where a node shows one: whether it lets this node in, and what it costs.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { KEYS } from "../state/keys.ts";
import type { Condition, Store, Write } from "../state/store.ts";
import { AccessError } from "./error.ts";
import { may } from "./roles.ts";
import { readToken } from "./token_text.ts";
import { readTokenRecord, tokenActor, type TokenRecord, useJoinToken, verifyToken } from "./tokens.ts";

/** A node that wants in, as far as it matters here. */
export interface JoiningNode {
  readonly id: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a join token gives. */
export interface Joined {
  /** The token's id. */
  readonly id: string;
  /** Whether it may take over an id that is another's. */
  readonly mayReplace: boolean;
  /** Labels that the node gets, whatever it says. */
  readonly labels: Readonly<Record<string, string>>;
  /** That it was used once more: to be written with the node, and only with it. */
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
}

/** What it takes to look at join tokens. */
export interface JoinTokensOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The pools that a node with such labels is in, those of the token included: the token's grant has to have them. */
  readonly poolsOf: (node: JoiningNode) => readonly string[];
}

/** Knows join tokens. The store is asked, not the replica: what is used up is so everywhere. */
export class JoinTokens {
  readonly #options: JoinTokensOptions;

  constructor(options: JoinTokensOptions) {
    this.#options = options;
  }

  /**
   * What a token gives this node; undefined where there is no such token. A node that came by the same token before comes
   * back for nothing, also when the token has been used up.
   *
   * @throws {AccessError} It is one, and does not let this node in.
   */
  async redeem(token: string, node: JoiningNode): Promise<Joined | undefined> {
    const { store, clock } = this.#options, read = readToken(token);
    if ("fault" in read) throw new AccessError("forbidden", `Cannot use the join token: ${read.fault}`);
    const entry = await store.get(KEYS.token(read.id));
    const stored = entry && readTokenRecord(entry.value);
    const verified = verifyToken(token, () => stored, clock.nowMs());
    if ("fault" in verified) {
      if (!verified.isKnown) return undefined;
      throw new AccessError("forbidden", `Cannot join with token ${read.id}: ${verified.fault}`);
    }
    const { record } = verified, labels = { ...node.labels, ...record.join?.labels };
    this.#checkPools(record, { ...node, labels });
    const given = { id: record.id, mayReplace: record.join?.mayReplace ?? false };
    const isBack = record.join !== undefined && await this.#cameBy(record.id, node.id);
    // As if there were one use left: everything else is looked at all the same.
    const asked = isBack ? { ...record, join: { ...record.join!, usesLeft: 1 } } : record;
    const use = useJoinToken(asked, entry!.revision, node.id, clock.nowMs());
    return { ...given, ...use, ...isBack && { writes: [], conditions: [] } };
  }

  #checkPools(record: TokenRecord, node: JoiningNode): void {
    const action = { resource: "nodes", verb: "register", node: node.id } as const;
    const { allowed, why } = may(tokenActor(record), { ...action, pools: this.#options.poolsOf(node) });
    if (!allowed) throw new AccessError("forbidden", why);
  }

  async #cameBy(token: string, node: string): Promise<boolean> {
    const entry = await this.#options.store.get(KEYS.node(node));
    return entry !== undefined && (JSON.parse(entry.value) as { token?: unknown }).token === token;
  }
}
