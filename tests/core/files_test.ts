import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import {
  atMost,
  lookAgain,
  readRegularFile,
  readRegularTextFile,
  reasonOf,
  stampOf,
} from "../../core/files.ts";

/** Runs `test` in a folder of its own. */
async function withFolder(test: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Why a file is not read. */
function refusalOf(path: string, max = 1000): string {
  try {
    readRegularFile(path, atMost(max));
    return "";
  } catch (error) {
    return reasonOf(error);
  }
}

Deno.test("readRegularFile() reads a file whole", async () => {
  await withFolder((folder) => {
    const octets = new Uint8Array(300_000).map((_, i) => i % 251);
    Deno.writeFileSync(`${folder}/x`, octets);
    assert.deepEqual(readRegularFile(`${folder}/x`), octets);
    Deno.writeTextFileSync(`${folder}/y`, "grün");
    assert.equal(readRegularTextFile(`${folder}/y`), "grün");
  });
});

Deno.test("readRegularFile() refuses what is no regular file without waiting for it", async () => {
  await withFolder(async (folder) => {
    const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
    assert.ok(success);
    assert.equal(refusalOf(`${folder}/fifo`), "it is a FIFO, a device or a socket: wanted a regular file");
    assert.equal(refusalOf("/dev/zero"), "it is a FIFO, a device or a socket: wanted a regular file");
    assert.equal(refusalOf(folder), "it is a folder: wanted a regular file");
    assert.equal(refusalOf(`${folder}/none`), "there is no such file");
    Deno.writeTextFileSync(`${folder}/x`, "12345");
    assert.equal(refusalOf(`${folder}/x`, 4), "it has 5 octets: wanted at most 4");
    assert.equal(refusalOf(`${folder}/x`, 5), "");
  });
});

Deno.test("stampOf() shows a change of any of some files", async () => {
  await withFolder((folder) => {
    const files = [`${folder}/a`, `${folder}/b`];
    const stamps = new Set([stampOf(...files)]);
    Deno.writeTextFileSync(`${folder}/b`, "1");
    stamps.add(stampOf(...files));
    Deno.writeTextFileSync(`${folder}/b`, "12");
    stamps.add(stampOf(...files));
    Deno.writeTextFileSync(`${folder}/c`, "12");
    Deno.utimeSync(`${folder}/c`, 1, 1);
    Deno.utimeSync(`${folder}/b`, 1, 1);
    stamps.add(stampOf(...files));
    Deno.renameSync(`${folder}/c`, `${folder}/b`);
    stamps.add(stampOf(...files));
    assert.equal(stamps.size, 5);
    assert.equal(stampOf(...files), stampOf(...files));
  });
});

Deno.test("lookAgain() looks until closed, each time after the last look has ended", async () => {
  const clock = new ManualClock(0);
  const at: number[] = [];
  const turns = lookAgain(clock, 1000, function* () {
    at.push(clock.nowMs());
    yield;
    at.push(-clock.nowMs());
    return at.length === 2 ? 10 : undefined;
  });
  clock.advance(3000);
  assert.deepEqual(at, [1000, -1000, 1010, -1010, 2010, -2010]);
  turns.close();
  clock.advance(10_000);
  assert.equal(at.length, 6);
  const { promise, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  const waiting = lookAgain(clock, 1000, () => (looks++, promise));
  clock.advance(5000);
  assert.equal(looks, 1);
  resolve();
  await promise;
  await undefined;
  clock.advance(1000);
  assert.equal(looks, 2);
  waiting.close();
});

Deno.test("lookAgain() looks again after a look that threw, and lets the throw be seen", () => {
  const clock = new ManualClock(0);
  let plain = 0, turns = 0;
  const one = lookAgain(clock, 1000, () => {
    plain++;
    throw new Error("a bug");
  });
  assert.throws(() => clock.advanceTo(1000), /a bug/);
  assert.throws(() => clock.advanceTo(2000), /a bug/);
  assert.equal(plain, 2);
  one.close();
  const other = lookAgain(clock, 1000, function* () {
    turns++;
    yield;
    throw new Error("a bug in the second turn");
  });
  assert.throws(() => clock.advanceTo(3000), /second turn/);
  assert.throws(() => clock.advanceTo(4000), /second turn/);
  assert.equal(turns, 2);
  other.close();
  assert.equal(clock.nextMs, Infinity);
});
