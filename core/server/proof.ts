/**
 * Asks a server that nobody knows of yet about itself: every zone whose data it holds, and every name that a pool answers.
 *
 * @module
 */

import { encodeMessage, makeQuery } from "../dns/message.ts";
import type { Name } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { type Address, parseAddress } from "../net/address.ts";
import type { Configuration } from "./configure.ts";
import type { Examine } from "./exchange.ts";

/** How many questions in one turn of the event loop: the server that is to be replaced goes on answering. */
const TURN = 50;

/**
 * Asks, and waits for all answers. What they say is not judged: policy may refuse this client. A bug that one meets is
 * counted by whoever counts them.
 */
export async function askItself(
  { blocks }: Configuration,
  examine: Examine,
  addressesOf: (hosts: readonly string[]) => readonly string[],
): Promise<void> {
  const source = { address: parseAddress("127.0.0.1")!, port: 0 };
  let asked = 0;
  for (const { facts, endpoints, listenOn } of blocks) {
    const address = addressIn(listenOn.length > 0 ? addressesOf(listenOn) : []);
    const port = endpoints[0]?.port ?? 53;
    for (const { name, type } of questionsOf(facts)) {
      const query = encodeMessage(makeQuery(asked & 0xffff, name, type));
      await examine(query, { source, server: { address, port }, transport: "udp" }, () => {});
      if (++asked % TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

function questionsOf(facts: Configuration["blocks"][number]["facts"]): { name: Name; type: number }[] {
  return [
    ...facts.dataZones.map((name) => ({ name, type: TYPE.SOA })),
    ...facts.owned.flatMap(({ name, types }) => types.map((type) => ({ name, type }))),
  ];
}

function addressIn([first]: readonly string[]): Address {
  return (first && parseAddress(first.split("%")[0]!)) || parseAddress("127.0.0.1")!;
}
