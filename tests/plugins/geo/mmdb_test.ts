import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { type CityResponse, Reader } from "mmdb-lib";
import {
  type Family,
  formatAddress,
  formatPrefix,
  parseAddress,
  type Prefix,
} from "../../../core/net/address.ts";
import { findNetwork, networkAt, type NetworkTable, valueAt } from "../../../core/net/network_table.ts";
import { overlay, prefixTree } from "../../../core/net/table_algebra.ts";
import { tableBuilder } from "../../../core/net/table_builder.ts";
import { embeddedDatabase } from "../../../plugins/geo/embedded.ts";
import {
  hasFamily,
  type Mmdb,
  MmdbError,
  NOWHERE,
  openMmdb,
  placeOf,
  walkNetworks,
} from "../../../plugins/geo/mmdb.ts";
import { Float, type MmdbShape, type Records, setRecord24, writeMmdb } from "../../support/mmdb_writer.ts";

const FLAT = {
  city: "Frankfurt am Main",
  country_code: "DE",
  latitude: new Float(50.125),
  longitude: new Float(8.6875),
  state1: "Hesse",
  timezone: "",
};
const NESTED = {
  city: { names: { de: "Sydney", en: "Sydney" } },
  country: { geoname_id: 2077456, iso_code: "AU", is_in_european_union: false },
  location: { accuracy_radius: 20, latitude: -33.8688, longitude: 151.2093 },
  registered_country: { iso_code: "US" },
  subdivisions: [{ iso_code: "NSW", names: { en: "New South Wales" } }, { iso_code: "X" }],
};

const records: Records = {
  "192.0.2.0/24": FLAT,
  "198.51.100.0/25": NESTED,
  "203.0.113.64/26": { country_code: "BR" },
  "203.0.113.7/32": { registered_country: { iso_code: "ZA" } },
};

/** `PREFIX PLACE` of each network that has a place. */
function listing(mmdb: Mmdb, family: Family): string[] {
  const table = tableOf(mmdb, family);
  return Array.from({ length: table.count }, (_, i) => {
    const record = valueAt(table, i) - 1;
    if (record === NOWHERE) return "";
    const { point, country, subdivision } = placeOf(mmdb, record);
    return [formatPrefix(networkAt(table, i)), country, subdivision, point?.latitude, point?.longitude].join(
      " ",
    );
  }).filter((line) => line !== "");
}

function tableOf(mmdb: Mmdb, family: Family): NetworkTable {
  const builder = tableBuilder(family);
  walkNetworks(mmdb, family, (length, record) => builder.append(length, record + 1));
  return builder.finish();
}

const read = (some: Records, shape: MmdbShape = {}) => openMmdb(writeMmdb(some, shape));

for (const recordBits of [24, 28, 32] as const) {
  for (const ipVersion of [4, 6] as const) {
    for (const pointers of [false, true]) {
      const which = `${recordBits}-bit records, IPv${ipVersion}, ${pointers ? "with" : "without"} pointers`;
      Deno.test(`walkNetworks() and placeOf() read both layouts: ${which}`, () => {
        assert.deepEqual(listing(read(records, { recordBits, ipVersion, pointers }), 4), [
          "192.0.2.0/24 DE Hesse 50.125 8.6875",
          "198.51.100.0/25 AU NSW -33.8688 151.2093",
          "203.0.113.7/32 ZA   ",
          "203.0.113.64/26 BR   ",
        ]);
      });
    }
  }
}

Deno.test("a 28-bit record keeps its highest four bits", () => {
  // Both records of the one node point far past what 24 bits reach; there is no such data, and that is what is said.
  const octets = writeMmdb({ "0.0.0.0/1": FLAT }, {
    recordBits: 28,
    ipVersion: 4,
    corrupt: ({ tree }) => tree.set([0, 0, 17, 0x10, 0, 0, 1]),
  });
  assert.throws(() => tableOf(openMmdb(octets), 4), /points to octet 16777239/);
});

Deno.test("walkNetworks() of IPv6 takes IPv4 and what leads to it as networks without data", () => {
  const mmdb = read({ ...records, "2001:db8::/32": { country_code: "JP" } }, {
    aliases: ["64:ff9b::/96", "2002::/16"],
  });
  const table = tableOf(mmdb, 6);
  assert.deepEqual(listing(mmdb, 6), ["2001:db8::/32 JP   "]);
  for (const network of ["::/96", "64:ff9b::/96", "2002::/16"]) {
    const address = parseAddress(network.split("/")[0]!)!;
    assert.equal(formatPrefix(networkAt(table, findNetwork(table, address.octets))), network);
  }
  assert.equal(listing(mmdb, 4).length, 4);
});

Deno.test("hasFamily() knows that an IPv4 file says nothing of IPv6, and the other way round", () => {
  const ipv4 = read(records, { ipVersion: 4 });
  assert.deepEqual([hasFamily(ipv4, 4), hasFamily(ipv4, 6)], [true, false]);
  const ipv6 = read({ "2001:db8::/32": FLAT });
  assert.deepEqual([hasFamily(ipv6, 4), hasFamily(ipv6, 6)], [false, true]);
  assert.ok(hasFamily(read({ "2001:db8::/32": FLAT, "192.0.2.0/24": FLAT }), 4));
});

Deno.test("openMmdb() reads the metadata", () => {
  const { metadata } = read(records, {
    ipVersion: 4,
    databaseType: "GeoLite2-City",
    buildEpoch: 1_780_666_922,
  });
  assert.deepEqual({ ...metadata, nodeCount: 0 }, {
    nodeCount: 0,
    recordBits: 24,
    ipVersion: 4,
    databaseType: "GeoLite2-City",
    builtMs: 1_780_666_922_000,
  });
});

Deno.test("placeOf() does not take what is no country code for one", () => {
  assert.deepEqual(listing(read({ "192.0.2.0/24": { country_code: "germany", state1: 7 } }), 4), [
    "192.0.2.0/24    ",
  ]);
});

Deno.test("walkNetworks() lays prefixes over as overlay() does, and shows what they hide", () => {
  const prefix = fc.tuple(fc.constantFrom(4, 6), fc.nat(255), fc.nat(3), fc.integer({ min: 0, max: 26 })).map(
    ([family, head, tail, length]): Prefix => {
      const octets = new Uint8Array(family === 4 ? 4 : 16);
      // Some are within the records' networks, some beside.
      octets.set(family === 4 ? [203, 0, 113, head] : [0x20, 0x01, 0x0d, 0xb8, head]);
      const bits = length < 5 ? length : family === 4 ? length + 6 : length + 20 + tail;
      for (let bit = bits; bit < octets.length * 8; bit++) octets[bit >> 3]! &= ~(0x80 >> (bit & 7));
      return { family: family as Family, octets, length: bits };
    },
  );
  const deep: Records = { ...records, "2001:db8::/34": FLAT, "2001:db8:8000::/33": NESTED };
  for (const recordBits of [24, 28, 32] as const) {
    const mmdb = read(deep, { recordBits });
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 6 }), (prefixes) => {
        const entries = prefixes.map((prefix, i) => ({ prefix, value: 1_000_000 + i }));
        for (const family of [4, 6] as const) {
          const builder = tableBuilder(family), plain = tableOf(mmdb, family), hidden = new Set<number>();
          const note = (length: number, record: number) => builder.append(length, record + 1);
          walkNetworks(mmdb, family, note, {
            over: prefixTree(family, entries),
            put: (length, value) => builder.append(length, value),
            hidden: (record) => void hidden.add(record + 1),
          });
          const laid = builder.finish();
          assert.deepEqual(laid, overlay(plain, entries));
          const seen = new Set([...hidden, ...valuesOf(laid)]);
          assert.ok(valuesOf(plain).every((value) => seen.has(value)));
        }
      }),
      { numRuns: 40, seed: 11 },
    );
  }
});

function valuesOf(table: NetworkTable): number[] {
  return Array.from({ length: table.count }, (_, entry) => valueAt(table, entry));
}

Deno.test("walkNetworks() finds the same networks as mmdb-lib in the embedded database", () => {
  const octets = Deno.readFileSync(embeddedDatabase());
  const mmdb = openMmdb(octets),
    oracle = new Reader<CityResponse & { country_code?: string }>(Buffer.from(octets));
  for (const family of [4, 6] as const) {
    const table = tableOf(mmdb, family);
    assert.ok(table.count > 100_000);
    for (let entry = 0; entry < table.count; entry += 997) {
      const network = networkAt(table, entry);
      if (family === 6 && formatPrefix(network) === "::/96") continue;
      const [found, length] = oracle.getWithPrefixLength(formatAddress(network));
      assert.equal(network.length, length, formatPrefix(network));
      const record = valueAt(table, entry) - 1;
      assert.equal(record === NOWHERE ? undefined : placeOf(mmdb, record).country, found?.country_code);
    }
  }
});

const ipv4 = { ipVersion: 4 } as const;
for (
  const [what, make, message] of [
    ["is empty", () => new Uint8Array(0), /no MaxMind DB file/],
    ["is text", () => new TextEncoder().encode("nodes: []\n".repeat(100)), /no MaxMind DB file/],
    ["is cut short", () => writeMmdb(records).slice(0, -50), /cut short or corrupt at octet/],
    ["lacks its beginning", () => writeMmdb(records).slice(600), /want \d+ octets, it has \d+/],
    ["has no node", () => writeMmdb(records, { metadata: { node_count: 0 } }), /0 nodes/],
    [
      "has another record size",
      () => writeMmdb(records, { metadata: { record_size: 20 } }),
      /24, 28 or 32 bits/,
    ],
    [
      "has another IP version",
      () => writeMmdb(records, { metadata: { ip_version: 5 } }),
      /IP version 4 or 6/,
    ],
    [
      "has another format",
      () => writeMmdb(records, { metadata: { binary_format_major_version: 3 } }),
      /version 2/,
    ],
    [
      "has a node that leads to itself",
      () => writeMmdb(records, { ...ipv4, corrupt: ({ tree }) => setRecord24(tree, 3, 1, 3) }),
      /search tree has a loop/,
    ],
    [
      "has nodes that multiply",
      () =>
        writeMmdb({ "2001:db8::1/128": FLAT }, {
          corrupt: ({ tree, nodeCount }) => {
            for (let node = 0; node < nodeCount - 1; node++) {
              setRecord24(tree, node, 0, node + 1);
              setRecord24(tree, node, 1, node + 1);
            }
          },
        }),
      /search tree has a loop/,
    ],
    [
      "has a record past its data",
      () => writeMmdb(records, { ...ipv4, corrupt: ({ tree }) => setRecord24(tree, 0, 1, 0xffffff) }),
      /where no data is/,
    ],
    [
      "has a record that points between tree and data",
      () =>
        writeMmdb(records, {
          ...ipv4,
          corrupt: ({ tree, nodeCount }) => setRecord24(tree, 0, 1, nodeCount + 3),
        }),
      /where no data is/,
    ],
    [
      "has a pointer to itself",
      () => writeMmdb(records, { ...ipv4, corrupt: ({ data }) => data.set([0x20, 0]) }),
      /wanted a value where a pointer points/,
    ],
    [
      "has a pointer out of the file",
      () => writeMmdb(records, { ...ipv4, corrupt: ({ data }) => data.set([0x38, 0x7f, 0xff, 0xff, 0xff]) }),
      /wanted its data to reach so far/,
    ],
    [
      "has a map of sixteen million entries",
      () => writeMmdb(records, { ...ipv4, corrupt: ({ data }) => data.set([0xff, 0xff, 0xff, 0xff]) }),
      /cut short or corrupt at octet/,
    ],
    [
      "has a map with numbers for keys",
      () => writeMmdb(records, { ...ipv4, corrupt: ({ data }) => data.set([0xe1, 0xc0]) }),
      /a map's key to be text/,
    ],
    [
      "has arrays nested without end",
      () =>
        writeMmdb({ "192.0.2.0/24": { city: "x".repeat(200), country_code: "DE" } }, {
          ...ipv4,
          corrupt: ({ data }) => {
            for (let at = 6; at < 200; at += 2) data.set([0x01, 0x04], at);
          },
        }),
      /nested at most 32 deep/,
    ],
    [
      "has a record of tens of thousands of values",
      () => writeMmdb({ "192.0.2.0/24": { city: new Array(25_000).fill(0), country_code: "DE" } }),
      /a record of at most 20000 values/,
    ],
    [
      "has a latitude off the earth",
      () => writeMmdb({ "192.0.2.0/24": { latitude: 91, longitude: 0 } }),
      /no place has latitude 91/,
    ],
  ] as const
) {
  Deno.test(`a file is refused that ${what}`, () => {
    assert.throws(() => listing(openMmdb(make()), 4), (error) => {
      assert.ok(error instanceof MmdbError, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("no change of a file's octets makes reading it hang or fail with anything but a refusal", () => {
  const sound = writeMmdb({ ...records, "2001:db8::/32": NESTED }, {
    pointers: true,
    aliases: ["2002::/16"],
  });
  const change = fc.tuple(fc.nat(sound.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const octets = sound.slice();
      for (const [at, value] of changes) octets[at] = value;
      try {
        const mmdb = openMmdb(octets);
        for (const family of [4, 6] as const) if (hasFamily(mmdb, family)) listing(mmdb, family);
      } catch (error) {
        assert.ok(error instanceof MmdbError, String(error));
      }
    }),
    { numRuns: 500, seed: 7 },
  );
});

Deno.test("no file cut short is taken for a sound one", () => {
  const sound = writeMmdb(records, { pointers: true });
  for (let length = 0; length < sound.length; length += 3) {
    assert.throws(() => listing(openMmdb(sound.slice(0, length)), 4), MmdbError, `${length} octets`);
  }
});
