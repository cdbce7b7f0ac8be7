/** `meridian plugin`: the beginning of a plugin of one's own, its tests, and the types it is written with. @module */

import { readTypes } from "../custom/types.ts";
import { newPluginFiles } from "../custom/template.ts";
import { nearest } from "../corefile/nearest.ts";
import type { PluginModule } from "../plugin.ts";
import { type Flags, UsageError } from "./flags.ts";
import { allOf } from "./load.ts";
import type { Command } from "./mod.ts";

/** The command. */
export const plugin: Command = {
  usage: "plugin new NAME [-dir DIR] | plugin test [DIR] | plugin types",
  summary: "begin a plugin of your own; run its tests; print the types it is written with",
  flags: {
    dir: { value: "DIR", help: "new: the folder to make (NAME)" },
    json: { help: "new: print a JSON object" },
  },
  wordsMax: 2,
  words: [["new", "test", "types"], "folder"],
  async run({ values, words: [what, word] }, builtIn) {
    switch (what) {
      case "new":
        return makeNew(word, values, await allOf(builtIn));
      case "test":
        return runTests(word ?? ".");
      case "types":
        console.log(readTypes().trimEnd());
        return 0;
    }
    const guess = what && nearest(what, ["new", "test", "types"]);
    throw new UsageError(
      `plugin wants new, test or types: got ${what ?? "nothing"}${guess ? `; did you mean ${guess}?` : ""}`,
    );
  },
};

async function makeNew(
  name: string | undefined,
  values: Flags["values"],
  modules: readonly PluginModule[],
): Promise<number> {
  if (name === undefined) throw new UsageError("plugin new wants a NAME, which is the directive");
  if (!/^[a-z][a-z0-9_-]*$/.test(name) || name === "import") {
    throw new UsageError(
      `A plugin's name has small letters, digits, '_' and '-', a letter first: got '${name}'`,
    );
  }
  const taken = modules.find((module) => module.name === name || (module.aliases ?? []).includes(name));
  if (taken) throw new UsageError(`There is a plugin '${name}' already`);
  const folder = values.dir as string | undefined ?? name;
  const files = { ...newPluginFiles(name, ownCommand()), "meridian.d.ts": readTypes() };
  await writeNew(folder, files);
  const written = Object.keys(files).sort();
  console.log(
    values.json ? JSON.stringify({ folder, files: written }, null, 2) : NEXT(folder, written),
  );
  return 0;
}

const NEXT = (folder: string, files: readonly string[]) =>
  `wrote ${folder}: ${files.join(", ")}

meridian serve -conf ${folder}/Corefile     to serve with it
meridian plugin test ${folder}              to run its tests, or: deno test -A ${folder}`;

/** How this program was started, for tests to start another like it. */
export function ownCommand(): readonly string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = new URL(Deno.mainModule).pathname;
  const config = main.slice(0, main.lastIndexOf("/") + 1) + "deno.json";
  return ["deno", "run", "-A", `--config=${config}`, main];
}

/** @throws {UsageError} When something is there already: nobody's work is written over. */
async function writeNew(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  try {
    await Deno.mkdir(folder);
  } catch (error) {
    const why = error instanceof Deno.errors.AlreadyExists ? "it is there already" : (error as Error).message;
    throw new UsageError(`Cannot make ${folder}: ${why}`);
  }
  for (const [file, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${file}`, text);
}

/** Runs `deno test` with a server like this one. @returns Its exit code. */
async function runTests(folder: string): Promise<number> {
  const { isDirectory } = await Deno.stat(folder).catch(() => ({ isDirectory: false }));
  if (!isDirectory) {
    throw new UsageError(`plugin test wants the folder of a plugin: there is no folder ${folder}`);
  }
  const deno = Deno.build.standalone ? "deno" : Deno.execPath();
  const [program, ...args] = ownCommand();
  const own = [program === "deno" ? deno : program!, ...args];
  try {
    const { code } = await new Deno.Command(deno, {
      args: ["test", "-A", folder],
      env: { MERIDIAN: own.join(" ") },
    }).spawn().status;
    return code === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UsageError(
      `Tests are run by deno, which is not here: with npm, MERIDIAN=${own[0]} npx deno test -A ${folder}`,
    );
  }
}
