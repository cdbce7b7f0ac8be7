import assert from "node:assert/strict";
import { emptyAnswer, INDEPENDENT } from "../../../core/answer.ts";
import { fold, type Name, parseName } from "../../../core/dns/name.ts";
import { answerFromZones, type LoadedZone, zoneFor } from "../../../core/zone/zones.ts";
import { pack } from "../../../core/zone/packed_zone.ts";
import { makeZone } from "../../../core/zone/make_zone.ts";
import { parseMasterFile } from "../../../core/zone/master_file.ts";
import { contextOf } from "../../support/context.ts";

/** A zone of an apex and some lines. */
function loaded(origin: string, lines = "", fallthrough: readonly Name[] = []): [Name, LoadedZone] {
  const apex = "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n", name = parseName(origin);
  const { records } = parseMasterFile(apex + lines, { file: origin, origin: name });
  return [name, {
    zone: pack(makeZone(name, records).zone!),
    serial: 1,
    fallthrough,
    path: origin,
    loadedMs: 0,
  }];
}

/** Where the answer to a query for an address was decided, plugins below having the zone `example.org` as well. */
function decidedAt(
  zones: readonly [Name, LoadedZone][],
  text: string,
  blockZone = "example.org",
): Name | undefined {
  const name = parseName(text);
  const below = emptyAnswer(3, {
    dependence: { ...INDEPENDENT, decidedAt: { name: parseName("example.org") } },
  });
  const context = contextOf({
    question: { name, type: 1, class: 1 },
    name: fold(name),
    zone: parseName(blockZone),
  }, text);
  const answer = answerFromZones("file", { zones: new Map(zones) }, context, () => below);
  assert.ok(!(answer instanceof Promise));
  return answer.dependence.decidedAt?.name;
}

const ORG = parseName("example.org");

Deno.test("answerFromZones() keeps where an answer was decided", () => {
  assert.equal(decidedAt([loaded("example.org")], "x.example.org"), ORG);
});

Deno.test("an answer stands for no name of another zone, unless the first one delegates it", () => {
  const inner = loaded("a.sub.example.org");
  assert.equal(decidedAt([loaded("example.org"), inner], "x.example.org"), undefined);
  assert.equal(decidedAt([loaded("example.org", "sub NS ns\n"), inner], "x.example.org"), ORG);
  assert.equal(decidedAt([loaded("example.org", "sub NS ns\n"), inner], "x.sub.example.org"), undefined);
  assert.equal(decidedAt([loaded("example.org"), loaded("example.net")], "x.example.org"), ORG);
});

Deno.test("what falls through or passes by stands for no name that would not", () => {
  assert.equal(decidedAt([loaded("example.org", "", [ORG])], "x.example.org"), undefined);
  assert.equal(decidedAt([loaded("sub.example.org")], "x.example.org"), undefined);
  assert.equal(decidedAt([loaded("example.net")], "x.example.org"), ORG);
});

Deno.test("a block that has a part of a zone stands for no name outside of it", () => {
  assert.equal(decidedAt([loaded("example.org")], "x.sub.example.org", "sub.example.org"), undefined);
  assert.equal(
    decidedAt([loaded("example.org", "sub TXT t\n")], "x.sub.example.org", "sub.example.org"),
    parseName("sub.example.org"),
  );
});

Deno.test("zoneFor() finds the only zone of a map also after another has taken its place", () => {
  const org = loaded("example.org"), again = loaded("example.org"), net = loaded("example.net");
  const zones = new Map([org]), www = parseName("www.example.org");
  assert.equal(zoneFor(zones, www, 1), org[1]);
  zones.set(...again);
  assert.equal(zoneFor(zones, www, 1), again[1]);
  zones.clear();
  zones.set(...net);
  assert.equal(zoneFor(zones, www, 1), undefined);
  assert.equal(zoneFor(zones, parseName("www.example.net"), 1), net[1]);
});
