/** `meridian check FILE`: everything that is wrong with a Corefile, without starting anything. @module */

import { problemRecords } from "../corefile/format.ts";
import { defaultPort } from "./flags.ts";
import type { Command } from "./mod.ts";
import { findCorefile, loadCorefile, showProblems } from "./load.ts";

/** The command. */
export const check: Command = {
  usage: "check [FILE]",
  summary: "show every problem in a Corefile at once, without starting it",
  flags: {
    conf: { value: "FILE", help: "the Corefile; the word FILE does as well" },
    "dns.port": { value: "PORT", help: "the port of keys that name none (53)", short: "p" },
    json: { help: "print a JSON object" },
  },
  wordsMax: 1,
  words: ["file"],
  async run({ values, words }, builtIn) {
    const named = words[0] ?? values.conf as string | undefined;
    const port = defaultPort(values);
    const loaded = await loadCorefile(findCorefile(named), builtIn, port);
    const { file, problems } = loaded;
    const failed = problems.errors.length > 0;
    if (values.json) {
      console.log(JSON.stringify({ file, ok: !failed, problems: problemRecords(problems) }, null, 2));
    } else if (failed || problems.warnings.length > 0) {
      console.log(showProblems(loaded, Deno.stdout));
    }
    if (!failed && !values.json) {
      console.log(
        file === "builtin"
          ? "There is no Corefile here: the builtin one would serve"
          : `${file}: no problems`,
      );
    }
    return failed ? 1 : 0;
  },
};
