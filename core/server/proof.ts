/**
 * Asks a server that nobody knows of yet about itself.
 *
 * @module
 */

import { encodeMessage, makeQuery } from "../dns/message.ts";
import { parseAddress } from "../net/address.ts";
import type { Configuration } from "./configure.ts";
import type { Examine } from "./exchange.ts";
import { ownQuestions } from "./own_questions.ts";

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
  for (const { name, type, server } of ownQuestions(blocks, addressesOf)) {
    const query = encodeMessage(makeQuery(asked & 0xffff, name, type));
    await examine(query, { source, server, transport: "udp" }, () => {});
    if (++asked % TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
