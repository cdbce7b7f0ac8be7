import assert from "node:assert/strict";
import { RCODE, rcodeToText } from "../../core/dns/types.ts";
import { formatName, ROOT } from "../../core/dns/name.ts";
import type { PluginModule } from "../../core/plugin.ts";
import { plugins } from "../../plugins/mod.ts";
import { checkReadme, type Documented } from "../../scripts/check_docs.ts";
import { formatViolation } from "../../scripts/violation.ts";
import { FakeUpstream, replyWith } from "../plugins/forward/fake_upstream.ts";
import { askServer, startServer } from "../support/server.ts";
import { addressAskedAt, allSnippets, tamed } from "../support/snippets.ts";

const snippets = allSnippets();

for (const snippet of snippets) {
  Deno.test(`the Corefile at ${snippet.place} answers`, async () => {
    await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
    const folder = await Deno.makeTempDir();
    const test = await startServer(tamed(snippet, upstream.upstream.port, folder));
    try {
      for (const block of test.server.configuration.blocks) {
        const address = addressAskedAt(test.server, block);
        for (const { zone, port } of block.endpoints) {
          const [name, type] = zone === ROOT
            ? ["www.example.org", "A"] as const
            : [formatName(zone), "SOA"] as const;
          const { rcode } = await askServer(port, name, type, { address });
          assert.equal(rcode, RCODE.NOERROR, `${name} ${type}: ${rcodeToText(rcode)}`);
        }
      }
      assert.deepEqual(test.logged.filter((line) => line.startsWith("error")), []);
    } finally {
      await test.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("there are Corefiles to copy: in every plugin's README, in the guides, and the example", () => {
  const told = (file: string) => snippets.some(({ place }) => place.startsWith(`${file}:`));
  const silent = plugins.map(({ name }) => `plugins/${name}/README.md`).filter((file) => !told(file));
  assert.deepEqual(silent, []);
  for (const guide of ["README.md", "docs/OPERATING.md", "docs/PLUGINS.md"]) assert.ok(told(guide), guide);
});

for (const plugin of plugins) {
  const file = `plugins/${plugin.name}/README.md`;

  Deno.test(`${file} says what the plugin reads, no less and no more`, () => {
    const violations = checkReadme(plugin, file, Deno.readTextFileSync(file));
    assert.deepEqual(violations.map(formatViolation), []);
  });

  Deno.test(`${file} would be found out if it kept an option to itself, or made one up`, () => {
    const text = Deno.readTextFileSync(file);
    assert.deepEqual(messages({ ...plugin, options: { ...plugin.options, shy: OPTION } }, file, text), [
      `option 'shy' of ${plugin.name} is not in the syntax`,
    ]);
    const [told] = Object.keys(plugin.options);
    if (told === undefined) return;
    const { [told]: _, ...others } = plugin.options;
    assert.ok(
      messages({ ...plugin, options: others }, file, text).includes(`${plugin.name} has no option '${told}'`),
    );
  });
}

const OPTION: PluginModule["options"][string] = { usage: "shy", read: () => true };

function messages(plugin: Documented, file: string, text: string): string[] {
  return checkReadme(plugin, file, text).map(({ message }) => message);
}
