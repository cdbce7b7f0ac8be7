/**
 * Queries on their way to the control isolate: those of a batch in one piece of memory, for a structured clone of many small
 * objects costs as much as to answer one of them.
 *
 *     socket 32 | octets of the query 16 | port 16 | octets of the address 8 | address | query | the next one ...
 *
 * @module
 */

import type { Endpoint } from "../arrival.ts";

/** A query that the control isolate is to answer. */
export interface WaitingQuery {
  /** The id of the socket that it came to. */
  readonly socket: number;
  readonly octets: Uint8Array;
  readonly source: Endpoint;
}

const HEAD_OCTETS = 9;

/** Puts queries behind one another. */
export function packQueries(queries: readonly WaitingQuery[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const { octets, source } of queries) {
    length += HEAD_OCTETS + source.address.octets.length + octets.length;
  }
  const packed = new Uint8Array(new ArrayBuffer(length)), view = new DataView(packed.buffer);
  let at = 0;
  for (const { socket, octets, source: { address, port } } of queries) {
    view.setUint32(at, socket);
    view.setUint16(at + 4, octets.length);
    view.setUint16(at + 6, port);
    packed[at + 8] = address.octets.length;
    packed.set(address.octets, at += HEAD_OCTETS);
    packed.set(octets, at += address.octets.length);
    at += octets.length;
  }
  return packed;
}

/** The queries again, each in memory of its own: how long one is needed is not for the others to wait for. */
export function* unpackQueries(packed: Uint8Array): Generator<WaitingQuery> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  for (let at = 0; at < packed.length;) {
    const socket = view.getUint32(at), length = view.getUint16(at + 4), port = view.getUint16(at + 6);
    const first = at + HEAD_OCTETS, query = first + packed[at + 8]!;
    const octets = packed.slice(first, query), family = octets.length === 4 ? 4 : 6;
    at = query + length;
    yield { socket, octets: packed.slice(query, at), source: { address: { family, octets }, port } };
  }
}
