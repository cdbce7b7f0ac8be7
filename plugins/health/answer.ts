/**
 * What health does to an answer: leaves out the addresses that are down.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import { alsoOn } from "../../core/dependence.ts";
import type { TargetKey } from "../../core/fleet/verdict.ts";
import {
  type Address,
  type Answer,
  type Deadline,
  earlier,
  formatAddress,
  INDEPENDENT,
  mapRRsets,
  NEVER,
  parseAddress,
  type RRset,
  type Snapshot,
} from "../../core/plugin.ts";
import { type Standing, standing } from "./address.ts";
import type { Watches } from "./targets.ts";

/** The targets of each watched address, by its octets. */
export type WatchIndex = ReadonlyMap<string, readonly TargetKey[]>;

/** What became of an RRset. */
export interface Filtered {
  readonly rrset: RRset;
  /** Addresses that were left out. */
  readonly leftOut: readonly Uint8Array[];
  /** Every address is down, and all of them stayed. */
  readonly failOpen: boolean;
  /** Whether anybody watches any of its addresses. */
  readonly isWatched: boolean;
}

/** The watched addresses as answers have them. */
export function indexOf({ addresses }: Watches): WatchIndex {
  const entries = Object.entries(addresses).map(([text, targets]) =>
    [octetsKey(parseAddress(text)!), targets] as const
  );
  return new Map(entries);
}

/**
 * The answer without what is down; `tell` hears of each RRset in which something is. Where addresses are watched it stands
 * for the moment only: they belong to no pool by whose changes it could be told how long.
 */
export function withoutDown(
  answer: Answer,
  watched: WatchIndex,
  failingShare: number,
  { snapshot, nowMs }: {
    readonly snapshot: Pick<Snapshot, "verdicts" | "deadlines">;
    readonly nowMs: number;
  },
  tell: (filtered: Filtered) => void,
): Answer {
  let deadline = NEVER, isWatched = false;
  const changed = mapRRsets(answer, (rrset) => {
    const filtered = filter(rrset, (address) => {
      const targets = watched.get(octetsKey({ octets: address }));
      return targets && standing(targets, failingShare, snapshot);
    });
    isWatched ||= filtered.isWatched;
    if (filtered.leftOut.length > 0 || filtered.failOpen) tell(filtered);
    if (filtered.rrset !== rrset) deadline = earlier(deadline, filtered.rrset.deadline!);
    return filtered.rrset;
  });
  return isWatched ? alsoOn(changed, { ...INDEPENDENT, deadline, untilMs: nowMs }) : answer;
}

/**
 * The rule for one RRset: A or AAAA, owned by no pool. `standingOf` is undefined for an address that nobody watches:
 * it counts as up. An RRset of one address cannot change, so it gets no deadline either.
 */
export function filter(rrset: RRset, standingOf: (address: Uint8Array) => Standing | undefined): Filtered {
  const untouched = { rrset, leftOut: [], failOpen: false, isWatched: false };
  if (rrset.pool !== undefined || (rrset.type !== TYPE.A && rrset.type !== TYPE.AAAA)) return untouched;
  const standings = rrset.rdata.map(standingOf);
  if (!standings.some((standing) => standing)) return untouched;
  const up = rrset.rdata.filter((_, i) => !standings[i]?.isDown);
  const failOpen = up.length === 0;
  if (rrset.rdata.length === 1) return { ...untouched, failOpen, isWatched: true };
  const deadline = standings.reduce<Deadline>(
    (least, standing) => standing ? earlier(least, standing.deadline) : least,
    rrset.deadline ?? NEVER,
  );
  return {
    rrset: { ...rrset, rdata: failOpen ? rrset.rdata : up, deadline },
    leftOut: failOpen ? [] : rrset.rdata.filter((_, i) => standings[i]?.isDown),
    failOpen,
    isWatched: true,
  };
}

/** An address as people read it. */
export function addressText(octets: Uint8Array): string {
  return formatAddress({ family: octets.length === 4 ? 4 : 6, octets });
}

function octetsKey({ octets }: Pick<Address, "octets">): string {
  return String.fromCharCode(...octets);
}
