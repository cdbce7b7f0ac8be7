/**
 * An OpenID Connect issuer of a test's own: keys, tokens, and the pages at which its keys are found.
 *
 * @module
 */

import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { Clock } from "../../../core/clock.ts";

/** Where it is, and for whom its tokens are meant. */
export const ISSUER = "https://login.example.org/realms/ops", AUDIENCE = "meridian";

/** A key of an issuer. */
export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** Makes a key. */
export async function makeKey(kid: string, alg = "ES256"): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...await exportJWK(publicKey), kid, alg, use: "sig" } };
}

/** An issuer that answers, or does not. */
export class FakeIssuer {
  /** What was asked for, in order. */
  readonly asked: string[] = [];
  keys: JWK[];
  metadata: unknown = { issuer: ISSUER, jwks_uri: `${ISSUER}/keys` };
  /** How it answers instead, while it is set. */
  instead: (() => Response | Promise<Response>) | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock, ...keys: readonly IssuerKey[]) {
    this.#clock = clock;
    this.keys = keys.map(({ jwk }) => jwk);
  }

  /** To be handed in for the platform's. */
  readonly fetch = ((input: string, init?: RequestInit) => {
    this.asked.push(input);
    if (init?.redirect !== "error") throw new Error("redirects are not to be followed");
    if (this.instead) return Promise.resolve(this.instead());
    const isMetadata = input === `${ISSUER}/.well-known/openid-configuration`;
    if (!isMetadata && input !== `${ISSUER}/keys`) return Promise.resolve(new Response("", { status: 404 }));
    return Promise.resolve(Response.json(isMetadata ? this.metadata : { keys: this.keys }));
  }) as typeof fetch;

  /** A token that is good for ten minutes, with what is to be otherwise. */
  async token(key: IssuerKey, claims: object = {}, header: object = {}): Promise<string> {
    const now = Math.floor(this.#clock.nowMs() / 1000);
    const standard = { iss: ISSUER, aud: AUDIENCE, sub: "17", iat: now, exp: now + 600 };
    return await new SignJWT({ ...standard, ...claims }).setProtectedHeader({
      ...{ alg: key.alg, kid: key.kid, typ: "JWT" },
      ...header,
    }).sign(key.privateKey);
  }
}

/** A token as it would be sent, from its parts as they stand. */
export function rawToken(header: object, payload: object, signature = ""): string {
  const part = (value: object) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  return `${part(header)}.${part(payload)}.${signature}`;
}
