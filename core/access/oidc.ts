/**
 * JSON Web Tokens of OpenID Connect issuers (RFC 7519, RFC 8725): who signed, for whom, until when; and what their claims
 * are worth here.
 *
 * @module
 */

import { decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../clock.ts";
import type { Actor, Grant } from "./actor.ts";
import { AccessError } from "./error.ts";
import { checkGrant } from "./grants.ts";
import { isSafeUrl, IssuerKeys, type IssuerStatus, IssuerUnavailableError } from "./issuer_keys.ts";
import type { Unverified, Verified, Verifier } from "./verifier.ts";

/** An issuer, and what its word is worth. Plain data. */
export interface OidcConfig {
  /** Exactly as its tokens have it: `https://login.example.org/realms/ops`. */
  readonly issuer: string;
  /** Whom tokens have to be meant for: one of these. */
  readonly audience: readonly string[];
  /** Absent: as the issuer's metadata says. */
  readonly jwksUrl?: string;
  /** Absent: {@linkcode ALGORITHMS}, of which it has to be some. */
  readonly algorithms?: readonly string[];
  /** How far clocks may be apart, in seconds; 30. */
  readonly skewSeconds?: number;
  /** How old a token may be, in seconds, whenever it ends; 86,400. */
  readonly maxAgeSeconds?: number;
  /** The claim that names the person; `sub`, which is then of this issuer alone. `email` has to be verified. */
  readonly person?: string;
  readonly grants: readonly ClaimGrant[];
}

/** What somebody is granted whose claim has a value. */
export interface ClaimGrant {
  /** A claim's name, or the way to it: `groups`, `realm_access.roles`. */
  readonly claim: string;
  /** What it has to be, or one of its elements, exactly; `*` = anything. */
  readonly value: string;
  readonly grant: Grant;
}

/** What tokens may be signed with: nothing symmetric, for which the verifier's key is the signer's, and not `none`. */
export const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
] as const;

/** What verifying works with. */
export interface OidcOptions {
  readonly issuers: readonly OidcConfig[];
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

const SKEW_SECONDS = 30, AGE_SECONDS = 86_400;

/** The most that clocks may be apart. */
export const SKEW_SECONDS_MAX = 300;

/** The longest token that is looked at. */
const LENGTH_MAX = 16_384;

/** What a token may say that it is: no logout token or other text that the same issuer signs (RFC 8725 section 3.11). */
const TYPES = ["jwt", "at+jwt"];

/** Takes the tokens of some issuers. */
export class OidcVerifier implements Verifier {
  readonly #issuers: readonly { readonly config: OidcConfig; readonly keys: IssuerKeys }[];
  readonly #clock: Clock;

  /** @throws {AccessError} A configuration that would not do. */
  constructor({ issuers, fetch, clock }: OidcOptions) {
    for (const config of issuers) checkOidcConfig(config);
    this.#clock = clock;
    this.#issuers = issuers.map((config) => {
      const { issuer, jwksUrl } = config;
      return { config, keys: new IssuerKeys({ issuer, fetch, clock, ...jwksUrl && { jwksUrl } }) };
    });
  }

  /** How things stand with each issuer's keys. */
  get status(): readonly IssuerStatus[] {
    return this.#issuers.map(({ keys }) => keys.status);
  }

  recognises(credential: string): boolean {
    return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(credential);
  }

  async verify(credential: string): Promise<Verified> {
    if (credential.length > LENGTH_MAX) return refusal(`it has more than ${LENGTH_MAX} characters`);
    const named = issuerOf(credential);
    const issuer = this.#issuers.find(({ config }) => config.issuer === named);
    if (!issuer) return refusal("it is of no issuer that is trusted here");
    try {
      const payload = await this.#payload(credential, issuer.config, issuer.keys);
      return { actor: actorOf(payload, issuer.config) };
    } catch (error) {
      if (error instanceof IssuerUnavailableError) return { fault: error.message, isUnavailable: true };
      if (error instanceof errors.JWTExpired) {
        return { ...refusal("it has expired, or is too old"), isGenuine: true };
      }
      if (error instanceof errors.JOSEError || error instanceof ClaimError) return refusal(reasonOf(error));
      throw error;
    }
  }

  /** What it says, once it is known who said it. The keys are the issuer's; none that the token brings is looked at. */
  async #payload(credential: string, config: OidcConfig, keys: IssuerKeys): Promise<JWTPayload> {
    const options = {
      ...{ issuer: config.issuer, audience: [...config.audience], requiredClaims: ["exp", "iat", "sub"] },
      algorithms: [...config.algorithms ?? ALGORITHMS],
      clockTolerance: config.skewSeconds ?? SKEW_SECONDS,
      maxTokenAge: config.maxAgeSeconds ?? AGE_SECONDS,
      currentDate: new Date(this.#clock.nowMs()),
    };
    const { payload, protectedHeader } = await jwtVerifyWithAny(credential, keys, options);
    const type = (protectedHeader.typ ?? "JWT").toLowerCase().replace(/^application\//, "");
    if (!TYPES.includes(type)) throw new ClaimError(`it is of type ${JSON.stringify(protectedHeader.typ)}`);
    if (payload.cnf !== undefined) throw new ClaimError("it is bound to a key, which is not asked for here");
    return payload;
  }
}

/** Checks what an operator wrote. @throws {AccessError} With the field. */
export function checkOidcConfig(config: OidcConfig): void {
  const invalid = (field: string, what: string) => new AccessError("invalid", `Cannot use ${what}`, field);
  const { issuer, jwksUrl, audience, algorithms = ALGORITHMS, skewSeconds = 0, maxAgeSeconds = 1 } = config;
  for (const [field, url] of Object.entries({ issuer, ...jwksUrl !== undefined && { jwksUrl } })) {
    if (!isSafeUrl(url)) throw invalid(field, `${JSON.stringify(url)}: wanted an https: URL`);
  }
  if (audience.length === 0 || audience.includes("")) {
    throw invalid("audience", "tokens that are meant for anybody: wanted at least one audience");
  }
  const bad = algorithms.find((one) => !(ALGORITHMS as readonly string[]).includes(one));
  if (algorithms.length === 0 || bad !== undefined) {
    throw invalid(
      "algorithms",
      `${JSON.stringify(bad)} as an algorithm: wanted some of ${ALGORITHMS.join(", ")}`,
    );
  }
  if (!(skewSeconds >= 0 && skewSeconds <= SKEW_SECONDS_MAX)) {
    throw invalid("skewSeconds", `${skewSeconds} seconds of skew: wanted 0 to ${SKEW_SECONDS_MAX}`);
  }
  if (!(maxAgeSeconds >= 1 && maxAgeSeconds < Infinity)) {
    throw invalid("maxAgeSeconds", `${maxAgeSeconds} seconds as an age: wanted at least 1`);
  }
  for (const [i, { claim, value, grant }] of config.grants.entries()) {
    if (claim === "" || value === "") throw invalid(`grants.${i}`, "an empty claim or value");
    checkGrant(grant, `grants.${i}.grant`);
    // No claim says which node it would be.
    if (grant.role === "node") throw invalid(`grants.${i}.grant.role`, "the role node for a person");
  }
}

/** What claims are worth. */
export function grantsOfClaims(payload: JWTPayload, rules: readonly ClaimGrant[]): readonly Grant[] {
  return rules.filter(({ claim, value }) => {
    const values = claimValues(payload, claim);
    return value === "*" ? values.length > 0 : values.includes(value);
  }).map(({ grant }) => grant);
}

class ClaimError extends Error {}

/** Tries each key that it may be, where it does not say which. */
async function jwtVerifyWithAny(
  credential: string,
  keys: IssuerKeys,
  options: NonNullable<Parameters<typeof jwtVerify>[2]>,
) {
  let others: readonly CryptoKey[] = [];
  const first = await jwtVerify(credential, async (header) => {
    const [key, ...more] = await keys.matching(header);
    if (!key) throw new errors.JWKSNoMatchingKey();
    others = more;
    return key;
  }, options).catch((error) => error as Error);
  if (!(first instanceof Error)) return first;
  for (const key of first instanceof errors.JWSSignatureVerificationFailed ? others : []) {
    const verified = await jwtVerify(credential, key, options).catch((error) => error as Error);
    if (!(verified instanceof errors.JWSSignatureVerificationFailed)) {
      if (verified instanceof Error) throw verified;
      return verified;
    }
  }
  throw first;
}

/** Who it is. What identifies a person at one issuer identifies nobody at another. */
function actorOf(payload: JWTPayload, { issuer, person = "sub", grants }: OidcConfig): Actor {
  const subject = `${nameIn(payload, "sub")}@${issuer.replace(/^https?:\/\//, "").replace(/\/$/, "")}`;
  const name = person === "sub" ? subject : nameIn(payload, person);
  if (person === "email" && payload.email_verified !== true) {
    throw new ClaimError("its e-mail address is not verified, and people are told apart by that");
  }
  return {
    ...{ id: `oidc:${name}`, way: "oidc", people: [name, subject] },
    grants: grantsOfClaims(payload, grants),
  };
}

function nameIn(payload: JWTPayload, claim: string): string {
  const [name, ...more] = claimValues(payload, claim);
  if (name !== undefined && more.length === 0 && /^[^\p{C}\p{Z}]{1,255}$/u.test(name)) return name;
  throw new ClaimError(`its claim ${claim} names nobody`);
}

/** The values of a claim as texts: of a list, its elements; of `scope`, its words (RFC 6749 section 3.3). */
function claimValues(payload: JWTPayload, claim: string): readonly string[] {
  const value = ownValue(payload, claim) ??
    claim.split(".").reduce<unknown>((within, part) => ownValue(within, part), payload);
  if (typeof value === "string") return claim === "scope" || claim === "scp" ? value.split(" ") : [value];
  const values = Array.isArray(value) ? value : [value];
  return values.filter((one) => ["string", "number", "boolean"].includes(typeof one)).map(String);
}

function ownValue(within: unknown, name: string): unknown {
  if (typeof within !== "object" || within === null || Array.isArray(within)) return undefined;
  return Object.hasOwn(within, name) ? (within as Record<string, unknown>)[name] : undefined;
}

/** Who it says that it is from: only to know whose keys to ask. */
function issuerOf(credential: string): string | undefined {
  try {
    return decodeJwt(credential).iss;
  } catch {
    return undefined;
  }
}

/** What an issuer's token is refused for is no secret: who can make one wrong can read why. */
function refusal(fault: string): Unverified {
  return { fault: `JWT: ${fault}`, told: `Cannot use this JWT: ${fault}` };
}

function reasonOf(error: Error): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is not the issuer's";
  if (error instanceof errors.JWKSNoMatchingKey) return "its issuer has no such key";
  return error.message;
}
