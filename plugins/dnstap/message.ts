/**
 * dnstap's messages in protobuf's wire format: of its fields those that a server has something to say for.
 *
 * @module
 */

import type { Address } from "../../core/plugin.ts";

/** Who speaks to whom: a resolver to an authoritative server, or a client to one that resolves for it. */
export const MESSAGE = Object.freeze({
  AUTH_QUERY: 1,
  AUTH_RESPONSE: 2,
  CLIENT_QUERY: 5,
  CLIENT_RESPONSE: 6,
});

/** What is told of one query or reply. */
export interface Event {
  readonly type: number;
  readonly transport: "udp" | "tcp";
  readonly source: { readonly address: Address; readonly port: number };
  readonly server: { readonly address: Address; readonly port: number };
  /** Milliseconds since 1970, fractions included. */
  readonly queryMs: number;
  readonly responseMs?: number;
  /** Wire form; absent where messages are not wanted. */
  readonly query?: Uint8Array;
  readonly response?: Uint8Array;
}

/** What is told of the server in every message. */
export interface Origin {
  readonly identity: Uint8Array;
  readonly version: Uint8Array;
  readonly extra: Uint8Array;
}

/** Field numbers of `Dnstap`. */
const IDENTITY = 1, VERSION = 2, EXTRA = 3, MESSAGE_FIELD = 14, TYPE = 15;

/** Field numbers of `Message`. */
const FIELD = {
  type: 1,
  socketFamily: 2,
  socketProtocol: 3,
  queryAddress: 4,
  responseAddress: 5,
  queryPort: 6,
  responsePort: 7,
  queryTimeSec: 8,
  queryTimeNsec: 9,
  queryMessage: 10,
  responseTimeSec: 12,
  responseTimeNsec: 13,
  responseMessage: 14,
} as const;

/** The only type that `Dnstap` has. */
const TYPE_MESSAGE = 1;

/** Fields of `Message` other than the DNS message have at most so many octets together. */
const FIXED_OCTETS_MAX = 128;

/** A data frame: the length, then a `Dnstap` with the event in it. */
export function encodeFrame(origin: Origin, event: Event): Uint8Array<ArrayBuffer> {
  const message = encodeMessage(event);
  const { identity, version, extra } = origin;
  const octets = new Writer(64 + identity.length + version.length + extra.length + message.length);
  octets.skip(4);
  if (identity.length > 0) octets.bytes(IDENTITY, identity);
  if (version.length > 0) octets.bytes(VERSION, version);
  if (extra.length > 0) octets.bytes(EXTRA, extra);
  octets.bytes(MESSAGE_FIELD, message);
  octets.varint(TYPE, TYPE_MESSAGE);
  return octets.framed();
}

function encodeMessage(event: Event): Uint8Array {
  const { type, transport, source, server, queryMs, responseMs, query, response } = event;
  const octets = new Writer(FIXED_OCTETS_MAX + (query?.length ?? 0) + (response?.length ?? 0));
  octets.varint(FIELD.type, type);
  octets.varint(FIELD.socketFamily, source.address.family === 4 ? 1 : 2);
  octets.varint(FIELD.socketProtocol, transport === "udp" ? 1 : 2);
  octets.bytes(FIELD.queryAddress, source.address.octets);
  octets.bytes(FIELD.responseAddress, server.address.octets);
  octets.varint(FIELD.queryPort, source.port);
  octets.varint(FIELD.responsePort, server.port);
  octets.varint(FIELD.queryTimeSec, Math.floor(queryMs / 1000));
  octets.fixed32(FIELD.queryTimeNsec, nanosecondsOf(queryMs));
  if (query) octets.bytes(FIELD.queryMessage, query);
  if (responseMs !== undefined) {
    octets.varint(FIELD.responseTimeSec, Math.floor(responseMs / 1000));
    octets.fixed32(FIELD.responseTimeNsec, nanosecondsOf(responseMs));
  }
  if (response) octets.bytes(FIELD.responseMessage, response);
  return octets.written();
}

/** What is left of a time when whole seconds are taken away. */
function nanosecondsOf(ms: number): number {
  return Math.min(999_999_999, Math.round((ms - Math.floor(ms / 1000) * 1000) * 1e6));
}

/** Protobuf's wire types. */
const VARINT = 0, LENGTH_DELIMITED = 2, FIXED32 = 5;

/** Writes fields into room that was measured beforehand. */
class Writer {
  readonly #octets: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(octetsMax: number) {
    this.#octets = new Uint8Array(octetsMax);
  }

  skip(count: number): void {
    this.#at += count;
  }

  varint(field: number, value: number): void {
    this.#varint(field << 3 | VARINT);
    this.#varint(value);
  }

  fixed32(field: number, value: number): void {
    this.#varint(field << 3 | FIXED32);
    for (let shift = 0; shift < 32; shift += 8) this.#octets[this.#at++] = value >>> shift;
  }

  bytes(field: number, value: Uint8Array): void {
    this.#varint(field << 3 | LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#octets.set(value, this.#at);
    this.#at += value.length;
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.#octets.subarray(0, this.#at);
  }

  /** The length of what was written behind the first four octets goes into these. */
  framed(): Uint8Array<ArrayBuffer> {
    new DataView(this.#octets.buffer).setUint32(0, this.#at - 4);
    return this.written();
  }

  /** Whole numbers up to 2^53, seven bits an octet, the least first. */
  #varint(value: number): void {
    while (value >= 0x80) {
      this.#octets[this.#at++] = value % 0x80 | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#octets[this.#at++] = value;
  }
}
