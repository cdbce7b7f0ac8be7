/** All plugins at once, in the order of shelf.ts: for tests and tools. @module */

import type { PluginModule } from "../core/plugin.ts";
import { shelvedPlugins } from "./shelf.ts";

/** First to last. */
export const plugins: readonly PluginModule[] = await shelvedPlugins();
