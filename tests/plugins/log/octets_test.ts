import assert from "node:assert/strict";
import { writeDecimal } from "../../../plugins/log/octets.ts";

function written(value: number): string {
  const out = new Uint8Array(40).fill(0xaa);
  return new TextDecoder().decode(out.subarray(3, writeDecimal(out, 3, value)));
}

Deno.test("writeDecimal() writes numbers as JSON has them", () => {
  const special = [0, -0, 1, -1, 0.5, -0.25, 179.9999, -180, 1e-6, 1e-7, 2147.483648, 2 ** 31, 2 ** 31 - 1];
  const others = [Math.fround(50.11), 1 / 3, 1e21, NaN, Infinity, -Number.MAX_VALUE, 0.1 + 0.2, 343.556];
  for (const value of [...special, ...others]) assert.equal(written(value), JSON.stringify(value));
});

Deno.test("writeDecimal() writes all coordinates and distances as JSON has them", () => {
  for (let i = 0, state = 1; i < 20_000; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    for (const scale of [1e4, 1e5, 1e6, 1e7]) {
      const value = Math.round(state / 2 ** 31 * 180 * scale) / scale;
      assert.equal(written(value), JSON.stringify(value));
    }
    assert.equal(written((state >>> 7) / 1000), JSON.stringify((state >>> 7) / 1000));
  }
});
