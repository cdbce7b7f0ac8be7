/** The answering half of prometheus: all that a worker has of it. @module */

import type { AnsweringModule } from "../../core/plugin.ts";
import { DecisionMeter } from "./decision_meter.ts";
import { metrics } from "./metrics.ts";
import type { PrometheusConfig } from "./mod.ts";
import { QueryMeter } from "./query_meter.ts";

export default {
  name: "prometheus",
  metrics,
  repeats: "absence",
  answerer(_config, scope) {
    const queries = new QueryMeter(scope), decisions = new DecisionMeter(scope);
    return {
      name: "prometheus",
      answer: (context, next) => next(context),
      tallies(context, answer, sent) {
        const samples = queries.samplesOf(context, sent);
        decisions.add(samples, context, answer);
        return samples;
      },
    };
  },
} satisfies AnsweringModule<PrometheusConfig>;
