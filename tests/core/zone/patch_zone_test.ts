import assert from "node:assert/strict";
import fc from "fast-check";
import { fold, formatName, type Name, parseName } from "../../../core/dns/name.ts";
import { formatRdata, parseRdata } from "../../../core/dns/rdata.ts";
import { TYPE, typeToText } from "../../../core/dns/types.ts";
import { makeZone } from "../../../core/zone/make_zone.ts";
import { readEntries } from "../../../core/zone/lexer.ts";
import { changing, type ChangingZone, patchZone, type RRsetChange } from "../../../core/zone/patch_zone.ts";
import type { Zone } from "../../../core/zone/zone.ts";
import { ORIGIN } from "./zone_text.ts";

const NAMES = ["@", "ns", "a", "b.a", "c.b.a", "d.c.b.a", "*.a", "e.f.g", "g", "MiXed"];
const DATA: Readonly<Record<string, readonly string[]>> = {
  A: ["192.0.2.1", "192.0.2.2"],
  TXT: ["one", "two"],
  MX: ["10 a.example.org.", "20 b.a.example.org."],
  CNAME: ["a.example.org."],
  NS: ["ns.example.org."],
  DNAME: ["g.example.org."],
};

/** `a 300 A 192.0.2.1`; without a TTL and RDATA the RRset goes. */
function changeOf(line: string): RRsetChange {
  const [, owner, type, ttl, rdata] = /^(\S+) (\S+)(?: (\d+) (.*))?$/.exec(line)!;
  const name = parseName(owner!, ORIGIN), number = TYPE[type as keyof typeof TYPE];
  if (rdata === undefined) return { owner: fold(name), type: number };
  const [entry] = readEntries(rdata, "", []);
  const after = { name, type: number, ttl: Number(ttl), rdata: [parseRdata(number, entry!.tokens, ORIGIN)] };
  return { owner: fold(name), type: number, after };
}

const APEX = ["@ SOA 300 ns host 1 2 3 4 60", "@ NS 300 ns", "ns A 300 192.0.2.53"].map(changeOf);

type RRsets = ReadonlyMap<string, RRsetChange>;

function changed(rrsets: RRsets, changes: readonly RRsetChange[]): RRsets {
  const after = new Map(rrsets);
  for (const change of changes) {
    const key = `${change.owner} ${change.type}`;
    if (change.after) after.set(key, change);
    else after.delete(key);
  }
  return after;
}

/** What the whole of it is. */
function made(rrsets: RRsets): Zone | undefined {
  const sorted = [...rrsets.values()].sort((a, b) => a.type - b.type), at = { file: "", line: 1, column: 1 };
  return makeZone(
    ORIGIN,
    sorted.flatMap(({ after }) => after!.rdata.map((rdata) => ({ ...after!, rdata, at }))),
    at,
  ).zone;
}

function shown({ nodes, cuts, negativeSoa }: Zone): unknown {
  const lines = Array.from(nodes, ([name, { rrsets }]) =>
    [
      formatName(name),
      ...rrsets.values().map(({ type, ttl, rdata }) =>
        `${ttl} ${typeToText(type)} ${rdata.map((one) => formatRdata(type, one)).join(" | ")}`
      ).toArray().sort(),
    ].join("\n"));
  return [lines.sort(), [...cuts].sort(), negativeSoa.ttl, formatRdata(TYPE.SOA, negativeSoa.rdata[0]!)];
}

const start = () => changing(made(changed(new Map(), APEX))!);

const lineOf = fc.tuple(
  fc.constantFrom(...NAMES),
  // Most changes have to do with nothing but their owner.
  fc.constantFrom("A", "A", "A", "TXT", "TXT", "TXT", "MX", "CNAME", "NS", "DNAME"),
  fc.nat({ max: 2 }),
  fc.constantFrom(60, 300),
).map(([owner, type, which, ttl]) => {
  const rdata = DATA[type]![which];
  return rdata === undefined ? `${owner} ${type}` : `${owner} ${type} ${ttl} ${rdata}`;
});
const soaLine = fc.integer({ min: 2, max: 99 }).map((serial) =>
  `@ SOA 300 ns host ${serial} 2 3 4 ${serial}`
);

Deno.test("a zone that is changed in place is the one that would be made of all its records", () => {
  let patched = 0, anew = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(soaLine, fc.array(lineOf, { maxLength: 4 })), { maxLength: 12 }),
      (batches) => {
        let rrsets = changed(new Map(), APEX), zone: ChangingZone = start();
        for (const [soa, lines] of batches) {
          const changes = [soa, ...lines].map(changeOf), next = changed(rrsets, changes), whole = made(next);
          // Later ones of the same RRset count.
          const last = [...new Map(changes.map((one) => [`${one.owner} ${one.type}`, one])).values()];
          const result = patchZone(zone, last);
          if (result) patched++;
          else anew++;
          if (!whole) {
            assert.equal(result, undefined, `${lines}: it can be no zone`);
            zone = changing(made(rrsets)!);
            continue;
          }
          rrsets = next;
          zone = result ?? changing(whole);
          assert.deepEqual(shown(zone), shown(whole), lines.join("; "));
        }
      },
    ),
    { seed: 7, numRuns: 400 },
  );
  // It would prove nothing if all were made anew, or none.
  assert.ok(patched > 500 && anew > 100, `${patched} ${anew}`);
});

Deno.test("what reaches below its owner is left to be made anew", () => {
  const table: [line: string, isPatched: boolean][] = [
    ["www A 300 192.0.2.1", true],
    ["@ NS 300 ns.example.net.", true],
    ["sub NS 300 ns.example.net.", false],
    ["dn DNAME 300 ns.example.net.", false],
    ["a CNAME 300 b.example.net.", true],
    ["ns CNAME 300 b.example.net.", false],
    ["ns A", true],
    ["absent A", true],
    ["@ NS", false],
  ];
  for (const [line, isPatched] of table) {
    assert.equal(patchZone(start(), [changeOf(line)]) !== undefined, isPatched, line);
  }
});

Deno.test("a name that goes takes those along that were there for its sake alone", () => {
  const names = (zone: Zone) => Array.from(zone.nodes, ([name]) => formatName(name as Name)).sort();
  const zone = patchZone(start(), ["x.y.z A 60 192.0.2.1", "y.z TXT 60 t"].map(changeOf))!;
  assert.deepEqual(names(zone).slice(2), ["x.y.z.example.org.", "y.z.example.org.", "z.example.org."]);
  const without = patchZone(zone, [changeOf("y.z TXT")])!;
  assert.deepEqual(names(without).slice(2), ["x.y.z.example.org.", "y.z.example.org.", "z.example.org."]);
  assert.deepEqual(names(patchZone(without, [changeOf("x.y.z A")])!), ["example.org.", "ns.example.org."]);
});
