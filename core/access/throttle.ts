/**
 * How long whoever was wrong has to wait: by the host and the network that it came from, and by what was guessed at. The
 * first few failures are free, each further one doubles the wait.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { formatPrefix, parseAddress, prefixOf } from "../net/address.ts";

/** What a throttle works with. */
export interface ThrottleOptions {
  readonly clock: Clock;
  /** The most hosts, networks and subjects that are remembered, each; 10,000. */
  readonly entriesMax?: number;
}

/** Failures of one source. */
interface Strikes {
  readonly count: number;
  readonly lastMs: number;
  readonly untilMs: number;
}

/** Failures that are free. A network has many hosts, and what is guessed at may have been mistyped in many places. */
const FREE = { host: 5, network: 50, subject: 20 } as const;

const ENTRIES_MAX = 10_000, FIRST_MS = 1000, DELAY_MS_MAX = 300_000;

/** Failures count until there have been none for so long. */
const FORGOTTEN_MS = 900_000;

/** Remembers who was wrong. */
export class Throttle {
  readonly #clock: Clock;
  readonly #hosts: Recent<Strikes>;
  readonly #networks: Recent<Strikes>;
  readonly #subjects: Recent<Strikes>;

  constructor({ clock, entriesMax = ENTRIES_MAX }: ThrottleOptions) {
    this.#clock = clock;
    this.#hosts = new Recent(entriesMax);
    this.#networks = new Recent(entriesMax);
    this.#subjects = new Recent(entriesMax);
  }

  /**
   * How long it has to wait, in milliseconds; 0 = not at all. What others have guessed at from elsewhere is held against
   * nobody who has not been wrong themselves.
   */
  delayMs(address: string | undefined, subject?: string): number {
    const { host, network } = sourceOf(address), strikes = this.#live(this.#hosts, host);
    const all = [strikes, this.#live(this.#networks, network)];
    if (strikes && subject !== undefined) all.push(this.#live(this.#subjects, subject));
    const delayMs = Math.max(0, ...all.map((one) => (one?.untilMs ?? 0) - this.#clock.nowMs()));
    // A clock that was set back has nobody wait for longer.
    return Math.min(delayMs, DELAY_MS_MAX);
  }

  /** It was wrong once more. */
  failed(address: string | undefined, subject?: string): void {
    const { host, network } = sourceOf(address);
    this.#strike(this.#hosts, host, FREE.host);
    this.#strike(this.#networks, network, FREE.network);
    if (subject !== undefined) this.#strike(this.#subjects, subject, FREE.subject);
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#hosts.size + this.#networks.size + this.#subjects.size;
  }

  #live(map: Recent<Strikes>, key: string): Strikes | undefined {
    const strikes = map.get(key);
    return strikes && Math.abs(this.#clock.nowMs() - strikes.lastMs) < FORGOTTEN_MS ? strikes : undefined;
  }

  #strike(map: Recent<Strikes>, key: string, free: number): void {
    const lastMs = this.#clock.nowMs(), count = (this.#live(map, key)?.count ?? 0) + 1;
    const delayMs = count <= free ? 0 : Math.min(FIRST_MS * 2 ** (count - free - 1), DELAY_MS_MAX);
    map.set(key, { count, lastMs, untilMs: lastMs + delayMs });
  }
}

/**
 * The host and the network that an address is of: an IPv4 address and its /24, or an IPv6 /64, of which one host has all
 * addresses, and its /48. Without an address, those on the machine itself are one host.
 */
export function sourceOf(address: string | undefined): { readonly host: string; readonly network: string } {
  const parsed = parseAddress((address ?? "").replace(/%.*$/, ""));
  if (!parsed) return { host: "here", network: "here" };
  const [host, network] = parsed.family === 4 ? [32, 24] as const : [64, 48] as const;
  return { host: formatPrefix(prefixOf(parsed, host)), network: formatPrefix(prefixOf(parsed, network)) };
}

/** As many entries as there is room for: those that were written last. */
export class Recent<V> {
  readonly #max: number;
  readonly #entries = new Map<string, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!);
  }
}
