import assert from "node:assert/strict";
import type { Place } from "../../../core/fleet/place.ts";
import { type LocatedAddress, placeFlags, timeFlagsOf } from "../../../core/registry/plausibility.ts";

const place = (latitude: number, longitude: number, country: string): Place => ({
  ...{ latitude, longitude, country, subdivision: "" },
});
const FRANKFURT = place(50.11, 8.68, "DE"),
  MUNICH = place(48.14, 11.58, "DE"),
  TOKYO = place(35.68, 139.69, "JP");
const BERLIN = place(52.52, 13.4, "DE"),
  MOSCOW = place(55.75, 37.62, "RU"),
  VLADIVOSTOK = place(43.1, 131.9, "RU");

const at = (where: Place, precision: LocatedAddress["precision"]): LocatedAddress => ({
  ...{ address: "192.0.2.1", place: where, precision, source: "test.mmdb" },
});

const table: [what: string, declared: Place, LocatedAddress[], kinds: string[]][] = [
  ["where geo data has it", FRANKFURT, [at(FRANKFURT, "city")], []],
  ["304 km beside, in the same country", FRANKFURT, [at(MUNICH, "city")], []],
  ["in another country", FRANKFURT, [at(TOKYO, "city")], ["country"]],
  ["at the other end of its country, by cities", VLADIVOSTOK, [at(MOSCOW, "city")], ["far"]],
  ["at the other end of its country, by countries", VLADIVOSTOK, [at(MOSCOW, "country")], ["far"]],
  ["far from its country's point, by countries", MUNICH, [at(BERLIN, "country")], []],
  ["where no country is known", place(0, 0, ""), [at(FRANKFURT, "city")], ["far"]],
  ["where geo data has nothing", FRANKFURT, [], []],
  ["of two families, one elsewhere", FRANKFURT, [at(FRANKFURT, "city"), at(TOKYO, "city")], ["country"]],
];
for (const [what, declared, located, kinds] of table) {
  Deno.test(`a place ${kinds.length > 0 ? "is flagged" : "may be true"}: ${what}`, () => {
    assert.deepEqual(placeFlags(declared, located).map(({ kind }) => kind), kinds);
  });
}

Deno.test("nothing is faster than light: a peer that answers too fast is nearer than it says, or the node is", () => {
  const flags = (rttMs: number) => placeFlags(FRANKFURT, [], [{ node: "tok1", place: TOKYO, rttMs }]);
  // 9,350 km: light in fibre takes 93 ms there and back.
  assert.deepEqual(flags(95), []);
  assert.equal(flags(20)[0]!.kind, "faster-than-light");
  assert.match(
    flags(20)[0]!.reason,
    /^tok1 answers within 20 ms, in which nothing gets further than 3000 km and back;/,
  );
  assert.deepEqual(placeFlags(FRANKFURT, [], [{ node: "fra2", place: FRANKFURT, rttMs: 0.1 }]), []);
});

Deno.test("of many round trips the node that lies stands in most", () => {
  const places = new Map([["fra1", FRANKFURT], ["muc1", MUNICH], ["ber1", BERLIN], ["liar", TOKYO]]);
  const measured = new Map([
    ["liar", [{ node: "fra1", rttMs: 5 }, { node: "muc1", rttMs: 8 }, { node: "nobody", rttMs: 0 }]],
    ["ber1", [{ node: "liar", rttMs: 12 }, { node: "fra1", rttMs: 9 }]],
    ["removed", [{ node: "fra1", rttMs: 0 }]],
  ]);
  const flags = timeFlagsOf(places, measured);
  assert.deepEqual([...flags].map(([id, { length }]) => [id, length]).sort(), [
    ...[["ber1", 1], ["fra1", 1], ["liar", 3], ["muc1", 1]],
  ]);
});
