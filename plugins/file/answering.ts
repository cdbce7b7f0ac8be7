/** The answering half of file: all that a worker has of it. @module */

import type { AnsweringModule } from "../../core/plugin.ts";
import { answerFromZones, type ZoneData } from "../../core/zone/zones.ts";
import type { FileSource } from "./mod.ts";

export default {
  name: "file",
  metrics: {
    meridian_file_reloads_total: {
      kind: "counter",
      help: "Changed zone files, by whether they were taken or refused.",
      labels: ["outcome"],
    },
  },
  repeats: "absence",
  answerer: (_sources, scope) => ({
    name: "file",
    answer(context, next) {
      const data = scope.published(context.snapshot) as ZoneData | undefined;
      return data ? answerFromZones("file", data, context, next) : next(context);
    },
  }),
} satisfies AnsweringModule<readonly FileSource[]>;
