/**
 * All TCP connections of a port under common limits: how many there are, how many from one place, how much memory they
 * hold. What one client takes must not keep another out, so whoever takes most gives way first.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Address } from "../net/address.ts";
import type { SocketLimits } from "../plugin.ts";
import type { Count } from "./arrival.ts";
import type { Connection, ConnectionLimits } from "./connection.ts";
import { Crowds } from "./crowds.ts";
import { READ_OCTETS } from "./framing.ts";

/** What all clients together may take, and one of them. */
export interface TcpLimits extends ConnectionLimits {
  /** Connections at once. */
  readonly connections: number;
  /** Of those, from one IPv4 address or one IPv6 /64. */
  readonly connectionsPerAddress: number;
  /** From one IPv4 /24 or one IPv6 /48. */
  readonly connectionsPerNetwork: number;
  /** Whether the two numbers before hold for clients on this machine too, among which may be a proxy for many. */
  readonly limitsLoopback: boolean;
  /** Octets of messages and replies that connections hold, their buffers included. */
  readonly memoryOctets: number;
}

/** The limits where nothing else was said. */
export const TCP_LIMITS: TcpLimits = Object.freeze({
  connections: 1000,
  connectionsPerAddress: 20,
  connectionsPerNetwork: 100,
  limitsLoopback: false,
  memoryOctets: 64 * 1024 * 1024,
  idleMs: 10_000,
  messageMs: 5000,
  writeMs: 10_000,
  answerMs: 30_000,
  outstanding: 128,
  queuedOctets: 512 * 1024,
  queries: 10_000,
});

/** The strictest of what several server blocks set for the port that they share. */
export function tcpLimitsOf(all: readonly SocketLimits[]): Partial<TcpLimits> {
  const least = (of: (limits: SocketLimits) => number | undefined) => {
    const given = all.map(of).filter((limit) => limit !== undefined);
    return given.length > 0 ? Math.min(...given) : undefined;
  };
  const limits = {
    messageMs: least(({ readMs }) => readMs),
    writeMs: least(({ writeMs }) => writeMs),
    idleMs: least(({ idleMs }) => idleMs),
    queries: least(({ queriesMax }) => queriesMax),
    connections: least(({ connectionsMax }) => connectionsMax),
    connectionsPerAddress: least(({ connectionsPerAddressMax }) => connectionsPerAddressMax),
    connectionsPerNetwork: least(({ connectionsPerNetworkMax }) => connectionsPerNetworkMax),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

/** How often connections are looked at; and how soon again after a look that came too late, before anything was read. */
const SWEEP_MS = 500, LATE_MS = 20;

/** From this share of all connections on, idle ones are kept for a shorter time, down to the least when all are taken. */
const PRESSURE = 0.5, IDLE_MIN_MS = 1000;

/** Every connection of a port, under one limit. */
export class ConnectionSet {
  #limits: TcpLimits;
  readonly #clock: Clock;
  readonly #count: Count;
  readonly #connections = new Set<Connection>();
  readonly #crowds = new Crowds<Connection>();
  #heldOctets = 0;
  #cancelSweep: (() => void) | undefined;
  #sweepsAtMs = 0;

  constructor(clock: Clock, count: Count = () => {}, limits: Partial<TcpLimits> = {}) {
    this.#limits = { ...TCP_LIMITS, ...limits };
    this.#clock = clock;
    this.#count = count;
  }

  get limits(): TcpLimits {
    return this.#limits;
  }

  /** Sets other limits, for the connections that come from now on; absent = where nothing was said. */
  setLimits(limits: Partial<TcpLimits>): void {
    this.#limits = { ...TCP_LIMITS, ...limits };
  }

  get size(): number {
    return this.#connections.size;
  }

  /** What connections hold, closed ones whose answers are still awaited included. */
  get heldOctets(): number {
    return this.#heldOctets;
  }

  /** How long a connection may be idle, for now. */
  get idleMs(): number {
    const { connections, idleMs } = this.limits;
    const pressure = Math.max(0, this.size / connections - PRESSURE) / (1 - PRESSURE);
    return Math.round(idleMs - pressure * Math.max(0, idleMs - IDLE_MIN_MS));
  }

  /** Serves a connection to its end, if there is room or room can be made; or else closes it. */
  async serve(connection: Connection): Promise<void> {
    if (!this.#makeRoom(connection)) return connection.close();
    this.#connections.add(connection);
    this.#crowds.add(connection);
    if (!this.#cancelSweep) this.#sweepAfter(SWEEP_MS);
    await connection.serve();
    this.#remove(connection);
    if (this.#connections.size === 0) this.#stopSweeping();
  }

  /** Takes note of what a connection holds more, or less; when all hold too much, those that hold most give way. */
  readonly hold = (octets: number): void => {
    this.#heldOctets += octets;
    while (octets > 0 && this.#heldOctets > this.limits.memoryOctets) {
      const largest = greatest(this.#connections, ({ heldOctets }) => heldOctets);
      // What an empty buffer takes is no reason to turn anyone out.
      if (!largest || largest.heldOctets <= READ_OCTETS) return;
      this.#close(largest, "memory");
    }
  };

  /** Makes room for a newcomer where it is needed; false when it is the newcomer who must go. */
  #makeRoom({ source }: Connection): boolean {
    const { connections, connectionsPerAddress, connectionsPerNetwork, limitsLoopback } = this.limits;
    const fits = (crowd: ReadonlySet<Connection>, max: number, reason: string) =>
      crowd.size < max || this.#giveUp(longestIdle(crowd), reason);
    if (limitsLoopback || !isLoopback(source)) {
      if (!fits(this.#crowds.atAddress(source), connectionsPerAddress, "address")) return false;
      if (!fits(this.#crowds.inNetwork(source), connectionsPerNetwork, "network")) return false;
    }
    if (this.size < connections) return true;
    const crowd = this.#crowds.largerThanAt(source);
    return this.#giveUp(
      crowd ? longestIdle(crowd) ?? leastActive(crowd) : longestIdle(this.#connections),
      "overflow",
    );
  }

  /** Closes `victim`, or counts that a newcomer must go in its stead. */
  #giveUp(victim: Connection | undefined, reason: string): boolean {
    if (victim) this.#close(victim, reason);
    else this.#count("meridian_tcp_closed_total", { reason });
    return victim !== undefined;
  }

  #sweepAfter(delayMs: number, wasLate = false): void {
    this.#sweepsAtMs = this.#clock.nowMs() + delayMs;
    this.#cancelSweep = this.#clock.after(delayMs, () => this.#sweep(wasLate));
  }

  #sweep(wasLate: boolean): void {
    const nowMs = this.#clock.nowMs();
    // The process stood still: who seems to be late may have been in time, and is read first.
    if (!wasLate && nowMs - this.#sweepsAtMs >= SWEEP_MS) return this.#sweepAfter(LATE_MS, true);
    for (const connection of this.#connections) {
      const reason = connection.overdue(nowMs);
      if (reason) this.#close(connection, reason);
    }
    this.#sweepAfter(SWEEP_MS);
  }

  #stopSweeping(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #close(connection: Connection, reason: string): void {
    this.#count("meridian_tcp_closed_total", { reason });
    this.#remove(connection);
    connection.close();
  }

  #remove(connection: Connection): void {
    if (this.#connections.delete(connection)) this.#crowds.delete(connection);
  }
}

function isLoopback({ family, octets }: Address): boolean {
  return family === 4 ? octets[0] === 127 : octets.every((octet, i) => octet === (i === 15 ? 1 : 0));
}

function longestIdle(connections: Iterable<Connection>): Connection | undefined {
  return greatest(connections, ({ isIdle, lastActiveMs }) => isIdle ? -lastActiveMs : undefined);
}

function leastActive(connections: Iterable<Connection>): Connection | undefined {
  return greatest(connections, ({ lastActiveMs }) => -lastActiveMs);
}

/** The one of which most can be said; undefined = this one does not count. */
function greatest(
  connections: Iterable<Connection>,
  of: (connection: Connection) => number | undefined,
): Connection | undefined {
  let found: Connection | undefined, most = -Infinity;
  for (const connection of connections) {
    const value = of(connection);
    if (value !== undefined && value > most) [found, most] = [connection, value];
  }
  return found;
}
