/** Where things stay that take long to make, outside the repository. @module */

import { join } from "node:path";

/** The folder, made if it is missing: `$XDG_CACHE_HOME/meridian-bench`, by default below `~/.cache`. */
export async function cacheFolder(...below: string[]): Promise<string> {
  const base = Deno.env.get("XDG_CACHE_HOME") || join(Deno.env.get("HOME") ?? "/tmp", ".cache");
  const folder = join(base, "meridian-bench", ...below);
  await Deno.mkdir(folder, { recursive: true });
  return folder;
}
