/**
 * Corefiles of CoreDNS's documentation start unchanged, and answer as documented. README.md has the form of the cases.
 *
 * @module
 */

import assert from "node:assert/strict";
import { importCoreDns } from "../../core/import/coredns.ts";
import { plugins } from "../../plugins/mod.ts";
import { readCases } from "./cases.ts";
import { CompatServer } from "./compat_server.ts";

const FOLDER = "tests/compat/corefiles";

const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) =>
  name.endsWith(".corefile")
)
  .map((name) => name.replace(".corefile", "")).sort();

for (const name of names) {
  Deno.test(`the Corefile ${name} starts and answers as documented`, async () => {
    await using server = await CompatServer.start(`${FOLDER}/${name}.corefile`);
    const cases = readCases(Deno.readTextFileSync(`${FOLDER}/${name}.cases`));
    assert.ok(cases.length > 0);
    const wrong: string[] = [];
    for (const one of cases) {
      try {
        await one.check(server);
      } catch (error) {
        wrong.push(`line ${one.line}: ${one.text}\n    ${(error as Error).message}`);
      }
    }
    assert.equal(wrong.join("\n"), "");
  });
}

Deno.test("the import of every one of them changes nothing and leaves nothing out", () => {
  for (const name of names) {
    const path = `${FOLDER}/${name}.corefile`;
    const text = Deno.readTextFileSync(path);
    const source = { read: () => text, list: () => undefined };
    const { files, findings } = importCoreDns(path, source, { modules: plugins });
    assert.deepEqual(findings.filter(({ kind }) => kind === "left out"), [], name);
    assert.equal(files[0]!.text, text, name);
  }
});

Deno.test("there are at least ten Corefiles of the documentation and three of the wild", () => {
  assert.ok(names.filter((name) => !name.startsWith("wild_")).length >= 10);
  assert.ok(names.filter((name) => name.startsWith("wild_")).length >= 3);
});
