import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { Connection } from "../../../core/server/connection.ts";
import { ConnectionSet, type TcpLimits, tcpLimitsOf } from "../../../core/server/connection_set.ts";
import { memoryCounters } from "./sockets.ts";

/** A connection as the set sees one, until it is closed. */
class FakeConnection {
  readonly source;
  isIdle = true;
  heldOctets = 0;
  isClosed = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(address: string, public lastActiveMs = 0) {
    this.source = parseAddress(address)!;
  }

  serve(): Promise<void> {
    return this.#ended.promise;
  }

  overdue(): undefined {}

  close(): void {
    this.isClosed = true;
    this.#ended.resolve();
  }
}

function setOf(limits: Partial<TcpLimits>) {
  const counters = memoryCounters();
  const set = new ConnectionSet(new ManualClock(), counters.count, limits);
  /** Comes, and tells whether it was let in. */
  const come = (address: string, more: Partial<Pick<FakeConnection, "isIdle" | "lastActiveMs">> = {}) => {
    const connection = Object.assign(new FakeConnection(address), more);
    set.serve(connection as unknown as Connection);
    return connection;
  };
  const closedFor = (reason: string) => counters.of(`meridian_tcp_closed_total{reason="${reason}"}`);
  return { set, come, closedFor };
}

const busy = { isIdle: false };

Deno.test("an address has 20 connections: one more takes the place of its longest idle one, or is turned away", () => {
  const { set, come, closedFor } = setOf({});
  const first = Array.from(
    { length: 20 },
    (_, i) => come("192.0.2.1", { isIdle: i === 7 || i === 9, lastActiveMs: i }),
  );
  assert.equal(come("192.0.2.1", busy).isClosed, false);
  assert.deepEqual(first.flatMap(({ isClosed }, i) => isClosed ? [i] : []), [7]);
  come("192.0.2.1", busy);
  assert.equal(come("192.0.2.1").isClosed, true);
  assert.equal(come("192.0.2.2").isClosed, false);
  assert.equal(set.size, 21);
  assert.equal(closedFor("address"), 3);
});

Deno.test("an IPv6 /64 is one address, and a /48 or an IPv4 /24 has 100 connections", () => {
  for (const address of [(i: number) => `192.0.2.${i}`, (i: number) => `2001:db8:0:${i.toString(16)}::1`]) {
    const { set, come, closedFor } = setOf({});
    for (let i = 0; i < 200; i++) come(address(i), busy);
    assert.equal(set.size, 100);
    assert.equal(closedFor("network"), 100);
  }
  const { set, come } = setOf({});
  for (let i = 0; i < 30; i++) come(`2001:db8::${i.toString(16)}`, busy);
  assert.equal(set.size, 20);
});

Deno.test("clients on this machine have the common limit only, unless told otherwise", () => {
  for (const address of ["127.0.0.9", "::1"]) {
    const { set, come } = setOf({});
    for (let i = 0; i < 500; i++) come(address, busy);
    assert.equal(set.size, 500);
    const strict = setOf({ limitsLoopback: true });
    for (let i = 0; i < 500; i++) strict.come(address, busy);
    assert.equal(strict.set.size, 20);
  }
  const { set, come } = setOf({});
  for (let i = 0; i < 30; i++) come("::2", busy);
  assert.equal(set.size, 20);
});

Deno.test("when all places are taken, the largest crowd gives way to a newcomer from elsewhere", () => {
  const limits = { connections: 100, connectionsPerAddress: 90, connectionsPerNetwork: 1000 };
  const { set, come, closedFor } = setOf(limits);
  const quiet = come("198.51.100.1");
  const crowd = Array.from({ length: 90 }, (_, i) => come("192.0.2.1", { ...busy, lastActiveMs: 100 - i }));
  for (let i = 0; i < 9; i++) come(`203.0.113.${i}`, busy);
  assert.equal(come("198.51.100.2").isClosed, false);
  assert.equal(crowd.at(-1)!.isClosed, true, "the one that did nothing for longest");
  assert.equal(quiet.isClosed, false, "who is idle and alone stays");
  assert.deepEqual([set.size, closedFor("overflow")], [100, 1]);
});

Deno.test("when all places are taken by a network of many addresses, that network gives way", () => {
  const { come, closedFor } = setOf({ connections: 100, connectionsPerNetwork: 1000 });
  const crowd = Array.from({ length: 99 }, (_, i) => come(`192.0.2.${i}`, busy));
  come("198.51.100.1", busy);
  assert.equal(come("203.0.113.1", busy).isClosed, false);
  assert.equal(crowd.filter(({ isClosed }) => isClosed).length, 1);
  assert.equal(closedFor("overflow"), 1);
});

Deno.test("connections hold no more octets than they may together: who holds most goes", () => {
  const { set, come, closedFor } = setOf({ memoryOctets: 1_000_000 });
  const hold = (connection: FakeConnection, octets: number) => {
    connection.heldOctets += octets;
    set.hold(octets);
  };
  const [small, large] = [come("192.0.2.1"), come("192.0.2.2")];
  // What is closed lets go of what it held.
  const close = large.close.bind(large);
  large.close = () => {
    close();
    set.hold(-large.heldOctets);
  };
  hold(small, 300_000);
  hold(large, 700_000);
  assert.deepEqual([small.isClosed, large.isClosed, set.heldOctets], [false, false, 1_000_000]);
  hold(small, 1);
  assert.deepEqual([small.isClosed, large.isClosed, set.heldOctets], [false, true, 300_001]);
  assert.equal(closedFor("memory"), 1);
});

Deno.test("connections may be idle for a shorter time the fewer places are left", () => {
  const { set, come } = setOf({ connections: 100, connectionsPerAddress: 1000, connectionsPerNetwork: 1000 });
  const idleMs: Record<number, number> = {};
  for (let count = 1; count <= 100; count++) {
    come("192.0.2.1", busy);
    if (count % 25 === 0) idleMs[count] = set.idleMs;
  }
  assert.deepEqual(idleMs, { 25: 10_000, 50: 10_000, 75: 5500, 100: 1000 });
});

Deno.test("tcpLimitsOf() takes the strictest of what blocks of one port say, and leaves the rest as it is", () => {
  const limits = tcpLimitsOf([{ readMs: 3000, idleMs: 60_000 }, {}, { idleMs: 20_000, queriesMax: 100 }]);
  assert.deepEqual(limits, { messageMs: 3000, idleMs: 20_000, queries: 100 });
  assert.deepEqual(tcpLimitsOf([]), {});
});
