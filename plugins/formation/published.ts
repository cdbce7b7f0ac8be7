/**
 * What answers go by, as the control half publishes it: whose an address is, and what lies on the overlay. It changes when
 * nodes or records do, not with their health.
 *
 * @module
 */

import type { Node } from "../../core/fleet/node.ts";
import type { PoolNodes } from "../../core/fleet/hub.ts";
import { type ControlScope, fold, type Name, parseAddress, parseName } from "../../core/plugin.ts";
import { socketOf } from "./json.ts";
import type { FormationRecord } from "./shapes.ts";

/** Plain data. */
export interface Published {
  readonly nodes: NodeTable;
  readonly records: RecordTable;
}

/** By the octets of an address, as a string: the node that has it. */
export type NodeTable = ReadonlyMap<string, {
  /** The first pool, by name, that the node is in. */
  readonly pool: string;
  /** The octets of its overlay addresses, in its own order. */
  readonly overlay: readonly Uint8Array[];
}>;

/** By a record's name, folded: the octets of its overlay addresses. */
export type RecordTable = ReadonlyMap<Name, readonly Uint8Array[]>;

export const NOTHING: Published = Object.freeze({ nodes: new Map(), records: new Map() });

/** Octets as a key. */
export function keyOf(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

/** Of all nodes of all pools. */
export function nodeTable(
  pools: readonly { readonly name: string; readonly nodes: readonly Node[] }[],
): NodeTable {
  const table = new Map<string, { pool: string; overlay: readonly Uint8Array[] }>();
  for (const { name: pool, nodes } of pools.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    for (const { ipv4, ipv6, overlay } of nodes) {
      const inside = overlay.map((text) => parseAddress(text)!.octets);
      for (const text of [ipv4, ipv6]) {
        const key = text === undefined ? undefined : keyOf(parseAddress(text)!.octets);
        if (key !== undefined && !table.has(key)) table.set(key, { pool, overlay: inside });
      }
    }
  }
  return table;
}

/** Of all records that have overlay addresses. */
export function recordTable(records: Iterable<FormationRecord>): RecordTable {
  const table = new Map<Name, readonly Uint8Array[]>();
  for (const { domain, formnet_ip } of records) {
    if (formnet_ip.length === 0) continue;
    const addresses = formnet_ip.map((text) => parseAddress(socketOf(text, "an address").address)!.octets);
    table.set(fold(parseName(`${domain}.`)), addresses);
  }
  return table;
}

/** Publishes it, now and after each change. */
export function publishTables(scope: Pick<ControlScope, "fleet" | "publish">): void {
  let published = NOTHING, text = "";
  const change = (part: Partial<Published>) => {
    const next = { ...published, ...part };
    // What is the same to answers is not told: they would be worked out anew.
    const nextText = textOf(next);
    if (nextText !== text) scope.publish(next);
    [published, text] = [next, nextText];
  };
  scope.fleet.onPools((pools: readonly PoolNodes[]) => {
    change({ nodes: nodeTable(pools.map(({ policy: { name }, nodes }) => ({ name, nodes }))) });
  });
  scope.fleet.onTold?.("formation", (records) => change({ records: records as RecordTable }));
}

function textOf({ nodes, records }: Published): string {
  const lines = Array.from(nodes, ([key, { pool, overlay }]) => `${key} ${pool} ${overlay.join(";")}`);
  return JSON.stringify([
    lines.sort(),
    Array.from(records, ([name, found]) => `${name} ${found.join(";")}`).sort(),
  ]);
}
