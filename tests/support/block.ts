/**
 * Server blocks without sockets, asked one question after the other, for tests of what plugins make of queries and
 * replies.
 *
 * @module
 */

import {
  decodeMessage,
  encodeMessage,
  makeQuery,
  type Message,
  type ResourceRecord,
} from "../../core/dns/message.ts";
import { formatName, parseName } from "../../core/dns/name.ts";
import { formatRdata } from "../../core/dns/rdata.ts";
import { encodeClientSubnet } from "../../core/dns/edns.ts";
import { classFromText, classToText, rcodeToText, typeFromText, typeToText } from "../../core/dns/types.ts";
import { parseAddress, parsePrefix } from "../../core/net/address.ts";
import type { Geography } from "../../core/fleet/place.ts";
import { CITIES, geography as makeGeography, NOW_MS } from "../core/fleet/make.ts";
import { VirtualServer } from "./virtual_server.ts";

/** How to ask. */
export interface BlockQuestion {
  readonly id?: number;
  readonly class?: string;
  readonly source?: string;
  readonly subnet?: string;
  readonly transport?: "udp" | "tcp";
  readonly dnssecOk?: boolean;
  readonly checkingDisabled?: boolean;
  readonly recursionDesired?: boolean;
  readonly options?: readonly { readonly code: number; readonly data: Uint8Array }[];
  /** False: a query without OPT record. */
  readonly edns?: false;
}

/** A running server. */
export interface AskedBlock {
  readonly virtual: VirtualServer;
  /** Lines of the query log. */
  readonly lines: readonly string[];
  /** Undefined = silence. */
  message(name: string, type?: string, how?: BlockQuestion): Promise<Message | undefined>;
  /** The reply in a line for each record, behind its RCODE and flags: see {@linkcode replyText}. */
  ask(name: string, type?: string, how?: BlockQuestion): Promise<string[]>;
  close(): Promise<void>;
}

/** 198.51.100.0/24 is in Frankfurt, 203.0.113.0/25 in New York. */
export const GEOGRAPHY: Geography = makeGeography(
  [CITIES.frankfurt, CITIES.newYork],
  { "198.51.100.0/24": 1, "203.0.113.0/25": 2 },
);

/** Starts what a Corefile says, on port 1053. @throws When it has problems. */
export async function startBlock(corefile: string): Promise<AskedBlock> {
  const lines: string[] = [];
  const virtual = await VirtualServer.start({
    corefile: `{\n    state off\n}\n${corefile}`,
    startMs: NOW_MS,
    geography: GEOGRAPHY,
    partitions: false,
    random: () => 0.5,
    writeLine: (line) => void lines.push(line),
    script: () => ({ durationMs: 1 }),
  });
  const message: AskedBlock["message"] = async (name, type = "A", how = {}) => {
    const { octets } = await virtual.server.answering.examine(encode(name, type, how), {
      source: { address: parseAddress(how.source ?? "127.0.0.1")!, port: 5353 },
      server: { address: parseAddress("127.0.0.1")!, port: 1053 },
      transport: how.transport ?? "udp",
    });
    return octets && decodeMessage(octets);
  };
  return {
    virtual,
    lines,
    message,
    async ask(name, type, how) {
      const reply = await message(name, type, how);
      return reply ? replyText(reply) : ["silence"];
    },
    close: () => virtual.close(),
  };
}

/**
 * `NOERROR aa rd`, then `www.example.org. 60 A 192.0.2.1` for each record of the answer, and those of the authority and
 * the additional section behind `authority` and `additional`. A class other than IN stands behind the TTL.
 */
export function replyText(reply: Message): string[] {
  const flags = [
    reply.authoritative && "aa",
    reply.truncated && "tc",
    reply.recursionDesired && "rd",
    reply.recursionAvailable && "ra",
    reply.checkingDisabled && "cd",
  ];
  return [
    [rcodeToText(reply.rcode), ...flags.filter((flag) => flag)].join(" "),
    ...reply.answer.map(recordText),
    ...reply.authority.map((record) => `authority ${recordText(record)}`),
    ...reply.additional.map((record) => `additional ${recordText(record)}`),
  ];
}

function recordText({ name, ttl, type, class: dnsClass, rdata }: ResourceRecord): string {
  const middle = dnsClass === 1 ? typeToText(type) : `${classToText(dnsClass)} ${typeToText(type)}`;
  return `${formatName(name)} ${ttl} ${middle} ${formatRdata(type, rdata)}`;
}

function encode(name: string, type: string, how: BlockQuestion): Uint8Array {
  const subnet = how.subnet === undefined ? undefined : parsePrefix(how.subnet)!;
  const options = [
    ...how.options ?? [],
    ...subnet ? [encodeClientSubnet({ address: subnet, sourcePrefixLength: subnet.length })] : [],
  ];
  return encodeMessage(makeQuery(how.id ?? 1, parseName(name), typeFromText(type)!, {
    recursionDesired: how.recursionDesired ?? false,
    checkingDisabled: how.checkingDisabled ?? false,
    class: classFromText(how.class ?? "IN")!,
    ...how.edns !== false && { edns: { options, dnssecOk: how.dnssecOk ?? false } },
  }));
}

/** Writes a zone file for the time of a test. */
export function zoneFile(text: string): string {
  const path = Deno.makeTempFileSync({ suffix: ".zone" });
  Deno.writeTextFileSync(path, text);
  return path;
}
