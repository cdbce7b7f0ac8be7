/**
 * anycast: answers a name with the nodes of a pool that are nearest to the client and serve. Syntax and examples:
 * README.md; the rule: docs/decisions/0001-answers.md, as core/fleet/select.ts has it.
 *
 *     parse.ts, options.ts            what the Corefile says
 *     control.ts, partition_keeper.ts node lists and partitions, in the control isolate
 *     managed_pools.ts                pools of the store, as they come and go
 *     answer.ts                       finds the RRsets of pools in what comes up the chain
 *     fill.ts, below.ts               what goes into them, and what that depends on
 *     explain.ts                      why, for whoever asks
 *
 * @module
 */

import type { PluginModule } from "../../core/plugin.ts";
import answering from "./answering.ts";
import { start } from "./control.ts";
import { TTL_WITHOUT_PLUGIN } from "./fill.ts";
import { options } from "./options.ts";
import { type AnycastConfig, parse, verify } from "./parse.ts";

export default {
  ...answering,
  usage: "anycast NAME...|managed",
  options,
  parse,
  verify,
  start,
  ttlBounds: () => ({ min: TTL_WITHOUT_PLUGIN, max: TTL_WITHOUT_PLUGIN }),
} satisfies PluginModule<AnycastConfig>;
