/**
 * Secrets at rest: what the store holds of them is worth nothing without a key that lies elsewhere.
 *
 * @module
 */

import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import type { RandomOctets } from "./random.ts";

/** A key for secrets. */
export interface SecretKey {
  /** Tells which key opens something: 16 hexadecimal digits of a hash of the key, so that nobody has to name keys. */
  readonly id: string;
  /** 32 octets. */
  readonly octets: Uint8Array;
}

/** A secret as the store has it: AES-256-GCM. Plain data. */
export interface Sealed {
  /** Of the key that opens it. */
  readonly key: string;
  /** 12 octets, base64. */
  readonly nonce: string;
  /** What was encrypted, and 16 octets that show whether it is as it was; base64. */
  readonly box: string;
}

/** A secret that cannot be opened. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

const ALGORITHM = "aes-256-gcm", NONCE_OCTETS = 12, TAG_OCTETS = 16;

/** A key from its 32 octets. @throws {SecretError} When they are not as many, or all the same. */
export function secretKey(octets: Uint8Array): SecretKey {
  if (octets.length !== 32) {
    throw new SecretError(`Cannot use a key of ${octets.length} octets: wanted 32`);
  }
  if (new Set(octets).size === 1) throw new SecretError("Cannot use a key whose octets are all the same");
  const id = createHash("sha256").update("meridian secret key\n").update(octets).digest("hex").slice(0, 16);
  return { id, octets };
}

/**
 * Encrypts with the newest of several keys, and opens what any of them has encrypted. Nonces are random: a key is good
 * for 2^32 secrets (NIST SP 800-38D section 8.3), which is more than anybody has.
 */
export class SecretBox {
  readonly #keys: readonly SecretKey[];
  readonly #random: RandomOctets;

  /** @param keys The newest first, at least one. */
  constructor(keys: readonly SecretKey[], random: RandomOctets) {
    if (keys.length === 0) throw new SecretError("Cannot keep secrets without a key");
    this.#keys = keys;
    this.#random = random;
  }

  /** The ids of its keys, the newest first. */
  get keyIds(): readonly string[] {
    return this.#keys.map(({ id }) => id);
  }

  /** Encrypts. What is sealed under one name cannot be opened under another. */
  seal(name: string, secret: Uint8Array): Sealed {
    const { id, octets } = this.#keys[0]!, nonce = this.#random(NONCE_OCTETS);
    const cipher = createCipheriv(ALGORITHM, octets, nonce).setAAD(boundTo(name, id));
    const box = [cipher.update(secret), cipher.final(), cipher.getAuthTag()];
    return {
      key: id,
      nonce: nonce.toBase64(),
      box: Uint8Array.from(box.flatMap((part) => [...part])).toBase64(),
    };
  }

  /** Decrypts. @throws {SecretError} Without the key, or when it is not as it was sealed, or under another name. */
  open(name: string, { key: id, nonce, box }: Sealed): Uint8Array {
    const key = this.#keys.find((one) => one.id === id);
    if (!key) {
      const there = this.keyIds.join(", ");
      throw new SecretError(`Cannot open secret ${name}: it takes key ${id}, and there is ${there}`);
    }
    try {
      const octets = Uint8Array.fromBase64(box), end = octets.length - TAG_OCTETS;
      const options = { authTagLength: TAG_OCTETS };
      const decipher = createDecipheriv(ALGORITHM, key.octets, Uint8Array.fromBase64(nonce), options);
      decipher.setAAD(boundTo(name, id)).setAuthTag(octets.subarray(end));
      return Uint8Array.from([...decipher.update(octets.subarray(0, end)), ...decipher.final()]);
    } catch {
      throw new SecretError(`Cannot open secret ${name}: it is not as it was sealed`);
    }
  }

  /** Whether it was encrypted with another key than the newest. */
  isOld({ key }: Sealed): boolean {
    return key !== this.#keys[0]!.id;
  }

  /** The same secret under the newest key. @throws {SecretError} As {@linkcode open}. */
  reseal(name: string, sealed: Sealed): Sealed {
    return this.seal(name, this.open(name, sealed));
  }
}

function boundTo(name: string, keyId: string): Uint8Array {
  return new TextEncoder().encode(`meridian 1 ${keyId} ${name}`);
}
