import assert from "node:assert/strict";
import { basename } from "node:path/posix";
import { loadCorefile } from "../../core/command/load.ts";
import { problemRecords } from "../../core/corefile/format.ts";
import { plugins } from "../../plugins/mod.ts";

/** As `tests/cases/broken/README.md` describes them. */
const FOLDER = "tests/cases/broken";

/** Every error of a Corefile as `meridian check` has it: `FILE:LINE:COLUMN MESSAGE`. */
async function errorsOf(file: string): Promise<string[]> {
  const { problems } = await loadCorefile({ file, text: Deno.readTextFileSync(file) }, plugins, 53);
  return problemRecords(problems).filter(({ severity }) => severity === "error")
    .map(({ file, line, column, message }) => `${basename(file)}:${line}:${column} ${message}`);
}

const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".corefile")).sort();

for (const name of names) {
  Deno.test(`meridian check says what is wrong with ${name}`, async () => {
    const text = Deno.readTextFileSync(`${FOLDER}/${name}`);
    const expected = [...text.matchAll(/^# expect: (?:(\S+):)?(\d+:\d+) (.*)$/gm)];
    assert.ok(expected.length > 0, "the case expects nothing");
    const errors = await errorsOf(`${FOLDER}/${name}`);
    assert.equal(errors.length, expected.length, errors.join("\n"));
    for (const [i, [, file = name, place, part]] of expected.entries()) {
      assert.ok(errors[i]!.startsWith(`${file}:${place} `), errors[i]!);
      assert.ok(errors[i]!.includes(part!), errors[i]!);
    }
  });
}

Deno.test("there are broken Corefiles for every plugin, and for the grammar", () => {
  assert.ok(names.length >= 40, `${names.length}`);
  const cases = names.map((name) => Deno.readTextFileSync(`${FOLDER}/${name}`)).join("\n");
  for (const { name } of plugins) assert.match(cases, new RegExp(`^\\s+${name}\\b`, "m"));
});
