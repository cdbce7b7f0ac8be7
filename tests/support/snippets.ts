/**
 * The Corefiles that people may copy: from every page that they read.
 *
 * @module
 */

import { formatAddress } from "../../core/net/address.ts";
import type { Server } from "../../core/server/server.ts";
import { freePort } from "./server.ts";

/** A whole Corefile that somebody may copy. */
export interface Snippet {
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

/** All of them, and the example. */
export const allSnippets = (): Snippet[] => [
  ...pages().flatMap(snippetsOf),
  { place: "Corefile.example", text: Deno.readTextFileSync("Corefile.example") },
];

/** The same, with upstreams, ports and folders that are this test's own: nothing leaves the machine or stays on it. */
export function tamed({ text }: Snippet, upstreamPort: number, folder: string): string {
  const asked = `127.0.0.1:${upstreamPort}`;
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
    .replace(/^(\s*state )(?!off|sqlite|etcd)\S+/gm, (_, start) => start + folder)
    .replace(/^(\s*state sqlite )\S+/gm, (_, start) => `${start}${folder}/fleet.db`)
    .replace(/^(\s*api )\S*:\d+/gm, (_, start) => `${start}127.0.0.1:${freePort()}`);
}

/** An address at which a block of a server is asked. */
export function addressAskedAt(
  { listening }: Server,
  { listenOn }: { readonly listenOn: readonly string[] },
): string {
  const bound = listenOn.length > 0 ? formatAddress(listening[0]!.endpoints[0]!.address) : "127.0.0.1";
  return listenOn.find((host) => /^[\d.]+$/.test(host)) ?? bound;
}
