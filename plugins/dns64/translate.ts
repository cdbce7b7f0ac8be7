/**
 * IPv4 addresses inside IPv6 ones (RFC 6052 section 2.2), and the reverse names of such (RFC 6147 section 5.3.1).
 *
 * @module
 */

import { isWithin, labels, type Name, parseName, type Prefix } from "../../core/plugin.ts";

/** How long a prefix may be. */
export const LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96];

/** Bits 64 to 71, the "u" octet, are zero whatever the prefix. */
export const U_OCTET = 8;

/** ip6.arpa, folded. */
const IP6_ARPA = parseName("ip6.arpa.");

/** The IPv6 address that stands for an IPv4 one, both as octets. */
export function embed({ octets: prefix, length }: Prefix, ipv4: Uint8Array): Uint8Array {
  const octets = prefix.slice();
  for (const [i, at] of placesOf(length).entries()) octets[at] = ipv4[i]!;
  return octets;
}

/** The IPv4 address that an IPv6 one below the prefix stands for. */
export function extract({ length }: Prefix, ipv6: Uint8Array): Uint8Array {
  return Uint8Array.from(placesOf(length), (at) => ipv6[at]!);
}

/** The reverse name of the IPv4 address that a whole name in ip6.arpa, folded, stands for; undefined when it stands for none. */
export function mapReverse(prefix: Prefix, name: Name): Name | undefined {
  if (!isWithin(name, IP6_ARPA)) return undefined;
  const nibbles = labels(name).slice(0, -2);
  if (nibbles.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined;
  const hex = nibbles.reverse().join("");
  const ipv6 = Uint8Array.from({ length: 16 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  const ipv4 = extract(prefix, ipv6);
  // What is more than the prefix and the address, the u octet and the suffix, has to be zero.
  if (!embed(prefix, ipv4).every((octet, i) => octet === ipv6[i])) return undefined;
  return parseName(`${ipv4.toReversed().join(".")}.in-addr.arpa.`);
}

/** Where the four octets go. */
function placesOf(length: number): number[] {
  const places: number[] = [];
  for (let at = length / 8; places.length < 4; at++) {
    if (at !== U_OCTET || length === 96) places.push(at);
  }
  return places;
}
