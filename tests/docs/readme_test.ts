import assert from "node:assert/strict";
import { RCODE, rcodeToText } from "../../core/dns/types.ts";
import { formatName, ROOT } from "../../core/dns/name.ts";
import { formatAddress } from "../../core/net/address.ts";
import type { PluginModule } from "../../core/plugin.ts";
import { plugins } from "../../plugins/mod.ts";
import { checkReadme, type Documented } from "../../scripts/check_docs.ts";
import { formatViolation } from "../../scripts/violation.ts";
import { FakeUpstream, replyWith } from "../plugins/forward/fake_upstream.ts";
import { askServer, freePort, startServer } from "../support/server.ts";

/** A whole Corefile that somebody may copy. */
interface Snippet {
  /** `FILE:LINE`. */
  readonly place: string;
  readonly text: string;
}

/** Every Markdown file that people read, from the repository's root. */
function pages(): string[] {
  const within = (folder: string): string[] =>
    [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? within(`${folder}/${name}`) : [`${folder}/${name}`]
    );
  const root = [...Deno.readDirSync(".")].filter(({ isFile }) => isFile).map(({ name }) => name);
  return [...root, ...within("docs"), ...within("plugins")].filter((path) => path.endsWith(".md")).sort();
}

/** The blocks fenced as `corefile`. */
function snippetsOf(path: string): Snippet[] {
  const text = Deno.readTextFileSync(path);
  return [...text.matchAll(/^```corefile\n([^]*?)^```$/gm)].map((match) => ({
    place: `${path}:${text.slice(0, match.index).split("\n").length}`,
    text: match[1]!,
  }));
}

const snippets: Snippet[] = [
  ...pages().flatMap(snippetsOf),
  { place: "Corefile.example", text: Deno.readTextFileSync("Corefile.example") },
];

/** The same, with upstreams, ports and folders that are this test's own: nothing leaves the machine or stays on it. */
function tamed({ text }: Snippet, upstream: FakeUpstream, folder: string): string {
  const asked = `127.0.0.1:${upstream.upstream.port}`;
  return text.replace(/^\s*forward .*$/gm, (line) => line.replace(/(?<= )\d[\d.]*(:\d+)?(?= |$)/g, asked))
    .replace(/^(\s*health )\S*:8080/gm, (_, start) => `${start}127.0.0.1:${freePort()}`)
    .replace(
      /^(\s*health)(?=\s*(\{\n\s*lameduck .*\n\s*\})?$)/gm,
      (start) => `${start} 127.0.0.1:${freePort()}`,
    )
    .replace(
      /^(\s*(?:prometheus|ready|health) )(?:localhost)?:\d+/gm,
      (_, start) => `${start}127.0.0.1:${freePort()}`,
    )
    .replace(/^(\s*lameduck ).*/gm, "$10s")
    .replace(/^(\s*state )(?!off)\S+/gm, (_, start) => start + folder);
}

for (const snippet of snippets) {
  Deno.test(`the Corefile at ${snippet.place} answers`, async () => {
    await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
    const folder = await Deno.makeTempDir();
    const test = await startServer(tamed(snippet, upstream, folder));
    try {
      for (const { endpoints, listenOn } of test.server.configuration.blocks) {
        const bound = listenOn.length > 0
          ? formatAddress(test.server.listening[0]!.endpoints[0]!.address)
          : "127.0.0.1";
        const address = listenOn.find((host) => /^[\d.]+$/.test(host)) ?? bound;
        for (const { zone, port } of endpoints) {
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
