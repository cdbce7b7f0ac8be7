/**
 * By what a node shows that it is the one that it says: a challenge signed with its key.
 *
 * @module
 */

import { isNodeId } from "../fleet/node_id.ts";
import { fingerprint, isSignedBy, octetsOf } from "./keys.ts";
import {
  type Challenge,
  type ChallengeRequest,
  type Proof,
  RegistryProblem,
  signedText,
} from "./protocol.ts";
import { type KeyRing, Seal } from "./seal.ts";

/** For so long a challenge holds. */
export const CHALLENGE_MS = 60_000;

/** So many challenges that were used are remembered at most; more in one minute are refused. */
const USED_MAX = 65_536;

/** What a challenge says. */
interface Challenged {
  readonly node: string;
  readonly key: string;
  readonly expiresMs: number;
  readonly nonce: string;
}

/** That somebody has the private half of a key. */
export interface Proven {
  /** The public half, base64. */
  readonly key: string;
  /** Of the challenge. */
  readonly nonce: string;
  readonly expiresMs: number;
}

/**
 * Makes challenges and takes what was signed. Nothing is kept of a challenge that was made: every server with the same
 * secret takes it. One that was used is taken by the same server no more; by another one, once, until it expires: whoever
 * has overheard a registration could repeat it there, which gets him a registration that says what the first one said.
 */
export class Proofs {
  readonly #seal: Seal<Challenged>;
  readonly #nonce: () => string;
  readonly #audiences: () => readonly string[];
  /** Nonces that were used, with when they expire; in that order, or nearly. */
  readonly #used = new Map<string, number>();

  /** @param audiences The origins by which this server goes: what a node signed for another one is none for this. */
  constructor(ring: KeyRing, nonce: () => string, audiences: () => readonly string[]) {
    this.#seal = new Seal("node challenge", ring);
    this.#nonce = nonce;
    this.#audiences = audiences;
  }

  /** @throws {RegistryProblem} */
  challenge({ node, key }: ChallengeRequest, nowMs: number): Challenge {
    if (!isNodeId(node)) throw new RegistryProblem("invalid", "node must be a node's id", "/node");
    checkKey(key, "/key");
    const expiresMs = nowMs + CHALLENGE_MS;
    const challenge = this.#seal.seal({ node, key: fingerprint(key), expiresMs, nonce: this.#nonce() });
    return { challenge, expiresMs };
  }

  /** What was proven; undefined where no key is said. @throws {RegistryProblem} */
  verify(node: string, proof: Proof, nowMs: number): Proven | undefined {
    const { key, challenge, server, signature } = proof;
    if (key === undefined) return undefined;
    checkKey(key, "/proof/key");
    for (const [name, value] of Object.entries({ challenge, server, signature })) {
      if (typeof value === "string") continue;
      throw new RegistryProblem("invalid", `${name} must stand beside key: got ${value}`, `/proof/${name}`);
    }
    const said = this.#opened(challenge!, node, key, nowMs);
    const names = this.#audiences();
    if (!names.includes(server!)) {
      const wanted = names.join(", ") || "nothing";
      const message = `the signature is for ${server}, and this server goes by ${wanted}`;
      throw new RegistryProblem("signature-refused", message, "/proof/server");
    }
    if (!isSignedBy(key, signedText(challenge!, node, server!), signature!)) {
      throw new RegistryProblem("signature-refused", "the signature is not of this key", "/proof/signature");
    }
    return { key, nonce: said.nonce, expiresMs: said.expiresMs };
  }

  /**
   * What was proven is about to be acted on: the challenge is taken no more. Not before: anybody can prove a key of his own,
   * and fill what is remembered.
   *
   * @throws {RegistryProblem}
   */
  use({ nonce, expiresMs }: Proven, nowMs: number): void {
    for (const [old, untilMs] of this.#used) {
      if (untilMs > nowMs) break;
      this.#used.delete(old);
    }
    if (this.#used.has(nonce)) throw usedBefore();
    if (this.#used.size >= USED_MAX) {
      throw new RegistryProblem("unavailable", "too many registrations in a minute: try again in one");
    }
    this.#used.set(nonce, expiresMs);
  }

  #opened(challenge: string, node: string, key: string, nowMs: number): Challenged {
    const refuse = (message: string): never => {
      throw new RegistryProblem("challenge-refused", message, "/proof/challenge");
    };
    const said = this.#seal.open(challenge) ?? refuse("the challenge is none of this fleet's");
    if (said.node !== node || said.key !== fingerprint(key)) {
      refuse("the challenge is another node's or key's");
    }
    if (nowMs >= said.expiresMs) refuse(`the challenge is too old: it held for ${CHALLENGE_MS / 1000} s`);
    if (this.#used.has(said.nonce)) throw usedBefore();
    return said;
  }
}

function usedBefore(): RegistryProblem {
  return new RegistryProblem("challenge-refused", "the challenge was used before", "/proof/challenge");
}

function checkKey(key: unknown, field: string): void {
  if (octetsOf(key, 32)) return;
  throw new RegistryProblem("invalid", "key must be an Ed25519 public key: 32 octets in base64", field);
}
