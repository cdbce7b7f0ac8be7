/**
 * Which of several servers a node speaks to: always the same one while that answers, else the next.
 *
 * @module
 */

import { originOf } from "./config.ts";

/** So many are remembered at most. */
const SERVERS_MAX = 64;

/** Servers by their origins, and the one that is spoken to. */
export class ServerList {
  readonly #configured: readonly string[];
  #told: readonly string[];
  #at = 0;
  /** How many have failed since one answered. */
  #failed = 0;

  /** @param told What was learnt in an earlier life. */
  constructor(configured: readonly string[], told: readonly string[]) {
    this.#configured = configured;
    this.#told = this.#accepted(told);
  }

  /** All of them: those that were configured first. */
  get all(): readonly string[] {
    return [...this.#configured, ...this.#told];
  }

  get current(): string {
    return this.all[this.#at % this.all.length]!;
  }

  /** What was learnt: to be kept. */
  get told(): readonly string[] {
    return this.#told;
  }

  /** Takes the servers that one of them tells. @returns Whether that is news. */
  learn(origins: readonly string[]): boolean {
    const { current } = this, told = this.#accepted(origins);
    // Who says nothing of servers knows of none: what is known stands.
    if (told.length === 0 && origins.length === 0 || `${told}` === `${this.#told}`) return false;
    this.#told = told;
    this.#at = Math.max(0, this.all.indexOf(current));
    return true;
  }

  /** The current one answers. */
  answered(): void {
    this.#failed = 0;
  }

  /** The current one does not: the next one is current. @returns Whether it is one that has not failed since. */
  fail(): boolean {
    this.#at = (this.#at + 1) % this.all.length;
    return ++this.#failed < this.all.length;
  }

  /** The current one answers, and yet another one would be better. */
  pass(): void {
    this.#at = (this.#at + 1) % this.all.length;
  }

  /** Those that are servers; unless one is configured so, none without TLS. */
  #accepted(origins: readonly string[]): string[] {
    const isPlain = this.#configured.some((origin) => origin.startsWith("http:"));
    const known = origins.flatMap((text) => typeof text === "string" ? originOf(text) ?? [] : [])
      .filter((origin) => isPlain || origin.startsWith("https:"))
      .filter((origin) => !this.#configured.includes(origin));
    return [...new Set(known)].slice(0, SERVERS_MAX);
  }
}
