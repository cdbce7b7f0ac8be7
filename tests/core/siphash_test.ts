import assert from "node:assert/strict";
import { halfSipHash, halfSipHashed, sipHash } from "../../core/siphash.ts";

const counting = (count: number) => Uint8Array.from({ length: count }, (_, i) => i);

// The vectors that come with the reference implementation: key 00 01 02 …, message 00 01 02 ….
Deno.test("sipHash() gives the reference's hashes of messages of every length modulo 8", () => {
  const hashes: Record<number, string> = {
    0: "310e0edd47db6f72",
    1: "fd67dc93c539f874",
    2: "5a4fa9d909806c0d",
    3: "2d7efbd796666785",
    4: "b7877127e09427cf",
    5: "8da699cd64557618",
    6: "cee3fe586e46c9cb",
    7: "37d1018bf50002ab",
    8: "6224939a79f5f593",
    15: "e545be4961ca29a1",
    20: "98eea21af25cd6be",
    63: "724506eb4c328a95",
  };
  for (const [length, hash] of Object.entries(hashes)) {
    assert.equal(sipHash(counting(16), counting(Number(length))).toHex(), hash, `${length} octets`);
  }
});

Deno.test("sipHash() wants a key of 16 octets", () => {
  assert.throws(() => sipHash(counting(15), counting(1)), RangeError);
});

Deno.test("halfSipHash() gives the reference's hashes of whole words", () => {
  const key = new Uint32Array(counting(8).buffer);
  for (const [count, hash] of [[0, "218d1f59b9b83cc8"], [1, "d5e78a175be52ea1"], [2, "edfee820bce4858c"]]) {
    halfSipHash(key, new Uint32Array(counting(8).buffer), Number(count));
    assert.equal(new Uint8Array(halfSipHashed.slice().buffer).toHex(), hash);
  }
});
