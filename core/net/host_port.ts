/**
 * Where somebody listens, as people write it.
 *
 * @module
 */

/** A host and a port. */
export interface HostPort {
  /** A name or an address, an IPv6 one without its brackets; "" where none is written. */
  readonly host: string;
  readonly port: number;
}

/** Reads `[HOST]:PORT`, an IPv6 address in brackets; undefined when it is anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const [, bracketed, host = "", digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(text) ??
    [];
  const port = Number(digits);
  return digits !== undefined && port <= 65535 ? { host: bracketed ?? host, port } : undefined;
}
