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
import { sipHash } from "../../core/siphash.ts";

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
  cookie[0] = VERSION;
  new DataView(cookie.buffer).setUint32(4, now);
  cookie.set(hashOf(secret, client, cookie, address), HASH_AT);
  return cookie;
}

/** Judges a server cookie that came back: it may have been made with any of the secrets, of which the first is in use. */
export function judgeServerCookie(
  secrets: readonly Uint8Array[],
  client: Uint8Array,
  cookie: Uint8Array,
  address: Address,
  now: number,
): Worth {
  if (cookie.length !== SERVER_OCTETS || cookie[0] !== VERSION) return "bad";
  // Serial number arithmetic (RFC 1982): the clock of 32 bits runs over in 2106.
  const age = now - new DataView(cookie.buffer, cookie.byteOffset).getUint32(4) | 0;
  if (age > AGE_MAX || age < -AHEAD_MAX) return "bad";
  const by = secrets.findIndex((secret) => isSame(cookie, hashOf(secret, client, cookie, address)));
  if (by < 0) return "bad";
  return by > 0 || age >= RENEW_AGE ? "renew" : "good";
}

/** The reserved octets are hashed as they came: a later version of the format may use them. */
function hashOf(secret: Uint8Array, client: Uint8Array, cookie: Uint8Array, { octets }: Address): Uint8Array {
  const message = new Uint8Array(CLIENT_OCTETS + HASH_AT + octets.length);
  message.set(client);
  message.set(cookie.subarray(0, HASH_AT), CLIENT_OCTETS);
  message.set(octets, CLIENT_OCTETS + HASH_AT);
  return sipHash(secret, message);
}

/** Takes as long whichever octet differs, so that nobody finds a hash octet by octet. */
function isSame(cookie: Uint8Array, hash: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < hash.length; i++) difference |= cookie[HASH_AT + i]! ^ hash[i]!;
  return difference === 0;
}
