/** Addresses with ports, as people write them. @module */

import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import { parseHostPort } from "../net/host_port.ts";

/** An address and a port. */
export interface Endpoint {
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
}

/** Reads `ADDRESS`, `[ADDRESS]`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; undefined for anything else, and for port 0. */
export function parseEndpoint(text: string, defaultPort: number): Endpoint | undefined {
  const bare = parseAddress(/^\[(.*:.*)\]$/.exec(text)?.[1] ?? text);
  if (bare) return { address: formatAddress(bare), port: defaultPort };
  const { host, port } = parseHostPort(text) ?? { host: "", port: 0 };
  const address: Address | undefined = parseAddress(host);
  return address && port > 0 ? { address: formatAddress(address), port } : undefined;
}

/** `192.0.2.1:53`, `[2001:db8::1]:53`. */
export function formatHostPort({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
