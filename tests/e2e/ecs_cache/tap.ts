/**
 * Sits between a server's sockets and its exchange: counts what the resolver asks, and can falsify what it is told.
 *
 * @module
 */

import { decodeClientSubnet, encodeClientSubnet, findOption } from "../../../core/dns/edns.ts";
import { decodeMessage, encodeMessage } from "../../../core/dns/message.ts";
import { OPTION, RCODE } from "../../../core/dns/types.ts";
import type { Exchange } from "../../../core/server/arrival.ts";

/** Changes a reply's octets. */
export type Fault = (reply: Uint8Array) => Uint8Array;

/** See the module. */
export class Tap {
  /** Queries so far, but for those from the port that is passed through. */
  count = 0;
  /** Of those, how many got no reply, or another than NOERROR. */
  errors = 0;
  #passedThrough = -1;
  readonly #fault: Fault;

  constructor(fault: Fault = (reply) => reply) {
    this.#fault = fault;
  }

  /** Queries from this port are neither counted nor answered falsely. */
  passThrough(port: number): void {
    this.#passedThrough = port;
  }

  around(exchange: Exchange): Exchange {
    return async (octets, arrival) => {
      const reply = await exchange(octets, arrival);
      if (arrival.source.port === this.#passedThrough) return reply;
      this.count++;
      if (!reply || (reply[3]! & 15) !== RCODE.NOERROR) this.errors++;
      return reply && this.#fault(reply);
    };
  }
}

/** Makes a reply's ECS scope one bit shorter than it is. */
export function shortenScope(reply: Uint8Array): Uint8Array {
  const message = decodeMessage(reply);
  const { edns } = message;
  const option = edns && findOption(edns.options, OPTION.CLIENT_SUBNET);
  const subnet = option && decodeClientSubnet(option.data);
  if (!subnet || subnet.scopePrefixLength === 0) return reply;
  const shorter = encodeClientSubnet({ ...subnet, scopePrefixLength: subnet.scopePrefixLength - 1 });
  const options = edns.options.map((other) => other === option ? shorter : other);
  return encodeMessage({ ...message, edns: { ...edns, options } });
}
