/**
 * A data worker in which a name that is asked for does harm: to be run in place of plugins/worker.ts.
 *
 *     hang.       its loop never comes round again
 *     leave.      it ends without a word
 *     throw.      its loop throws
 *
 * @module
 */

import { formatName } from "../../../core/dns/name.ts";
import type { AnsweringModules } from "../../../core/server/answering_modules.ts";
import { runDataWorker } from "../../../core/server/data_plane/worker.ts";
import { answering } from "../../../plugins/answering.ts";

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

const whoami: AnsweringModules[string] = async () => {
  const { default: module } = await answering.whoami!();
  return {
    default: {
      ...module,
      answerer(config, scope) {
        const plugin = module.answerer!(config, scope)!;
        return {
          ...plugin,
          answer(context, next) {
            HARM[formatName(context.name)]?.();
            return plugin.answer(context, next);
          },
        };
      },
    },
  };
};

runDataWorker({ ...answering, whoami });
