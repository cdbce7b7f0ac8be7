/**
 * Looks into replies of our own, as octets: where what is changed for the next query stands.
 *
 * @module
 */

import { TYPE } from "../../dns/types.ts";

const HEADER_OCTETS = 12;

/** Where the record after the one that begins at `at` would begin. */
function recordEnd(octets: Uint8Array, at: number): number {
  const head = nameEnd(octets, at);
  return head + 10 + (octets[head + 8]! << 8 | octets[head + 9]!);
}

function nameEnd(octets: Uint8Array, at: number): number {
  while (octets[at]! > 0 && octets[at]! < 64) at += 1 + octets[at]!;
  return octets[at] === 0 ? at + 1 : at + 2;
}

/** How many records a reply has that begins at `start`. */
function recordCount(octets: Uint8Array, start: number): number {
  let count = 0;
  for (let at = start + 6; at < start + HEADER_OCTETS; at += 2) count += octets[at]! << 8 | octets[at + 1]!;
  return count;
}

/**
 * Where the data of an option begins in a reply whose question ends at `questionEnd`; 0 where it has none. Options stand in
 * the OPT record, which is the last record.
 */
export function optionAt(reply: Uint8Array, questionEnd: number, code: number): number {
  let at = questionEnd;
  for (let left = recordCount(reply, 0); left > 1; left--) at = recordEnd(reply, at);
  if (at + 11 > reply.length || reply[at] !== 0 || reply[at + 2] !== TYPE.OPT) return 0;
  for (let option = at + 11; option + 4 <= reply.length;) {
    if ((reply[option]! << 8 | reply[option + 1]!) === code) return option + 4;
    option += 4 + (reply[option + 2]! << 8 | reply[option + 3]!);
  }
  return 0;
}

/** Takes whole seconds off every TTL of the reply that begins at `start`. */
export function countDown(octets: Uint8Array, start: number, questionEnd: number, seconds: number): void {
  let at = start + questionEnd;
  for (let left = recordCount(octets, start); left > 0; left--) {
    const head = nameEnd(octets, at);
    at = recordEnd(octets, at);
    if (octets[head] === 0 && octets[head + 1] === TYPE.OPT) continue;
    const ttl =
      (octets[head + 4]! << 24 | octets[head + 5]! << 16 | octets[head + 6]! << 8 | octets[head + 7]!) >>> 0;
    const rest = Math.max(0, ttl - seconds);
    octets[head + 4] = rest >>> 24;
    octets[head + 5] = rest >>> 16;
    octets[head + 6] = rest >>> 8;
    octets[head + 7] = rest;
  }
}
