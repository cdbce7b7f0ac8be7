import assert from "node:assert/strict";
import { api } from "../../core/custom/api.ts";
import { declarationsIn, makeTypes, TYPES_FILE } from "../../scripts/make_types.ts";

Deno.test(`${TYPES_FILE} says what the sources say: else run deno task types`, () => {
  assert.equal(Deno.readTextFileSync(TYPES_FILE), makeTypes());
});

Deno.test("the types have everything that a plugin is handed, and no error, wherever they are", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(TYPES_FILE, `${folder}/meridian.d.ts`);
    const names = Object.keys(api);
    await Deno.writeTextFile(
      `${folder}/mod.ts`,
      `import type { MakePlugin } from "./meridian.d.ts";
export default (({ ${names.join(", ")} }) => ({
  api: 1,
  name: "x",
  usage: "x",
  options: {},
  parse: () => [${names.join(", ")}],
  answerer: () => ({ name: "x", answer: () => emptyAnswer(RCODE.REFUSED) }),
})) satisfies MakePlugin<unknown>;
`,
    );
    assert.deepEqual(await errorsOf(folder, "mod.ts"), "");
    // And they are types: what is wrong is found.
    await Deno.writeTextFile(
      `${folder}/wrong.ts`,
      `import type { MakePlugin } from "./meridian.d.ts";
export default (({ parseName }) => ({ api: 1, name: parseName(3), usage: "", options: {}, parse: () => 1 })) satisfies MakePlugin;
`,
    );
    assert.match(await errorsOf(folder, "wrong.ts"), /TS2345/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function errorsOf(folder: string, file: string): Promise<string> {
  const config = {
    compilerOptions: { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  };
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", file],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stderr);
}

const declared: [source: string, declaration: string][] = [
  [
    "/** One. */\nexport interface A {\n  readonly b: string;\n}",
    "/** One. */\nexport interface A {\n  readonly b: string;\n}",
  ],
  ['export type A = "b" | "c";', 'export type A = "b" | "c";'],
  ["export type A =\n  | string\n  | number;\nconst b = 1;", "export type A =\n  | string\n  | number;"],
  [
    "export function a(b: string, c: number = 1): string {\n  return b;\n}",
    "export declare function a(b: string, c?: number): string;",
  ],
  [
    "export function a(\n  b: string,\n): { c: string } {\n  return b;\n}",
    "export declare function a(\n  b: string,\n): { c: string };",
  ],
  ["export const A: Map<string, string> = new Map();", "export declare const A: Map<string, string>;"],
  [
    'export class A extends Error {\n  readonly name = "A";\n  readonly #b = 1;\n\n  /** Does. */\n  async c(d: number = 1): Promise<void> {\n    await 1;\n  }\n\n  #e() {}\n}',
    'export declare class A extends Error {\n  readonly name: "A";\n  /** Does. */\n  c(d?: number): Promise<void>;\n}',
  ],
];

for (const [source, declaration] of declared) {
  Deno.test(`declarationsIn() makes a declaration of ${source.split("\n")[0]}`, () => {
    assert.equal(declarationsIn(source).find(({ name }) => name.toUpperCase() === "A")?.text, declaration);
  });
}
