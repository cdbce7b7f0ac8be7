/**
 * formation where queries are answered: who asks from the overlay is told nodes' overlay addresses, and their public ones
 * behind these; everybody else the public ones alone. Whose packet it is decides, not whom it is asked for (RFC 7871): where
 * the overlay is, nobody outside is to learn.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import {
  addressFromOctets,
  alsoOn,
  type Answer,
  type AnsweringModule,
  type AnswerScope,
  contains,
  fold,
  formatAddress,
  INDEPENDENT,
  mapRRsets,
  type Plugin,
  type Prefix,
  type QueryContext,
  type RRset,
  type Snapshot,
  then,
} from "../../core/plugin.ts";
import type { FormationConfig } from "./parse.ts";
import { type OverlayTable, overlayTable, type RecordTable } from "./overlay_table.ts";

/** Whether the packet came from the overlay is a property of its source address. */
const BY_SOURCE = Object.freeze({ ...INDEPENDENT, keys: Object.freeze(["source" as const]) });

export default { name: "formation", repeats: "absence", answerer } satisfies AnsweringModule<FormationConfig>;

/** Makes the plugin. */
export function answerer(
  { overlay }: Pick<FormationConfig, "overlay">,
  { published }: Pick<AnswerScope, "published">,
): Plugin {
  const insideAt = (snapshot: Snapshot): Inside => ({
    nodes: tableOf(snapshot),
    records: published(snapshot) as RecordTable | undefined,
  });
  return {
    name: "formation",
    answer: (context, next) =>
      then(next(context), (answer) => viewed(answer, context, overlay, insideAt(context.snapshot))),
    untimed: true,
  };
}

/** What is known of the overlay. */
export interface Inside {
  readonly nodes: OverlayTable;
  /** Absent while the fleet isolate has told of none. */
  readonly records: RecordTable | undefined;
}

const tables = new WeakMap<Snapshot["pools"], OverlayTable>();

/** Worked out once for the pools of a snapshot. */
function tableOf({ pools }: Snapshot): OverlayTable {
  let table = tables.get(pools);
  if (!table) tables.set(pools, table = overlayTable(pools));
  return table;
}

/** The answer as whoever asks is to see it. */
export function viewed(
  answer: Answer,
  { source, record }: Pick<QueryContext, "source" | "record">,
  overlay: readonly Prefix[],
  known: Inside,
): Answer {
  const inside = mapRRsets(answer, (rrset) => insideOf(rrset, known));
  const outside = mapRRsets(answer, (rrset) => outsideOf(rrset, overlay));
  // What is the same to both depends on nobody.
  if (isSame(inside, answer) && isSame(outside, answer)) return answer;
  const isInside = overlay.some((network) => contains(network, source.address));
  record?.({
    plugin: "formation",
    what: `${formatAddress(source.address)} is ${isInside ? "on" : "outside"} the overlay: ${
      isInside ? "overlay addresses first" : "public addresses alone"
    }`,
  });
  return alsoOn(isInside ? inside : outside, BY_SOURCE);
}

function isSame(a: Answer, b: Answer): boolean {
  return a.answer === b.answer && a.additional === b.additional;
}

/** The record's overlay addresses and those of the nodes whose addresses these are, then these. */
function insideOf(rrset: RRset, { nodes, records }: Inside): RRset {
  if (rrset.type !== TYPE.A && rrset.type !== TYPE.AAAA) return rrset;
  const own = records?.get(fold(rrset.name)) ?? [];
  const found = [...own, ...rrset.rdata.flatMap((octets) => nodes.get(keyOf(octets)) ?? [])]
    .filter(({ length }) => length === (rrset.type === TYPE.A ? 4 : 16));
  if (found.length === 0) return rrset;
  const all = new Map([...found, ...rrset.rdata].map((octets) => [keyOf(octets), octets]));
  return { ...rrset, rdata: [...all.values()] };
}

/** Without what lies on the overlay; all of it where nothing else is there, for an answer is never empty by accident. */
function outsideOf(rrset: RRset, overlay: readonly Prefix[]): RRset {
  if (rrset.type !== TYPE.A && rrset.type !== TYPE.AAAA) return rrset;
  const isOverlay = (octets: Uint8Array) => {
    const address = addressFromOctets(octets);
    return overlay.some((network) => contains(network, address));
  };
  const left = rrset.rdata.filter((octets) => !isOverlay(octets));
  return left.length === 0 || left.length === rrset.rdata.length ? rrset : { ...rrset, rdata: left };
}

/** Octets as a key. */
export function keyOf(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}
