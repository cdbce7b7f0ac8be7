/** api: what there is of it where queries are answered, which is nothing. @module */

import type { AnsweringModule } from "../../core/plugin.ts";

export default { name: "api", repeats: "absence" } satisfies AnsweringModule;
