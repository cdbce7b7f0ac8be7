/**
 * Ed25519 keys of nodes as they travel: 32 octets (RFC 8032) in base64.
 *
 * @module
 */

import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

/** What stands before the 32 octets in an SPKI of an Ed25519 key (RFC 8410). */
const SPKI_HEAD = Uint8Array.fromHex("302a300506032b6570032100");

/** The octets of base64, when they are as many as they should be and it is their canonical text. */
export function octetsOf(base64: unknown, length: number): Uint8Array | undefined {
  if (typeof base64 !== "string" || base64.length > 4 * length) return undefined;
  try {
    const octets = Uint8Array.fromBase64(base64);
    return octets.length === length && octets.toBase64() === base64 ? octets : undefined;
  } catch {
    return undefined;
  }
}

/** A public key in base64. */
export function publicText(key: KeyObject): string {
  const spki = new Uint8Array(key.export({ type: "spki", format: "der" }));
  return spki.subarray(SPKI_HEAD.length).toBase64();
}

/** Whether `signature` (base64) is of `text` and `key` (base64). */
export function isSignedBy(key: string, text: Uint8Array, signature: string): boolean {
  const octets = octetsOf(key, 32), signed = octetsOf(signature, 64);
  if (!octets || !signed) return false;
  try {
    const der = new Uint8Array([...SPKI_HEAD, ...octets]);
    const spki = createPublicKey({ key: der as never, format: "der", type: "spki" });
    return verify(null, text, spki, signed);
  } catch {
    return false;
  }
}

/** What a key is known by in logs: the first 16 octets of its SHA-256, hexadecimal. */
export function fingerprint(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 32);
}
