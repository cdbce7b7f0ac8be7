/** How the C library's allocator is told to give back what is free. */

import assert from "node:assert/strict";
import { giveBackFree, keepLittleFree } from "../../../core/server/allocator.ts";

const ignore = Deno.build.os !== "linux";

/** Octets that lie in pages of their own, of this process: `hblkhd` of mallinfo2(3). */
function octetsApart(): number {
  const fields = Array.from({ length: 10 }, () => "usize" as const);
  const libc = Deno.dlopen("libc.so.6", { mallinfo2: { parameters: [], result: { struct: fields } } });
  const octets = libc.symbols.mallinfo2();
  libc.close();
  return Number(new BigUint64Array(octets.buffer)[4]);
}

Deno.test({
  name: "keepLittleFree() has each large buffer lie apart, though one was freed that was larger",
  ignore,
  fn() {
    assert.ok(keepLittleFree());
    new ArrayBuffer(24 << 20).transfer(0);
    const before = octetsApart();
    const buffers = Array.from({ length: 64 }, () => new ArrayBuffer(1 << 20));
    // Other tests of the process may free theirs meanwhile.
    assert.ok(octetsApart() - before >= 32 << 20, `${buffers.length} buffers of 1 MiB`);
  },
});

Deno.test({
  name: "giveBackFree() gives back what is free between what is in use",
  ignore,
  fn() {
    // Smaller than what has pages of its own; touched, so that it is there.
    const buffers = Array.from({ length: 1024 }, () => new Uint8Array(64 << 10).fill(1).buffer);
    const kept = buffers.filter((buffer, i) => i % 8 === 0 || buffer.transfer(0).byteLength > 0);
    const before = Deno.memoryUsage().rss;
    assert.ok(giveBackFree());
    const given = before - Deno.memoryUsage().rss;
    assert.ok(given >= 24 << 20, `${given} octets given back, with ${kept.length} buffers in use`);
    assert.ok(!giveBackFree() || kept.every((buffer) => new Uint8Array(buffer)[0] === 1));
  },
});
