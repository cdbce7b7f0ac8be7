/**
 * The compiled program, from folders in which nothing of ours is: what it embeds, and the end-to-end tests that start
 * processes. `deno task test:binary` runs this alone.
 *
 * @module
 */

import assert from "node:assert/strict";
import { importsOf, readSources } from "../scripts/check_layers.ts";
import { lacksRuntime, packagesIn } from "../scripts/compile.ts";
import { makeBinary } from "./support/binary.ts";

/** Tests whose servers need nothing that only the sources can give. */
const WITHOUT_SOURCES = ["cache", "example", "forward", "lameduck", "tools"].map((name) =>
  `tests/e2e/${name}_test.ts`
);

/** Those, and all that start processes of their own. */
function suite(): string[] {
  const files = ["tests/command", "tests/e2e"].flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).filter((file) =>
      /_test\.ts$/.test(file)
    )
  );
  const startsProcesses = (file: string) => /from "[./\w]*\/meridian\.ts"/.test(Deno.readTextFileSync(file));
  return files.filter((file) => WITHOUT_SOURCES.includes(file) || startsProcesses(file)).sort();
}

Deno.test("the compiled program passes the end-to-end tests from an empty folder, and embeds no package for tests", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    const binary = await makeBinary(folder);
    console.log(`compiled, ${Math.round(binary.octets / 1e6)} MB, running on ${binary.runtime}`);
    await t.step("embeds what it imports", () => {
      const { own, others } = packages();
      assert.deepEqual(own.filter((name) => !binary.packages.includes(name)), []);
      assert.deepEqual(others.filter((name) => binary.packages.includes(name)), []);
    });
    await t.step("proves the example, with workers", async () => {
      await proveExample(binary.path, folder);
    });
    await t.step("passes the end-to-end tests", async () => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "-A", "--no-check", "--parallel", ...suite()],
        // Two at once on any machine: most of the time they wait for what is to happen.
        env: { MERIDIAN_BINARY: binary.path, NO_COLOR: "1", DENO_JOBS: "2" },
      }).output();
      const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assert.equal(code, 0, output);
      assert.match(output, /^ok \| \d\d+ passed/m);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The packages of deno.json: those that the program's sources import, and those for tests and scripts. */
function packages(): { own: string[]; others: string[] } {
  const all = Object.keys(JSON.parse(Deno.readTextFileSync("deno.json")).imports);
  const imported = readSources(".").filter(({ path }) => /^(core|plugins)\/|^main\.ts$/.test(path))
    .flatMap(({ text }) => importsOf(text)).map(({ specifier }) => specifier);
  const isOwn = (name: string) => imported.some((one) => one === name || one.startsWith(`${name}/`));
  return { own: all.filter(isOwn), others: all.filter((name) => !isOwn(name)) };
}

/** One state of one small pool: it takes the geo worker, the partition's and the prover's. */
async function proveExample(program: string, folder: string): Promise<void> {
  await Deno.writeTextFile(
    `${folder}/nodes.yaml`,
    `nodes:
  - { id: fra1, addresses: [192.0.2.1], location: { latitude: 50.11, longitude: 8.68, country: DE } }
  - { id: nrt1, addresses: [192.0.2.2], location: { latitude: 35.68, longitude: 139.69, country: JP } }
`,
  );
  await Deno.writeTextFile(
    `${folder}/Corefile`,
    "{\n    state off\n}\nexample.org:1053 {\n    geo\n    anycast entry.example.org {\n        nodes nodes.yaml\n    }\n}\n",
  );
  await Deno.writeTextFile(`${folder}/up.json`, "{}");
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: ["prove", "-verdicts", "up.json", "-json"],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr) + text.decode(stdout));
  const { proofs } = JSON.parse(text.decode(stdout));
  assert.equal(proofs[0].failures, 0);
  assert.ok(proofs[0].leaves[4] > 100_000);
}

Deno.test("lacksRuntime() knows what deno says when the runtime cannot be fetched", () => {
  const fetching =
    "error sending request for url (https://example.org/v2.9.6/denort-x86_64-unknown-linux-gnu.zip)";
  assert.ok(lacksRuntime(`error: Writing\n\nCaused by:\n    0: Setting up base binary.\n    1: ${fetching}`));
  assert.ok(!lacksRuntime('error: Module not found "file:///main.ts".'));
});

Deno.test("packagesIn() finds packages in the compiler's tree, however it is folded", () => {
  const tree = `
meridian
├─┬ .deno_compile_node_modules (15.62MB - 15.62MB unique)
│ └─┬ localhost (15.62MB - 15.62MB unique)
│   ├── @ip-location-db/geo/* (14.96MB)
│   ├─┬ @types (2KB)
│   │ ├── a/1.0.0/* (1KB)
│   │ └── b/* (1KB)
│   └── yaml/2.9.1/* (675.49KB - 674.01KB unique)
├─┬ core (1.56MB)
│ └── answer.ts (9.76KB)
`;
  assert.deepEqual(packagesIn(tree), ["@ip-location-db/geo", "@types/a", "@types/b", "yaml"]);
});
