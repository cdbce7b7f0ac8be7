/**
 * From when a node's heartbeats came to when the registry hears it: a Formation node is silent for 30 s between two
 * heartbeats, and is taken for dead after two that are missed. What its list says of it besides is to count sooner. So what was
 * heard once is heard on for a while, each time for a lease of 30 s, and the last of them ends when the heartbeat is as old as
 * it may get.
 *
 *     heartbeat at 0                                              (timeout 60 s, lease 30 s)
 *     heard      |----------30----------|--------|  last at 30 s, so that the lease ends at 60 s
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";

/** What it works with. */
export interface HeartbeatOptions {
  readonly clock: Clock;
  /** How long what was heard holds at most. */
  readonly leaseMs: number;
  /** How old a heartbeat may get. */
  readonly timeoutMs: number;
  /** For so long a source that is away is what it was; then nobody knows. */
  readonly staleMs: number;
  /** A node lives, for so long. */
  hear(id: string, leaseMs: number): void;
}

/** How often it is looked who is to be heard. */
export const LOOK_MS = 1000;

/** A node. */
interface Pulse {
  /** When the last heartbeat was. */
  atMs: number;
  /** Until when it counts as alive by what was heard. */
  coveredMs: number;
  /** Who tells of it; "" = it speaks for itself. */
  readonly source: string;
  /** Its source says that it is not up, whatever its heartbeats. */
  isDown: boolean;
}

/** See the module. */
export class Heartbeats {
  readonly #options: HeartbeatOptions;
  readonly #pulses = new Map<string, Pulse>();
  /** Sources that are away, and since when. */
  readonly #away = new Map<string, number>();
  #cancel: () => void = () => {};

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.look();
      this.start();
    });
  }

  close(): void {
    this.#cancel();
  }

  /** A heartbeat of `atMs`: one of the future counts as one of now, one that is older than the last as none. */
  beat(id: string, atMs: number, { source = "", isDown = false } = {}): void {
    const known = this.#pulses.get(id),
      pulse = known?.source === source || !known || source === ""
        ? known ?? { atMs: -Infinity, coveredMs: -Infinity, source, isDown }
        : undefined;
    // Who speaks for itself is heard itself; a list that is behind takes nothing back.
    if (!pulse) return;
    pulse.atMs = Math.max(pulse.atMs, Math.min(atMs, this.#options.clock.nowMs()));
    pulse.isDown = isDown;
    this.#pulses.set(id, pulse);
    this.#hearIfAlive(id, pulse);
  }

  /** When the last heartbeat was; undefined = nobody knows of any. */
  lastMs(id: string): number | undefined {
    return this.#pulses.get(id)?.atMs;
  }

  /** A node is no more. */
  forget(id: string): void {
    this.#pulses.delete(id);
  }

  /** A source can be read, or cannot: meanwhile its nodes stay as they were. */
  setAway(source: string, isAway: boolean): void {
    if (!isAway) this.#away.delete(source);
    else if (!this.#away.has(source)) this.#away.set(source, this.#options.clock.nowMs());
  }

  /** Whether a heartbeat is young enough, or its source has been away since it was. */
  isAlive(id: string): boolean {
    const pulse = this.#pulses.get(id);
    return pulse !== undefined && this.#isAlive(pulse, this.#options.clock.nowMs());
  }

  /** Hears all that are to be. */
  look(): void {
    for (const [id, pulse] of this.#pulses) this.#hearIfAlive(id, pulse);
  }

  #isAlive({ atMs, source, isDown }: Pulse, nowMs: number): boolean {
    const awayMs = this.#away.get(source);
    // The absence of news is no bad news: first it is as it was, then nobody knows, which counts as up.
    if (awayMs !== undefined && nowMs - awayMs >= this.#options.staleMs) return true;
    return !isDown && (awayMs ?? nowMs) - atMs < this.#options.timeoutMs;
  }

  #hearIfAlive(id: string, pulse: Pulse): void {
    const { clock, leaseMs, timeoutMs, hear } = this.#options, nowMs = clock.nowMs();
    if (!this.#isAlive(pulse, nowMs)) return;
    const endMs = this.#away.has(pulse.source) ? Infinity : pulse.atMs + timeoutMs;
    const untilMs = Math.min(endMs, nowMs + leaseMs), isLast = untilMs === endMs;
    if (untilMs <= pulse.coveredMs || !isLast && pulse.coveredMs - nowMs > leaseMs * 2 / 3) return;
    pulse.coveredMs = untilMs;
    hear(id, untilMs - nowMs);
  }
}
