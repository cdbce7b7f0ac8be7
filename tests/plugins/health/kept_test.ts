import assert from "node:assert/strict";
import { parseKept, writeKept } from "../../../plugins/health/kept.ts";
import { unknownState } from "../../../plugins/health/state.ts";

Deno.test("writeKept() writes what parseKept() reads, and leaves nothing beside it", async () => {
  const directory = await Deno.makeTempDir();
  const states = new Map([["192.0.2.1 tcp 80", { ...unknownState(5), state: "down" as const }]]);
  await writeKept(`${directory}/health.json`, states);
  assert.deepEqual(parseKept(await Deno.readTextFile(`${directory}/health.json`)), states);
  assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["health.json"]);
  await Deno.remove(directory, { recursive: true });
});

const refused = [
  "",
  "null",
  "[]",
  '{"version":2,"targets":{}}',
  '{"version":1,"targets":{"a":null}}',
  '{"version":1,"targets":{"a":{"state":"up"}}}',
  JSON.stringify({ version: 1, targets: { a: { ...unknownState(5), state: "sideways" } } }),
  JSON.stringify({ version: 1, targets: { a: { ...unknownState(5), probedMs: "5" } } }),
];

for (const text of refused) {
  Deno.test(`parseKept() refuses ${text.slice(0, 60)}`, () =>
    assert.throws(() => parseKept(text), SyntaxError));
}
