/**
 * Connections by where they come from: by address, which for IPv6 is the /64 that one client has, and by network, an
 * IPv4 /24 or an IPv6 /48.
 *
 * @module
 */

import type { Address } from "../net/address.ts";

/** Something that came from somewhere. */
export interface FromSomewhere {
  readonly source: Address;
}

/** How much of an address the two kinds of crowd have in common, in octets. */
const ADDRESS_OCTETS = { 4: 4, 6: 8 } as const, NETWORK_OCTETS = { 4: 3, 6: 6 } as const;

/** Members by address and by network. As large as there are members. */
export class Crowds<Member extends FromSomewhere> {
  readonly #addresses = new Map<string, Set<Member>>();
  readonly #networks = new Map<string, Set<Member>>();

  add(member: Member): void {
    join(this.#addresses, addressOf(member.source), member);
    join(this.#networks, networkOf(member.source), member);
  }

  delete(member: Member): void {
    leave(this.#addresses, addressOf(member.source), member);
    leave(this.#networks, networkOf(member.source), member);
  }

  /** Those from the same address. */
  atAddress(source: Address): ReadonlySet<Member> {
    return this.#addresses.get(addressOf(source)) ?? NOBODY;
  }

  /** Those from the same network. */
  inNetwork(source: Address): ReadonlySet<Member> {
    return this.#networks.get(networkOf(source)) ?? NOBODY;
  }

  /** The crowd that takes more room than a newcomer from `source` would with those it is of: an address's, else a network's. */
  largerThanAt(source: Address): ReadonlySet<Member> | undefined {
    const address = largest(this.#addresses);
    if (address.size > this.atAddress(source).size + 1) return address;
    const network = largest(this.#networks);
    return network.size > this.inNetwork(source).size + 1 ? network : undefined;
  }
}

const NOBODY: ReadonlySet<never> = new Set<never>();

function addressOf({ family, octets }: Address): string {
  return octets.subarray(0, ADDRESS_OCTETS[family]).toHex();
}

function networkOf({ family, octets }: Address): string {
  return octets.subarray(0, NETWORK_OCTETS[family]).toHex();
}

function join<Member>(crowds: Map<string, Set<Member>>, key: string, member: Member): void {
  const crowd = crowds.get(key);
  if (crowd) crowd.add(member);
  else crowds.set(key, new Set([member]));
}

function leave<Member>(crowds: Map<string, Set<Member>>, key: string, member: Member): void {
  const crowd = crowds.get(key);
  crowd?.delete(member);
  if (crowd?.size === 0) crowds.delete(key);
}

function largest<Member>(crowds: ReadonlyMap<string, ReadonlySet<Member>>): ReadonlySet<Member> {
  let found: ReadonlySet<Member> = NOBODY;
  for (const crowd of crowds.values()) if (crowd.size > found.size) found = crowd;
  return found;
}
