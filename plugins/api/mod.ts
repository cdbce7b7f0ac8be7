/**
 * api: the management interface: nodes, pools, overrides, records, tokens, audit log, over HTTP. Syntax and examples:
 * README.md. What it does stands in fleet.ts, which runs in the fleet isolate.
 *
 * @module
 */

import type { PluginModule } from "../../core/plugin.ts";
import answering from "./answering.ts";
import { type ApiConfig, options, parse } from "./parse.ts";

export default {
  ...answering,
  usage: "api ADDRESS",
  options,
  inFleet: true,
  parse(directives, scope) {
    if (!scope.sharesState) {
      const { name } = directives[0]!;
      scope.problems.error(
        name,
        "api: wants a store: `state sqlite FILE` or `state etcd URL...` in the global options",
      );
    }
    return parse(directives, scope);
  },
} satisfies PluginModule<ApiConfig>;
