/**
 * Orders of records. None leaves a record out or makes one.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import { draw, leafHash, nodeHash, rendezvousScore } from "../../core/fleet/rendezvous.ts";
import {
  type Address,
  addressFromOctets,
  type Answer,
  both,
  clientAddress,
  contains,
  fold,
  formatAddress,
  formatName,
  INDEPENDENT,
  mapRRsets,
  type Prefix,
  prefixOf,
  type QueryContext,
  type RRset,
} from "../../core/plugin.ts";
import { DEFAULT_WEIGHT, type Weights } from "./weights.ts";

/** Begins with another record for each message ID, and goes round. */
export function rotated(rrset: RRset, messageId: number): RRset {
  const first = messageId % rrset.rdata.length;
  return first === 0
    ? rrset
    : { ...rrset, rdata: [...rrset.rdata.slice(first), ...rrset.rdata.slice(0, first)] };
}

/**
 * Addresses in an order that a client's network always gets: each stands before the others for a share of all networks
 * that is its weight's share, and so on with those behind it (weighted rendezvous hashing).
 */
export function byWeight(
  answer: Answer,
  context: QueryContext,
  weights: Weights,
  isFree: (rrset: RRset) => boolean,
): Answer {
  if (!WEIGHTED_QUESTIONS.has(context.question.type)) return answer;
  const network = clientNetwork(context), leaf = leafHash(network);
  let isChosen = false;
  const ordered = mapRRsets(answer, (rrset) => {
    if (!isFree(rrset) || !isAddress(rrset)) return rrset;
    isChosen = true;
    return weighted(rrset, leaf, weights);
  });
  if (!isChosen) return answer;
  const dependence = { ...INDEPENDENT, scopePrefixLength: network.length, keys: ["tailored" as const] };
  return { ...ordered, dependence: both(answer.dependence, dependence) };
}

const WEIGHTED_QUESTIONS: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.SRV]);

function weighted(rrset: RRset, leaf: number, weights: Weights): RRset {
  const name = fold(rrset.name), owner = formatName(name), ofName = weights.get(name);
  const scored = rrset.rdata.map((rdata) => {
    const address = formatAddress(addressOf(rdata));
    const drawn = draw(leaf, nodeHash("pick", owner, address));
    return { rdata, address, score: rendezvousScore(ofName?.get(address) ?? DEFAULT_WEIGHT, drawn) };
  });
  // Equal scores come in the order of the addresses, so that every server has the same.
  scored.sort((a, b) => b.score - a.score || (a.address < b.address ? -1 : 1));
  return { ...rrset, rdata: scored.map(({ rdata }) => rdata) };
}

/** The network that the order is for: the leaf that geo has the client in, or else a /24 or /56. */
function clientNetwork(context: QueryContext): Prefix {
  if (context.locate) return context.locate().network;
  const { address } = clientAddress(context);
  return prefixOf(address, address.family === 4 ? 24 : 56);
}

/** Addresses in some networks first, those of the first network before all; else in the order that they had. */
export function preferred(rrset: RRset, networks: readonly Prefix[]): RRset {
  if (!isAddress(rrset)) return rrset;
  const rank = (rdata: Uint8Array) => {
    const address = addressOf(rdata), found = networks.findIndex((network) => contains(network, address));
    return found < 0 ? networks.length : found;
  };
  return { ...rrset, rdata: rrset.rdata.toSorted((a, b) => rank(a) - rank(b)) };
}

/** Aliases in front of addresses: some clients read no further (as CoreDNS has it). */
export function aliasesFirst(answer: Answer): Answer {
  const last = answer.answer.findLastIndex(({ type }) => type === TYPE.CNAME);
  if (!answer.answer.slice(0, Math.max(0, last)).some(isAddress)) return answer;
  const isAlias = ({ type }: RRset) => type === TYPE.CNAME;
  return {
    ...answer,
    answer: [...answer.answer.filter(isAlias), ...answer.answer.filter((rrset) => !isAlias(rrset))],
  };
}

function isAddress({ type }: RRset): boolean {
  return type === TYPE.A || type === TYPE.AAAA;
}

function addressOf(rdata: Uint8Array): Address {
  return addressFromOctets(rdata);
}
