/**
 * Reads the keys of server blocks: `[dns://]ZONE[:PORT]`, a zone being a name or a network in CIDR notation.
 *
 * @module
 */

import { type Address, familyBits, parseAddress, type Prefix, prefixOf } from "../net/address.ts";
import { type Corefile, CorefileError, formatPosition, type Problems, type Token } from "./directive.ts";

/** One zone on one port. */
export interface ZoneKey {
  readonly scheme: "dns";
  /** The zone as an absolute name in lower case: `example.org.`; escapes as they were written. */
  readonly zone: string;
  readonly port: number;
  /** For a reverse zone, the network whose addresses it names. */
  readonly prefix?: Prefix;
  /** The key as it stands in the file. */
  readonly token: Token;
}

/** What a key leaves out. */
export interface KeyDefaults {
  readonly port: number;
}

/** The zones of every server block, in order. A wrong key is a problem of its own and left out. */
export function readKeys(corefile: Corefile, defaults: KeyDefaults, problems: Problems): ZoneKey[][] {
  return corefile.blocks.map(({ keys }) =>
    keys.flatMap((key) => problems.attempt(() => parseKey(key, defaults, problems)) ?? [])
  );
}

/**
 * The zones of one key: one, or several for a network whose length lies between two labels of its reverse name.
 *
 * @throws {CorefileError} When the scheme, the zone or the port is wrong.
 */
export function parseKey(token: Token, defaults: KeyDefaults, problems: Problems): ZoneKey[] {
  const [host, port = defaults.port] = splitPort(withoutScheme(token), token);
  const network = parseNetwork(host, token);
  if (network) {
    return reverseZones(network).map(({ zone, prefix }) => ({ scheme: "dns", zone, port, prefix, token }));
  }
  checkDomainName(host, token);
  const zone = host.toLowerCase() + (withoutEscapes(host).endsWith(".") ? "" : ".");
  if (parseAddress(host)) {
    problems.warn(
      token,
      `zone '${zone}' is made of an address: a listening address belongs in 'bind', a reverse zone is written ${host}/32`,
    );
  }
  return [{ scheme: "dns", zone, port, token }];
}

/** A key without `dns://`. */
function withoutScheme(token: Token): string {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(token.text) ?? [];
  if (scheme === undefined) return token.text;
  if (scheme.toLowerCase() === "dns") return rest!;
  throw new CorefileError(token, `scheme not served here: got '${scheme}://', wanted 'dns://' or none`);
}

/** What stands before and after the last colon, when digits follow it. */
function splitPort(text: string, token: Token): [host: string, port?: number] {
  const colon = text.lastIndexOf(":");
  if (colon < 0) return [text];
  const digits = text.slice(colon + 1);
  if (digits === "") {
    throw new CorefileError(token, `expecting data after last colon: "${text}", wanted a port or no colon`);
  }
  if (!/^[+-]?\d+$/.test(digits)) return [text];
  // Port 0 lets the system choose, as tests do.
  if (!/^\d+$/.test(digits) || Number(digits) > 65_535) {
    throw new CorefileError(token, `port must be from 0 to 65535: got '${digits}'`);
  }
  return [text.slice(0, colon), Number(digits)];
}

/** A network in CIDR notation, host bits cleared as CoreDNS does; undefined when `host` is not meant as one. */
function parseNetwork(host: string, token: Token): Prefix | undefined {
  // A slash alone does not make a network: RFC 2317 puts one in a label.
  const [, text, digits] = /^(\d+(?:\.\d+){3}|[\da-f:]*:[\da-f:.]*)\/([^.]*)$/i.exec(host) ?? [];
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (!address) throw new CorefileError(token, `zone is not a valid network: ${host}; wanted ADDRESS/LENGTH`);
  const bits = familyBits(address.family);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits!) || Number(digits) > bits) {
    throw new CorefileError(
      token,
      `zone is not a valid network: ${host}; its length must be from 0 to ${bits}`,
    );
  }
  return prefixOf(address, Number(digits));
}

/** RFC 1035 section 2.3.4, and no character that is there by a slip. */
function checkDomainName(host: string, token: Token): void {
  if (host.length > 255) throw new CorefileError(token, `specified zone is too long: ${host.length} > 255`);
  const slip = /[\s(){}",;<>‘’“”]/.exec(withoutEscapes(host));
  const wrong = host === ""
    ? "wanted a name before the port, '.' for every name"
    : host.includes(":")
    ? "a colon stands only before a port, and in a network such as 2001:db8::/32"
    : slip
    ? `'${slip[0]}' is no part of a name`
    : host === "."
    ? undefined
    : wrongLabel(host);
  if (wrong) throw new CorefileError(token, `zone is not a valid domain name: ${host}; ${wrong}`);
}

/** What is wrong with the labels of a name, if anything is. */
function wrongLabel(host: string): string | undefined {
  const badEscape = /\\(?!\d{3}|\D)/.exec(host) ?? /\\(?:2[6-9]|25[6-9]|[3-9])/.exec(host);
  if (badEscape) return "a backslash is followed by a character or by 000 to 255";
  let octets = 1;
  for (const label of withoutEscapes(host).replace(/\.$/, "").split(".")) {
    const length = new TextEncoder().encode(label).length;
    if (length === 0) return "it has an empty label";
    if (length > 63) return `a label has ${length} octets, more than 63`;
    octets += 1 + length;
  }
  return octets > 255 ? `it has ${octets} octets, more than 255` : undefined;
}

/** A name with one plain character for each escape (RFC 1035 section 5.1). */
function withoutEscapes(host: string): string {
  return host.replace(/\\(?:\d{3}|.)/gs, "x");
}

/**
 * The zones that hold the reverse names of a network (RFC 1035 section 3.5, RFC 3596 section 2.5). A length that
 * falls inside a label, an octet of IPv4 or a nibble of IPv6, is rounded up: as many zones as that label has values left.
 */
export function reverseZones(network: Prefix): { zone: string; prefix: Prefix }[] {
  const labelBits = network.family === 4 ? 8 : 4;
  const length = Math.ceil(network.length / labelBits) * labelBits;
  const count = 2 ** (length - network.length);
  return Array.from({ length: count }, (_, i) => {
    const prefix = { ...prefixOf(network, network.length), length };
    // The values differ in the last label only: bits [network.length, length) all lie in it.
    if (i > 0) prefix.octets[(length - 1) >> 3]! |= i << ((8 - (length & 7)) & 7);
    return { zone: reverseName(prefix), prefix };
  });
}

/** The reverse name of a network whose length ends at a label. */
function reverseName({ family, octets, length }: Address & { length: number }): string {
  const labels = family === 4
    ? Array.from(octets.subarray(0, length / 8), String)
    : Array.from({ length: length / 4 }, (_, i) => ((octets[i >> 1]! >> (i & 1 ? 0 : 4)) & 15).toString(16));
  return [...labels.reverse(), family === 4 ? "in-addr.arpa." : "ip6.arpa."].join(".");
}

/** A zone and the addresses on which its block listens; none means every address. */
export interface ServedZone {
  readonly key: ZoneKey;
  readonly addresses: readonly string[];
}

/** Reports every zone that two blocks, or two keys of one, would serve on the same port and address. */
export function checkDuplicates(served: readonly ServedZone[], problems: Problems): void {
  const first = new Map<string, Map<string, Token>>();
  for (const { key, addresses } of served) {
    const what = `dns://${key.zone}:${key.port}`;
    const taken = first.get(what) ?? new Map<string, Token>();
    first.set(what, taken);
    for (const address of addresses.length > 0 ? addresses : [""]) {
      const clash = clashOf(what, address, taken);
      if (clash) problems.error(key.token, clash);
      else taken.set(address, key.token);
    }
  }
}

/** What stands in the way of serving a zone on one more address; `""` is every address. */
function clashOf(what: string, address: string, taken: ReadonlyMap<string, Token>): string | undefined {
  const on = (address: string) => address === "" ? what : `${what} on ${address}`;
  const same = taken.get(address);
  if (same) return `cannot serve ${on(address)} - it is already defined at ${formatPosition(same.at)}`;
  const [other, token] = address === "" ? [...taken][0] ?? [] : ["", taken.get("")];
  if (other === undefined || !token) return undefined;
  return `cannot serve ${on(address)} - zone overlap listener capacity with ${on(other)} at ${
    formatPosition(token.at)
  }`;
}
