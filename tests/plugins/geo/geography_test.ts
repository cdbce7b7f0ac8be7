import assert from "node:assert/strict";
import fc from "fast-check";
import { SPECIAL_CLASS_FIRST } from "../../../core/fleet/place.ts";
import { findNetwork, valueAt } from "../../../core/net/network_table.ts";
import { formatPrefix, parseAddress, parsePrefix } from "../../../core/plugin.ts";
import { GeographyBuilder, type OperatorNetwork } from "../../../plugins/geo/geography.ts";
import { locate } from "../../../core/fleet/locate.ts";
import { describeLocation } from "../../../plugins/geo/describe.ts";
import { PlaceColumns } from "../../../plugins/geo/place_columns.ts";
import { type Records, writeMmdb } from "../../support/mmdb_writer.ts";

const city = (latitude: number, longitude: number, country_code = "DE") => ({
  latitude,
  longitude,
  country_code,
});

/** A geography of files with these records, and of operator networks given as `PREFIX LATITUDE`. */
function geographyOf(files: Records[], operator: string[] = [], ipVersion: 4 | 6 = 6) {
  const networks = operator.map((text): OperatorNetwork => {
    const [prefix, latitude] = text.split(" ");
    const place = { latitude: Number(latitude), longitude: 0, country: "", subdivision: "" };
    return { prefix: parsePrefix(prefix!)!, place };
  });
  const file = operator.length > 0 ? { networks, builtMs: 0 } : undefined;
  const builder = new GeographyBuilder(1_700_000_000_000, file);
  for (const [i, records] of files.entries()) {
    builder.addDatabase({ name: `${i + 1}.mmdb`, octets: writeMmdb(records, { ipVersion }) });
  }
  return builder.finish(1);
}

/** `NETWORK LATITUDE PRECISION SOURCE` of an address; the latitude is - where there is no place. */
function where(geography: ReturnType<typeof geographyOf>, text: string): string {
  const { network, place, precision, source } = locate(geography, parseAddress(text)!);
  return [formatPrefix(network), place?.latitude ?? "-", precision ?? "-", source].join(" ");
}

Deno.test("a leaf is the network of the database, exactly", () => {
  const geography = geographyOf([{
    "8.8.0.0/17": city(1, 1),
    "8.8.128.0/17": city(1, 1),
    "2a00::/12": city(2, 2),
  }]);
  // Equal neighbours stay apart: nothing is merged here.
  assert.equal(where(geography, "8.8.8.8"), "8.8.0.0/17 1 city Test-City 1.mmdb");
  assert.equal(where(geography, "8.8.200.8"), "8.8.128.0/17 1 city Test-City 1.mmdb");
  assert.equal(where(geography, "8.9.0.1"), "8.9.0.0/16 - - no data");
  assert.equal(where(geography, "2a05::1"), "2a00::/12 2 city Test-City 1.mmdb");
});

Deno.test("the first database that has a place decides, the leaf is the longest network that was consulted", () => {
  const geography = geographyOf([
    { "8.8.0.0/16": city(1, 1), "9.0.0.0/8": {}, "9.9.9.0/24": city(2, 2), "11.0.0.0/24": {} },
    { "8.8.8.0/24": city(3, 3), "9.9.0.0/16": city(4, 4), "11.0.0.0/8": city(5, 5) },
  ]);
  assert.equal(where(geography, "8.8.8.8"), "8.8.0.0/16 1 city Test-City 1.mmdb");
  assert.equal(where(geography, "9.9.9.9"), "9.9.9.0/24 2 city Test-City 1.mmdb");
  assert.equal(where(geography, "9.9.8.1"), "9.9.8.0/24 4 city Test-City 2.mmdb");
  assert.equal(where(geography, "9.9.128.1"), "9.9.128.0/17 4 city Test-City 2.mmdb");
  assert.equal(where(geography, "11.0.0.1"), "11.0.0.0/24 5 city Test-City 2.mmdb");
  assert.equal(where(geography, "11.128.0.1"), "11.128.0.0/9 5 city Test-City 2.mmdb");
});

Deno.test("an IPv6 address is unknown to a file of IPv4 only", () => {
  // 32.1.0.0/16 begins with the bits of 2001::/16.
  const geography = geographyOf([{ "32.1.0.0/16": city(1, 1) }], [], 4), without = geographyOf([]);
  assert.equal(where(geography, "32.1.1.1"), "32.1.0.0/16 1 city Test-City 1.mmdb");
  assert.equal(where(geography, "2001:4860::"), where(without, "2001:4860::"));
  assert.match(where(without, "2001:4860::"), / - - no data$/);
});

Deno.test("an IPv4 address is unknown to a file without IPv4", () => {
  assert.equal(where(geographyOf([{ "2a00::/12": city(1, 1) }]), "1.2.3.4"), "1.0.0.0/8 - - no data");
});

Deno.test("a record without coordinates stands for its country's point, with country precision", () => {
  const geography = geographyOf([{
    "8.0.0.0/8": city(1, 1),
    "9.0.0.0/8": { country: { iso_code: "ZA" } },
    "11.0.0.0/8": { country_code: "EU" },
  }]);
  assert.equal(where(geography, "9.1.1.1"), "9.0.0.0/8 -26.18 country Test-City 1.mmdb");
  assert.equal(where(geography, "11.1.1.1"), "11.0.0.0/8 - - no data");
  assert.deepEqual(geography.sources.map(({ precision }) => precision), ["city"]);
  const countries = geographyOf([{ "9.0.0.0/8": { country_code: "ZA" } }]);
  const [{ content, ...source }] = countries.sources as [typeof countries.sources[0]];
  assert.match(content, /^[0-9a-f]{64}$/);
  assert.deepEqual([source], [
    {
      name: "Test-City 1.mmdb",
      precision: "country",
      builtMs: 1_790_000_000_000,
      loadedMs: 1_700_000_000_000,
    },
  ]);
});

Deno.test("special-purpose blocks are leaves of classes of their own, whatever the data says of them", () => {
  const geography = geographyOf([{
    "10.1.0.0/16": city(1, 1),
    "2001:db8::/33": city(2, 2),
    "9.0.0.0/8": city(3, 3),
  }]);
  const location = locate(geography, parseAddress("10.1.2.3")!);
  assert.deepEqual({ ...location, network: formatPrefix(location.network) }, {
    network: "10.0.0.0/8",
    placeId: 0,
    source: "private use",
    special: true,
  });
  assert.equal(describeLocation(location), "10.0.0.0/8, special-purpose (private use), without a place");
  const classes = ["10.0.0.0", "192.168.0.0"].map((text) =>
    valueAt(geography.v4, findNetwork(geography.v4, parseAddress(text)!.octets))
  );
  assert.ok(classes.every((value) => value >= SPECIAL_CLASS_FIRST) && classes[0] !== classes[1]);
  assert.equal(where(geography, "2001:db8:4000::1"), "2001:db8::/32 - - documentation");
});

Deno.test("an operator's network replaces what lies under it, and wins over a block of its length", () => {
  const geography = geographyOf([{ "8.8.0.0/16": city(1, 1), "8.8.8.0/24": city(2, 2) }], [
    "8.8.0.0/20 50",
    "8.8.4.0/24 51",
    "198.51.100.0/24 52",
    "203.0.113.128/25 53",
    "10.0.0.0/7 54",
  ]);
  assert.equal(where(geography, "8.8.8.8"), "8.8.8.0/21 50 operator networks");
  assert.equal(where(geography, "8.8.4.4"), "8.8.4.0/24 51 operator networks");
  assert.equal(where(geography, "8.8.16.1"), "8.8.16.0/20 1 city Test-City 1.mmdb");
  assert.equal(where(geography, "198.51.100.9"), "198.51.100.0/24 52 operator networks");
  assert.equal(where(geography, "203.0.113.200"), "203.0.113.128/25 53 operator networks");
  // What an operator's network leaves of a block is the block's still; a shorter one does not take a block.
  assert.equal(where(geography, "203.0.113.1"), "203.0.113.0/25 - - documentation");
  assert.equal(where(geography, "10.0.0.1"), "10.0.0.0/8 - - private use");
  assert.equal(where(geography, "11.0.0.1"), "11.0.0.0/8 54 operator networks");
  assert.deepEqual(geography.sources.map(({ name }) => name), ["Test-City 1.mmdb", "networks"]);
});

Deno.test("a database that knows no place at all is refused", () => {
  const asn = { "8.8.8.0/24": { autonomous_system_number: 15169 } };
  assert.throws(() => geographyOf([asn]), /neither coordinates nor countries/);
});

Deno.test("a geography is plain data", () => {
  const geography = geographyOf([{ "8.8.0.0/16": city(1, 1), "2a00::/12": city(2, 2) }], ["9.0.0.0/8 3"]);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(geography);
  return new Promise<void>((resolve) => {
    port2.onmessage = ({ data }) => {
      assert.equal(where(data, "9.1.1.1"), "9.0.0.0/8 3 operator networks");
      // One memory, not a copy: what is written on one side is read on the other.
      data.places.latitude.fill(7);
      assert.equal(where(geography, "9.1.1.1"), "9.0.0.0/8 7 operator networks");
      assert.ok([data.v4, data.v6].every(({ codes }) => codes.buffer instanceof SharedArrayBuffer));
      port1.close();
      port2.close();
      resolve();
    };
  });
});

Deno.test("PlaceColumns gives equal places one number, and others another", () => {
  const place = fc.record({
    latitude: fc.constantFrom(-90, 0, 12.5, 12.500001),
    longitude: fc.integer({ min: -180, max: 180 }),
    country: fc.constantFrom("", "DE", "FR"),
    subdivision: fc.constantFrom("", "A", "B"),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.nat(1)), { minLength: 1500, maxLength: 4000 }), (some) => {
      const columns = new PlaceColumns(), ids = new Map<string, number>();
      const sources = [columns.source("a", "city"), columns.source("a", "country")];
      for (const [place, source] of some) {
        const key = JSON.stringify([place, source]);
        if (!ids.has(key)) ids.set(key, ids.size + 1);
        assert.equal(columns.add(place, sources[source]!), ids.get(key));
      }
      assert.equal(columns.finish().count, ids.size + 1);
    }),
    { numRuns: 10, seed: 3 },
  );
});
