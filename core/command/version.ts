/** `meridian version`: which program this is, and what it runs on. @module */

import type { Command } from "./mod.ts";

/** As in CHANGELOG.md. */
export const VERSION = "0.1.0";

/** What the program was made from, `2026-11-22 1a2b3c4`; the compiled one has it, by way of its environment. */
export function buildName(): string | undefined {
  // Elsewhere it would be somebody else's variable, and asking for it takes a permission.
  return Deno.build.standalone ? Deno.env.get("MERIDIAN_BUILD") : undefined;
}

/** `linux/x86_64, deno 2.9.6`, and the build of a compiled program. */
export function systemLine(): string {
  const { os, arch } = Deno.build;
  const build = buildName();
  return `${os}/${arch}, deno ${Deno.version.deno}${build ? `, build ${build}` : ""}`;
}

/** The command. */
export const version: Command = {
  usage: "version [-json]",
  summary: "say which version this is, and what it runs on",
  flags: { json: { help: "print a JSON object" } },
  run({ values }) {
    const { os, arch } = Deno.build;
    console.log(
      values.json
        ? JSON.stringify(
          {
            version: VERSION,
            ...buildName() && { build: buildName() },
            compiled: Deno.build.standalone,
            system: `${os}/${arch}`,
            deno: Deno.version.deno,
          },
          null,
          2,
        )
        : `Meridian-${VERSION}\n${systemLine()}`,
    );
    return 0;
  },
};
