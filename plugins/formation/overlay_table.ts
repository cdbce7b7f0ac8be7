/**
 * Which overlay addresses belong to an address: those of the node that has it.
 *
 * @module
 */

import type { PoolState } from "../../core/fleet/pool.ts";
import { parseAddress } from "../../core/plugin.ts";

/** By the octets of an address as a string: the octets of overlay addresses, in the node's order. */
export type OverlayTable = ReadonlyMap<string, readonly Uint8Array[]>;

/** Of all nodes of all pools. */
export function overlayTable(pools: Readonly<Record<string, Pick<PoolState, "nodes">>>): OverlayTable {
  const table = new Map<string, readonly Uint8Array[]>();
  for (const { nodes } of Object.values(pools)) {
    for (const { ipv4, ipv6, overlay } of nodes) {
      if (overlay.length === 0) continue;
      const inside = overlay.map((text) => parseAddress(text)!.octets);
      for (const text of [ipv4, ipv6]) {
        if (text !== undefined) table.set(String.fromCharCode(...parseAddress(text)!.octets), inside);
      }
    }
  }
  return table;
}
