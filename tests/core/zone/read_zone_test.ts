import assert from "node:assert/strict";
import { readZone } from "../../../core/zone/read_zone.ts";
import { APEX, ORIGIN } from "./zone_text.ts";

/** Runs `test` with a path to write to; what is written is as old as it says, in seconds. */
async function withFile(test: (path: string, write: (text: string, ageS: number) => void) => void) {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/zone`;
  const write = (text: string, ageS: number) => {
    Deno.writeTextFileSync(path, text);
    const at = Date.now() / 1000 - ageS;
    Deno.utimeSync(path, at, at);
  };
  try {
    test(path, write);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readZone() reads a file once while it stays the same", async () => {
  await withFile((path, write) => {
    write(APEX, 60);
    const read = readZone(path, ORIGIN);
    assert.equal(read.zone!.names, 2);
    assert.equal(readZone(path, ORIGIN), read);
    write(APEX + "www A 192.0.2.1\n", 30);
    assert.equal(readZone(path, ORIGIN).zone!.names, 3);
  });
});

Deno.test("readZone() reads a file again that was written a moment before it was read", async () => {
  await withFile((path, write) => {
    write(APEX, 0);
    assert.notEqual(readZone(path, ORIGIN), readZone(path, ORIGIN));
  });
});

Deno.test("readZone() looks at included files too, and reads again what was wrong", async () => {
  await withFile((path, write) => {
    write(APEX + "$INCLUDE more\n", 60);
    const { errors } = readZone(path, ORIGIN);
    assert.match(errors[0]!.message, /cannot read/);
    const more = path.replace(/zone$/, "more"), old = new Date(Date.now() - 60_000);
    Deno.writeTextFileSync(more, "a TXT a\n");
    Deno.utimeSync(more, old, old);
    const read = readZone(path, ORIGIN);
    assert.equal(read.zone!.names, 3);
    assert.equal(readZone(path, ORIGIN), read);
    Deno.writeTextFileSync(more, "a TXT a\nb TXT b\n");
    assert.equal(readZone(path, ORIGIN).zone!.names, 4);
  });
});
