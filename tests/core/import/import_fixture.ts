/** Importers over files of their own, and the servers that come of it. @module */

import { formatPosition } from "../../../core/corefile/directive.ts";
import type { Imported, ImportSource } from "../../../core/import/imported.ts";
import { dirname } from "node:path/posix";

/** Files by path. */
export function sourceOf(files: Readonly<Record<string, string>>): ImportSource {
  return {
    read: (path) => files[path],
    list: (path) => {
      const inside = Object.keys(files).filter((file) => dirname(file) === path);
      return inside.length > 0 ? inside.map((file) => file.slice(path.length + 1)).sort() : undefined;
    },
  };
}

/** The files of a folder, and of those below it. */
export function filesIn(folder: string): Record<string, string> {
  return Object.fromEntries([...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? Object.entries(filesIn(path)) : [[path, Deno.readTextFileSync(path)]];
  }));
}

/** Findings as `PLACE KIND WHAT: WHY`, in order of their places. */
export function told({ findings }: Imported): string[] {
  return findings.map(({ at, kind, what, why }) => `${formatPosition(at)} ${kind} ${what}: ${why}`).sort();
}

/** Runs `test` with the files of an import in a folder of their own. */
export async function withImported(
  imported: Imported,
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const { path, text } of imported.files) {
      Deno.mkdirSync(dirname(`${folder}/${path}`), { recursive: true });
      Deno.writeTextFileSync(`${folder}/${path}`, text);
    }
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
