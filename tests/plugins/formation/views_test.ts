import assert from "node:assert/strict";
import { TYPE } from "../../../core/dns/types.ts";
import type { FleetHub, PoolNodes } from "../../../core/fleet/hub.ts";
import {
  addressFromOctets,
  type Answer,
  emptyAnswer,
  fold,
  formatAddress,
  parseAddress,
  parseName,
  type RRset,
} from "../../../core/plugin.ts";
import { viewed } from "../../../plugins/formation/answering.ts";
import {
  nodeTable,
  type Published,
  publishTables,
  recordTable,
} from "../../../plugins/formation/published.ts";
import { node } from "../../core/fleet/make.ts";
import { OVERLAY } from "./stage.ts";

const rrset = (type: keyof typeof TYPE, ...addresses: string[]): RRset => ({
  ...{ name: parseName("Entry.example.org."), type: TYPE[type], ttl: 60 },
  rdata: addresses.map((text) => parseAddress(text)!.octets),
});

const nodes = nodeTable([
  {
    name: "pool.",
    nodes: [
      node("a", [0, 0], { ipv4: "192.0.2.1", ipv6: "2001:db8::1", overlay: ["10.42.0.1", "fd00::1"] }),
      node("b", [0, 0], { ipv4: "192.0.2.2" }),
    ],
  },
]);

const records = recordTable([{
  ...{ domain: "entry.example.org", record_type: "A", public_ip: [], formnet_ip: ["10.42.9.9:8081"] },
  ...{
    cname_target: null,
    ssl_cert: false,
    ttl: 60,
    verification_status: null,
    verification_timestamp: null,
  },
}]);

const answerOf = (...answer: RRset[]): Answer => emptyAnswer(0, { answer });

function seenFrom(source: string, answer: Answer, withRecords = false) {
  const context = { source: { address: parseAddress(source)!, port: 1 } };
  const known = { nodes, records: withRecords ? records : new Map() };
  const seen = viewed(answer, context, OVERLAY, known);
  const addresses = seen.answer.flatMap(({ rdata }) =>
    rdata.map((octets) => formatAddress(addressFromOctets(octets)))
  );
  return { addresses, keys: seen.dependence.keys, isSame: seen === answer };
}

Deno.test("whoever asks from the overlay is told overlay addresses first, of the family asked for; others the public ones", () => {
  const a = answerOf(rrset("A", "192.0.2.2", "192.0.2.1"));
  assert.deepEqual(seenFrom("10.1.2.3", a).addresses, ["10.42.0.1", "192.0.2.2", "192.0.2.1"]);
  assert.deepEqual(seenFrom("198.51.100.1", a).addresses, ["192.0.2.2", "192.0.2.1"]);
  const aaaa = answerOf(rrset("AAAA", "2001:db8::1"));
  assert.deepEqual(seenFrom("10.1.2.3", aaaa).addresses, ["fd00::1", "2001:db8::1"]);
  // As form-dns has it: IPv6 sources are outside.
  assert.deepEqual(seenFrom("fd00::7", aaaa).addresses, ["2001:db8::1"]);
});

Deno.test("a record's own overlay addresses come before all others", () => {
  const a = answerOf(rrset("A", "192.0.2.1"));
  assert.deepEqual(seenFrom("10.1.2.3", a, true).addresses, ["10.42.9.9", "10.42.0.1", "192.0.2.1"]);
  assert.deepEqual(seenFrom("198.51.100.1", a, true).addresses, ["192.0.2.1"]);
  assert.ok(records.has(fold(parseName("ENTRY.example.org."))));
});

Deno.test("an answer depends on the source exactly where the two views differ", () => {
  assert.deepEqual(seenFrom("198.51.100.1", answerOf(rrset("A", "192.0.2.1"))).keys, ["source"]);
  const plain = seenFrom("10.1.2.3", answerOf(rrset("A", "192.0.2.2"), { ...rrset("A"), type: TYPE.TXT }));
  assert.deepEqual([plain.isSame, plain.keys], [true, []]);
});

Deno.test("overlay addresses are kept from those outside, unless there are no others", () => {
  const mixed = answerOf(rrset("A", "10.42.0.5", "192.0.2.2"));
  assert.deepEqual(seenFrom("198.51.100.1", mixed), {
    addresses: ["192.0.2.2"],
    keys: ["source"],
    isSame: false,
  });
  assert.deepEqual(seenFrom("10.0.0.1", mixed).addresses, ["10.42.0.5", "192.0.2.2"]);
  const alone = seenFrom("198.51.100.1", answerOf(rrset("A", "10.42.0.5")));
  assert.deepEqual([alone.addresses, alone.isSame], [["10.42.0.5"], true]);
});

Deno.test("publishTables() tells of nodes and records as they change, and nothing where answers would be the same", () => {
  const told: Published[] = [];
  let takePools: (pools: readonly PoolNodes[]) => void = () => {},
    takeTold: (value: unknown) => void = () => {};
  const fleet = {
    onPools: (listener: typeof takePools) => void (takePools = listener),
    onTold: (_plugin: string, listener: typeof takeTold) => void (takeTold = listener),
  };
  publishTables({
    fleet: fleet as unknown as FleetHub,
    publish: (value) => void told.push(value as Published),
  });
  const pools = (overlay: string[]) =>
    [{
      policy: { name: "p." },
      nodes: [node("a", [0, 0], { ipv4: "192.0.2.1", overlay })],
    }] as unknown as PoolNodes[];
  takePools(pools(["10.0.0.1"]));
  takePools(pools(["10.0.0.1"]));
  takeTold(records);
  takeTold(new Map(records));
  takePools(pools(["10.0.0.2"]));
  assert.deepEqual(told.map(({ nodes, records }) => [nodes.size, records.size]), [[1, 0], [1, 1], [1, 1]]);
  structuredClone(told.at(-1));
});
