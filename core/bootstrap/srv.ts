/** Which of several servers first: SRV records (RFC 2782). @module */

import type { ResourceRecord } from "../dns/message.ts";
import type { Name } from "../dns/name.ts";
import { WireReader } from "../dns/wire.ts";

/** What an SRV record says. */
export interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** The root = the service is not to be had at this name. */
  readonly target: Name;
}

/** Reads RDATA that a message was decoded with. */
export function readSrv({ rdata }: Pick<ResourceRecord, "rdata">): Srv {
  const reader = new WireReader(rdata);
  return { priority: reader.u16(), weight: reader.u16(), port: reader.u16(), target: reader.plainName() };
}

/** In the order in which they are to be tried: by priority, and among equals drawn by weight. */
export function srvOrder(records: readonly Srv[], random32: () => number): Srv[] {
  const byPriority = [...Map.groupBy(records, ({ priority }) => priority)].sort(([a], [b]) => a - b);
  return byPriority.flatMap(([, equals]) => drawByWeight(equals, random32));
}

/** RFC 2782, "Weight": those of weight 0 stand first, so that they keep a small chance beside others. */
function drawByWeight(equals: readonly Srv[], random32: () => number): Srv[] {
  const left = equals.toSorted((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
  const drawn: Srv[] = [];
  while (left.length > 0) {
    const sum = left.reduce((sum, { weight }) => sum + weight, 0);
    // From 0 to the sum, both included. The sum of a few 16-bit weights is far below 2³², so the bias is none to speak of.
    const wanted = random32() % (sum + 1);
    let running = 0;
    const at = left.findIndex(({ weight }) => (running += weight) >= wanted);
    drawn.push(...left.splice(at, 1));
  }
  return drawn;
}
