import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { answering } from "../../plugins/answering.ts";
import { plugins } from "../../plugins/mod.ts";

const ROOT = join(import.meta.dirname!, "../..");

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

/** What is imported from outside the repository, by these files or by any that they load with them. */
function foreignImports(files: readonly string[]): { specifier: string; by: string }[] {
  const seen = new Set(files), foreign: { specifier: string; by: string }[] = [];
  for (const file of seen) {
    for (const specifier of loadedWith(Deno.readTextFileSync(file))) {
      if (specifier.startsWith(".")) seen.add(join(dirname(file), specifier));
      else foreign.push({ specifier, by: file.slice(ROOT.length + 1) });
    }
  }
  return foreign;
}

/** Statements alone: what is imported when it is wanted is not loaded with the file, and types are never. */
function loadedWith(source: string): string[] {
  return [...source.matchAll(/^(?:import|export) (?!type )([^"'`;=()]*?)from "([^"]+)";$/gm)]
    .filter(([, names]) => !/^\{(\s*type \w+( as \w+)?,?)+\s*\} $/.test(names!))
    .map(([, , specifier]) => specifier!);
}
