/**
 * Join tokens, as the registry asks for them.
 *
 * @module
 */

import { AccessError } from "../../core/access/error.ts";
import { JoinTokens as AccessTokens } from "../../core/access/join_tokens.ts";
import { factsOf, isMember } from "../../core/management/effective.ts";
import type { Membership } from "../../core/management/pools.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import type { JoinTokens } from "../../core/registry/claim.ts";
import { RegistryProblem } from "../../core/registry/protocol.ts";
import { PREFIXES } from "../../core/state/keys.ts";

/** Those of the store; the pools that a node would be in are those of this server's Corefile, and managed ones. */
export function joinTokens({ member, clock }: FleetScope): JoinTokens {
  const tokens = new AccessTokens({
    ...{ store: member.store, clock },
    poolsOf: ({ id, labels = {} }) =>
      memberships(member).filter((pool) => isMember({ id, labels }, pool)).map(({ name }) => name),
  });
  return {
    async redeem(token, node) {
      try {
        return await tokens.redeem(token, node);
      } catch (error) {
        if (!(error instanceof AccessError)) throw error;
        throw new RegistryProblem("join-token-refused", error.message, "/proof/joinToken");
      }
    },
  };
}

function memberships({ replica, besides }: FleetScope["member"]): readonly Membership[] {
  return factsOf(replica.below(PREFIXES.pools), { pools: besides.pools }).pools;
}
