/**
 * The machines of a fleet.
 *
 * @module
 */

import type { Place } from "./place.ts";

/** A machine of the fleet. At most one address of each family. */
export interface Node {
  readonly id: string;
  /** Canonical text (RFC 5952). */
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly place: Place;
  /** A fleet label; "" where none. */
  readonly region: string;
  /** Requests a second, or any unit the fleet agrees on; 0 = not stated. */
  readonly capacity: number;
  /** Relative share among equals; > 0. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Addresses on an overlay network, canonical text. */
  readonly overlay: readonly string[];
  /** What the operator wants: `drain` and `down` take it out of answers. */
  readonly state: "up" | "drain" | "down";
  /** Windows in which the node is out of answers. */
  readonly maintenance: readonly Window[];
}

/** A span of time, milliseconds since 1970, `fromMs` included, `untilMs` not. */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly reason: string;
}

/** A person's forced state or weight for a node. Of one node and pool never two states or two weights are in force at once. */
export interface Override {
  readonly nodeId: string;
  /** `weight`: the state is as it would be without; the weight is another. */
  readonly state: "up" | "drain" | "down" | "weight";
  /** In the place of the node's own, with state `weight`; > 0. */
  readonly weight?: number;
  /** In force for this pool's answers alone, where it goes before one for all pools. */
  readonly pool?: string;
  readonly reason: string;
  readonly actor: string;
  readonly fromMs: number;
  readonly untilMs: number;
}
