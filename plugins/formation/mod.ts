/**
 * formation: what an existing Formation deployment speaks: form-dns's interface, form-state's lists and reports, the overlay.
 * Syntax and examples: README.md. What it does besides answering stands in fleet.ts, which runs in the fleet isolate.
 *
 * @module
 */

import type { PluginModule } from "../../core/plugin.ts";
import answering from "./answering.ts";
import { type FormationConfig, options, parse } from "./parse.ts";
import { publishTables } from "./published.ts";

export default {
  ...answering,
  usage: "formation [ADDRESS...]",
  options,
  inFleet: true,
  start: (_config, scope) => publishTables(scope),
  parse(directives, scope) {
    if (!scope.sharesState) {
      const { name } = directives[0]!;
      scope.problems.error(
        name,
        "formation: wants a store: `state sqlite FILE` or `state etcd URL...` in the global options",
      );
    }
    return parse(directives, scope);
  },
} satisfies PluginModule<FormationConfig>;
