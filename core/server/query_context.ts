/**
 * What plugins are told of a query, made of its packet and of where it came from.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { isWithin, type Name } from "../dns/name.ts";
import { type DecodedQuery, decodeQuery } from "../dns/query.ts";
import type { Decision, QueryContext } from "../query.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Arrival } from "./arrival.ts";
import type { ChainedBlock } from "./chained_block.ts";
import type { Repeatable } from "./exchange.ts";

/** What a context is made of. */
export interface Asking {
  readonly query: DecodedQuery;
  readonly octets: Uint8Array;
  readonly arrival: Arrival;
  readonly record: ((decision: Decision) => void) | undefined;
  /** The name asked for, folded. */
  readonly name: Name;
}

/** The `record` of queries that nobody sent, and of which nobody wants to know anything. */
export const UNHEARD = (): void => {};

/** The context in which a block's chain is asked, for a name in `zone`. */
export function makeContext(
  { query, octets, arrival, record, name }: Asking,
  block: ChainedBlock,
  zone: Name,
  { clock, snapshot }: { readonly clock: Pick<Clock, "nowMs">; snapshot(): Snapshot },
): QueryContext {
  // Spreads for what is optional would cost as much as all the rest.
  const context: { -readonly [Part in keyof QueryContext]: QueryContext[Part] } = {
    question: query.question,
    name,
    zone,
    messageId: query.id,
    recursionDesired: query.recursionDesired,
    checkingDisabled: query.checkingDisabled,
    source: arrival.source,
    server: arrival.server,
    transport: arrival.transport,
    sizeOctets: octets.length,
    octets,
    nowMs: clock.nowMs(),
    snapshot: snapshot(),
    ecs: true,
  };
  if (query.edns) context.edns = query.edns;
  if (record) context.rehearsed = true;
  if (record === UNHEARD) context.unheard = true;
  else if (record) context.record = record;
  if (isLabelled(block, name)) context.label = (label) => block.labels.get(label)?.(context);
  return Object.freeze(context);
}

/** The context of another query that gets the reply of one whose context was `context`. */
export function repeatedContext(
  { context, block }: Pick<Repeatable, "context" | "block">,
  octets: Uint8Array,
  arrival: Arrival,
  nowMs: number,
): QueryContext | undefined {
  const query = decodeQuery(octets);
  if (query.kind !== "query") return undefined;
  // Of a reply for all names below one, the name is another one each time.
  const { folded: name } = query, { zone } = context;
  const asking = { query, octets, arrival, record: undefined, name };
  return makeContext(asking, block, zone, {
    clock: { nowMs: () => nowMs },
    snapshot: () => context.snapshot,
  });
}

function isLabelled({ facts: { labelZones } }: ChainedBlock, name: Name): boolean {
  return labelZones.length > 0 && labelZones.some((zone) => isWithin(name, zone));
}
