/**
 * The example of the repository's root, Corefile and all, as a copy in a temporary folder that may be changed.
 *
 * @module
 */

import { formatPosition, Problems } from "../core/corefile/directive.ts";
import type { Node } from "../core/fleet/node.ts";
import { readNodes } from "../core/fleet/nodes_file.ts";

const ROOT = new URL("../", import.meta.url);

/** What stands in Corefile.example, and what shall stand there instead. */
export type Replacements = Readonly<Record<string, string>>;

/** A copy of the example. */
export interface Example {
  /** Ends without a slash. */
  readonly folder: string;
  readonly corefile: string;
  readonly nodesFile: string;
  readonly networksFile: string;
  remove(): Promise<void>;
}

/** Copies the example, its Corefile changed, into a new folder. The server that reads it keeps no state on disk. */
export async function copyExample(replacements: Replacements): Promise<Example> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-" });
  const text = replaceAllOf(await Deno.readTextFile(new URL("Corefile.example", ROOT)), replacements);
  await Deno.writeTextFile(`${folder}/Corefile`, `{\n    state off\n}\n\n${text}`);
  await Deno.mkdir(`${folder}/zones`);
  for (const file of ["nodes.yaml", "networks.yaml", "zones/anycast.example.zone"]) {
    await Deno.copyFile(new URL(file, ROOT), `${folder}/${file}`);
  }
  return {
    folder,
    corefile: `${folder}/Corefile`,
    nodesFile: `${folder}/nodes.yaml`,
    networksFile: `${folder}/networks.yaml`,
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}

/** @throws {Error} When something that shall be replaced does not stand there: the example has changed. */
export function replaceAllOf(text: string, replacements: Replacements): string {
  for (const [found, wanted] of Object.entries(replacements)) {
    if (!text.includes(found)) {
      throw new Error(`Cannot change the example: it has no ${JSON.stringify(found)}`);
    }
    text = text.replaceAll(found, wanted);
  }
  return text;
}

/** The nodes of the example. */
export async function exampleNodes(): Promise<Node[]> {
  const problems = new Problems();
  const nodes = readNodes(await Deno.readTextFile(new URL("nodes.yaml", ROOT)), "nodes.yaml", problems);
  const [wrong] = problems.errors;
  if (wrong) throw new Error(`${formatPosition(wrong.at)}: ${wrong.message}`);
  return nodes;
}
