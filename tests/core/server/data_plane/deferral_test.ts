import assert from "node:assert/strict";
import { parseAddress } from "../../../../core/net/address.ts";
import type { Arrival } from "../../../../core/server/arrival.ts";
import { Deferral } from "../../../../core/server/data_plane/deferral.ts";
import { Budget, type FromWorker } from "../../../../core/server/data_plane/protocol.ts";
import { unpackQueries, type WaitingQuery } from "../../../../core/server/data_plane/waiting_queries.ts";
import type { Outcome } from "../../../../core/server/exchange.ts";

const SERVER = { address: parseAddress("192.0.2.1")!, port: 53 };
const SOURCE = { address: parseAddress("192.0.2.2")!, port: 1024 };
const ARRIVAL: Arrival = { source: SOURCE, server: SERVER, transport: "udp" };
const DEFERRED: Outcome = { octets: undefined, deferred: true };

/** The queries of the one message there is. */
function waitingIn([message, ...others]: FromWorker[]): WaitingQuery[] {
  assert.equal(others.length, 0);
  assert.equal(message?.kind, "waiting");
  return [...unpackQueries(message.packed)];
}

function makeDeferral(workers = 1) {
  const posted: FromWorker[] = [];
  const budget = Budget.share(workers);
  let overloads = 0;
  const deferral = new Deferral((message) => posted.push(message), budget, () => overloads++);
  deferral.setSockets([{ id: 7, endpoint: SERVER }]);
  return { deferral, posted, budget, overloads: () => overloads };
}

Deno.test("queries that must wait leave together, with where they came from", () => {
  const { deferral, posted } = makeDeferral();
  const octets = [Uint8Array.of(1), Uint8Array.of(2)];
  for (const query of octets) deferral.later(query, ARRIVAL, DEFERRED);
  assert.deepEqual(posted, []);
  deferral.flush();
  const queries = octets.map((octets) => ({ socket: 7, octets, source: SOURCE }));
  assert.deepEqual(waitingIn(posted), queries);
  deferral.flush();
  assert.equal(posted.length, 1);
});

Deno.test("a worker has its part of what may wait, by number and by octets, and gets it back", () => {
  const { deferral, budget, overloads } = makeDeferral(4);
  for (let i = 0; i < 4096; i++) deferral.later(new Uint8Array(12), ARRIVAL, DEFERRED);
  assert.equal(overloads(), 0);
  deferral.later(new Uint8Array(12), ARRIVAL, DEFERRED);
  assert.equal(overloads(), 1);
  budget.giveBack(12);
  deferral.later(new Uint8Array(16 << 20), ARRIVAL, DEFERRED);
  assert.equal(overloads(), 1);
  budget.giveBack(12);
  deferral.later(new Uint8Array(12), ARRIVAL, DEFERRED);
  assert.equal(overloads(), 2);
});

Deno.test("a reply that comes later, or has no room where the query lay, is sent from the socket that was asked", async () => {
  const { deferral, posted } = makeDeferral();
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  deferral.later(new Uint8Array(12), ARRIVAL, promise);
  deferral.later(new Uint8Array(12), ARRIVAL, { octets: Uint8Array.of(1) });
  assert.deepEqual(posted, [{ kind: "late", socket: 7, to: SOURCE, octets: Uint8Array.of(1) }]);
  resolve({ octets: Uint8Array.of(2) });
  await deferral.settled();
  assert.deepEqual(posted[1], { kind: "late", socket: 7, to: SOURCE, octets: Uint8Array.of(2) });
});

Deno.test("a chain that finds out later that a query must wait elsewhere hands it over", async () => {
  const { deferral, posted } = makeDeferral();
  deferral.later(Uint8Array.of(1), ARRIVAL, Promise.resolve(DEFERRED));
  await deferral.settled();
  assert.deepEqual(waitingIn(posted), [{ socket: 7, octets: Uint8Array.of(1), source: SOURCE }]);
});
