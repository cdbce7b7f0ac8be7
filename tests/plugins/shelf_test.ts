import assert from "node:assert/strict";
import { loadCorefile, showProblems } from "../../core/command/load.ts";
import { plugins } from "../../plugins/mod.ts";
import { shelvedPlugins } from "../../plugins/shelf.ts";

const names = (some: readonly { readonly name: string }[]) => some.map(({ name }) => name);

Deno.test("every plugin is found by its own name and by its aliases, and no other with it", async () => {
  for (const { name, aliases = [] } of plugins) {
    for (const word of [name, ...aliases]) {
      assert.deepEqual(names(await shelvedPlugins(new Set([word]))), [name], word);
    }
  }
});

Deno.test("what is named comes in the order of all", async () => {
  const some = await shelvedPlugins(new Set(["whoami", "ttl", "geoip", "geo", "log"]));
  assert.deepEqual(names(some), ["log", "geo", "ttl", "whoami"]);
  assert.deepEqual(await shelvedPlugins(new Set()), []);
});

Deno.test("all come where one is named that there is not", async () => {
  assert.deepEqual(await shelvedPlugins(new Set(["log", "nothing"])), plugins);
});

for (
  const [what, text, all] of [
    ["a Corefile of ours", "{\n    state off\n}\n.:1053 {\n    log\n    whoami\n}\n", false],
    ["a directive from a snippet", "(own) {\n    whoami\n}\n.:1053 {\n    import own\n    log\n}\n", false],
    ["a misspelled directive", ".:1053 {\n    whoamy\n}\n", true],
    ["a misplaced directive", "{\n    forward . 192.0.2.1\n}\n.:1053 {\n    whoami\n}\n", true],
    ["an option as a directive", ".:1053 {\n    networks x\n    whoami\n}\n", true],
    ["a custom plugin", "{\n    plugin ./none.ts\n}\n.:1053 {\n    whoami\n}\n", true],
  ] as const
) {
  Deno.test(`${what} means the same, told of the same, whether all plugins are there or those that are named`, async () => {
    const source = { file: "Corefile", text };
    const of = async (builtIn: Parameters<typeof loadCorefile>[1]) => {
      const loaded = await loadCorefile(source, builtIn, 53);
      const { configuration, hash, modules } = loaded;
      return { says: [configuration, hash, showProblems(loaded, { isTerminal: () => false })], modules };
    };
    const [whole, some] = [await of(plugins), await of(shelvedPlugins)];
    assert.deepEqual(some.says, whole.says);
    assert.deepEqual(names(some.modules), all ? names(plugins) : ["log", "whoami"]);
  });
}
