/**
 * Nodes' credentials where people's tokens are shown as well: by these a node asks for its peers.
 *
 * @module
 */

import { nodeActor } from "../../core/access/actors.ts";
import type { Verifier } from "../../core/access/verifier.ts";
import { ForgedCredential } from "../../core/registry/credentials.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { RegistryProblem } from "../../core/registry/protocol.ts";

/** Two parts: a JWT has three, and a token none. */
const SHAPE = /^[\w-]+\.[\w-]+=*$/;

/** Takes the credentials that a registry has handed out. */
export function nodeVerifier(registry: () => Registry): Verifier {
  return {
    isCheap: true,
    recognises: (credential) => SHAPE.test(credential),
    verify(credential) {
      try {
        return { actor: nodeActor(registry().authenticate(credential).node) };
      } catch (error) {
        if (!(error instanceof RegistryProblem)) throw error;
        const isGenuine = !(error instanceof ForgedCredential);
        return { fault: `node: ${error.message}`, told: error.message, ...isGenuine && { isGenuine } };
      }
    },
  };
}
