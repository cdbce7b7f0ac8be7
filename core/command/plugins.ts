/** `meridian plugins`: which plugins there are; with a Corefile, the chain of each zone and what is never reached. @module */

import type { PluginModule } from "../plugin.ts";
import { formatName } from "../dns/name.ts";
import type { BlockConfiguration } from "../server/configure.ts";
import { defaultPort } from "./flags.ts";
import { allOf, findCorefile, loadCorefile, showProblems } from "./load.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";

/** The command. */
export const plugins: Command = {
  usage: "plugins [-conf FILE] [--json]",
  summary: "list the plugins in order of execution; with -conf, the chain that serves each zone",
  flags: {
    conf: { value: "FILE", help: "a Corefile" },
    "dns.port": { value: "PORT", help: "the port of keys that name none (53)", short: "p" },
    json: { help: "print a JSON object" },
  },
  wordsMax: 1,
  words: ["file"],
  async run({ values, words }, builtIn) {
    const named = (words[0] ?? values.conf) as string | undefined;
    if (named === undefined) {
      const modules = await allOf(builtIn);
      console.log(values.json ? JSON.stringify(modules.map(({ name }) => name)) : listAll(modules));
      return 0;
    }
    const loaded = await loadCorefile(findCorefile(named), builtIn, defaultPort(values));
    if (loaded.problems.errors.length > 0) {
      console.error(showProblems(loaded, Deno.stderr));
      return 1;
    }
    const chains = loaded.configuration.blocks.flatMap((block) => zoneChains(block, loaded.modules));
    console.log(values.json ? JSON.stringify(chains, null, 2) : listChains(chains));
    return 0;
  },
};

/** The chain of one zone. */
export interface ZoneChain {
  readonly zone: string;
  readonly port: number;
  readonly plugins: readonly string[];
  /** Plugins that no query of this zone can reach, with the reason. */
  readonly unreachable: readonly { readonly plugin: string; readonly why: string }[];
}

/** The chains of a block, a zone each. */
export function zoneChains(block: BlockConfiguration, modules: readonly PluginModule[]): ZoneChain[] {
  return block.endpoints.map(({ zone, port }) => {
    const unreachable: { plugin: string; why: string }[] = [];
    let stop: string | undefined;
    for (const { name, config } of block.plugins) {
      if (stop !== undefined) {
        unreachable.push({
          plugin: name,
          why: `${stop} above it answers every query of ${formatName(zone)}`,
        });
      } else if (modules.find((module) => module.name === name)?.answersAll?.(config, zone)) stop = name;
    }
    return { zone: formatName(zone), port, plugins: block.facts.plugins, unreachable };
  });
}

function listAll(modules: readonly PluginModule[]): string {
  return modules.map(({ name, usage }) => [name, usage]).map(([name, usage]) =>
    `dns.${name!.padEnd(10)} ${usage}`
  ).join("\n");
}

function listChains(chains: readonly ZoneChain[]): string {
  const table = formatTable(
    ["ZONE", "PORT", "CHAIN, IN ORDER OF EXECUTION"],
    chains.map((
      { zone, port, plugins },
    ) => [zone, String(port), plugins.join(" → ") || "(nothing: every query is refused)"]),
  );
  const never = chains.flatMap(({ zone, unreachable }) =>
    unreachable.map(({ plugin, why }) => `never reached in ${zone}: ${plugin}, as ${why}`)
  );
  return [table, ...never].join("\n");
}
