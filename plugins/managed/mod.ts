/** managed: answers from the zones that are managed through the store. Syntax and examples: README.md. @module */

import { readZones } from "../../core/dns/corefile_names.ts";
import {
  Arguments,
  type Directive,
  type Name,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  readOptions,
  ROOT,
} from "../../core/plugin.ts";
import answering from "./answering.ts";
import { start } from "./keep.ts";

/** What is served of the store. */
export interface ManagedConfig {
  /** Zones that are one of these or lie in one, folded. */
  readonly zones: readonly Name[];
  /** Whether these are the zones of the server block, so that every name of it is within one. */
  readonly isWholeBlock: boolean;
  /** Below which names an NXDOMAIN is left to the plugins that follow, folded; none = not at all. */
  readonly fallthrough: readonly Name[];
}

const options = {
  fallthrough: {
    usage: "fallthrough [ZONES...]",
    read: (args: Arguments) => args.more ? readZones(args) : [ROOT],
  },
} satisfies Options;

/** Reads `managed [ZONES...] { ... }`. Which zones there are is known only while the server runs. */
export function parse(directives: readonly Directive[], scope: ParseScope): ManagedConfig {
  const directive = onlyOne(directives, scope.problems), args = new Arguments(directive);
  const named = readZones(args);
  const { fallthrough = [] } = readOptions(directive, options, scope.problems);
  if (!scope.sharesState) {
    scope.problems.error(
      directive.name,
      "managed: wants a store: `state sqlite FILE` or `state etcd URL...` in the global options",
    );
  }
  const zones = named.length > 0 ? named : scope.zones;
  // Pools in them are answered by way of them, whether they are there or not: see keep.ts.
  for (const zone of zones) scope.holdZone(zone);
  return { zones, isWholeBlock: named.length === 0, fallthrough };
}

export default {
  ...answering,
  usage: "managed [ZONES...]",
  options,
  parse,
  start,
} satisfies PluginModule<ManagedConfig>;
