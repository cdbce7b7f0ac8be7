/** The answering half of anycast: all that a worker has of it. @module */

import type { AnsweringModule } from "../../core/plugin.ts";
import { answerer } from "./answer.ts";
import { metrics } from "./metrics.ts";
import type { AnycastConfig } from "./parse.ts";

export default { name: "anycast", metrics, repeats: "absence", answerer } satisfies AnsweringModule<
  AnycastConfig
>;
