/**
 * The contract between sockets and the rest: octets in, octets out.
 *
 * @module
 */

import type { Address } from "../net/address.ts";
import type { Transport } from "../query.ts";

/** An address and a port. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** How a message came. */
export interface Arrival {
  readonly source: Endpoint;
  /** Where it was sent to: the reply leaves from there. */
  readonly server: Endpoint;
  readonly transport: Transport;
  /** How long an idle TCP connection is kept just now: told to clients that ask (RFC 7828). */
  readonly keepaliveMs?: number;
}

/**
 * Turns a message into its reply; undefined = say nothing.
 *
 * `octets` is the exchange's own: no socket writes to it again. What comes back is the socket's own until it has been
 * sent, so an exchange hands out no buffer that it will write to later. Should not throw; a socket survives it.
 */
export type Exchange = (
  octets: Uint8Array,
  arrival: Arrival,
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** Adds one to a counter. */
export type Count = (name: string, labels?: Readonly<Record<string, string>>) => void;

/** RFC 1035 section 4.1.1: what a message has at least, the header. */
export const HEADER_OCTETS = 12;

/** Something that serves one endpoint until it is closed. */
export interface Serving {
  readonly endpoint: Endpoint;
  /** Takes no more, finishes what is under way within the time it was given, and lets go of the port. */
  close(): Promise<void>;
  /**
   * Takes what has come already, as somebody else takes what comes from now on, finishes that, and lets go of the port.
   * Connections may go on for so long.
   */
  retire(withinMs: number): Promise<void>;
}
