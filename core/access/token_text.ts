/**
 * What a token looks like, and what is kept of it.
 *
 *     mer_ abcdefghijklmnop _ 52 characters of secret, 7 of checksum          80 in all
 *          id                 256 bits                CRC-32 of all before it
 *
 * Whoever searches texts for leaked secrets finds them with {@linkcode TOKEN_PATTERN}, and the checksum tells them from
 * what only looks like one; so does a person who has left out a character.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { base32, makeId, type RandomOctets } from "./random.ts";

/** What every token matches. */
export const TOKEN_PATTERN = /mer_[a-z2-7]{16}_[a-z2-7]{59}/;

/** What a token begins with. */
export const TOKEN_PREFIX = "mer_";

const WHOLE = new RegExp(`^${TOKEN_PATTERN.source}$`);

const CHECKSUM_LENGTH = 7;

/** What is kept of a token: neither it nor anybody who reads this can tell what the token was. */
export interface TokenHash {
  /** SHA-256 of the salt and the token, base64. */
  readonly hash: string;
  /** 16 octets, base64. */
  readonly salt: string;
}

/** A new token. */
export function makeToken(random: RandomOctets): { readonly id: string; readonly token: string } {
  const id = makeId(random), body = `${TOKEN_PREFIX}${id}_${base32(random(32))}`;
  return { id, token: body + checksumOf(body) };
}

/** The id within a token, or what is wrong with it. */
export function readToken(token: string): { readonly id: string } | { readonly fault: string } {
  if (!WHOLE.test(token)) return { fault: "it does not look like a token of Meridian" };
  const body = token.slice(0, -CHECKSUM_LENGTH);
  if (checksumOf(body) !== token.slice(-CHECKSUM_LENGTH)) {
    return { fault: "its checksum is wrong: it was mistyped, or is not whole" };
  }
  return { id: token.slice(TOKEN_PREFIX.length, TOKEN_PREFIX.length + 16) };
}

/**
 * What to keep of a token. A slow hash makes guessing dear where people choose secrets; nobody gets through the 2^256 of
 * these however fast a guess is, and a slow one would have every request pay for it. The salt keeps two records from
 * being found equal, and one table from serving against all.
 */
export function hashToken(token: string, random: RandomOctets): TokenHash {
  const salt = random(16);
  return { hash: digest(token, salt).toString("base64"), salt: salt.toBase64() };
}

/** Whether a token is the one that was kept; in a time that does not tell how far they agree. */
export function isToken(token: string, { hash, salt }: TokenHash): boolean {
  const kept = Uint8Array.fromBase64(hash), given = digest(token, Uint8Array.fromBase64(salt));
  return kept.length === given.length && timingSafeEqual(kept, given);
}

function digest(token: string, salt: Uint8Array) {
  return createHash("sha256").update(salt).update(token).digest();
}

function checksumOf(body: string): string {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, crc32(body));
  return base32(octets);
}
