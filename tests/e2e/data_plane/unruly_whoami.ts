/**
 * The plugin whoami in a data worker, where a name that is asked for does harm.
 *
 *     hang.       its loop never comes round again
 *     leave.      it ends without a word
 *     throw.      its loop throws
 *
 * It says so before: to UNRULY_MET, a file.
 *
 * @module
 */

import { formatName } from "../../../core/dns/name.ts";
import type { AnsweringModule } from "../../../core/plugin.ts";
import module, { whoami } from "../../../plugins/whoami/mod.ts";

const HARM: Readonly<Record<string, () => void>> = {
  "hang.": () => {
    for (;;);
  },
  "leave.": () => globalThis.close(),
  "throw.": () => {
    Atomics.load = () => {
      throw new Error("out of order");
    };
  },
};

export default {
  ...module,
  answerer: () => ({
    name: "whoami",
    answer(context) {
      const harm = HARM[formatName(context.name)];
      if (harm) Deno.writeTextFileSync(Deno.env.get("UNRULY_MET")!, "");
      harm?.();
      return whoami(context);
    },
  }),
} satisfies AnsweringModule;
