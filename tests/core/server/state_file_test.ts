import assert from "node:assert/strict";
import { readState, StateFile } from "../../../core/server/state_file.ts";
import { keptPieces } from "../../../core/state/kept_text.ts";
import type { Kept } from "../../../core/state/replica.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

const isAnything = (value: unknown): value is unknown => value !== undefined;

Deno.test("what is kept in pieces leaves others their turn in between, and is read whole", async () => {
  const directory = await Deno.makeTempDir();
  let isCalled = false;
  const called = setTimeout(() => isCalled = true, 1), pieces: string[] = [];
  const file = new StateFile<number>(directory, "state.json", log, function* (first) {
    yield `[${first}`;
    while (!isCalled && pieces.length < 1_000_000) {
      pieces.push(",2");
      yield ",2";
    }
    yield "]";
  });
  file.keep(1);
  await file.close();
  clearTimeout(called);
  assert.equal(isCalled, true);
  const kept = await readState(directory, "state.json", isAnything, log) as number[];
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [pieces.length + 1, 1, pieces.length > 0 ? 2 : 1]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a value that cannot be written whole leaves the one before, and nothing beside it", async () => {
  const directory = await Deno.makeTempDir(), said: string[] = [];
  const warn = (message: string) => void said.push(message);
  const file = new StateFile<number>(directory, "state.json", { ...log, warn }, function* (value) {
    yield `[${value}`;
    if (value === 2) throw new Error("no more room");
    yield "]";
  });
  for (const value of [1, 2]) {
    file.keep(value);
    await file.close();
  }
  assert.deepEqual(await readState(directory, "state.json", isAnything, log), [1]);
  assert.deepEqual(Array.from(Deno.readDirSync(directory), ({ name }) => name), ["state.json"]);
  assert.match(said.join(), /^Cannot keep .*no more room$/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("what a replica keeps is the same JSON in pieces, none of them long", () => {
  const kept: Kept = {
    ...{ confirmedMs: 5, revision: 7 },
    entries: Array.from({ length: 5000 }, (_, i) => ({
      ...{ key: `nodes/n${i}`, value: `"${"ä".repeat(i % 100)}"`, revision: i, version: 1 },
    })),
  };
  const pieces = [...keptPieces(kept)];
  assert.equal(pieces.join(""), JSON.stringify(kept));
  assert.ok(
    pieces.length > 5 && pieces.every(({ length }) => length < 70_000),
    `${pieces.map(({ length }) => length)}`,
  );
  assert.equal([...keptPieces({ ...kept, entries: [] })].join(""), JSON.stringify({ ...kept, entries: [] }));
});
