/**
 * The keys with which an issuer signs: fetched, fetched again, and kept while the issuer is away.
 *
 *     asked for a key ─▶ none yet, or not this one ─▶ fetch, and wait     (seldom: somebody may be making key ids up)
 *                     └▶ there, but old ─▶ fetch, and answer meanwhile with what there is
 *
 * @module
 */

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWK, type JWSHeaderParameters } from "jose";
import type { Clock } from "../clock.ts";

/** What keys are fetched with. */
export interface IssuerKeysOptions {
  /** As its tokens have it. */
  readonly issuer: string;
  /** Where the keys are; absent: where the issuer's own metadata says (OpenID Connect Discovery 1.0, section 4). */
  readonly jwksUrl?: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

/** How things stand with an issuer's keys. */
export interface IssuerStatus {
  readonly issuer: string;
  readonly keys: number;
  /** How old they are, in milliseconds; undefined = there have never been any. */
  readonly ageMs?: number;
  /** Why the last attempt to fetch them failed. */
  readonly fault?: string;
}

/** The issuer's keys cannot be had, or are too old to go by. */
export class IssuerUnavailableError extends Error {
  override readonly name = "IssuerUnavailableError";
}

/** How old keys may be before they are fetched again; before they are not gone by any more. */
const FRESH_MS = 600_000, KEPT_MS = 86_400_000;

/** How soon there is another attempt, whoever asks for whichever key. */
const COOLDOWN_MS = 30_000;

/** How long a fetch may take, and how many octets it may bring. */
const FETCH_MS = 5000, OCTETS_MAX = 1 << 18;

/** The most keys of a set that are looked at, and that are tried where a token does not say which it is. */
const KEYS_MAX = 64, TRIED_MAX = 4;

/** The keys of one issuer. */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #keys: { readonly find: ReturnType<typeof createLocalJWKSet>; readonly count: number } | undefined;
  #fetchedMs = -Infinity;
  #triedMs = -Infinity;
  #fault: string | undefined;
  #fetching: Promise<void> | undefined;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** How things stand. */
  get status(): IssuerStatus {
    return {
      ...{ issuer: this.#options.issuer, keys: this.#keys?.count ?? 0 },
      ...this.#keys && { ageMs: this.#ageMs() },
      ...this.#fault !== undefined && { fault: this.#fault },
    };
  }

  /**
   * The keys that may have signed something with such a header, as a rule one; none where the issuer has no such key.
   *
   * @throws {IssuerUnavailableError} When that cannot be told for now.
   */
  async matching(header: JWSHeaderParameters): Promise<readonly CryptoKey[]> {
    if (this.#ageMs() > KEPT_MS) await this.#refresh();
    else if (this.#ageMs() > FRESH_MS) void this.#refresh();
    const found = await this.#find(header);
    if (found.length > 0 || this.#ageMs() === 0) return found;
    await this.#refresh();
    return await this.#find(header);
  }

  /** A clock that was set back makes nothing younger: what was fetched an hour from now is as old as what was an hour ago. */
  #ageMs(): number {
    return Math.abs(this.#options.clock.nowMs() - this.#fetchedMs);
  }

  async #find(header: JWSHeaderParameters): Promise<readonly CryptoKey[]> {
    const { issuer } = this.#options, ageMs = this.#ageMs();
    if (!this.#keys) {
      throw new IssuerUnavailableError(`Cannot get the keys of ${issuer}: ${this.#fault ?? "not yet tried"}`);
    }
    if (ageMs > KEPT_MS) {
      const what = `they are ${Math.round(ageMs / 3_600_000)} hours old, and ${this.#fault}`;
      throw new IssuerUnavailableError(`Cannot go by the keys of ${issuer}: ${what}`);
    }
    return await matchingOf(this.#keys.find, header);
  }

  /** At most one at a time, and not too often; never throws. */
  #refresh(): Promise<void> {
    if (this.#fetching) return this.#fetching;
    const nowMs = this.#options.clock.nowMs();
    if (Math.abs(nowMs - this.#triedMs) < COOLDOWN_MS) return Promise.resolve();
    this.#triedMs = nowMs;
    return this.#fetching = this.#fetch().finally(() => this.#fetching = undefined);
  }

  async #fetch(): Promise<void> {
    try {
      const url = this.#options.jwksUrl ?? await this.#discover();
      const keys = usableKeys(await this.#fetchJson(url));
      if (keys.length === 0) throw new Error(`there is no public key for signatures at ${url}`);
      this.#keys = { find: createLocalJWKSet({ keys }), count: keys.length };
      this.#fetchedMs = this.#options.clock.nowMs();
      this.#fault = undefined;
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
    }
  }

  async #discover(): Promise<string> {
    const { issuer } = this.#options;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const metadata = await this.#fetchJson(url) as { issuer?: unknown; jwks_uri?: unknown };
    // Otherwise whoever answers there could speak for an issuer that they are not.
    if (metadata?.issuer !== issuer) throw new Error(`${url} is about ${JSON.stringify(metadata?.issuer)}`);
    if (typeof metadata.jwks_uri !== "string" || !isSafeUrl(metadata.jwks_uri)) {
      throw new Error(`${url} has no https: URL of keys: ${JSON.stringify(metadata.jwks_uri)}`);
    }
    return metadata.jwks_uri;
  }

  async #fetchJson(url: string): Promise<unknown> {
    const { fetch, clock } = this.#options, late = new AbortController();
    const cancel = clock.after(FETCH_MS, () => late.abort(new Error(`${url} did not answer in time`)));
    try {
      const response = await fetch(url, {
        headers: { accept: "application/json" },
        redirect: "error",
        signal: late.signal,
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`${url} answered ${response.status}`);
      }
      return JSON.parse(await limitedText(response, url));
    } finally {
      cancel();
    }
  }
}

/** Whether a URL is of a server that has to show who it is, or of this machine. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username !== "" || url.password !== "") return false;
  if (url.protocol === "https:") return true;
  return url.protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}

async function matchingOf(
  find: ReturnType<typeof createLocalJWKSet>,
  header: JWSHeaderParameters,
): Promise<readonly CryptoKey[]> {
  try {
    return [await find(header)];
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return [];
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    const keys: CryptoKey[] = [];
    for await (const key of error) if (keys.push(key) === TRIED_MAX) break;
    return keys;
  }
}

/** Public keys for signatures: a symmetric one in a set that all may read is none, and the private half is not ours. */
function usableKeys(set: unknown): JWK[] {
  const { keys } = (set ?? {}) as Partial<JSONWebKeySet>;
  if (!Array.isArray(keys)) throw new Error("what came is no set of keys");
  return keys.slice(0, KEYS_MAX).filter((key) =>
    typeof key === "object" && key !== null && ["RSA", "EC", "OKP"].includes(key.kty!) &&
    key.d === undefined && key.k === undefined
  );
}

async function limitedText(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let octets = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    if ((octets += chunk.length) > OCTETS_MAX) {
      throw new Error(`${url} answered with more than ${OCTETS_MAX} octets`);
    }
  }
  return await new Blob(chunks as BlobPart[]).text();
}
