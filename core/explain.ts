/**
 * Why a client would be answered what it would be: the very exchange that answers queries, run with a recorder.
 *
 * @module
 */

import type { Answer } from "./answer.ts";
import { decodeClientSubnet, encodeClientSubnet, findOption } from "./dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery, type ResourceRecord } from "./dns/message.ts";
import { fold, formatName, isWithin, type Name } from "./dns/name.ts";
import { formatRdata } from "./dns/rdata.ts";
import { OPTION, rcodeToText, typeToText } from "./dns/types.ts";
import { type Address, formatAddress, formatPrefix, parseAddress, type Prefix } from "./net/address.ts";
import type { Decision } from "./query.ts";
import type { Endpoint } from "./server/arrival.ts";
import type { Configuration } from "./server/configure.ts";
import type { Examine } from "./server/exchange.ts";

/** What to explain. */
export interface ExplainRequest {
  readonly name: Name;
  readonly type: number;
  /** The network to send as ECS; a full-length one stands for an address. Absent = no ECS, asked from loopback. */
  readonly client?: Prefix;
  /** Where the query comes from; 127.0.0.1 by default. */
  readonly source?: Address;
}

/** Why the answer is what it is; plain data, for people and for programs. */
export interface Explanation {
  readonly question: string;
  readonly client: string;
  /** When it was asked, milliseconds since 1970: what instants in it are to be measured from. */
  readonly nowMs: number;
  readonly rcode: string;
  /** Records of the reply as it went out, in master file form, section by section. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  /** The ECS scope; absent where the query had no ECS or it was not answered. */
  readonly scopePrefixLength?: number;
  readonly dependence?: Answer["dependence"];
  readonly selections: NonNullable<Answer["selections"]>;
  readonly decisions: readonly Decision[];
}

/** Explains one question, asked at `nowMs`; the records come from the octets that would have been sent. */
export async function explain(
  request: ExplainRequest,
  examine: Examine,
  configuration: Configuration,
  nowMs: number,
): Promise<Explanation> {
  const decisions: Decision[] = [];
  const source = { address: request.source ?? LOOPBACK, port: 0 };
  const arrival = { source, server: serverFor(request, configuration), transport: "udp" as const };
  const outcome = await examine(encodeRequest(request), arrival, (decision) => void decisions.push(decision));
  const about = {
    question: `${formatName(request.name)} ${typeToText(request.type)}`,
    client: request.client ? formatPrefix(request.client) : formatAddress(source.address),
    nowMs,
    selections: outcome.answer?.selections ?? [],
    decisions,
    ...(outcome.answer && { dependence: outcome.answer.dependence }),
  };
  if (!outcome.octets) return { ...about, rcode: "(no reply)", answer: [], authority: [], additional: [] };
  const reply = decodeMessage(outcome.octets);
  const subnet = reply.edns && findOption(reply.edns.options, OPTION.CLIENT_SUBNET);
  return {
    ...about,
    rcode: rcodeToText(reply.rcode),
    answer: reply.answer.map(formatRecord),
    authority: reply.authority.map(formatRecord),
    additional: reply.additional.map(formatRecord),
    ...(subnet && { scopePrefixLength: decodeClientSubnet(subnet.data)!.scopePrefixLength }),
  };
}

/** A record as a line of a master file. */
export function formatRecord({ name, type, ttl, rdata }: ResourceRecord): string {
  return `${formatName(name)} ${ttl} IN ${typeToText(type)} ${formatRdata(type, rdata)}`;
}

const LOOPBACK = parseAddress("127.0.0.1")!;

/** The query as a resolver would send it, without a size limit of its own. */
function encodeRequest({ name, type, client }: ExplainRequest): Uint8Array {
  const subnet = client && encodeClientSubnet({ address: client, sourcePrefixLength: client.length });
  return encodeMessage(
    makeQuery(0, name, type, { edns: { payloadSize: 4096, options: subnet ? [subnet] : [] } }),
  );
}

/** Where a resolver would have sent it: an endpoint of the block with the longest zone that holds the name. */
function serverFor({ name }: ExplainRequest, { blocks }: Configuration): Endpoint {
  const folded = fold(name);
  const candidates = blocks.flatMap(({ endpoints, listenOn }) =>
    endpoints.filter(({ zone }) => isWithin(folded, zone)).map((endpoint) => ({ ...endpoint, listenOn }))
  );
  const [best] = candidates.sort((a, b) => b.zone.length - a.zone.length);
  const address = best?.listenOn.map(parseAddress).find((address) => address !== undefined);
  return { address: address ?? LOOPBACK, port: best?.port ?? 53 };
}
