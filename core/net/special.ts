/**
 * Address blocks that no client on the Internet has: nothing is to be located by them.
 *
 * From the IANA special-purpose address registries (RFC 6890, RFC 8190) and the multicast and reserved spaces.
 * Not among them is what the registries list as globally reachable (6to4, Teredo and `64:ff9b::/96`, behind which
 * real clients are, AS112, AMT), nor `::ffff:0:0/96`, which never occurs as IPv6 here.
 *
 * @module
 */

import { parsePrefix, type Prefix } from "./address.ts";

/** A block with the name that people know it by. */
export interface SpecialBlock {
  readonly name: string;
  readonly prefix: Prefix;
}

/** The blocks of both families, disjoint. A block's place in this list is its number. */
export const SPECIAL_BLOCKS: readonly SpecialBlock[] = [
  block("0.0.0.0/8", "this network"), // RFC 791
  block("10.0.0.0/8", "private use"), // RFC 1918
  block("100.64.0.0/10", "shared address space"), // RFC 6598
  block("127.0.0.0/8", "loopback"), // RFC 1122
  block("169.254.0.0/16", "link-local"), // RFC 3927
  block("172.16.0.0/12", "private use"), // RFC 1918
  block("192.0.0.0/24", "IETF protocol assignments"), // RFC 6890
  block("192.0.2.0/24", "documentation"), // RFC 5737
  block("192.168.0.0/16", "private use"), // RFC 1918
  block("198.18.0.0/15", "benchmarking"), // RFC 2544
  block("198.51.100.0/24", "documentation"), // RFC 5737
  block("203.0.113.0/24", "documentation"), // RFC 5737
  block("224.0.0.0/4", "multicast"), // RFC 5771
  block("240.0.0.0/4", "reserved"), // RFC 1112, with the limited broadcast address
  block("::/128", "unspecified"), // RFC 4291
  block("::1/128", "loopback"), // RFC 4291
  block("64:ff9b:1::/48", "IPv4/IPv6 translation, local use"), // RFC 8215
  block("100::/64", "discard only"), // RFC 6666
  block("100:0:0:1::/64", "dummy prefix"), // RFC 9780
  block("2001:2::/48", "benchmarking"), // RFC 5180
  block("2001:10::/28", "ORCHID"), // RFC 4843
  block("2001:20::/28", "ORCHIDv2"), // RFC 7343: identifiers, never routed
  block("2001:db8::/32", "documentation"), // RFC 3849
  block("3fff::/20", "documentation"), // RFC 9637
  block("5f00::/16", "segment routing identifiers"), // RFC 9602
  block("fc00::/7", "unique local"), // RFC 4193
  block("fe80::/10", "link-local"), // RFC 4291
  block("fec0::/10", "site-local"), // RFC 3879
  block("ff00::/8", "multicast"), // RFC 4291
];

function block(text: string, name: string): SpecialBlock {
  const prefix = parsePrefix(text);
  if (!prefix) throw new SyntaxError(`Cannot read the network "${text}"`);
  return { name, prefix };
}
