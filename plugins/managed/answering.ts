/** The answering half of managed: all that a worker has of it. @module */

import { type AnsweringModule, isWithin, then, undivided } from "../../core/plugin.ts";
import { answerFromZones, type ZoneData } from "../../core/zone/zones.ts";
import type { ManagedConfig } from "./mod.ts";

export default {
  name: "managed",
  metrics: {
    meridian_managed_zones: { kind: "gauge", help: "How many zones of the store are served." },
    meridian_managed_refused_zones: {
      kind: "gauge",
      help: "How many zones are not as the store has them now, since that cannot be served.",
    },
    meridian_managed_updates_total: {
      kind: "counter",
      help: "New and changed zones of the store, by whether they were taken or refused.",
      labels: ["outcome"],
    },
  },
  repeats: "absence",
  answerer: ({ zones, isWholeBlock }, scope) => ({
    name: "managed",
    answer(context, next) {
      const data = scope.published(context.snapshot) as ZoneData | undefined;
      if (isWholeBlock) return data ? answerFromZones("managed", data, context, next) : next(context);
      const isOurs = data && zones.some((zone) => isWithin(context.name, zone));
      const answer = isOurs ? answerFromZones("managed", data, context, next) : next(context);
      return then(answer, (answer) => undivided(answer, zones));
    },
  }),
} satisfies AnsweringModule<ManagedConfig>;
