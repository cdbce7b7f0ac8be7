/**
 * IP addresses and prefixes as plain values. Knows nothing of DNS.
 *
 * @module
 */

/** 4 or 6: the version of the Internet Protocol. */
export type Family = 4 | 6;

/** An IP address: 4 octets for IPv4, 16 for IPv6. IPv4-mapped IPv6 never occurs: parsing turns it into IPv4. */
export interface Address {
  readonly family: Family;
  readonly octets: Uint8Array;
}

/** A network: every octet past `length` bits is zero. */
export interface Prefix {
  readonly family: Family;
  readonly octets: Uint8Array;
  /** Bits that are significant: 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number;
}

/** How many bits an address of a family has. */
export function familyBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** An address from its octets, an IPv4-mapped one (RFC 4291 section 2.5.5.2) as the IPv4 address it stands for. */
export function addressFromOctets(octets: Uint8Array): Address {
  if (octets.length === 4) return { family: 4, octets };
  if (octets.length !== 16) throw new RangeError(`Cannot make an address of ${octets.length} octets`);
  const mapped = octets.subarray(0, 10).every((octet) => octet === 0) && octets[10] === 255 &&
    octets[11] === 255;
  return mapped ? { family: 4, octets: octets.slice(12) } : { family: 6, octets };
}

/** Reads an address in its usual text form, or returns undefined. No zone index, no leading zeros, no blanks. */
export function parseAddress(text: string): Address | undefined {
  const octets = text.includes(":") ? parseIPv6(text) : parseIPv4(text);
  return octets && addressFromOctets(octets);
}

/** The canonical text form: dotted quad, or RFC 5952. */
export function formatAddress({ family, octets }: { family: Family; octets: Uint8Array }): string {
  return family === 4 ? octets.join(".") : formatIPv6(octets);
}

/** Reads `ADDRESS/LENGTH`, or a bare address as its full-length prefix. Bits past the length must be zero. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const bits = familyBits(address.family);
  if (slash < 0) return { ...address, length: bits };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > bits) return undefined;
  const prefix = prefixOf(address, Number(digits));
  return prefix.octets.every((octet, i) => octet === address.octets[i]) ? prefix : undefined;
}

/** Reads `ADDRESS/LENGTH` as Go does, for which the bits past the length may be anything; they come out zero. */
export function parseNetwork(text: string): Prefix | undefined {
  const [, host = "", length] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(host);
  return address && Number(length) <= familyBits(address.family)
    ? prefixOf(address, Number(length))
    : undefined;
}

/** The text form `ADDRESS/LENGTH`. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/** The network of `length` bits that holds `address`. */
export function prefixOf({ family, octets }: { family: Family; octets: Uint8Array }, length: number): Prefix {
  const kept = new Uint8Array(octets.length);
  const whole = length >> 3;
  kept.set(octets.subarray(0, whole));
  if (length & 7) kept[whole] = octets[whole]! & (0xff00 >> (length & 7));
  return { family, octets: kept, length };
}

/** Whether `inner`, an address or a network, lies wholly inside `prefix`. */
export function contains(prefix: Prefix, inner: Address | Prefix): boolean {
  if (prefix.family !== inner.family) return false;
  if ("length" in inner && inner.length < prefix.length) return false;
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.octets[i] !== inner.octets[i]) return false;
  const rest = prefix.length & 7;
  return rest === 0 || ((prefix.octets[whole]! ^ inner.octets[whole]!) & (0xff00 >> rest)) === 0;
}

/** Whether two addresses or two prefixes are the same. */
export function sameAddress(a: Address | Prefix, b: Address | Prefix): boolean {
  if (a.family !== b.family || ("length" in a ? a.length : -1) !== ("length" in b ? b.length : -1)) {
    return false;
  }
  return a.octets.every((octet, i) => octet === b.octets[i]);
}

function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const octets = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!;
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    octets[i] = Number(part);
  }
  return octets;
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const left = parseGroups(halves[0]!, halves.length === 1);
  const right = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (!left || !right) return undefined;
  const missing = 16 - left.length - right.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  const octets = new Uint8Array(16);
  octets.set(left);
  octets.set(right, 16 - right.length);
  return octets;
}

/** The octets of `a:b:c`; the last group may be a dotted quad when `mayEndInIPv4`. */
function parseGroups(text: string, mayEndInIPv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const octets: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = parseInt(group, 16);
      octets.push(value >> 8, value & 255);
      continue;
    }
    const quad = mayEndInIPv4 && i === groups.length - 1 ? parseIPv4(group) : undefined;
    if (!quad) return undefined;
    octets.push(...quad);
  }
  return octets;
}

function formatIPv6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (octets[2 * i]! << 8) | octets[2 * i + 1]!);
  // RFC 5952 section 4.2: `::` stands for the longest run of zero groups, the first of equals, never for one alone.
  let start = -1, length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
    if (end > i) i = end;
  }
  const hex = (some: number[]) => some.map((group) => group.toString(16)).join(":");
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}
