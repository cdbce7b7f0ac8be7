/**
 * Where the geography of some files is kept: under a key that stands for all that it is made of.
 *
 * @module
 */

import { join } from "node:path";
import { stampOf } from "../../core/files.ts";
import { COUNTRY_POINTS } from "../../core/fleet/country_points.ts";
import { SPECIAL_BLOCKS } from "../../core/net/special.ts";
import { formatPrefix } from "../../core/plugin.ts";
import { readMetadataOf } from "./build.ts";
import { FORMAT } from "./geography_file.ts";

/** `STATE/geo/KEY.tables`; undefined when one of the files cannot be read, so that nothing can be made of them. */
export async function keptPath(
  stateDirectory: string,
  databases: readonly string[],
  networks: string | undefined,
): Promise<string | undefined> {
  try {
    return join(stateDirectory, "geo", `${await keyOf(databases, networks)}.tables`);
  } catch {
    return undefined;
  }
}

/** Of files by path, size and time of change; of databases what they say of themselves; and of what is part of the program. */
async function keyOf(databases: readonly string[], networks: string | undefined): Promise<string> {
  const parts = [
    FORMAT,
    databases.map((path) => [stampOf(path), readMetadataOf(path)]),
    networks === undefined ? "" : stampOf(networks),
    [...COUNTRY_POINTS],
    SPECIAL_BLOCKS.map(({ name, prefix }) => [name, formatPrefix(prefix)]),
  ];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)));
  return new Uint8Array(digest, 0, 16).toHex();
}
