/**
 * How a server asks a block of its own, as plugins do that need an address or a record.
 *
 * @module
 */

import { type Answer, emptyAnswer } from "../answer.ts";
import type { Name } from "../dns/name.ts";
import { CLASS, RCODE } from "../dns/types.ts";
import { parseAddress } from "../net/address.ts";
import type { Snapshot } from "../snapshot.ts";
import type { ChainedBlock } from "./chained_block.ts";

/** Asks a block's chain on behalf of nobody: no address that a location could be found for, no ECS. */
export async function askBlock(
  blocks: readonly ChainedBlock[],
  key: string,
  name: Name,
  type: number,
  snapshot: Snapshot,
  nowMs: number,
): Promise<Answer> {
  const block = blocks.find(({ facts }) => facts.key === key);
  if (!block) return emptyAnswer(RCODE.REFUSED);
  const nobody = { address: parseAddress("::")!, port: 0 };
  return await block.chain({
    question: { name, type, class: CLASS.IN },
    name,
    zone: block.facts.zones[0]!,
    messageId: 0,
    recursionDesired: false,
    checkingDisabled: false,
    source: nobody,
    server: nobody,
    transport: "udp",
    sizeOctets: 0,
    octets: new Uint8Array(0),
    nowMs,
    snapshot,
    ecs: false,
    rehearsed: true,
  });
}
