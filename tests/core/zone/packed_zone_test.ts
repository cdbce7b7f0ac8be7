import assert from "node:assert/strict";
import { type Name, parseName } from "../../../core/dns/name.ts";
import { makeZone } from "../../../core/zone/make_zone.ts";
import { parseMasterFile } from "../../../core/zone/master_file.ts";
import { openZone, pack } from "../../../core/zone/packed_zone.ts";
import { layOwnedNames, type Zone } from "../../../core/zone/zone.ts";
import { APEX, ask, ORIGIN, show } from "./zone_text.ts";

const LINES = `
www A 192.0.2.1
    A 192.0.2.2
    AAAA 2001:db8::1
    TXT "text" "and more"
MiXed.Case A 192.0.2.3
a.b.ent TXT t
sub NS ns.sub
    DS 1 8 2 ${"ab".repeat(32)}
ns.sub A 192.0.2.4
*.wild MX 10 www
alias CNAME WWW
dn DNAME wild
`;

function made(text: string): Zone {
  const { zone } = makeZone(ORIGIN, parseMasterFile(text, { file: "zone", origin: ORIGIN }).records);
  return zone!;
}

/** As another isolate has it. */
function sent(zone: Zone): Zone {
  return openZone(structuredClone(pack(zone)));
}

const QUESTIONS = [
  "@",
  "www",
  "mixed.case",
  "case",
  "b.ent",
  "sub",
  "x.sub",
  "ns.sub",
  "x.wild",
  "alias",
  "x.dn",
  "no",
]
  .flatMap((name) => ["A", "MX", "TXT", "DS", "SOA", "ANY"].map((type) => `${name} ${type}`));

Deno.test("a packed zone has the nodes and delegations of the zone that it was made of, in order", () => {
  const zone = made(APEX + LINES), packed = sent(zone);
  assert.deepEqual([...packed.nodes], [...zone.nodes]);
  assert.deepEqual([...packed.cuts], [...zone.cuts]);
  assert.deepEqual([packed.nodes.size, packed.cuts.size], [zone.nodes.size, 1]);
  assert.deepEqual(packed.negativeSoa, zone.negativeSoa);
});

Deno.test("a node of a packed zone is the same, asked for once and again", () => {
  const zone = made(APEX + LINES), packed = sent(zone);
  const types = [0, 1, 2, 5, 6, 15, 16, 28, 39, 43, 65535];
  for (let sighting = 1; sighting <= 3; sighting++) {
    for (const [name, { name: spelled, rrsets }] of zone.nodes) {
      const node = packed.nodes.get(name)!, seen: unknown[] = [];
      assert.equal(node.name, spelled);
      assert.equal(node.rrsets.size, rrsets.size);
      assert.deepEqual(types.map((type) => node.rrsets.get(type)), types.map((type) => rrsets.get(type)));
      assert.deepEqual(types.map((type) => node.rrsets.has(type)), types.map((type) => rrsets.has(type)));
      assert.deepEqual([...node.rrsets], [...rrsets]);
      assert.deepEqual([...node.rrsets.keys()], [...rrsets.keys()]);
      assert.deepEqual([...node.rrsets.values()], [...rrsets.values()]);
      node.rrsets.forEach((rrset, type) => seen.push([type, rrset]));
      assert.deepEqual(seen, [...rrsets]);
    }
  }
});

Deno.test("a node that is asked for again and again is read once", () => {
  const packed = sent(made(APEX + LINES)), name = parseName("www", ORIGIN);
  packed.nodes.get(name);
  const again = packed.nodes.get(name);
  assert.equal(packed.nodes.get(name), again);
});

Deno.test("lookup() answers from a packed zone what it answers from the zone", () => {
  const zone = made(APEX + LINES), packed = sent(zone);
  for (const dnssecOk of [false, true]) {
    for (const question of QUESTIONS) {
      const [is, wanted] = [packed, zone].map((zone) => show(ask(zone, question, { dnssecOk })));
      assert.deepEqual(is, wanted, question);
    }
  }
});

Deno.test("a packed zone has no names of others, however alike", () => {
  const { nodes } = sent(made(APEX + LINES));
  const others = ["www.example.net", "www", "ww.example.org", "www.www.example.org", "xexample.org", "."];
  for (const other of others) assert.equal(nodes.get(parseName(other)), undefined, other);
  // A label that holds what the origin's octets are.
  assert.equal(nodes.get("\x04www\x07example\x03org\x00" as Name), undefined);
  assert.equal(nodes.get("\x0d\x03w\x07example\x03org\x00" as Name), undefined);
});

Deno.test("a large zone is shared, a small one copied", () => {
  const large = pack(made(APEX + Array.from({ length: 2000 }, (_, i) => `n${i} A 192.0.2.1`).join("\n")));
  assert.equal(structuredClone(large).buffer.constructor, SharedArrayBuffer);
  assert.equal(pack(made(APEX)).buffer.constructor, ArrayBuffer);
  const { nodes } = openZone(structuredClone(large));
  for (let i = 0; i < 2000; i++) assert.ok(nodes.get(parseName(`n${i}`, ORIGIN))!.rrsets.has(1), `n${i}`);
});

Deno.test("names of pools come with a packed zone, and leave what it has beside them", () => {
  const packed = pack(made(APEX + LINES)), name = parseName("www.example.org");
  const owned = { name: parseName("new.deep.example.org"), types: [1], pool: "p" };
  const { laid, conflicts } = layOwnedNames(openZone(packed), [owned, { ...owned, name, types: [64] }]);
  assert.deepEqual(conflicts, []);
  const zone = openZone(structuredClone({ ...packed, laid }));
  assert.deepEqual(show(ask(zone, "new.deep A")), ["NOERROR aa", "an new.deep 0 A (pool p)"]);
  assert.equal(show(ask(zone, "deep A"))[0], "NOERROR aa");
  assert.equal(show(ask(zone, "www A")).length, 3);
  assert.equal(zone.nodes.size, openZone(packed).nodes.size + 2);
});
