import assert from "node:assert/strict";
import { TYPE } from "../../../core/dns/types.ts";
import {
  addressFromOctets,
  emptyAnswer,
  formatAddress,
  parseAddress,
  parseName,
  type RRset,
} from "../../../core/plugin.ts";
import { nodeTable } from "../../../plugins/formation/published.ts";
import { withoutDown } from "../../../plugins/formation/record_health.ts";
import { node, NOW_MS, pool, snapshot, verdicts } from "../../core/fleet/make.ts";

const NODES = [
  ...["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map((ipv4, i) =>
    node(`n${i + 1}`, [0, i], { ipv4 })
  ),
];

const rrset = (addresses: readonly string[], more: Partial<RRset> = {}): RRset => ({
  ...{ name: parseName("app.fog."), type: TYPE.A, ttl: 3600 },
  rdata: addresses.map((text) => parseAddress(text)!.octets),
  ...more,
});

/** What is left of a record while some nodes are down. */
function told(down: readonly string[], answer: RRset) {
  const said = verdicts(NODES, Object.fromEntries(down.map((id) => [id, "down"])));
  const shot = snapshot([pool(NODES)], { verdicts: said });
  const { answer: [first], dependence } = withoutDown(emptyAnswer(0, { answer: [answer] }), {
    snapshot: shot,
    nowMs: NOW_MS,
  }, nodeTable([{ name: "www.example.org.", nodes: NODES }]));
  const addresses = first!.rdata.map((octets) => formatAddress(addressFromOctets(octets)));
  return { addresses, pools: dependence.pools, hasDeadline: first!.deadline !== undefined };
}

const ALL = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];

// form-dns's own examples: all unmarked, some down, all down, unknown counts as up.
Deno.test("records leave out the addresses of nodes that are down, in their own order", () => {
  assert.deepEqual(told([], rrset(ALL)).addresses, ALL);
  assert.deepEqual(told(["n1", "n3"], rrset(ALL)).addresses, ["192.0.2.2", "192.0.2.4"]);
  assert.deepEqual(told(["n1", "n2", "n3", "n4"], rrset(ALL)).addresses, ALL);
  assert.deepEqual(told(["n1"], rrset(["192.0.2.1", "198.51.100.9"])).addresses, ["198.51.100.9"]);
});

Deno.test("a record depends on the pools whose nodes it looked at, and on none where it looked at none", () => {
  assert.deepEqual(told([], rrset(ALL)), { addresses: ALL, pools: ["www.example.org."], hasDeadline: true });
  const others = told(["n1"], rrset(["198.51.100.8", "198.51.100.9"]));
  assert.deepEqual([others.pools, others.hasDeadline], [undefined, false]);
  const single = told(["n1"], rrset(["192.0.2.1"]));
  assert.deepEqual([single.addresses, single.pools], [["192.0.2.1"], undefined]);
});

Deno.test("what a pool has chosen is the pool's", () => {
  assert.deepEqual(told(["n1"], rrset(ALL, { pool: "www.example.org." })).addresses, ALL);
});
