/** metadata: lets plugins know of a query what other plugins know. Syntax and labels: README.md. @module */

import { readNames } from "../../core/dns/corefile_names.ts";
import {
  Arguments,
  type Directive,
  type ParseScope,
  type PluginModule,
  readOptions,
} from "../../core/plugin.ts";

/** Reads `metadata [ZONES...]`; without names it is for the block's zones. */
function parse(directives: readonly Directive[], scope: ParseScope): Record<string, never> {
  for (const directive of directives) {
    readOptions(directive, {}, scope.problems);
    const words = new Arguments(directive).rest();
    const named = words.flatMap((word) =>
      scope.problems.attempt(() => readNames(word, scope.problems)) ?? []
    );
    for (const zone of words.length > 0 ? named : scope.zones) scope.wantLabels(zone);
  }
  return {};
}

export default {
  name: "metadata",
  usage: "metadata [ZONES...]",
  options: {},
  parse,
} satisfies PluginModule<Record<string, never>>;
