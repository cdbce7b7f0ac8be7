/**
 * What a server asks itself: every zone whose data it holds, and every name that a pool answers.
 *
 * @module
 */

import type { Name } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { type Address, parseAddress } from "../net/address.ts";
import type { BlockFacts } from "../plugin.ts";
import type { Endpoint } from "./arrival.ts";
import type { BlockConfiguration } from "./configure.ts";

/** One question, and where it would come to. */
export interface OwnQuestion {
  readonly name: Name;
  readonly type: number;
  readonly server: Endpoint;
}

/** Those of some blocks. `addressesOf` says which addresses the words of a `bind` stand for. */
export function* ownQuestions(
  blocks: readonly BlockConfiguration[],
  addressesOf: (hosts: readonly string[]) => readonly string[],
): Generator<OwnQuestion> {
  // The system is asked once for all blocks that listen on the same.
  const known = new Map<string, Address>();
  for (const { facts, endpoints, listenOn } of blocks) {
    const hosts = listenOn.join(" "),
      address = known.get(hosts) ?? addressIn(hosts ? addressesOf(listenOn) : []);
    known.set(hosts, address);
    const server = Object.freeze({ address, port: endpoints[0]?.port ?? 53 });
    for (const question of questionsOf(facts)) yield { ...question, server };
  }
}

function questionsOf({ dataZones, owned }: BlockFacts): { name: Name; type: number }[] {
  return [
    ...dataZones.map((name) => ({ name, type: TYPE.SOA })),
    ...owned.flatMap(({ name, types }) => types.map((type) => ({ name, type }))),
  ];
}

function addressIn([first]: readonly string[]): Address {
  return (first && parseAddress(first.split("%")[0]!)) || LOOPBACK;
}

const LOOPBACK = parseAddress("127.0.0.1")!;
