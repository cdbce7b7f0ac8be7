/**
 * Server cookies as every vendor makes them (RFC 9018 section 4): which of several servers made one does not show, as
 * long as they share a secret.
 *
 *     version 1 · reserved 3 · timestamp 4 · hash 8
 *     hash = SipHash-2-4(client cookie · version · reserved · timestamp · client address, secret)
 *
 * @module
 */

import type { Address } from "../../core/plugin.ts";
import { sipHashInto } from "../../core/siphash.ts";

/** Octets of a client's cookie, of a server cookie, and of where its hash begins. */
const CLIENT_OCTETS = 8, SERVER_OCTETS = 16, HASH_AT = 8;

/** The one version there is. */
const VERSION = 1;

/** Seconds: how old a cookie may be, how far ahead the clock that made it, and at what age it is replaced (section 4.3). */
const AGE_MAX = 3600, AHEAD_MAX = 300, RENEW_AGE = 1800;

/** What a server cookie is worth. `renew`: it is good, and a new one is due. */
export type Worth = "good" | "renew" | "bad";

/** A new server cookie. `now` is in seconds since 1970. */
export function makeServerCookie(
  secret: Uint8Array,
  client: Uint8Array,
  address: Address,
  now: number,
): Uint8Array {
  const cookie = new Uint8Array(SERVER_OCTETS);
  writeServerCookie(cookie, secret, client, address, now);
  return cookie;
}

/** The same, into `cookie`, of 16 octets. */
export function writeServerCookie(
  cookie: Uint8Array,
  secret: Uint8Array,
  client: Uint8Array,
  address: Address,
  now: number,
): void {
  cookie[0] = VERSION;
  cookie[1] = cookie[2] = cookie[3] = 0;
  for (let i = 0; i < 4; i++) cookie[4 + i] = now >>> 24 - 8 * i;
  hashOf(secret, client, cookie, address);
  for (let i = 0; i < HASH.length; i++) cookie[HASH_AT + i] = HASH[i]!;
}

/**
 * Judges a server cookie that came back: it may have been made with any of the secrets, of which the first is in use. Makes
 * no object.
 */
export function judgeServerCookie(
  secrets: readonly Uint8Array[],
  client: Uint8Array,
  cookie: Uint8Array,
  address: Address,
  now: number,
): Worth {
  if (cookie.length !== SERVER_OCTETS || cookie[0] !== VERSION) return "bad";
  // Serial number arithmetic (RFC 1982): the clock of 32 bits runs over in 2106.
  const age = now - timestampOf(cookie) | 0;
  if (age > AGE_MAX || age < -AHEAD_MAX) return "bad";
  for (let by = 0; by < secrets.length; by++) {
    hashOf(secrets[by]!, client, cookie, address);
    if (hasHash(cookie)) return by > 0 || age >= RENEW_AGE ? "renew" : "good";
  }
  return "bad";
}

function timestampOf(cookie: Uint8Array): number {
  return cookie[4]! << 24 | cookie[5]! << 16 | cookie[6]! << 8 | cookie[7]!;
}

/** What is hashed, and what {@linkcode hashOf} came to. */
const MESSAGE = new Uint8Array(CLIENT_OCTETS + HASH_AT + 16), HASH = new Uint8Array(8);

/** The reserved octets are hashed as they came: a later version of the format may use them. */
function hashOf(secret: Uint8Array, client: Uint8Array, cookie: Uint8Array, { octets }: Address): void {
  for (let i = 0; i < CLIENT_OCTETS; i++) MESSAGE[i] = client[i]!;
  for (let i = 0; i < HASH_AT; i++) MESSAGE[CLIENT_OCTETS + i] = cookie[i]!;
  for (let i = 0; i < octets.length; i++) MESSAGE[CLIENT_OCTETS + HASH_AT + i] = octets[i]!;
  sipHashInto(HASH, secret, MESSAGE, CLIENT_OCTETS + HASH_AT + octets.length);
}

/** Takes as long whichever octet differs, so that nobody finds a hash octet by octet. */
function hasHash(cookie: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < HASH.length; i++) difference |= cookie[HASH_AT + i]! ^ HASH[i]!;
  return difference === 0;
}
