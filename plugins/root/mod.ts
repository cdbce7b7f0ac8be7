/** root: where the other plugins of a block find their data files. Syntax: README.md. @module */

import { Arguments, type PluginModule, readOptions } from "../../core/plugin.ts";

export default {
  name: "root",
  usage: "root PATH",
  options: {},
  parse(directives, scope) {
    for (const [i, directive] of directives.entries()) {
      const args = new Arguments(directive);
      const path = args.token("PATH");
      args.end();
      readOptions(directive, {}, scope.problems);
      const folder = scope.path(path);
      const wrong = whyNoFolder(folder);
      if (i > 0) {
        scope.problems.error(directive.name, "root: this plugin can only be used once per Server Block");
      } else if (wrong) scope.problems.warn(path, `root: '${folder}' ${wrong}`);
      if (i === 0) scope.setRoot(folder);
    }
    return {};
  },
} satisfies PluginModule<Record<string, never>>;

/** What keeps a path from being a folder that files can be found in; the file that is looked for there is the error. */
function whyNoFolder(path: string): string | undefined {
  try {
    return Deno.statSync(path).isDirectory ? undefined : "is no folder";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "does not exist" : (error as Error).message;
  }
}
