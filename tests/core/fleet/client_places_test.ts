import assert from "node:assert/strict";
import fc from "fast-check";
import { clientPlaces, demandByPlace, packDemand } from "../../../core/fleet/client_places.ts";
import { geography } from "./make.ts";

const WORLD = geography([[50, 8], [40, -74], [35, 139]], {
  "0.0.0.0/1": 1,
  "128.0.0.0/2": 2,
  "192.0.0.0/8": 3,
  "10.0.0.0/8": "special",
  "2001:db8::/32": 2,
  "2001:db8:1::/48": 1,
  "2001:db8:2::/128": 3,
});

const demand = (
  networks: Record<string, number>,
) => [...demandByPlace(WORLD, packDemand(new Map(Object.entries(networks))))];

Deno.test("demandByPlace() counts IPv4 addresses where nothing is given", () => {
  const [, one, two, three] = demandByPlace(WORLD);
  assert.deepEqual([one, two, three], [2 ** 31 - 2 ** 24, 2 ** 30, 2 ** 24]);
});

Deno.test("demandByPlace() counts /48s where no IPv4 address has a place", () => {
  const world = geography([[50, 8], [40, -74]], { "2001:db8::/32": 2, "2001:db8:1::/48": 1 });
  assert.deepEqual([...demandByPlace(world)].slice(1), [1, 2 ** 16 - 1]);
});

Deno.test("demandByPlace() gives a network's demand to its place, or to the places of its leaves by their size", () => {
  assert.deepEqual(demand({ "1.2.3.0/24": 5, "2001:db8:1:2::/64": 7 }), [0, 12, 0, 0]);
  assert.deepEqual(demand({ "10.1.0.0/16": 4, "203.0.113.0/24": 1 }), [5, 0, 0, 0]);
  assert.deepEqual(demand({ "128.0.0.0/1": 256 }), [126, 0, 128, 2]);
  assert.deepEqual(demand({ "2001:db8::/46": 8 }).map((one) => Math.round(one * 1e6) / 1e6), [0, 2, 6, 0]);
  // A leaf that is next to nothing does not end the network it lies in.
  assert.deepEqual(demand({ "2001:db8:2::/47": 8 }).map((one) => Math.round(one * 1e6) / 1e6), [0, 0, 8, 0]);
});

Deno.test("demandByPlace() adds up networks that overlap, and leaves out what asks for nothing", () => {
  assert.deepEqual(demand({ "1.0.0.0/8": 1, "1.2.0.0/16": 2, "1.3.0.0/16": 0, "nonsense": 3 }), [0, 3, 0, 0]);
});

Deno.test("clientPlaces() gathers places until there are few enough, and nothing of what they ask for is lost", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.double({ min: -90, max: 90, noNaN: true }),
          fc.double({ min: -180, max: 180, noNaN: true }),
          fc.nat(9),
        ),
        { minLength: 1, maxLength: 60 },
      ),
      fc.integer({ min: 4, max: 20 }),
      (rows, most) => {
        const { places } = geography(rows.map(([north, east]) => [north, east]), {});
        const byPlace = Float64Array.from([7, ...rows.map(([, , demand]) => demand)]);
        const found = clientPlaces(places, byPlace, most),
          sum = (some: Float64Array) => some.reduce((sum, one) => sum + one, 0);
        assert.ok(found.demand.length <= most);
        assert.ok(found.demand.every((one) => one > 0));
        assert.ok(Math.abs(sum(found.demand) - sum(byPlace) + 7) < 1e-9);
        const middle = (column: Float64Array) => sum(column.map((one, i) => one * found.demand[i]!));
        const wanted = rows.reduce((sum, [north, , demand]) => sum + north * demand, 0);
        assert.ok(Math.abs(middle(found.latitude) - wanted) < 1e-6);
      },
    ),
    { seed: 5, numRuns: 100 },
  );
});
