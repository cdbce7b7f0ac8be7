/**
 * Texts that a server hands out and knows again, without keeping any: what they say with an HMAC over it. Servers with the
 * same secret know each other's.
 *
 *     challenge    nobody may answer for another node or key, nor later than a minute
 *     credential   the bearer is a node that registered with a key
 *
 * @module
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { octetsOf } from "./keys.ts";

/**
 * The secrets of now, each of at least 32 octets: with the first texts are made, with any they are known. The same list for
 * as long as they are the same.
 */
export type KeyRing = () => readonly Uint8Array[];

/** A ring of one secret, for good. @throws {RangeError} */
export function ringOf(secret: Uint8Array): KeyRing {
  if (secret.length < 32) {
    throw new RangeError(`Cannot seal with a secret of ${secret.length} octets: at least 32 are wanted`);
  }
  const ring = [secret];
  return () => ring;
}

/** Makes and knows texts of one purpose. */
export class Seal<T> {
  readonly #ring: KeyRing;
  readonly #purpose: string;

  /** @param purpose Texts of one purpose are none of another. */
  constructor(purpose: string, ring: KeyRing) {
    this.#ring = ring;
    this.#purpose = purpose;
  }

  /** The text of a value that JSON can say. */
  seal(value: T): string {
    const said = new TextEncoder().encode(JSON.stringify(value)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    return `${said}.${this.#mac(said, this.#ring()[0]!).toString("base64url")}`;
  }

  /** What a text says; undefined when it is none of ours. */
  open(text: string): T | undefined {
    const [, said, mac] = /^([\w-]{1,1024})\.([\w-]{43})$/.exec(text) ?? [];
    if (said === undefined || mac === undefined) return undefined;
    const given = octetsOf(`${mac.replaceAll("-", "+").replaceAll("_", "/")}=`, 32);
    if (!given || !this.#ring().some((secret) => timingSafeEqual(given, this.#mac(said, secret)))) {
      return undefined;
    }
    return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(said, { alphabet: "base64url" }))) as T;
  }

  #mac(said: string, secret: Uint8Array): ReturnType<typeof Buffer.from> {
    return createHmac("sha256", secret).update(`meridian ${this.#purpose}\n${said}`).digest() as never;
  }
}
