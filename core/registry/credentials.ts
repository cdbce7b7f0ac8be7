/**
 * What a registered node shows with each heartbeat: a bearer token that says which node it is and by what it registered,
 * known again by every server with the same secret. It is worth nothing any more when the node's key is another one.
 *
 * @module
 */

import { fingerprint } from "./keys.ts";
import type { NodeRecord } from "./node_record.ts";
import { RegistryProblem } from "./protocol.ts";
import { type KeyRing, Seal } from "./seal.ts";

/** For so long a credential holds. */
export const CREDENTIAL_MS = 15 * 60_000;

/** What a credential says. */
export interface Credential {
  readonly node: string;
  /** See {@linkcode bindingOf}. */
  readonly binding: string;
  readonly expiresMs: number;
}

/** So many are remembered, so that the next heartbeat with the same one costs no HMAC. */
const KNOWN_MAX = 32_768;

/** A text that no server of this fleet has made, or not with today's secret. */
export class ForgedCredential extends RegistryProblem {
  constructor() {
    super("credential-refused", "the credential is none of this fleet's");
  }
}

/** Makes credentials and knows them again. */
export class Credentials {
  readonly #seal: Seal<Credential>;
  readonly #ring: KeyRing;
  readonly #known = new Map<string, Credential>();
  /** By which secrets those are known. */
  #knownBy: ReturnType<KeyRing> | undefined;

  constructor(ring: KeyRing) {
    this.#ring = ring;
    this.#seal = new Seal("node credential", ring);
  }

  /** A credential for a node as its record has it. */
  issue(record: NodeRecord, nowMs: number): string {
    return this.#seal.seal({
      node: record.id,
      binding: bindingOf(record),
      expiresMs: nowMs + CREDENTIAL_MS,
    });
  }

  /** What a text says that was handed out, and holds still. @throws {RegistryProblem} */
  open(text: string, nowMs: number): Credential {
    if (this.#knownBy !== this.#ring()) {
      this.#known.clear();
      this.#knownBy = this.#ring();
    }
    const said = this.#known.get(text) ?? this.#learn(text);
    if (!said) throw new ForgedCredential();
    if (nowMs < said.expiresMs) return said;
    this.#known.delete(text);
    throw new RegistryProblem("credential-refused", "the credential has expired: register again");
  }

  #learn(text: string): Credential | undefined {
    const said = this.#seal.open(text);
    if (!said) return undefined;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, said);
    return said;
  }
}

/** By what a node is held to be itself: its key, or where it has none the join token that it came by. */
export function bindingOf({ publicKey, token }: NodeRecord): string {
  return publicKey !== undefined ? fingerprint(publicKey) : `token:${token ?? ""}`;
}
