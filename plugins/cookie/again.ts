/**
 * Cookies of queries that get a reply another one had: judged and written where they lie.
 *
 * @module
 */

import type { Address, CookieState, RepeatedCookies } from "../../core/plugin.ts";
import { judgeServerCookie, writeServerCookie } from "./server_cookie.ts";

/** Octets of a client's cookie, and of one with ours behind it. */
const CLIENT_OCTETS = 8, COOKIES_OCTETS = 24;

/** Says what `judge` in mod.ts says, by the same secrets, and makes no object. */
export class CookiesAgain implements RepeatedCookies {
  readonly #secrets: readonly Uint8Array[];
  readonly #requires: boolean;
  readonly #count: (state: CookieState) => void;
  #state: CookieState = "client";

  /** `requires`: the chain has another answer for queries without a good cookie. */
  constructor(secrets: readonly Uint8Array[], requires: boolean, count: (state: CookieState) => void) {
    this.#secrets = secrets;
    this.#requires = requires;
    this.#count = count;
  }

  judge(
    octets: Uint8Array,
    at: number,
    count: number,
    source: Address,
    nowMs: number,
  ): CookieState | undefined {
    const copied = Math.min(count, COOKIES_OCTETS), now = Math.floor(nowMs / 1000);
    for (let i = 0; i < copied; i++) COOKIES[i] = octets[at + i]!;
    const worth = count === COOKIES_OCTETS
      ? judgeServerCookie(this.#secrets, CLIENT, SERVER, source, now)
      : "bad";
    this.#state = worth !== "bad" ? "valid" : count > CLIENT_OCTETS ? "invalid" : "client";
    if (this.#requires && worth === "bad") return undefined;
    if (worth !== "good") writeServerCookie(SERVER, this.#secrets[0]!, CLIENT, source, now);
    return this.#state;
  }

  write(octets: Uint8Array, at: number): void {
    for (let i = 0; i < COOKIES_OCTETS; i++) octets[at + i] = COOKIES[i]!;
    this.#count(this.#state);
  }
}

/** Both cookies of the query judged last, then of its reply: no query comes between. */
const COOKIES = new Uint8Array(COOKIES_OCTETS);
const CLIENT = COOKIES.subarray(0, CLIENT_OCTETS), SERVER = COOKIES.subarray(CLIENT_OCTETS);
