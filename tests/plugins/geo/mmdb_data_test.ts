import assert from "node:assert/strict";
import { MmdbData, MmdbError, NOWHERE } from "../../../plugins/geo/mmdb_data.ts";

/** A section of these octets, a thousand octets into its file. */
function section(octets: readonly number[] | Uint8Array): MmdbData {
  const file = new Uint8Array(1000 + octets.length);
  file.set(octets, 1000);
  return new MmdbData(file, 1000, file.length);
}

for (
  const [size, head] of [
    [0, [0x40]],
    [28, [0x5c]],
    [29, [0x5d, 0]],
    [284, [0x5d, 255]],
    [285, [0x5e, 0, 0]],
    [65_820, [0x5e, 255, 255]],
    [65_821, [0x5f, 0, 0, 0]],
    [70_000, [0x5f, 0, 0x10, 0x53]],
  ] as const
) {
  Deno.test(`MmdbData reads a text of ${size} octets`, () => {
    const data = section([...head, ...new Uint8Array(size).fill(0x61), 0xff]);
    assert.equal(data.text(1000), "a".repeat(size));
    assert.equal(data.endOf(1000), 1000 + head.length + size);
  });
}

for (
  const [target, pointer] of [
    [4, [0x20, 4]],
    [2047, [0x27, 255]],
    [2048, [0x28, 0, 0]],
    [526_335, [0x2f, 255, 255]],
    [526_336, [0x30, 0, 0, 0]],
    [526_336, [0x38, 0, 0x08, 0x08, 0x00]],
  ] as const
) {
  Deno.test(`MmdbData follows a pointer of ${pointer.length} octets to ${target}`, () => {
    const octets = new Uint8Array(target + 3);
    octets.set(pointer);
    octets.set([0x42, 0x44, 0x45], target);
    assert.equal(section(octets).text(1000), "DE");
  });
}

for (
  const [what, octets, number] of [
    ["an unsigned integer of no octets", [0xa0], 0],
    ["a 16-bit unsigned integer", [0xa2, 0x12, 0x34], 0x1234],
    ["a 32-bit unsigned integer", [0xc4, 0xff, 0, 0, 1], 0xff000001],
    ["a 64-bit unsigned integer", [0x05, 2, 1, 0, 0, 0, 0], 2 ** 32],
    ["a signed integer below zero", [0x04, 1, 0xff, 0xff, 0xff, 0xfe], -2],
    ["a signed integer above zero", [0x01, 1, 5], 5],
    ["a double", [0x68, 0xc0, 0x04, 0, 0, 0, 0, 0, 0], -2.5],
    ["a float", [0x04, 8, 0x3f, 0x80, 0, 0], 1],
    ["a text", [0x41, 0x31], undefined],
    ["a boolean", [0x01, 7], undefined],
  ] as const
) {
  Deno.test(`MmdbData reads ${what} as ${number}`, () => {
    assert.equal(section(octets).number(1000), number);
  });
}

Deno.test("MmdbData finds what lies behind values of every kind", () => {
  // { a: true, b: [1, "x"], c: 1.0, d: -> "k", k: { k: "DE" } }
  const data = section([
    ...[0xe5, 0x41, 0x61, 0x01, 0x07],
    ...[0x41, 0x62, 0x02, 0x04, 0xa1, 1, 0x41, 0x78],
    ...[0x41, 0x63, 0x04, 0x08, 0x3f, 0x80, 0, 0],
    ...[0x41, 0x64, 0x20, 25],
    ...[0x41, 0x6b, 0xe1, 0x20, 25, 0x42, 0x44, 0x45],
  ]);
  assert.equal(data.text(data.find(1000, "k", "k")), "DE");
  assert.equal(data.text(data.find(1000, "b", 1)), "x");
  assert.equal(data.text(data.find(1000, "d")), "k");
  for (const path of [["e"], ["b", 2], ["b", "k"], ["a", 0], ["k", "k", "k"]]) {
    assert.equal(data.find(1000, ...path), NOWHERE);
  }
  assert.equal(data.text(NOWHERE), undefined);
});

Deno.test("MmdbData says where in the file it is corrupt", () => {
  const tail = Uint8Array.from([0x45, 0x61]);
  assert.throws(() => new MmdbData(tail, 0, 2, 500).text(0), (error) => {
    assert.ok(error instanceof MmdbError);
    assert.equal(error.message, "it is cut short or corrupt at octet 501: wanted 5 octets more");
    return true;
  });
});
