/**
 * Whom to ask: the words after FROM, and what they stand for.
 *
 * @module
 */

import {
  type Address,
  CorefileError,
  formatAddress,
  parseAddress,
  parseName,
  type Token,
} from "../../core/plugin.ts";

/** How an upstream is spoken to: plain DNS, DNS over TLS (RFC 7858) or over HTTPS (RFC 8484). */
export type Protocol = "dns" | "tls" | "https";

/** A server that is asked. Plain data. */
export interface Upstream {
  readonly protocol: Protocol;
  readonly address: Address;
  readonly port: number;
  /** The name that its certificate must have; its address where absent. */
  readonly serverName?: string;
  /** Of an `https://` upstream. */
  readonly path?: string;
}

/** The same by name, before the name has been resolved. */
export interface NamedUpstream extends Omit<Upstream, "address"> {
  readonly hostName: string;
}

/** As written in a Corefile or in a file that it names. */
export type WrittenUpstream = Upstream | NamedUpstream;

const DEFAULT_PORTS: Readonly<Record<Protocol, number>> = { dns: 53, tls: 853, https: 443 };
const DOH_PATH = "/dns-query";

/**
 * As `ADDRESS:PORT`, an IPv6 address in brackets: what the metrics call `to`. An `https://` upstream keeps its
 * scheme, so that no two kinds look the same.
 */
export function formatUpstream({ protocol, address, port }: Upstream): string {
  const text = formatAddress(address);
  const endpoint = address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
  return protocol === "https" ? `https://${endpoint}` : endpoint;
}

/**
 * Reads one of TO: an address, a host name or a file, perhaps with a scheme, a port and `%SERVERNAME`.
 *
 * @param readFile The text of the file that the token may stand for; undefined when there is none.
 * @throws {CorefileError} When it is none of these.
 */
export function readUpstreams(
  token: Token,
  readFile: (token: Token) => string | undefined,
): WrittenUpstream[] {
  const { protocol, rest } = readScheme(token);
  const parts = partsOf(rest, protocol);
  const address = parts && parseAddress(parts.host);
  const text = !address && rest === token.text ? readFile(token) : undefined;
  if (text !== undefined) return nameserversIn(text, token);
  if (!parts || (!address && !isHostName(parts.host))) throw wrong(token);
  const { host, port = DEFAULT_PORTS[protocol], serverName, path } = parts;
  const more = { protocol, port, ...(path !== undefined && { path }) };
  if (address) return [{ ...more, address, ...(serverName !== undefined && { serverName }) }];
  return [{ ...more, hostName: host, ...(protocol !== "dns" && { serverName: serverName ?? host }) }];
}

/** The servers of a file in the form of resolv.conf(5). A scope such as `%eth0` behind an address is left out. */
function nameserversIn(text: string, token: Token): Upstream[] {
  const upstreams = text.split("\n").flatMap((line): Upstream[] => {
    const [, word] = /^\s*nameserver\s+([^\s%#;]+)/.exec(line) ?? [];
    const address = word === undefined ? undefined : parseAddress(word);
    return address ? [{ protocol: "dns", address, port: DEFAULT_PORTS.dns }] : [];
  });
  if (upstreams.length > 0) return upstreams;
  throw new CorefileError(
    token,
    `forward: upstreams in ${token.text} must be lines such as 'nameserver 192.0.2.1': there are none`,
  );
}

function readScheme(token: Token): { protocol: Protocol; rest: string } {
  const [, scheme, rest] = /^([a-z0-9+.-]+):\/\/(.*)$/i.exec(token.text) ?? [, "dns", token.text];
  const protocol = scheme!.toLowerCase();
  if (protocol === "dns" || protocol === "tls" || protocol === "https") return { protocol, rest: rest! };
  throw new CorefileError(
    token,
    `forward: an upstream's scheme must be dns://, tls:// or https://: got '${token.text}'`,
  );
}

/** `HOST[%SERVERNAME][:PORT][/PATH]`, HOST an address, a bracketed one or a name; undefined when it is not. */
function partsOf(text: string, protocol: Protocol) {
  const whole = parseAddress(text);
  if (whole) return { host: text, ...(protocol === "https" && { path: DOH_PATH }) };
  const shape = /^(?:\[([^\]%]*)\]|([^:%/]*|[^%/[\]]*(?=%)))(?:%([^:/]+))?(?::(\d{1,5}))?(\/.*)?$/;
  const [matched, bracketed, plain, serverName, digits, written] = shape.exec(text) ?? [];
  if (matched === undefined) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  if (protocol === "dns" && serverName !== undefined) return undefined;
  if (protocol !== "https" && written !== undefined) return undefined;
  const path = protocol === "https" ? written ?? DOH_PATH : undefined;
  return { host: bracketed ?? plain ?? "", port, serverName, path };
}

/** Whether a resolver may be asked for it: a name of letters, digits, hyphens and underscores, not all digits. */
function isHostName(text: string): boolean {
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(text) || /^[\d.]+$/.test(text)) return false;
  try {
    return parseName(text).length > 1;
  } catch {
    return false;
  }
}

function wrong(token: Token): CorefileError {
  return new CorefileError(
    token,
    "forward: upstream must be IP[:PORT], NAME[:PORT], tls://IP[%SERVERNAME][:PORT], https://HOST[:PORT][/PATH] " +
      `or a file such as /etc/resolv.conf: got '${token.text}'`,
  );
}
