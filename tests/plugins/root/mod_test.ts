import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { type ParseScope, Problems } from "../../../core/plugin.ts";
import root from "../../../plugins/root/mod.ts";
import { directivesOf } from "../../support/directives.ts";
import { startServer } from "../../support/server.ts";

/** What `root` says of directives, and the folder that it sets. */
function parse(text: string): { said: string[]; folder: string | undefined } {
  const problems = new Problems();
  let folder: string | undefined;
  const scope = {
    problems,
    path: ({ text }) => `/nowhere/${text}`,
    setRoot: (directory) => void (folder = directory),
  } as Partial<ParseScope> as ParseScope;
  problems.attempt(() => root.parse(directivesOf(text), scope));
  const said = [...problems.errors, ...problems.warnings].map(({ at, message }) =>
    `${formatPosition(at)} ${message}`
  );
  return { said, folder };
}

Deno.test("root takes one path, once", () => {
  const table: [text: string, said: RegExp[]][] = [
    ["root", [/^Corefile:2:1 .*after 'root': root wants PATH$/]],
    ["root a b", [/^Corefile:2:8 .*after 'b': root takes no more here$/]],
    ["root a {\nb\n}", [/^Corefile:3:1 root: unknown property 'b'/, /'\/nowhere\/a' does not exist$/]],
    ["root a\nroot b", [
      /^Corefile:3:1 root: this plugin can only be used once per Server Block$/,
      /^Corefile:2:6 root: '\/nowhere\/a' does not exist$/,
    ]],
  ];
  for (const [text, expected] of table) {
    const { said } = parse(text);
    assert.equal(said.length, expected.length, `${text}: ${said}`);
    expected.forEach((pattern, i) => assert.match(said[i]!, pattern));
  }
  assert.equal(parse("root a").folder, "/nowhere/a");
});

Deno.test("file, hosts and auto find their data below root, wherever root stands in the block", async () => {
  const folder = await Deno.makeTempDir();
  const zone = "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\n";
  await Deno.mkdir(`${folder}/data/zones`, { recursive: true });
  await Deno.writeTextFile(`${folder}/data/db`, zone);
  await Deno.writeTextFile(`${folder}/data/hosts`, "192.0.2.7 host.example.com\n");
  await Deno.writeTextFile(`${folder}/data/zones/db.example.net`, zone);
  const test = await startServer(`.:1053 {
    file db example.org
    hosts hosts example.com
    auto {
        directory zones
    }
    root ${folder}/data
}`);
  try {
    for (
      const [name, last] of [["ns.example.org", 53], ["host.example.com", 7], ["ns.example.net", 53]] as const
    ) {
      const { answer } = await test.ask(name);
      assert.deepEqual(answer.map(({ rdata }) => [...rdata].at(-1)), [last], name);
    }
  } finally {
    await test.close();
    await Deno.remove(folder, { recursive: true });
  }
});
