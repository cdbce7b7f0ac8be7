/** Who may be an entry point, and in which order they are tried. @module */

import { contains, type Family, parseAddress } from "../net/address.ts";
import { SPECIAL_BLOCKS } from "../net/special.ts";
import type { Endpoint } from "./endpoint.ts";

/** What said that there is an entry point. */
export type Source = "SRV" | "A" | "AAAA" | "cache" | "fallback";

/** An address that may be an entry point's. */
export interface Candidate extends Endpoint {
  readonly from: Source;
  /** What its certificate must be for: the target of the SRV record, or the name that was asked for. Without the last dot. */
  readonly host: string;
  /** The SRV record's; 0 where there is none. The lower, the better. */
  readonly priority: number;
  /** How long ago DNS said so, milliseconds; 0 = just now. Absent where it never did. */
  readonly ageMs?: number;
}

/** 4 or 6. */
export function familyOf({ address }: Pick<Endpoint, "address">): Family {
  return address.includes(":") ? 6 : 4;
}

/** Why nobody can be at an address and port; undefined when somebody may. */
export function whyNobody({ address, port }: Endpoint): string | undefined {
  if (port < 1 || port > 65_535) return `there is no port ${port}`;
  const parsed = parseAddress(address)!;
  const block = SPECIAL_BLOCKS.find(({ name, prefix }) => NOBODYS.includes(name) && contains(prefix, parsed));
  return block && `nobody has an address of this kind: ${block.name}`;
}

const NOBODYS = ["this network", "unspecified", "multicast", "reserved", "discard only"];

/**
 * In the order in which they are tried: by priority, and of equal priority a family after the other, IPv6 first (RFC 8305
 * section 4). Within a family they stay as they came, which is by weight, and nearest first as a geographic server has them.
 * The same address and port stands once, where it is first.
 */
export function tryOrder(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  const distinct = candidates.toSorted((a, b) => a.priority - b.priority).filter(({ address, port }) => {
    const key = `${address} ${port}`, isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
  return [...Map.groupBy(distinct, ({ priority }) => priority).values()].flatMap(interleaved);
}

function interleaved(candidates: readonly Candidate[]): Candidate[] {
  const v6 = candidates.filter((candidate) => familyOf(candidate) === 6);
  const v4 = candidates.filter((candidate) => familyOf(candidate) === 4);
  return Array.from({ length: Math.max(v4.length, v6.length) }, (_, i) => [v6[i], v4[i]]).flat()
    .filter((candidate) => candidate !== undefined);
}
