/** Servers that Debian packages. @module */

import { commandPath, ensurePackages } from "../../packages.ts";

/** Installs `packages` where they are missing. @returns The version of the first. @throws {Error} When it cannot be had. */
export async function debianVersion(...packages: [string, ...string[]]): Promise<string> {
  const installed = await versionOf(packages[0]);
  if (installed === undefined || (await Promise.all(packages.map(versionOf))).includes(undefined)) {
    await ensurePackages(packages);
  }
  const version = installed ?? await versionOf(packages[0]);
  if (version === undefined) throw new Error(`${packages[0]} is not installed`);
  return version;
}

async function versionOf(name: string): Promise<string | undefined> {
  const query = new Deno.Command("dpkg-query", {
    args: ["-W", "-f", "${db:Status-Abbrev}${Version}", name],
    stderr: "null",
  });
  const output = await query.output().catch(() => undefined);
  return /^ii (.*)$/.exec(new TextDecoder().decode(output?.stdout))?.[1];
}

/** The path of a program. @throws {Error} When it is not there. */
export async function programPath(name: string): Promise<string> {
  const path = await commandPath(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}
