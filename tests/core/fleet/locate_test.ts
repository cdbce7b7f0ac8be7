import assert from "node:assert/strict";
import { type Geography, SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import { overlay } from "../../../core/net/table_algebra.ts";
import { uniformTable } from "../../../core/net/table_builder.ts";
import { formatPrefix, parseAddress, parsePrefix } from "../../../core/plugin.ts";
import { locate } from "../../../core/fleet/locate.ts";

const GEOGRAPHY: Geography = {
  epoch: 1,
  v4: overlay(uniformTable(4, 0), [
    { prefix: parsePrefix("192.0.2.0/24")!, value: 1 },
    { prefix: parsePrefix("10.0.0.0/8")!, value: SPECIAL_CLASS_FIRST },
  ]),
  v6: uniformTable(6, 0),
  places: {
    count: 2,
    latitude: Float64Array.of(0, 50.11),
    longitude: Float64Array.of(0, 8.68),
    country: Uint16Array.of(0, 1),
    subdivision: Uint16Array.of(0, 1),
    source: Uint8Array.of(0, 0),
    countries: ["", "DE"],
    subdivisions: ["", "HE"],
    sourceNames: [{ name: "test.mmdb", precision: "city" }],
  },
  specialNames: ["private"],
  sources: [],
};

Deno.test("locate() tells place, source and leaf of an address", () => {
  const { network, ...rest } = locate(GEOGRAPHY, parseAddress("192.0.2.9")!);
  assert.equal(formatPrefix(network), "192.0.2.0/24");
  assert.deepEqual(rest, {
    placeId: 1,
    place: { latitude: 50.11, longitude: 8.68, country: "DE", subdivision: "HE" },
    precision: "city",
    source: "test.mmdb",
    special: false,
  });
});

Deno.test("locate() names a special-use block, and knows nothing of the rest", () => {
  assert.deepEqual(locate(GEOGRAPHY, parseAddress("10.1.2.3")!), {
    network: parsePrefix("10.0.0.0/8"),
    placeId: 0,
    source: "private",
    special: true,
  });
  assert.equal(locate(GEOGRAPHY, parseAddress("2001:db8::1")!).place, undefined);
});
