/**
 * The compiled server, for tests: on this release's runtime where one can be had, else on an older one that a package
 * carries, which loads no TypeScript from disk.
 *
 * @module
 */

import { compile, type Compiled } from "../../scripts/compile.ts";
import { rehome } from "./rehome.ts";

/** A compiled server. */
export interface Binary extends Compiled {
  readonly path: string;
  /** What it runs on, for people: `deno 2.9.6`, `deno 2.7.11 of …`. */
  readonly runtime: string;
}

/** A package whose program was made by `deno compile`, the version of its runtime, and the program's SHA-256. */
const OLDER = {
  name: "@stdy/cli-linux-x64",
  version: "0.22.2",
  file: "bin/steady",
  runtime: "deno 2.7.11",
  sha256: "9716bb192746f093b86a280c5e30f87b5461fcefde4c275648357273b468bc8b",
};

/** Compiles into a folder. */
export async function makeBinary(folder: string): Promise<Binary> {
  const path = `${folder}/meridian`;
  const own = Deno.env.get("DENORT_BIN");
  if (own !== undefined || hasCachedRuntime()) {
    return { ...await compile({ output: path }), path, runtime: own ?? `deno ${Deno.version.deno}` };
  }
  const runtime = await olderRuntime(folder);
  const compiled = await compile({ output: `${folder}/unhoused`, runtime });
  rehome(`${folder}/unhoused`, runtime, path);
  await Deno.remove(`${folder}/unhoused`);
  return { ...compiled, path, runtime: `${OLDER.runtime} of ${OLDER.name}@${OLDER.version}` };
}

/** Whether the compiler has the runtime of its own release at hand: it fetches it once. */
function hasCachedRuntime(): boolean {
  const folder = Deno.env.get("DENO_DIR") ??
    `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;
  try {
    return Deno.statSync(`${folder}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`).isFile;
  } catch {
    return false;
  }
}

/** The path of the older runtime, fetched as any package. @throws {Error} When it is not the one that is known. */
async function olderRuntime(folder: string): Promise<string> {
  const { name, version, file, sha256 } = OLDER;
  const config = {
    imports: { [name]: `npm:${name}@${version}` },
    nodeModulesDir: "none",
    minimumDependencyAge: "0",
  };
  const find = `import "${name}/package.json" with { type: "json" };
console.log(decodeURIComponent(new URL(import.meta.resolve("${name}/${file}")).pathname));
`;
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
  await Deno.writeTextFile(`${folder}/find.ts`, find);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-lock", "find.ts"],
    cwd: folder,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const path = new TextDecoder().decode(stdout).trim();
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  if (new Uint8Array(digest).toHex() !== sha256) throw new Error(`${path} is not the file that is known`);
  return path;
}
