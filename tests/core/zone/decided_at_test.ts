import assert from "node:assert/strict";
import { fold, isWithin, type Name, nextCloser, parseName } from "../../../core/dns/name.ts";
import { hashNameText } from "../../../core/dns/name_hash.ts";
import { decodeQuery } from "../../../core/dns/query.ts";
import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { rcodeToText, typeFromText } from "../../../core/dns/types.ts";
import { existingNames } from "../../../core/zone/existing_names.ts";
import { respond } from "../../../core/responder.ts";
import { openZone, pack } from "../../../core/zone/packed_zone.ts";
import { withOwnedNames, type Zone } from "../../../core/zone/zone.ts";
import { ask, ORIGIN, zoneOf } from "./zone_text.ts";

const zone = zoneOf(
  "www A 192.0.2.1",
  "a.b.ent A 192.0.2.4",
  "*.wild A 192.0.2.5",
  "*.wild MX 10 mx.wild",
  "*.wild MX 10 xm.wild",
  "there.wild TXT there",
  "*.alias CNAME www",
  "*.round CNAME ab.round",
  "*.through CNAME x.dn",
  "*.gone CNAME absent",
  "*.lost CNAME ab.sub",
  "sub NS ns.sub",
  "sub NS xx.sub",
  "sub DS 1 13 2 " + "00".repeat(32),
  "ns.sub A 192.0.2.7",
  "dn DNAME wild",
  "srv SRV 0 0 1 ab.wild",
  "*.srv SRV 0 0 1 ab.wild",
);

const MADE_OF: readonly string[] = [
  "host",
  "ns",
  "xx",
  "ab",
  "xm",
  "mx",
  "www",
  "tsoh",
  "sub",
  "wild",
  "there",
];

/** Names that are there, that records mention, and of as many octets as these. */
function names(): string[] {
  const below = [
    "wild",
    "alias",
    "round",
    "through",
    "gone",
    "lost",
    "sub",
    "dn",
    "srv",
    "ent",
    "b.ent",
    "www",
  ];
  const single = MADE_OF.flatMap((label) => [label, ...below.map((above) => `${label}.${above}`)]);
  return [...single, ...single.map((name) => `q.${name}`), "a.b.ent", "b.b.ent", "*.wild", "q.*.wild", "@"];
}

const TYPES: readonly string[] = ["A", "MX", "SRV", "CNAME", "DS", "ANY"];

/** The reply behind its question, in octets. */
function replyTo(from: Zone, text: string, type: string): string {
  const name = parseName(text, ORIGIN);
  const edns = { payloadSize: 1232, dnssecOk: true };
  const query = decodeQuery(encodeMessage(makeQuery(7, name, typeFromText(type)!, { edns })));
  assert.ok(query.kind === "query");
  const answer = ask(from, `${text} ${type}`, { dnssecOk: true });
  return respond(query, answer, { transport: "udp" }).subarray(0, 12).toHex() +
    respond(query, answer, { transport: "udp" }).subarray(12 + name.length).toHex();
}

/** Every name with the place it was decided at, in text. */
function decisions(from: Zone, type: string): Record<string, string> {
  const entries = names().map((text) => {
    const { dependence, rcode } = ask(from, `${text} ${type}`);
    const at = dependence.decidedAt?.name;
    return [text, `${rcodeToText(rcode)}${at === undefined ? "" : ` at ${at.length}`}`] as const;
  });
  return Object.fromEntries(entries);
}

Deno.test("lookup() says of an answer decided at an encloser or a cut which", () => {
  const told = (question: string) => ask(zone, question).dependence.decidedAt?.name;
  const cases = {
    "other A": "@",
    "x.other A": "@",
    "x.ent A": "ent",
    "x.www A": "www",
    "any.wild A": "wild",
    "any.wild TXT": "wild",
    "x.any.wild A": "wild",
    "any.alias A": "alias",
    "else.gone A": "gone",
    "x.sub A": "sub",
    "x.y.sub DS": "sub",
  };
  for (const [question, at] of Object.entries(cases)) {
    assert.equal(told(question), parseName(at, ORIGIN), question);
  }
});

Deno.test("lookup() says nothing of the kind where the name itself decided", () => {
  for (
    const question of [
      "www A",
      "www TXT",
      "ent A",
      "@ SOA",
      "*.wild A",
      "sub A",
      "sub DS",
      "x.dn A",
      "x AXFR",
    ]
  ) {
    assert.equal(ask(zone, question).dependence.decidedAt, undefined, question);
  }
});

for (const type of TYPES) {
  Deno.test(`lookup() gives all names decided at one place the same octets: ${type}`, () => {
    const all = names();
    let pairs = 0;
    for (const text of all) {
      const decidedAt = ask(zone, `${text} ${type}`, { dnssecOk: true }).dependence.decidedAt;
      if (!decidedAt) continue;
      const name = fold(parseName(text, ORIGIN)), reply = replyTo(zone, text, type);
      for (const other of all) {
        const otherName = fold(parseName(other, ORIGIN));
        if (otherName.length !== name.length || !standsFor(decidedAt, otherName)) continue;
        pairs++;
        assert.equal(replyTo(zone, other, type), reply, `${text} stands for ${other}`);
      }
    }
    assert.ok(pairs > all.length, `${pairs} pairs`);
  });
}

/** As a memo finds it: by the label that the name has more than the encloser. */
function standsFor(
  decidedAt: { name: Name; existing?: { has(hash: number): boolean } },
  name: Name,
): boolean {
  if (name.length <= decidedAt.name.length || !isWithin(name, decidedAt.name)) return false;
  return !decidedAt.existing?.has(hashNameText(nextCloser(name, decidedAt.name)));
}

Deno.test("lookup() lets names of pools stand for themselves, and wildcards of pools for what is below them", () => {
  const { zone: owned } = withOwnedNames(zone, [
    { name: parseName("entry.example.org"), types: [1], pool: "p" },
    { name: parseName("*.many.example.org"), types: [1], pool: "p" },
  ]);
  assert.equal(ask(owned, "entry A").dependence.decidedAt, undefined);
  assert.equal(ask(owned, "other A").dependence.decidedAt?.name, ORIGIN);
  assert.ok(!standsFor(ask(owned, "other A").dependence.decidedAt!, parseName("entry.example.org")));
  assert.ok(standsFor(ask(owned, "other A").dependence.decidedAt!, parseName("ertne.example.org")));
  assert.equal(ask(owned, "x.many A").dependence.decidedAt?.name, parseName("many.example.org"));
});

Deno.test("existingNames() gathers a large zone in several goes, and lookup() says nothing until it has all", () => {
  const large = zoneOf(...Array.from({ length: 600 }, (_, i) => `n${i} A 192.0.2.1`));
  const places = Array.from({ length: 4 }, () => ask(large, "absent A").dependence.decidedAt?.name);
  assert.deepEqual(places, [undefined, undefined, ORIGIN, ORIGIN]);
  for (let i = 0; i < 600; i++) {
    assert.ok(existingNames(large)!.has(hashNameText(parseName(`n${i}`, ORIGIN))), `n${i}`);
  }
});

Deno.test("a structured clone of a zone decides at the same places", () => {
  const clone = openZone(structuredClone(pack(zone)));
  for (const type of TYPES) assert.deepEqual(decisions(clone, type), decisions(zone, type));
});
