/** Whether there can be data workers. @module */

import type { Log } from "../../plugin.ts";
import { selfTest } from "../batch/mod.ts";

let found: { readonly why: string | undefined } | undefined;

/** Why there can be none in this process, said to the log once; undefined when there can. */
export function whyNoWorkers(log: Log): string | undefined {
  if (found) return found.why;
  found = { why: selfTest() };
  if (found.why !== undefined) log.info(`UDP is read without data workers: ${found.why}`);
  return found.why;
}
