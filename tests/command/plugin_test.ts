/** The beginning of a plugin, as `meridian plugin new` writes it. */

import assert from "node:assert/strict";
import { meridian, ServeProcess, withFolder } from "./meridian.ts";

const FILES = ["Corefile", "README.md", "meridian.d.ts", "mod.ts", "mod_test.ts", "test_server.ts"];

/** Runs deno in a folder where no configuration of ours is. */
async function deno(folder: string, env: Record<string, string>, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: folder,
    env: { NO_COLOR: "1", ...env },
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, output);
  return output;
}

/** Whether the program under test reads TypeScript from disk: the runtime that stands in for this release's does not. */
async function takesTypeScript(folder: string): Promise<boolean> {
  const { compiled, deno } = JSON.parse((await meridian(folder, "version", "-json")).stdout);
  return !compiled || !deno.startsWith("2.7.");
}

Deno.test("plugin new writes a plugin that is in form, without type errors, and whose tests pass", async () => {
  await withFolder({}, async (folder) => {
    const { code, stdout, stderr } = await meridian(folder, "plugin", "new", "hello");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^wrote hello: Corefile, README\.md, /);
    assert.deepEqual([...Deno.readDirSync(`${folder}/hello`)].map(({ name }) => name).sort(), FILES);
    await deno(folder, {}, "fmt", "--check", "hello");
    await deno(folder, {}, "lint", "hello");
    await deno(folder, {}, "check", "hello");
    if (await takesTypeScript(folder)) {
      assert.match(await deno(folder, {}, "test", "-A", "hello"), /^ok \| 3 passed/m);
    } else {
      // What the newer runtime does by itself; the plugin must not need its types at run time.
      await deno(folder, {}, "transpile", "--no-check", "hello/mod.ts", "-o", "hello/mod.js");
      for (const file of ["test_server.ts", "mod_test.ts"]) {
        const text = await Deno.readTextFile(`${folder}/hello/${file}`);
        await Deno.writeTextFile(`${folder}/hello/${file}`, text.replaceAll("/mod.ts", "/mod.js"));
      }
      assert.match(await deno(folder, {}, "test", "-A", "hello"), /^ok \| 3 passed/m);
    }
  });
});

Deno.test("plugin new's Corefile serves as it stands", async () => {
  await withFolder({}, async (folder) => {
    if (!await takesTypeScript(folder)) return;
    await meridian(folder, "plugin", "new", "hello", "-dir", "somewhere");
    const corefile = await Deno.readTextFile(`${folder}/somewhere/Corefile`);
    await using process = await ServeProcess.start(`${folder}/somewhere`, corefile);
    await process.says(/^example\.org\.:\d+ on 127\.0\.0\.1$/m);
  });
});

Deno.test("plugin test runs the tests of a plugin with this very program", async () => {
  await withFolder({}, async (folder) => {
    if (!await takesTypeScript(folder)) return;
    await meridian(folder, "plugin", "new", "hello");
    const passed = await meridian(folder, "plugin", "test", "hello");
    assert.match(passed.stdout, /ok \| 3 passed/);
    assert.equal(passed.code, 0);
    const test = await Deno.readTextFile(`${folder}/hello/mod_test.ts`);
    await Deno.writeTextFile(`${folder}/hello/mod_test.ts`, test.replace("good day", "good night"));
    assert.equal((await meridian(folder, "plugin", "test", "hello")).code, 1);
  });
});

const refused: [args: string[], says: RegExp][] = [
  [["new"], /plugin new wants a NAME/],
  [["new", "Hello"], /A plugin's name has small letters, .*: got 'Hello'/],
  [["new", "geoip"], /There is a plugin 'geoip' already/],
  [["new", "there"], /Cannot make there: it is there already/],
  [["test", "nowhere"], /plugin test wants the folder of a plugin: there is no folder nowhere/],
  [["nwe", "hello"], /plugin wants new, test or types: got nwe; did you mean new\?/],
];

for (const [args, says] of refused) {
  Deno.test(`plugin ${args.join(" ")} says why it cannot`, async () => {
    await withFolder({ there: "" }, async (folder) => {
      const { code, stderr } = await meridian(folder, "plugin", ...args);
      assert.match(stderr, says);
      assert.equal(code, 2);
    });
  });
}

Deno.test("plugin types prints the types that plugin new writes", async () => {
  await withFolder({}, async (folder) => {
    const { stdout } = await meridian(folder, "plugin", "types");
    assert.equal(
      stdout,
      await Deno.readTextFile(new URL("../../core/custom/meridian.d.ts", import.meta.url)),
    );
  });
});
