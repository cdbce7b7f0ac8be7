/**
 * What turns a credential into somebody: one for each kind there is.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Actor } from "./actor.ts";
import { readToken, TOKEN_PREFIX } from "./token_text.ts";
import { tokenActor, type TokenRecord, verifyToken } from "./tokens.ts";

/** Who it is, or why it is nobody. */
export type Verified = { readonly actor: Actor } | Unverified;

/** Why a credential is nobody's. */
export interface Unverified {
  /** For the log. */
  readonly fault: string;
  /** What whoever offered it may hear; absent = no more than that it is not valid. */
  readonly told?: string;
  /** It is genuine, and of no use (any more): no guess, so it is not held against where it came from. */
  readonly isGenuine?: true;
  /** It could not be found out for now, which is not their fault. */
  readonly isUnavailable?: true;
}

/** A kind of credential, as it stands behind `Authorization: Bearer`. */
export interface Verifier {
  /** Whether it looks like one of this kind; the first verifier that says so decides. */
  recognises(credential: string): boolean;
  /** Whether a wrong one costs next to nothing to find out, and none can be guessed: then none is sent away unseen. */
  readonly isCheap?: true;
  /** What guesses at one credential have in common, such as its id; undefined = nothing. */
  subjectOf?(credential: string): string | undefined;
  /** Throws only where something is broken. */
  verify(credential: string): Verified | Promise<Verified>;
}

/** Takes tokens of Meridian's own. @param lookUp The record of an id, out of the replica: it is asked each time. */
export function tokenVerifier(lookUp: (id: string) => TokenRecord | undefined, clock: Clock): Verifier {
  return {
    isCheap: true,
    recognises: (credential) => credential.startsWith(TOKEN_PREFIX),
    subjectOf(credential) {
      const read = readToken(credential);
      return "id" in read ? `token ${read.id}` : undefined;
    },
    verify(credential) {
      const verified = verifyToken(credential, lookUp, clock.nowMs());
      if ("record" in verified) return { actor: tokenActor(verified.record) };
      const { fault, isKnown } = verified;
      const told = isKnown || "fault" in readToken(credential);
      return {
        fault: `token: ${fault}`,
        ...told && { told: `Cannot use this token: ${fault}` },
        ...isKnown && { isGenuine: true },
      };
    },
  };
}
