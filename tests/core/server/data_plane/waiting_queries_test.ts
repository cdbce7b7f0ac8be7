import assert from "node:assert/strict";
import { parseAddress } from "../../../../core/net/address.ts";
import {
  packQueries,
  unpackQueries,
  type WaitingQuery,
} from "../../../../core/server/data_plane/waiting_queries.ts";

const query = (socket: number, address: string, port: number, octets: Uint8Array): WaitingQuery => ({
  socket,
  octets,
  source: { address: parseAddress(address)!, port },
});

Deno.test("queries come out as they went in, whatever their sources and lengths", () => {
  const queries = [
    query(1, "192.0.2.1", 53, new Uint8Array(12).fill(1)),
    query(0xffffffff, "2001:db8::1", 65535, new Uint8Array(4096).fill(2)),
    query(7, "::ffff:192.0.2.2", 1, new Uint8Array(65535).fill(3)),
    query(8, "192.0.2.3", 1024, new Uint8Array(0)),
  ];
  assert.deepEqual([...unpackQueries(packQueries(queries))], queries);
  assert.deepEqual([...unpackQueries(packQueries([]))], []);
});

Deno.test("a query keeps none of the memory that it came in", () => {
  const packed = packQueries([query(1, "192.0.2.1", 53, new Uint8Array(12))]);
  const [{ octets, source }] = [...unpackQueries(packed)] as [WaitingQuery];
  assert.equal(octets.buffer.byteLength, 12);
  assert.equal(source.address.octets.buffer.byteLength, 4);
});
