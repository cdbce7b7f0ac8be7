/**
 * Join tokens, as the registry asks for them.
 *
 * @module
 */

import { AccessError } from "../../core/access/error.ts";
import { readToken } from "../../core/access/token_text.ts";
import { readTokenRecord, useJoinToken, verifyToken } from "../../core/access/tokens.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import type { JoinTokens } from "../../core/registry/claim.ts";
import { RegistryProblem } from "../../core/registry/protocol.ts";
import { KEYS } from "../../core/state/keys.ts";

/** Those of the store: one that was made a moment ago on another server counts. */
export function joinTokens({ member: { store }, clock }: FleetScope): JoinTokens {
  return {
    async redeem(token, { id }) {
      const read = readToken(token);
      if ("fault" in read) return undefined;
      const entry = await store.get(KEYS.token(read.id)), nowMs = clock.nowMs();
      const verified = verifyToken(token, () => entry && readTokenRecord(entry.value), nowMs);
      if (!("record" in verified) || !entry) return undefined;
      try {
        const { writes, conditions, labels } = useJoinToken(verified.record, entry.revision, id, nowMs);
        // Who may change nodes may let one take another's place.
        const mayReplace = verified.record.grants.some(({ role }) => role === "admin" || role === "operator");
        return { id: read.id, mayReplace, labels, writes, conditions };
      } catch (error) {
        if (error instanceof AccessError) {
          throw new RegistryProblem("join-token-refused", error.message, "/proof/joinToken");
        }
        throw error;
      }
    },
  };
}
