/**
 * Which overlay addresses belong to an address: those of the node that has it; and to a name: those of its record.
 *
 * @module
 */

import type { PoolState } from "../../core/fleet/pool.ts";
import { fold, type Name, parseAddress, parseName } from "../../core/plugin.ts";
import { socketOf } from "./json.ts";
import type { FormationRecord } from "./shapes.ts";

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

/** By a record's name, folded: the octets of its overlay addresses. Plain data. */
export type RecordTable = ReadonlyMap<Name, readonly Uint8Array[]>;

/** Of all records that have such. */
export function recordTable(records: Iterable<FormationRecord>): RecordTable {
  const table = new Map<Name, readonly Uint8Array[]>();
  for (const { domain, formnet_ip } of records) {
    if (formnet_ip.length === 0) continue;
    const addresses = formnet_ip.map((text) => parseAddress(socketOf(text, "an address").address)!.octets);
    table.set(fold(parseName(`${domain}.`)), addresses);
  }
  return table;
}
