/**
 * Which addresses of this machine the words of a `bind` stand for.
 *
 * @module
 */

import { type Address, formatAddress, parseAddress } from "../net/address.ts";

/** An address of an interface. */
export interface Interface {
  readonly name: string;
  readonly address: string;
}

/** The addresses, in canonical form, that `hosts` stand for just now. */
export function hostAddresses(
  hosts: readonly string[],
  interfaces: () => readonly Interface[] = Deno.networkInterfaces,
): string[] {
  return [...resolveHosts(hosts, interfaces).addresses.values()].map(({ address }) => formatAddress(address));
}

/** An address to listen on; link-local ones are bound to an interface. */
export interface LocalAddress {
  readonly address: Address;
  readonly zone?: string;
}

/** Finds out which addresses `hosts` stand for, by their text; `unknown` are names that stand for none. */
export function resolveHosts(
  hosts: readonly string[],
  interfaces: () => readonly Interface[],
): { addresses: Map<string, LocalAddress>; unknown: string[] } {
  const addresses = new Map<string, LocalAddress>();
  const unknown: string[] = [];
  // Asking for the interfaces takes a permission, which a list of plain addresses does without.
  let known: readonly Interface[] | undefined;
  const all = () => known ??= interfaces();
  for (const host of hosts.length > 0 ? hosts : ["::"]) {
    const [name, ...except] = host.split("!");
    const left = except.flatMap((name) => resolveHost(name, all)).map(textOf);
    const resolved = resolveHost(name!, all);
    if (resolved.length === 0) unknown.push(name!);
    for (const address of resolved) {
      const text = textOf(address);
      if (!left.includes(text)) addresses.set(text, address);
    }
  }
  return { addresses, unknown };
}

function resolveHost(name: string, interfaces: () => readonly Interface[]): LocalAddress[] {
  const given = localAddress(name);
  if (given && !isUnspecified(given.address)) return [given];
  return interfaces()
    .filter((some) => given ? given.address.family === 6 || !some.address.includes(":") : some.name === name)
    .flatMap((some) => localAddress(some.address, some.name) ?? []);
}

/** An address, `fe80::1%eth0` included. */
function localAddress(text: string, interfaceName?: string): LocalAddress | undefined {
  const [digits, zone = interfaceName] = text.split("%");
  const address = parseAddress(digits!);
  if (!address) return undefined;
  return isLinkLocal(address) && zone ? { address, zone } : { address };
}

/** RFC 4291 section 2.5.6: fe80::/10. Such an address means something on one link only. */
export function isLinkLocal({ family, octets }: Address): boolean {
  return family === 6 && octets[0] === 0xfe && (octets[1]! & 0xc0) === 0x80;
}

function isUnspecified({ octets }: Address): boolean {
  return octets.every((octet) => octet === 0);
}

function textOf({ address, zone }: LocalAddress): string {
  return formatAddress(address) + (zone ? `%${zone}` : "");
}
