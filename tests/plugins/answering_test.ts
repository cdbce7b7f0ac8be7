import assert from "node:assert/strict";
import { answering } from "../../plugins/answering.ts";
import { plugins } from "../../plugins/mod.ts";
import { foreignImports } from "../support/foreign_imports.ts";

Deno.test("a worker finds the answering half of every plugin, and it is the one of the control isolate", async () => {
  assert.deepEqual(Object.keys(answering), plugins.map(({ name }) => name).sort());
  for (const { name, everyClass, repeats, waits, metrics, answerer } of plugins) {
    const half = (await import(answering[name]!.href)).default;
    assert.deepEqual(
      [half.name, half.everyClass, half.repeats, half.waits, half.metrics],
      [name, everyClass, repeats, waits, metrics],
    );
    assert.equal(half.answerer, answerer, name);
  }
});

/** forward waits, and what trace carries is small. */
const MAY = ["forward", "trace"];

for (const name of Object.keys(answering).filter((name) => !MAY.includes(name))) {
  Deno.test(`a worker with ${name} carries no package, and none of Node's modules`, () => {
    assert.deepEqual(foreignImports([answering[name]!.pathname]), []);
  });
}
