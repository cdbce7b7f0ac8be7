/** How the C library's allocator is told to give back what is free. */

import assert from "node:assert/strict";

const ignore = Deno.build.os !== "linux";

/** What a program prints, a number for each word: in a process of its own, as other tests take and free memory meanwhile. */
async function numbersOf(program: string): Promise<readonly number[]> {
  const allocator = new URL("../../../core/server/allocator.ts", import.meta.url);
  const code = `import { giveBackFree, keepLittleFree } from "${allocator}";\n${program}`;
  const args = ["eval", "--quiet", "--no-check", code];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split(" ").map(Number);
}

Deno.test({
  name: "keepLittleFree() has each large buffer lie apart, though one was freed that was larger",
  ignore,
  async fn() {
    // `hblkhd` of mallinfo2(3): octets that lie in pages of their own.
    const octetsApart = async (isKept: boolean) =>
      (await numbersOf(`
        if (${isKept} && !keepLittleFree()) throw new Error("mallopt() refused");
        const struct = Array.from({ length: 10 }, () => "usize");
        const libc = Deno.dlopen("libc.so.6", { mallinfo2: { parameters: [], result: { struct } } });
        const apart = () => Number(new BigUint64Array(libc.symbols.mallinfo2().buffer)[4]);
        new ArrayBuffer(24 << 20).transfer(0);
        const before = apart();
        const buffers = Array.from({ length: 64 }, () => new ArrayBuffer(1 << 20));
        console.log(apart() - before, buffers.length);`))[0]!;
    assert.ok(await octetsApart(true) >= 64 << 20);
    assert.ok(await octetsApart(false) < 64 << 20, "without it they lie in what was freed, or beside it");
  },
});

Deno.test({
  name: "giveBackFree() gives back what is free between what is in use",
  ignore,
  async fn() {
    // Smaller than what has pages of its own; touched, so that it is there.
    const [given, gave, spoilt] = await numbersOf(`
      const buffers = Array.from({ length: 1024 }, () => new Uint8Array(64 << 10).fill(1).buffer);
      const kept = buffers.filter((buffer, i) => i % 8 === 0 || buffer.transfer(0).byteLength > 0);
      const before = Deno.memoryUsage().rss, gave = giveBackFree();
      const given = before - Deno.memoryUsage().rss;
      console.log(given, Number(gave), kept.filter((buffer) => new Uint8Array(buffer)[0] !== 1).length);`);
    assert.ok(given! >= 24 << 20, `${given} octets given back`);
    assert.equal(gave, 1);
    assert.equal(spoilt, 0);
  },
});
