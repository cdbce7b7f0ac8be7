/** The answering half of health: all that a worker has of it. @module */

import {
  type AnsweringModule,
  type AnswerScope,
  formatName,
  type Plugin,
  type QueryContext,
  type Snapshot,
  then,
} from "../../core/plugin.ts";
import { Tally } from "../../core/tally.ts";
import { addressText, type Filtered, indexOf, type WatchIndex, withoutDown } from "./answer.ts";
import { metrics } from "./metrics.ts";
import type { HealthConfig } from "./parse.ts";
import type { Watches } from "./targets.ts";

/** Leaves out what is down, where names are watched: of a pool's addresses anycast thinks already. */
export function answerer(config: HealthConfig, scope: AnswerScope): Plugin | undefined {
  if (config.checks.length === 0 || config.watch.length === 0) return undefined;
  const watched = watchedBy(scope), tally = new Tally();
  return {
    name: "health",
    tallies: (context) => tally.of(context),
    untimed: true,
    answer: (context, next) =>
      then(next(context), (answer) => {
        const tell = (filtered: Filtered) => tellOf(filtered, context, tally, scope);
        return withoutDown(answer, watched(context.snapshot), config.failingShare, context, tell);
      }),
  };
}

/** The index is made once for each value published. */
function watchedBy(scope: AnswerScope): (snapshot: Snapshot) => WatchIndex {
  let made: { readonly of: unknown; readonly index: WatchIndex } = { of: undefined, index: new Map() };
  return (snapshot) => {
    const published = scope.published(snapshot);
    if (published !== made.of) {
      made = { of: published, index: indexOf(published as Watches | undefined ?? { addresses: {} }) };
    }
    return made.index;
  };
}

function tellOf(
  { rrset, leftOut, failOpen }: Filtered,
  context: QueryContext,
  tally: Tally,
  { series }: AnswerScope,
): void {
  const name = formatName(rrset.name);
  if (failOpen) {
    if (!context.rehearsed) {
      tally.add(context, { series: series("meridian_fail_open_answers_total", { pool: name }), value: 1 });
    }
    context.record?.({ plugin: "health", what: `every address of ${name} is down: kept them all` });
  } else {
    const addresses = leftOut.map(addressText);
    context.record?.({
      plugin: "health",
      what: `left out ${addresses.join(", ")}: down`,
      facts: { addresses },
    });
  }
}

export default { name: "health", metrics, repeats: "absence", answerer } satisfies AnsweringModule<
  HealthConfig
>;
