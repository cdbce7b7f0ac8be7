/**
 * The names in RDATA that lookup follows.
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import type { Name } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";

/** Where in the RDATA the host's name begins, for the types whose addresses are sent along. */
const HOST_OFFSET: Readonly<Record<number, number>> = { [TYPE.NS]: 0, [TYPE.MX]: 2, [TYPE.SRV]: 6 };

/** The uncompressed name at `offset`, which reaches to the end of the RDATA. */
export function nameInRdata(rdata: Uint8Array, offset: number): Name {
  return String.fromCharCode(...rdata.subarray(offset)) as Name;
}

/** Whether records of a type name hosts whose addresses are sent along. */
export function namesHosts({ type }: RRset): boolean {
  return HOST_OFFSET[type] !== undefined;
}

/** The hosts that NS, MX and SRV records name, in order; none for other types. */
export function hostsIn({ type, rdata }: RRset): Name[] {
  const offset = HOST_OFFSET[type];
  return offset === undefined ? [] : rdata.map((one) => nameInRdata(one, offset));
}
