/**
 * Draws that come out the same on every server: weighted rendezvous hashing, keyed by the client's leaf. Decision
 * 0001 has the formulas; all arithmetic is of 32 bit.
 *
 * @module
 */

import type { Prefix } from "../net/address.ts";
import type { NetworkCursor } from "../net/network_table.ts";

/** What a draw is for, so that who rests in a ramp and who is picked are independent. */
export type Use = "pick" | "ramp";

const FNV_BASIS = 0x811c9dc5, FNV_PRIME = 0x01000193;

/** The hash of a leaf. */
export function leafHash({ family, length, octets }: Prefix): number {
  let hash = fnvStep(fnvStep(FNV_BASIS, family), length);
  for (let i = 0; i < octets.length; i++) hash = fnvStep(hash, octets[i]!);
  return hash >>> 0;
}

/** The same of the network at which a cursor stands, from its words. */
export function leafHashAt({ family, start, length }: NetworkCursor): number {
  let hash = fnvStep(fnvStep(FNV_BASIS, family), length);
  for (let at = 0; at < start.length; at++) {
    const word = start[at]!;
    hash = word === 0 ? Math.imul(hash, FOUR_ZEROS) : fnvStep(
      fnvStep(fnvStep(fnvStep(hash, word >>> 24), word >>> 16 & 255), word >>> 8 & 255),
      word & 255,
    );
  }
  return hash >>> 0;
}

/** What four octets of zero multiply a hash by. */
const FOUR_ZEROS = Math.imul(Math.imul(FNV_PRIME, FNV_PRIME), Math.imul(FNV_PRIME, FNV_PRIME));

/** The hash of a node of a pool, mixed: what {@linkcode draw} takes. */
export function nodeHash(use: Use, pool: string, nodeId: string): number {
  let hash = FNV_BASIS;
  for (const octet of new TextEncoder().encode(`${use}\0${pool}\0${nodeId}`)) hash = fnvStep(hash, octet);
  return mix(hash);
}

/** A number above 0 and below 1, of a leaf's hash and a node's. */
export function draw(leaf: number, node: number): number {
  return (mix(leaf ^ node) + 0.5) / 2 ** 32;
}

/** What a node of some weight scores with its draw: the greatest wins, in proportion to the weights. */
export function rendezvousScore(weight: number, drawn: number): number {
  return weight / -Math.log(drawn);
}

function fnvStep(hash: number, octet: number): number {
  return Math.imul(hash ^ octet, FNV_PRIME);
}

function mix(hash: number): number {
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
