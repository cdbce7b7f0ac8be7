/**
 * Whether a node lives, from who has heard it and when: a pure function, so that servers that know the same come to the
 * same.
 *
 * A node speaks to one of several servers at a time, and to another one when that does not answer. Each server notes when
 * it heard whom. So a lease has ended when the node has not been heard for as long by anybody, and whoever heard it last
 * can still tell: else it may be that nobody can pass on what it says.
 *
 * @module
 */

/** When one server heard a node last. All times are milliseconds since 1970, by the clock of who asks. */
export interface Hearing {
  readonly server: string;
  readonly heardMs: number;
  /** When it said there that it leaves; absent = it did not, or came back since. */
  readonly leftMs?: number;
}

/** What is known of a server. */
export interface Pulse {
  /** When it last told that what it has noted stands. */
  readonly atMs: number;
  /** Whether the store says that it is gone: its own lease has ended. */
  readonly hasEnded: boolean;
}

/** How long things last. */
export interface LeaseTerms {
  /** How long a node may be silent. */
  readonly leaseMs: number;
  /** For so long after its pulse a server is taken to be able to tell. */
  readonly pulseMs: number;
  /** For so long what cannot be told any more is as it was. */
  readonly holdMs: number;
}

/** What a node is, by its heartbeats. `gone` and `left` are down; `unknown` counts as up. */
export interface Liveness {
  readonly state: "alive" | "gone" | "left" | "unknown";
  readonly heardMs: number;
  /** When it could be something else at the earliest, if nobody hears it again; Infinity = never. */
  readonly untilMs: number;
}

/** What a node is at `nowMs`. `pulses` are by server; one that is not there is gone. At least one hearing. */
export function livenessOf(
  hearings: readonly Hearing[],
  pulses: ReadonlyMap<string, Pulse>,
  terms: LeaseTerms,
  nowMs: number,
): Liveness {
  const last = hearings.reduce((a, b) =>
    b.heardMs > a.heardMs || b.heardMs === a.heardMs && b.server < a.server ? b : a
  );
  const { heardMs } = last;
  if (last.leftMs !== undefined && last.leftMs >= heardMs) {
    return { state: "left", heardMs, untilMs: Infinity };
  }
  const { leaseMs, pulseMs, holdMs } = terms;
  const pulse = pulses.get(last.server);
  if (!pulse || pulse.hasEnded) {
    // It may have been heard until the server went; then it had a lease to find another one. A server that was cut off
    // from the store looks the same from here, and tells its nodes to go: docs/decisions/0007.
    const endMs = Math.max(heardMs, pulse?.atMs ?? heardMs) + leaseMs;
    return nowMs < endMs
      ? { state: "alive", heardMs, untilMs: endMs }
      : { state: "gone", heardMs, untilMs: Infinity };
  }
  const endMs = heardMs + leaseMs;
  if (nowMs < endMs) return { state: "alive", heardMs, untilMs: endMs };
  // A pulse after the lease's end tells that nothing was heard.
  if (pulse.atMs >= endMs) return { state: "gone", heardMs, untilMs: Infinity };
  const silentMs = pulse.atMs + pulseMs, heldMs = Math.max(silentMs, pulse.atMs + holdMs);
  if (nowMs < heldMs) return { state: "alive", heardMs, untilMs: heldMs };
  return { state: "unknown", heardMs, untilMs: Infinity };
}
