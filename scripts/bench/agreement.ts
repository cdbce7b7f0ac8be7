/** Whether two servers send clients to the same nodes: else they would not be doing the same work. @module */

import { TYPE } from "../../core/dns/types.ts";
import { askServer } from "../../tests/support/server.ts";
import { POOL_NAME } from "./fleet.ts";
import type { Running } from "./server.ts";

const CLIENTS = 500;

/** The share of some random /24 for which both give the same address. */
export async function agreementOf(one: Running, other: Running): Promise<number> {
  let same = 0;
  for (let i = 0; i < CLIENTS; i++) {
    // Steps that share no factor with the space go all over it.
    const number = i * 2_654_435_761 % 2 ** 24;
    const subnet = `${1 + (number >> 16) % 223}.${number >> 8 & 255}.${number & 255}.0/24`;
    const [a, b] = await Promise.all([one, other].map((server) => addressOf(server, subnet)));
    if (a !== undefined && a === b) same++;
  }
  return same / CLIENTS;
}

async function addressOf({ port, address }: Running, subnet: string): Promise<string | undefined> {
  const { answer } = await askServer(port, POOL_NAME, "A", { subnet, address });
  return answer.find(({ type }) => type === TYPE.A)?.rdata.join(".");
}
