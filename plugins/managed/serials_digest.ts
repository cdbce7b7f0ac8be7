/**
 * One short text for the serials of many zones, in whatever order they came: kept up to date zone by zone, for with ten
 * thousand of them it would cost more to make than all else that a change does.
 *
 * @module
 */

import type { Name } from "../../core/plugin.ts";
import { hashNameText } from "../../core/dns/name_hash.ts";

/** See the module. Equal where all zones and serials are; else most probably not: it has 64 bits. */
export class SerialsDigest {
  #low = 0;
  #high = 0;

  add(origin: Name, serial: number): void {
    this.#low = this.#low + hashNameText(origin, serial) >>> 0;
    this.#high = this.#high + hashNameText(origin, ~serial) >>> 0;
  }

  /** Takes away what was added. */
  remove(origin: Name, serial: number): void {
    this.#low = this.#low - hashNameText(origin, serial) >>> 0;
    this.#high = this.#high - hashNameText(origin, ~serial) >>> 0;
  }

  get text(): string {
    return `${this.#high.toString(16)}-${this.#low.toString(16)}`;
  }
}
