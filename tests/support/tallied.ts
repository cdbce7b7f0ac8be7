/** What the server adds up of a reply, without a server. @module */

import type { Answer, Plugin, QueryContext, Sent } from "../../core/plugin.ts";

/** Counts what a plugin says is to be counted of a reply, so many times; nothing of one that another isolate makes. */
export function countReply(
  plugin: Plugin,
  context: QueryContext,
  answer: Answer,
  { times = 1, ...more }: Partial<Sent> & { readonly times?: number } = {},
): void {
  if (answer.deferred) return;
  const sent = { octets: 40, flags: answer.rcode, plugin: plugin.name, durationMs: 0, ...more };
  for (const { series, value } of plugin.tallies?.(context, answer, sent) ?? []) series.record(value, times);
}
