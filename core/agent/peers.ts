/**
 * How far other nodes are: the time that a TCP connection to where they listen takes to be made, which is one round trip.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { parseHostPort } from "../net/host_port.ts";
import { PEERS_MAX, type PeerTime } from "../registry/protocol.ts";
import type { Peer } from "./config.ts";

/** Makes a connection and closes it. @throws When it is not made in time. */
export type Connect = (host: string, port: number, timeoutMs: number) => Promise<void>;

/** How often each is tried in a round: the least counts, for queues only add. */
const TRIES = 3;

/** How long one may take. Two antipodes are 0.2 s apart by fibre. */
const TIMEOUT_MS = 1000;

/** What is measured of peers, one round after the other. */
export class PeerMeter {
  readonly #clock: Clock;
  readonly #connect: Connect;
  /** Milliseconds with fractions, of a clock that only goes forward. */
  readonly #preciseMs: () => number;
  readonly #intervalMs: number;
  readonly #configured: readonly Peer[];
  #told: readonly Peer[] = [];
  #times: readonly PeerTime[] = [];
  #cancel: () => void = () => {};
  #isEnded = false;

  constructor(
    peers: readonly Peer[],
    intervalMs: number,
    io: { readonly clock: Clock; readonly connect: Connect; readonly preciseMs: () => number },
  ) {
    this.#configured = peers;
    this.#intervalMs = intervalMs;
    this.#clock = io.clock;
    this.#connect = io.connect;
    this.#preciseMs = io.preciseMs;
  }

  /** What the last round found: those that answered. */
  get times(): readonly PeerTime[] {
    return this.#times;
  }

  /** Takes the peers that a server names, beside those that were configured. */
  learn(peers: readonly Peer[]): void {
    this.#told = peers;
  }

  /** Measures now, and again after each interval. */
  start(): void {
    this.#round().catch(() => {}).then(() => {
      if (!this.#isEnded) this.#cancel = this.#clock.after(this.#intervalMs, () => this.start());
    });
  }

  close(): void {
    this.#isEnded = true;
    this.#cancel();
  }

  /** One peer after the other, so that they do not stand in each other's way. */
  async #round(): Promise<void> {
    const times: PeerTime[] = [];
    for (const peer of [...this.#configured, ...this.#told].slice(0, PEERS_MAX)) {
      const rttMs = await this.#measure(peer);
      if (this.#isEnded) return;
      if (rttMs !== undefined) times.push({ node: peer.node, rttMs: Math.round(rttMs * 100) / 100 });
    }
    this.#times = times;
  }

  async #measure({ address }: Peer): Promise<number | undefined> {
    const at = parseHostPort(address);
    if (!at || at.host === "") return undefined;
    let least: number | undefined;
    for (let i = 0; i < TRIES; i++) {
      const beganMs = this.#preciseMs();
      try {
        await this.#connect(at.host, at.port, TIMEOUT_MS);
      } catch {
        // It does not listen, or not to us: nothing is known of how far it is.
        return least;
      }
      least = Math.min(least ?? Infinity, this.#preciseMs() - beganMs);
    }
    return least;
  }
}
