/**
 * Holds what `explain` says against the octets of a reply.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodeClientSubnet, encodeClientSubnet, findOption } from "../../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { OPTION, rcodeToText } from "../../../core/dns/types.ts";
import { explain, type Explanation, formatRecord } from "../../../core/explain.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { TestServer } from "../../support/server.ts";
import { formatTriple, type Random, randomTriple, type Triple, type World } from "./world.ts";

/** What both must agree on: RCODE, every record with its TTL in order, the scope. */
export type Said = Pick<Explanation, "rcode" | "answer" | "authority" | "additional" | "scopePrefixLength">;

/** The query that a resolver would send for a triple; ID 0, as the order of records follows the ID. */
export function encodeTriple({ name, type, client }: Triple): Uint8Array {
  const subnet = client && encodeClientSubnet({ address: client, sourcePrefixLength: client.length });
  const edns = { payloadSize: 4096, options: subnet ? [subnet] : [] };
  return encodeMessage(makeQuery(0, parseName(name), type, { edns }));
}

/** What a reply says. */
export function readReply(octets: Uint8Array): Said {
  const reply = decodeMessage(octets);
  const option = reply.edns && findOption(reply.edns.options, OPTION.CLIENT_SUBNET);
  const scope = option && decodeClientSubnet(option.data)?.scopePrefixLength;
  return {
    rcode: rcodeToText(reply.rcode),
    answer: reply.answer.map(formatRecord),
    authority: reply.authority.map(formatRecord),
    additional: reply.additional.map(formatRecord),
    ...scope !== undefined && { scopePrefixLength: scope },
  };
}

/** What `explain` says of a triple. */
export async function explainTriple(test: TestServer, { name, type, client }: Triple): Promise<Explanation> {
  const { answering, configuration } = test.server;
  const request = { name: parseName(name), type, ...client && { client } };
  return await explain(request, answering.examine, configuration, test.server.nowMs());
}

/** Compares many times, in three states of health. @returns How often each kind of answer came up. */
export async function compareMany(
  { server, shuffle }: World,
  times: number,
  random: Random,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  const count = (kind: string) => seen.set(kind, (seen.get(kind) ?? 0) + 1);
  for (let i = 0; i < times; i++) {
    if (i % Math.ceil(times / 3) === 0) await shuffle(random);
    const { rcode, selections, scopePrefixLength } = await compareInProcess(server, randomTriple(random));
    count(rcode);
    for (const { why } of selections) count(why.replace(/ to .*/, ""));
    count(scopePrefixLength === undefined ? "no ECS" : scopePrefixLength === 0 ? "scope 0" : "a scope");
  }
  return seen;
}

/** Runs the plain exchange on the octets of a triple's query and holds the explanation against what comes out. */
async function compareInProcess(test: TestServer, triple: Triple): Promise<Explanation> {
  const explanation = await explainTriple(test, triple);
  const { octets } = await test.server.answering.examine(encodeTriple(triple), {
    source: { address: parseAddress("127.0.0.1")!, port: 12345 },
    server: { address: parseAddress("127.0.0.1")!, port: test.port },
    transport: "udp",
  });
  assertSame(explanation, readReply(octets!), triple);
  return explanation;
}

/** @throws When the explanation says something else than the reply. */
export function assertSame(explanation: Said, reply: Said, triple: Triple): void {
  const { rcode, answer, authority, additional, scopePrefixLength } = explanation;
  const explained = {
    ...{ rcode, answer, authority, additional },
    ...scopePrefixLength !== undefined && { scopePrefixLength },
  };
  // Comparing texts is a hundred times faster than deepEqual, which is for telling the difference.
  if (JSON.stringify(explained) === JSON.stringify(reply)) return;
  assert.deepEqual(explained, reply, formatTriple(triple));
}
