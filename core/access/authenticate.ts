/**
 * From a request to who makes it.
 *
 *     Authorization, certificate ─▶ has to wait? ─▶ verifier of that kind ─▶ actor
 *                                      │ 429            │ 401, counted against where it came from
 *
 * @module
 */

import { createHmac } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Actor } from "./actor.ts";
import { type CertificateConfig, type PeerCertificate, verifyCertificate } from "./certificates.ts";
import { FailureLog, type FailureReport } from "./failure_log.ts";
import type { RandomOctets } from "./random.ts";
import { Recent, sourceOf, Throttle } from "./throttle.ts";
import type { Verified, Verifier } from "./verifier.ts";

/** What a request shows. */
export interface Credentials {
  /** The header field of that name, as it came. */
  readonly authorization?: string;
  /** What the peer showed by mutual TLS. It counts where there is no `authorization`. */
  readonly certificate?: PeerCertificate;
  /** Where it came from, as text; absent: from the machine itself. */
  readonly address?: string;
}

/** What to answer whoever could not show who they are. */
export interface Refusal {
  /** 401 wrong or missing, 429 wrong too often, 503 cannot be found out for now. */
  readonly status: 401 | 429 | 503;
  /** `WWW-Authenticate` (RFC 6750 section 3), `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>;
  /** A sentence for them. */
  readonly why: string;
}

/** Who it is, or what to answer. */
export type Authenticated = { readonly actor: Actor } | { readonly refusal: Refusal };

/** What an authenticator works with. */
export interface AuthenticatorOptions {
  /** The kinds of bearer credentials, in the order in which they are asked. */
  readonly verifiers: readonly Verifier[];
  /** Absent: certificates stand for nobody. */
  readonly certificates?: CertificateConfig;
  readonly clock: Clock;
  readonly random: RandomOctets;
  /** Is told of failures, at most once a minute and once at their beginning; it must not throw. */
  readonly onFailures: (report: FailureReport) => void;
  /** As {@linkcode ThrottleOptions.entriesMax}. */
  readonly entriesMax?: number;
}

/** How many credentials that were right are remembered, and for how long, in milliseconds. */
const REMEMBERED_MAX = 10_000, REMEMBERED_MS = 3_600_000;

/** How long to wait where an issuer is away, in seconds. */
const UNAVAILABLE_SECONDS = 30;

/** Tells who makes requests. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #throttle: Throttle;
  readonly #failures: FailureLog;
  /** When credentials were right last, by a hash under a key of this process's own. */
  readonly #remembered = new Recent<number>(REMEMBERED_MAX);
  readonly #key: Uint8Array;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#throttle = new Throttle(options);
    this.#failures = new FailureLog(options.clock, options.onFailures);
    this.#key = options.random(32);
  }

  /** Who it is. Rejects only where something is broken. */
  async authenticate(credentials: Credentials): Promise<Authenticated> {
    const { authorization, certificate } = credentials;
    if (authorization !== undefined) return await this.#byHeader(authorization, credentials);
    const { certificates, clock } = this.#options;
    if (!certificate || !certificates) return { refusal: challenge() };
    const verified = verifyCertificate(certificate, certificates, clock.nowMs());
    return this.#outcome(verified, credentials, undefined, this.#throttle.delayMs(credentials.address));
  }

  /** How many sources of failures are remembered. */
  get throttled(): number {
    return this.#throttle.size;
  }

  /** Tells of the failures that have not been told. */
  close(): void {
    this.#failures.close();
  }

  async #byHeader(authorization: string, { address }: Credentials): Promise<Authenticated> {
    const credential = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1];
    const verifier = credential === undefined
      ? undefined
      : this.#options.verifiers.find((one) => one.recognises(credential));
    const subject = credential === undefined ? undefined : verifier?.subjectOf?.(credential);
    const delayMs = this.#throttle.delayMs(address, subject);
    if (credential === undefined || !verifier) {
      return this.#outcome({ fault: "no bearer token of a kind known here" }, { address }, subject, delayMs);
    }
    // Who is right is let in, whoever else was wrong: where that is cheap to see, or was seen before.
    const name = verifier.isCheap ? undefined : this.#nameOf(credential);
    if (delayMs > 0 && name !== undefined && !this.#isRemembered(name)) return { refusal: tooOften(delayMs) };
    const verified = await verifier.verify(credential);
    if ("actor" in verified && name !== undefined) this.#remembered.set(name, this.#options.clock.nowMs());
    return this.#outcome(verified, { address }, subject, delayMs);
  }

  #outcome(
    verified: Verified,
    { address }: { readonly address?: string | undefined },
    subject: string | undefined,
    delayMs: number,
  ): Authenticated {
    if ("actor" in verified) return { actor: verified.actor };
    const { fault, told, isGenuine, isUnavailable } = verified;
    if (isUnavailable) return { refusal: unavailable(fault) };
    // Who does not wait learns nothing, and is not counted again: waiting ends.
    if (delayMs > 0 && !isGenuine) return { refusal: tooOften(delayMs) };
    if (!isGenuine) this.#throttle.failed(address, subject);
    this.#failures.add({ host: sourceOf(address).host, fault, ...subject !== undefined && { subject } });
    return { refusal: challenge(told ?? "Cannot tell who this is: the credential is not valid") };
  }

  #isRemembered(name: string): boolean {
    const atMs = this.#remembered.get(name);
    return atMs !== undefined && this.#options.clock.nowMs() - atMs < REMEMBERED_MS;
  }

  #nameOf(credential: string): string {
    return createHmac("sha256", this.#key).update(credential).digest("base64");
  }
}

/** 401. Without a fault, nothing was offered: then there is no error code either (RFC 6750 section 3.1). */
function challenge(fault?: string): Refusal {
  const error = fault === undefined ? "" : `, error="invalid_token", error_description="${quotable(fault)}"`;
  return {
    status: 401,
    headers: { "WWW-Authenticate": `Bearer realm="meridian"${error}` },
    why: fault ?? "Cannot tell who this is: a bearer token or a client certificate is wanted",
  };
}

/** 429 (RFC 6585 section 4). */
function tooOften(delayMs: number): Refusal {
  const seconds = Math.ceil(delayMs / 1000);
  return {
    status: 429,
    headers: { "Retry-After": `${seconds}` },
    why: `Cannot look at this now: too many attempts have failed; wait ${seconds} s`,
  };
}

function unavailable(fault: string): Refusal {
  return { status: 503, headers: { "Retry-After": `${UNAVAILABLE_SECONDS}` }, why: fault };
}

/** What an error description may have (RFC 6750 section 3). */
function quotable(text: string): string {
  return text.replaceAll('"', "'").replaceAll(/[^ !#-[\]-~]/g, "?");
}
