/** Does an address answer a DNS query? @module */

import { createSocket } from "node:dgram";
import { CLASS, RCODE, rcodeToText } from "../../../core/dns/types.ts";
import type { DnsCheck } from "../check.ts";
import type { Attempt } from "./attempt.ts";

const HEADER_OCTETS = 12;
const QR = 0x80;
const RD = 0x01;

/** Sends one query by UDP, with RD set, and wants NOERROR. Packets that answer something else are passed over. */
export const probeDns: Attempt<DnsCheck> = async (address, check, signal) => {
  const query = encodeQuery(check, crypto.getRandomValues(new Uint16Array(1))[0]!);
  const reply = await exchange(address, check.port, query, signal);
  const rcode = reply[3]! & 15;
  if (rcode !== RCODE.NOERROR) throw new Error(rcodeToText(rcode));
  return { reason: "NOERROR" };
};

/** A query of one question (RFC 1035 section 4.1). */
export function encodeQuery({ name, type }: Pick<DnsCheck, "name" | "type">, id: number): Uint8Array {
  const octets = new Uint8Array(HEADER_OCTETS + name.length + 4);
  const view = new DataView(octets.buffer);
  view.setUint16(0, id);
  octets[2] = RD;
  view.setUint16(4, 1);
  for (let i = 0; i < name.length; i++) octets[HEADER_OCTETS + i] = name.charCodeAt(i);
  view.setUint16(HEADER_OCTETS + name.length, type);
  view.setUint16(HEADER_OCTETS + name.length + 2, CLASS.IN);
  return octets;
}

/** Whether `reply` has the ID and the question of `query`, the case of letters aside (RFC 5452 section 9.1). */
export function answers(query: Uint8Array, reply: Uint8Array): boolean {
  if (reply.length < query.length || !(reply[2]! & QR)) return false;
  const same = (i: number) => lowerCase(query[i]!) === lowerCase(reply[i]!);
  if (query[0] !== reply[0] || query[1] !== reply[1] || reply[4] !== 0 || reply[5] !== 1) return false;
  for (let i = HEADER_OCTETS; i < query.length; i++) if (!same(i)) return false;
  return true;
}

function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

/** The first packet from that address and port that answers `query`: the socket is connected, others do not reach it. */
async function exchange(address: string, port: number, query: Uint8Array, signal: AbortSignal) {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
      socket.on("error", reject);
      socket.on("message", (reply: Uint8Array) => answers(query, reply) && resolve(reply));
      socket.connect(port, address, () => socket.send(query, (error) => error && reject(error)));
    });
  } finally {
    socket.close();
  }
}
