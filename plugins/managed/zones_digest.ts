/**
 * One short text for what is in many zones, in whatever order they came: kept up to date zone by zone, for with ten
 * thousand of them it would cost more to make than all else that a change does.
 *
 * A zone's generation and serial tell what is in it: each change of it raises the serial, and who makes it anew gives it
 * another generation.
 *
 * @module
 */

import type { Name } from "../../core/plugin.ts";
import { hashNameText } from "../../core/dns/name_hash.ts";

/** See the module. Equal where all zones are; else most probably not: it has 64 bits. */
export class ZonesDigest {
  readonly #parts = new Map<Name, readonly [low: number, high: number]>();
  #low = 0;
  #high = 0;

  /** A zone is this now, in place of what it was. */
  set(origin: Name, serial: number, generation: string): void {
    this.delete(origin);
    // Every server's are the same: no seed of this isolate's.
    const part = (seed: number) => hashNameText(generation, hashNameText(origin, seed)) >>> 0;
    const low = part(serial), high = part(~serial);
    this.#parts.set(origin, [low, high]);
    this.#low = this.#low + low >>> 0;
    this.#high = this.#high + high >>> 0;
  }

  /** A zone is no more; nothing where there was none. */
  delete(origin: Name): void {
    const [low, high] = this.#parts.get(origin) ?? [0, 0];
    this.#parts.delete(origin);
    this.#low = this.#low - low >>> 0;
    this.#high = this.#high - high >>> 0;
  }

  get text(): string {
    return `${this.#high.toString(16)}-${this.#low.toString(16)}`;
  }
}
