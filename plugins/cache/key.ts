/**
 * Under what an answer is kept: everything that changes it.
 *
 *     QUESTION   name, type, DO, CD, RD, and the options that rewrite has for upstreams; the class is IN
 *     NETWORK    ""          any client: what upstream was not told of networks, or said for all of them
 *                none, zero  clients that told no network, or that none must be told (RFC 7871 section 7.1.2)
 *                4/24/…      clients of this network (RFC 7871 section 7.3.1)
 *                =4/24/…     clients that told just this network: more of the address would have told more
 *
 * @module
 */

import { octetString } from "../../core/dns/wire.ts";
import { type Answer, type ClientSubnet, prefixOf, type QueryContext } from "../../core/plugin.ts";

/** The part of the key that the question gives. */
export function questionKey(context: QueryContext): string {
  const { name, question: { type }, edns, checkingDisabled, recursionDesired, passedOptions = [] } = context;
  const flags = +(edns?.dnssecOk ?? false) | +checkingDisabled << 1 | +recursionDesired << 2;
  const options = passedOptions.map(({ code, data }) => `${code}:${data.toHex()}`).join();
  return `${flags} ${type} ${options} ${name}`;
}

/** The networks for which answers are kept, as far as their lengths: few, and they grow to what families have. */
export class NetworkLengths {
  readonly #lengths = { 4: new Set<number>(), 6: new Set<number>() };

  /** Whether there is an answer for no network. */
  get isEmpty(): boolean {
    return this.#lengths[4].size + this.#lengths[6].size === 0;
  }

  /** The part of the key that an answer to this query is kept under. */
  networkOf({ edns, ecs }: QueryContext, { dependence: { keys, scopePrefixLength } }: Answer): string {
    if (!keys.includes("tailored")) return "";
    const subnet = ecs ? edns?.clientSubnet : undefined;
    if (!subnet || subnet.sourcePrefixLength === 0) return subnet ? "zero" : "none";
    const isTooCoarse = scopePrefixLength > subnet.sourcePrefixLength;
    const length = Math.min(scopePrefixLength, subnet.sourcePrefixLength);
    this.#lengths[subnet.address.family].add(length);
    return isTooCoarse ? `=${textOf(subnet, length)}` : textOf(subnet, length);
  }

  /** The networks under which there may be an answer for this query, the nearest first. */
  candidatesFor({ edns, ecs }: QueryContext): string[] {
    const subnet = ecs ? edns?.clientSubnet : undefined;
    if (!subnet || subnet.sourcePrefixLength === 0) return [subnet ? "zero" : "none", ""];
    const lengths = [...this.#lengths[subnet.address.family]]
      .filter((length) => length <= subnet.sourcePrefixLength)
      .sort((a, b) => b - a);
    if (lengths.length === 0) return [""];
    const exact = `=${textOf(subnet, subnet.sourcePrefixLength)}`;
    return [exact, ...lengths.map((length) => textOf(subnet, length)), ""];
  }
}

/** Whether a client told of its network, in a way that answers may depend on. */
export function tellsNetwork({ edns, ecs }: QueryContext): boolean {
  return ecs && (edns?.clientSubnet?.sourcePrefixLength ?? 0) > 0;
}

function textOf({ address }: ClientSubnet, length: number): string {
  return `${address.family}/${length}/${octetString(prefixOf(address, length).octets)}`;
}
