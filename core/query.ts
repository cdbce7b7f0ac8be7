/**
 * The value that goes down the chain. It is frozen; a plugin that knows more passes a changed copy to `next`.
 *
 * @module
 */

import type { EdnsOption } from "./answer.ts";
import type { Name } from "./dns/name.ts";
import type { Location } from "./fleet/place.ts";
import { type Address, formatAddress } from "./net/address.ts";
import type { Snapshot } from "./snapshot.ts";

/** RFC 1035 section 4.1.2. The name stands in the case it was asked in. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** EDNS Client Subnet (RFC 7871 section 6), as the query carried it. */
export interface ClientSubnet {
  /** The address, zero-filled past the source prefix. */
  readonly address: Address;
  readonly sourcePrefixLength: number;
}

/** The EDNS part of a query (RFC 6891). */
export interface Edns {
  readonly version: number;
  /** The requestor's UDP payload size, as sent. */
  readonly payloadSize: number;
  readonly dnssecOk: boolean;
  readonly clientSubnet?: ClientSubnet;
  /** Every option as sent, ECS included, in order. */
  readonly options: readonly { readonly code: number; readonly data: Uint8Array }[];
}

/** How a query came. */
export type Transport = "udp" | "tcp";

/** One step that a plugin took, told to whoever asked for an explanation. */
export interface Decision {
  readonly plugin: string;
  /** One line for a person. */
  readonly what: string;
  /** The facts behind the line, plain data. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** How long it took, where something was waited for. */
  readonly durationMs?: number;
}

/** What a plugin sees of a query. */
export interface QueryContext {
  readonly question: Question;
  /** The question's name, folded: what names are looked up by. */
  readonly name: Name;
  /** The zone of the server block that was chosen, folded. */
  readonly zone: Name;
  readonly messageId: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly edns?: Edns;
  /** Where the packet came from: the resolver, as a rule. Port 0 where none came. */
  readonly source: { readonly address: Address; readonly port: number };
  /** Where it was sent to. */
  readonly server: { readonly address: Address; readonly port: number };
  readonly transport: Transport;
  /** How many octets the query had. */
  readonly sizeOctets: number;
  /** The query as it came, for those who pass it on whole. Nobody writes to it. */
  readonly octets: Uint8Array;
  /** When it is answered, milliseconds since 1970. */
  readonly nowMs: number;
  readonly snapshot: Snapshot;
  /** Where the client is; added by geo, worked out at the first call. */
  readonly locate?: () => Location;
  /** Where any address is; added by geo. */
  readonly locateAddress?: (address: Address) => Location;
  /** Whether ECS is answered here; geo may turn it off. */
  readonly ecs: boolean;
  /**
   * What the plugins of the block know of the query, by the names of their labels, such as `geoip/country/code`; undefined
   * = not known. There only where the block has `metadata` for the name. Worked out when it is asked for.
   */
  readonly label?: (name: string) => string | undefined;
  /**
   * EDNS options that go on to an upstream beside those that forward makes itself; added by rewrite. What remembers what
   * upstreams said must tell queries apart by them.
   */
  readonly passedOptions?: readonly EdnsOption[];
  /** What became of the query's COOKIE option (RFC 7873 section 5.2); added by cookie. */
  readonly cookie?: CookieState;
  /**
   * Nobody sent it: it is explained, or asked by the server itself. What counts or limits queries leaves it out. (`record`
   * does not tell: plugins that watch queries record too.)
   */
  readonly rehearsed?: true;
  /** Nobody wants to know what comes of it either: a data worker practises. It is `rehearsed` as well. */
  readonly unheard?: true;
  /** Takes each decision when someone asked for them. */
  readonly record?: (decision: Decision) => void;
}

/** `absent`: no cookie at all. `client`: none of ours in it. `invalid`: one that is not, or no longer, ours. */
export type CookieState = "absent" | "client" | "invalid" | "valid";

/** Where a packet came from and went to: filled in anew for each, by who received it. */
export interface PacketSource {
  family: 4 | 6;
  /** The address as words, most significant first: one for IPv4, four for IPv6. */
  readonly words: Uint32Array;
  port: number;
  /** The address asked, and its port: the same object for all packets that came there. */
  server: { readonly address: Address; readonly port: number };
}

/**
 * A query that gets a reply another one had. It is of the usual form: one question, its name not compressed, and behind it
 * nothing but, perhaps, an OPT record, whose options are sound. One object serves them all: who wants to keep something of it
 * copies that.
 */
export interface RepeatedQuery {
  /** Where the query lies, at `at`; the octets change as soon as whoever was told of it returns. */
  readonly octets: Uint8Array;
  readonly at: number;
  readonly length: number;
  /** Where in `octets` the data of its ECS option begins; 0 = it has none. */
  readonly subnetAt: number;
  readonly source: PacketSource;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** How many octets the reply has. */
  readonly replyOctets: number;
  /** The bits of the client's address that the reply holds for. */
  readonly scopePrefixLength: number;
}

/** What became of an answer, for those who observe. */
export interface Sent {
  /** The reply; absent when nothing was said. Nobody writes to it. */
  readonly message?: Uint8Array;
  /** How many octets the reply has; 0 when nothing was said. */
  readonly octets: number;
  /** The third and fourth octet of the reply's header as one number: QR, OPCODE, AA, TC, RD, RA, AD, CD, RCODE. */
  readonly flags: number;
  /** The plugin that answered; "" where the server did, as after a bug or past the last plugin. */
  readonly plugin: string;
  /** From the query's arrival until the reply was encoded, fractions included. */
  readonly durationMs: number;
}

/** A server as CoreDNS labels metrics: `dns://:53`, with the address where the block is bound to some. */
export function serverLabel({ address, port }: QueryContext["server"], isBound: boolean): string {
  if (!isBound) return `dns://:${port}`;
  const text = formatAddress(address);
  return `dns://${address.family === 6 ? `[${text}]` : text}:${port}`;
}

/** The address that decides: the ECS one when the query carries it with a source length, else the packet's source. */
export function clientAddress(context: QueryContext): { address: Address; bySubnet: boolean } {
  const subnet = context.ecs ? context.edns?.clientSubnet : undefined;
  return subnet && subnet.sourcePrefixLength > 0
    ? { address: subnet.address, bySubnet: true }
    : { address: context.source.address, bySubnet: false };
}
