import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Family,
  familyBits,
  formatPrefix,
  parsePrefix,
  type Prefix,
} from "../../../core/net/address.ts";
import {
  findNetwork,
  lengthAt,
  networkAt,
  NetworkCursor,
  type NetworkTable,
  valueAt,
} from "../../../core/net/network_table.ts";
import { APART, fallBack, mapValues, mergeEqual, overlay } from "../../../core/net/table_algebra.ts";
import { tableBuilder, uniformTable } from "../../../core/net/table_builder.ts";

// The model works on whole addresses as bigints, and knows no tree and no order.

const runs = { numRuns: 100, seed: 20260101 };
const family = fc.constantFrom<Family>(4, 6);

/** Prefixes that share their leading bits, so that they nest and touch, near both ends of the space and inside. */
function prefixes(family: Family): fc.Arbitrary<Prefix[]> {
  const bits = familyBits(family);
  const heads = [
    "",
    "1".repeat(bits - 5),
    "0".repeat(bits - 5),
    "001".padEnd(bits - 9, "01"),
    "0".repeat(30),
  ];
  const prefix = fc.tuple(
    fc.constantFrom(...heads),
    fc.string({ unit: fc.constantFrom("0", "1"), maxLength: 5 }),
  )
    .map(([head, tail]) => prefixOfBits(family, (head + tail).slice(0, bits)));
  return fc.array(prefix, { maxLength: 8 });
}

const tables = (family: Family, values = 1000) =>
  fc.tuple(prefixes(family), fc.infiniteStream(fc.nat(values)))
    .map(([cuts, value]) => cutTable(family, cuts, () => value.next().value!));

Deno.test("overlay() has the longest entry at each address, else what the table had", () => {
  fc.assert(
    fc.property(
      family.chain((f) => fc.tuple(tables(f), prefixes(f))),
      ([table, some]) => {
        const entries = some.map((prefix, i) => ({ prefix, value: 5000 + i }));
        const result = overlay(table, entries);
        assertPartition(result);
        for (const address of edges(table.family, [...networks(table), ...some])) {
          const holding = entries.filter(({ prefix }) => holds(prefix, address));
          const longest = Math.max(...holding.map(({ prefix }) => prefix.length));
          const expected = holding.findLast(({ prefix }) => prefix.length === longest)?.value ??
            slowValue(table, address);
          assert.equal(slowValue(result, address), expected);
        }
      },
    ),
    runs,
  );
});

Deno.test("overlay() cuts what remains into the fewest prefixes", () => {
  fc.assert(
    fc.property(
      family.chain((f) => fc.tuple(tables(f), prefixes(f))),
      ([table, some]) => {
        let number = 0;
        const numbered = mapValues(table, () => number++);
        const unique = [...new Map(some.map((prefix) => [formatPrefix(prefix), prefix])).values()];
        const result = overlay(numbered, unique.map((prefix, i) => ({ prefix, value: 100_000 + i })));
        assert.equal(mergeEqual(result, ({ value }) => value).count, result.count);
      },
    ),
    runs,
  );
});

Deno.test("overlay() puts an operator's network into a block and leaves the rest in pieces", () => {
  const table = overlay(uniformTable(4, 0), [
    { prefix: parsePrefix("192.0.2.0/24")!, value: 7 },
    { prefix: parsePrefix("192.0.2.64/26")!, value: 8 },
  ]);
  assert.deepEqual(networks(table).map(formatPrefix).filter((_, i) => valueAt(table, i) !== 0), [
    "192.0.2.0/26",
    "192.0.2.64/26",
    "192.0.2.128/25",
  ]);
});

Deno.test("overlay() prefers the later of two equal prefixes", () => {
  const prefix = parsePrefix("198.51.100.0/24")!;
  const table = overlay(uniformTable(4, 0), [{ prefix, value: 1 }, { prefix, value: 2 }]);
  assert.equal(valueAt(table, findNetwork(table, prefix.octets)), 2);
});

Deno.test("fallBack() asks the second table only where the first is silent, and keeps the longer network", () => {
  fc.assert(
    fc.property(
      family.chain((f) => fc.tuple(tables(f, 2), tables(f, 2))),
      ([first, second]) => {
        const result = fallBack(first, second);
        assertPartition(result);
        for (const address of edges(first.family, [...networks(first), ...networks(second)])) {
          const a = slowEntry(first, address), b = slowEntry(second, address), c = slowEntry(result, address);
          if (valueAt(first, a) !== 0) {
            assert.equal(lengthAt(result, c), lengthAt(first, a));
            assert.equal(valueAt(result, c), valueAt(first, a));
          } else {
            assert.equal(lengthAt(result, c), Math.max(lengthAt(first, a), lengthAt(second, b)));
            assert.equal(valueAt(result, c), valueAt(second, b));
          }
        }
      },
    ),
    runs,
  );
});

Deno.test("mergeEqual() joins siblings of equal value until none is left", () => {
  fc.assert(
    fc.property(family.chain((f) => tables(f, 2)), fc.boolean(), (table, mergesAll) => {
      const mayMerge = (value: number) => mergesAll || value !== 1;
      const join = (a: number, b: number) => a === b && mayMerge(a) ? a : APART;
      const result = mergeEqual(table, ({ value }) => value, join);
      assertPartition(result);
      assert.deepEqual(listing(result), slowlyMerged(table, mayMerge));
    }),
    runs,
  );
});

Deno.test("mergeEqual() makes one network of a table of one value", () => {
  const cut = overlay(uniformTable(6, 3), [{ prefix: parsePrefix("2001:db8:1:2::3/128")!, value: 3 }]);
  assert.equal(cut.count, 129);
  assert.deepEqual(listing(mergeEqual(cut, () => 9)), ["::/0 9"]);
});

Deno.test("mergeEqual() gives a parent what its halves come to together, and asks for each entry once", () => {
  fc.assert(
    fc.property(family.chain((f) => tables(f, 200)), (table) => {
      const asked: number[] = [];
      const result = mergeEqual(
        table,
        ({ entry, value }) => (asked.push(entry), value),
        (a, b) => a % 2 === b % 2 ? Math.max(a, b) : APART,
      );
      assert.deepEqual(asked, Array.from({ length: table.count }, (_, i) => i));
      const parities = mergeEqual(table, ({ value }) => value % 2);
      assert.equal(result.count, parities.count);
      for (let block = 0, entry = 0; block < result.count; block++) {
        let greatest = 0;
        const end = block + 1 < result.count ? formatPrefix(networkAt(result, block + 1)).split("/")[0] : "";
        do greatest = Math.max(greatest, valueAt(table, entry++)); while (
          entry < table.count && formatPrefix(networkAt(table, entry)).split("/")[0] !== end
        );
        assert.equal(valueAt(result, block), greatest);
      }
    }),
    runs,
  );
});

Deno.test("findNetwork() finds the entry that holds an address", () => {
  fc.assert(
    fc.property(family.chain((f) => tables(f)), (table) => {
      for (const address of edges(table.family, networks(table))) {
        assert.equal(findNetwork(table, octetsOf(table.family, address)), slowEntry(table, address));
      }
    }),
    runs,
  );
});

for (const family of [4, 6] as const) {
  Deno.test(`findNetwork() finds the same through the index of a large IPv${family} table`, () => {
    const random = seeded(family);
    const builder = tableBuilder(family);
    const split = (length: number) => {
      if (length < 6 || length < 30 && random() < 0.64) [1, 2].forEach(() => split(length + 1));
      else builder.append(length, builder.family);
    };
    split(0);
    const table = builder.finish();
    assert.ok(table.index && table.count > 4096, `${table.count} entries`);
    const { index: _index, keys: _keys, ...plain } = table;
    for (const address of edges(family, networks(table).slice(0, 5000))) {
      const octets = octetsOf(family, address);
      assert.equal(findNetwork(table, octets), findNetwork(plain, octets));
    }
  });
}

Deno.test("findNetwork() finds each of many IPv6 networks that begin alike, in their first 16, 32, 48 and 64 bits", () => {
  const random = seeded(48), builder = tableBuilder(6), starts: bigint[] = [];
  // One half of what is this deep is cut again, along a path, and all of it near the path's end.
  const ends = [14, 30, 46, 58, 70, 100];
  let start = 0n;
  const append = (length: number) => {
    builder.append(length, 1);
    starts.push(start);
    start += 1n << BigInt(128 - length);
  };
  const cut = (length: number, to: number) => {
    if (length >= to) return append(length);
    cut(length + 1, to);
    cut(length + 1, random() < 0.2 ? to - 3 : to);
  };
  const along = (length: number) => {
    if (length === 128) return append(length);
    const goesLeft = random() < 0.5, to = ends.includes(length) ? length + 12 : length + 1;
    if (!goesLeft) cut(length + 1, to);
    along(length + 1);
    if (goesLeft) cut(length + 1, to);
  };
  along(0);
  const table = builder.finish();
  assert.ok(table.index && table.keys && table.count > 4096, `${table.count} entries`);
  assert.ok(new Set(table.keys).size < table.keys.length, "no two groups have the same key");
  const find = (address: bigint) => findNetwork(table, octetsOf(6, address));
  for (const [entry, first] of starts.entries()) {
    assert.equal(find(first), entry);
    if (entry > 0) assert.equal(find(first - 1n), entry - 1);
  }
  assert.equal(find((1n << 128n) - 1n), table.count - 1);
});

/** Lengths of networks that cover a space, some hundred of them, of any length there is. */
function unevenLengths(family: Family, random: () => number): number[] {
  const lengths: number[] = [], bits = familyBits(family);
  const split = (length: number, deep: boolean) => {
    if (length === bits || !(length < 5 || deep || random() < 0.45)) return lengths.push(length);
    const lowerIsDeep = random() < 0.5;
    split(length + 1, deep && lowerIsDeep);
    split(length + 1, (deep && !lowerIsDeep) || (length === 3 && random() < 0.5));
  };
  split(0, true);
  return lengths;
}

/** Values that take one octet, two, three or four, alike in runs. */
function unevenValues(count: number, random: () => number): number[] {
  let value = 0;
  return Array.from({ length: count }, (_, i) => {
    if (random() < 0.6) value = Math.floor(random() * 2 ** (8 * (1 + (i >> 5) % 4)));
    return value;
  });
}

for (const family of [4, 6] as const) {
  Deno.test(`an IPv${family} table of many groups gives back what it was made of, in any order`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seeded(seed), lengths = unevenLengths(family, random);
      const values = unevenValues(lengths.length, random), builder = tableBuilder(family);
      lengths.forEach((length, i) => builder.append(length, values[i]!));
      const table = builder.finish(), cursor = new NetworkCursor(table), before = new NetworkCursor(table);
      assert.ok(table.count > 64, `${table.count} entries`);
      let start = 0n;
      for (const [entry, length] of lengths.entries()) {
        const size = 1n << BigInt(familyBits(family) - length);
        const expected = {
          length,
          value: values[entry],
          start: formatPrefix(prefixAt(family, start, length)),
        };
        const seen = () => ({
          length: cursor.length,
          value: cursor.value,
          start: formatPrefix(cursor.network()),
        });
        assert.deepEqual(seen(), expected);
        assert.deepEqual([lengthAt(table, entry), valueAt(table, entry)], [length, values[entry]]);
        for (const address of [start, start + size - 1n]) {
          assert.equal(findNetwork(table, octetsOf(family, address)), entry);
        }
        cursor.moveTo(Math.floor(random() * table.count));
        cursor.moveTo(entry);
        assert.deepEqual(seen(), expected);
        before.moveTo(Math.floor(random() * (entry + 1)));
        before.moveToStart(cursor.start);
        assert.equal(before.entry, entry);
        assert.equal(cursor.next(), entry + 1 < table.count);
        start += size;
      }
    }
  });
}

for (const family of [4, 6] as const) {
  Deno.test(`findNetwork() finds IPv${family} networks however much their lengths differ`, () => {
    const random = seeded(7), widths = new Set<number>();
    for (const least of [1, 5, 9]) {
      for (const spread of [0, 1, 2, 3, 4, 7, 8, 15, 16, 23, ...family === 4 ? [] : [31, 32, 55, 100]]) {
        const builder = tableBuilder(family), ends: bigint[] = [];
        let end = 0n;
        // As deep as may be along one path, and here and there elsewhere.
        const cut = (length: number, deep: boolean) => {
          if (length >= least && (length === least + spread || !deep && (spread > 50 || random() < 0.52))) {
            builder.append(length, ends.length);
            return ends.push(end += 1n << BigInt(familyBits(family) - length));
          }
          const isLower = random() < 0.5;
          cut(length + 1, deep && isLower);
          cut(length + 1, deep && !isLower);
        };
        cut(0, true);
        const table = builder.finish();
        for (const at of table.offsets) widths.add(table.codes[at + 1]! & 15);
        for (const [entry, end] of ends.entries()) {
          const first = entry === 0 ? 0n : ends[entry - 1]!;
          for (const address of [first, (first + end) / 2n, end - 1n]) {
            assert.equal(findNetwork(table, octetsOf(family, address)), entry);
          }
          assert.equal(valueAt(table, entry), entry);
        }
      }
    }
    assert.deepEqual([...widths].sort(), [0, 1, 2, 3, 4, 6, ...family === 4 ? [] : [8]]);
  });
}

function prefixAt(family: Family, start: bigint, length: number): Prefix {
  return { family, octets: octetsOf(family, start), length };
}

Deno.test("moveToStart() refuses an address where no network starts", () => {
  const table = cutTable(4, [parsePrefix("192.0.2.0/24")!], () => 1);
  for (const address of [0xc0000201, 0xc00002ff]) {
    const cursor = new NetworkCursor(table);
    assert.throws(() => cursor.moveToStart(Uint32Array.of(address)), RangeError);
  }
});

Deno.test("mapValues() changes values and nothing else", () => {
  fc.assert(
    fc.property(family.chain((f) => tables(f)), (table) => {
      const mapped = mapValues(table, (value) => value * 70_000);
      assert.deepEqual(networks(mapped), networks(table));
      networks(table).forEach((_, i) => assert.equal(valueAt(mapped, i), valueAt(table, i) * 70_000));
    }),
    runs,
  );
});

Deno.test("networkAt() gives an entry's network", () => {
  const prefix = parsePrefix("2001:db8:a:b::/63");
  assert.equal(prefix, undefined);
  const right = parsePrefix("2001:db8:a:a::/63")!;
  const table = overlay(uniformTable(6, 0), [{ prefix: right, value: 1 }]);
  assert.deepEqual(networkAt(table, findNetwork(table, right.octets)), right);
});

Deno.test("a table builder refuses overlaps and gaps", () => {
  const builder = tableBuilder(4);
  builder.append(1, 0);
  builder.append(2, 0);
  assert.throws(() => builder.append(1, 0), RangeError);
  assert.throws(() => builder.append(0, 0), RangeError);
  assert.throws(() => builder.finish(), /do not cover/);
  builder.append(2, 0);
  assert.throws(() => builder.append(32, 0), /the space is covered/);
  assert.equal(builder.finish().count, 3);
});

Deno.test("a table builder refuses a run that starts elsewhere", () => {
  const other = overlay(uniformTable(4, 0), [{ prefix: parsePrefix("128.0.0.0/2")!, value: 1 }]);
  assert.throws(() => tableBuilder(4).appendRun(other, 1, 2), RangeError);
  const builder = tableBuilder(4);
  builder.append(1, 5);
  builder.appendRun(other, 1, 3);
  assert.deepEqual(listing(builder.finish()), ["0.0.0.0/1 5", "128.0.0.0/2 1", "192.0.0.0/2 0"]);
});

Deno.test("the columns of a table are shared memory", () => {
  const table = overlay(uniformTable(4, 0), [{ prefix: parsePrefix("10.0.0.0/8")!, value: 1 }]);
  for (const column of [table.bases, table.offsets, table.codes]) {
    assert.ok(column.buffer instanceof SharedArrayBuffer);
  }
});

function prefixOfBits(family: Family, text: string): Prefix {
  const all = text.padEnd(familyBits(family), "0");
  return { family, octets: octetsOf(family, BigInt("0b" + all)), length: text.length };
}

function octetsOf(family: Family, address: bigint): Uint8Array {
  const hex = address.toString(16).padStart(familyBits(family) / 4, "0");
  return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
}

function numberOf(octets: Uint8Array): bigint {
  return BigInt("0x" + octets.toHex());
}

function sizeOf({ family, length }: Prefix): bigint {
  return 1n << BigInt(familyBits(family) - length);
}

function holds(prefix: Prefix, address: bigint): boolean {
  const start = numberOf(prefix.octets);
  return start <= address && address < start + sizeOf(prefix);
}

/** First and last addresses of networks, and those just outside. */
function edges(family: Family, some: Prefix[]): bigint[] {
  const end = 1n << BigInt(familyBits(family));
  const all = some.flatMap((prefix) => {
    const start = numberOf(prefix.octets);
    return [start - 1n, start, start + sizeOf(prefix) - 1n, start + sizeOf(prefix)];
  });
  return [...new Set([0n, end - 1n, ...all])].filter((address) => address >= 0n && address < end);
}

function networks(table: NetworkTable): Prefix[] {
  return Array.from({ length: table.count }, (_, i) => networkAt(table, i));
}

function listing(table: NetworkTable): string[] {
  return networks(table).map((prefix, i) => `${formatPrefix(prefix)} ${valueAt(table, i)}`);
}

/** The networks of a table as pairs of first and last address, worked out once a table. */
function spans(table: NetworkTable): [bigint, bigint][] {
  let known = spansOf.get(table);
  if (!known) {
    known = networks(table).map((prefix) => {
      const start = numberOf(prefix.octets);
      return [start, start + sizeOf(prefix) - 1n];
    });
    spansOf.set(table, known);
  }
  return known;
}

const spansOf = new WeakMap<NetworkTable, [bigint, bigint][]>();

function slowEntry(table: NetworkTable, address: bigint): number {
  return spans(table).findIndex(([first, last]) => first <= address && address <= last);
}

function slowValue(table: NetworkTable, address: bigint): number {
  return valueAt(table, slowEntry(table, address));
}

function assertPartition(table: NetworkTable): void {
  let next = 0n;
  for (const prefix of networks(table)) {
    assert.equal(numberOf(prefix.octets), next);
    assert.equal(next % sizeOf(prefix), 0n);
    next += sizeOf(prefix);
  }
  assert.equal(next, 1n << BigInt(familyBits(table.family)));
}

/** The space cut at each of `cuts`. */
function cutTable(family: Family, cuts: Prefix[], value: () => number): NetworkTable {
  const builder = tableBuilder(family);
  const walk = (start: bigint, length: number) => {
    const prefix = { family, octets: octetsOf(family, start), length };
    const cut = cuts.some((other) => other.length > length && holds(prefix, numberOf(other.octets)));
    if (!cut) return builder.append(length, value());
    walk(start, length + 1);
    walk(start + sizeOf(prefix) / 2n, length + 1);
  };
  walk(0n, 0);
  return builder.finish();
}

/** Looks for any two equal siblings and joins them, over and over. */
function slowlyMerged(table: NetworkTable, mayMerge: (value: number) => boolean): string[] {
  const blocks = networks(table).map((prefix, i) => ({ prefix, value: valueAt(table, i) }));
  for (let i = 0; i + 1 < blocks.length;) {
    const [a, b] = [blocks[i]!, blocks[i + 1]!];
    const parents = a.prefix.length === b.prefix.length &&
      numberOf(a.prefix.octets) % (2n * sizeOf(a.prefix)) === 0n;
    if (parents && a.value === b.value && mayMerge(a.value)) {
      blocks.splice(i, 2, { prefix: { ...a.prefix, length: a.prefix.length - 1 }, value: a.value });
      i = 0;
    } else i++;
  }
  return blocks.map(({ prefix, value }) => `${formatPrefix(prefix)} ${value}`);
}

function seeded(seed: number): () => number {
  return () => (seed = Math.imul(seed, 1664525) + 1013904223 >>> 0) / 2 ** 32;
}
