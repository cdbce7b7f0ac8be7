/** The programs in C: compiled when they are first wanted, and again when their source changes. @module */

import { cacheFolder } from "./cache_folder.ts";

/** What there is below `native/`. */
export type Program = "datagrams" | "streams" | "flood" | "echo" | "beats";

const SOURCES = new URL("./native/", import.meta.url);

/** The path of a program that is compiled; undefined on a machine without a C compiler or whose compiler refuses it. */
export async function nativeProgram(name: Program): Promise<string | undefined> {
  const sources = await Promise.all(
    [`${name}.c`, "queries.h"].map((file) => Deno.readFile(new URL(file, SOURCES))),
  );
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(sources).bytes()));
  const path = `${await cacheFolder("native")}/${name}-${digest.subarray(0, 8).toHex()}`;
  if (await Deno.stat(path).catch(() => undefined)) return path;
  const beside = `${path}.${Deno.pid}`, source = new URL(`${name}.c`, SOURCES).pathname;
  const compiled = await new Deno.Command("gcc", { args: ["-O2", "-o", beside, source], stderr: "inherit" })
    .output().catch(() => undefined);
  if (!compiled?.success) return undefined;
  await Deno.rename(beside, path);
  return path;
}
