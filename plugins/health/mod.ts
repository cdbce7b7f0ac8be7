/**
 * health: probes nodes and leaves out addresses that are down; and the endpoint that says that the process lives.
 * Syntax and examples: README.md.
 *
 * @module
 */

import {
  type AnswerScope,
  type ControlScope,
  formatName,
  type Plugin,
  type PluginModule,
  type QueryContext,
  type Snapshot,
  then,
} from "../../core/plugin.ts";
import { Tally } from "../../core/tally.ts";
import { addressText, type Filtered, indexOf, type WatchIndex, withoutDown } from "./answer.ts";
import { endpointAddress, openEndpoint } from "./endpoint.ts";
import { metrics } from "./metrics.ts";
import { options } from "./options.ts";
import { type HealthConfig, parse } from "./parse.ts";
import { type MakeProber, workerProber } from "./prober.ts";
import { releaseMonitor, shareMonitor } from "./share.ts";
import { BlockTargets, type Watches } from "./targets.ts";

/** Opens the endpoint, and probes what the block's pools and watches want. */
export async function start(
  config: HealthConfig,
  scope: ControlScope,
  makeProber: MakeProber = workerProber,
): Promise<void> {
  if (config.endpoint && scope.probing) {
    openEndpoint(config.endpoint, scope);
    scope.log.info(
      `health: http://${endpointAddress({ ...config.endpoint, host: config.endpoint.host || "*" })}/health`,
    );
  }
  if (config.checks.length === 0) return;
  const monitor = scope.probing ? shareMonitor(scope, makeProber) : undefined;
  const targets = new BlockTargets(config, scope, monitor ?? { want() {} });
  scope.own({
    async close() {
      targets.close();
      await releaseMonitor(scope, targets);
    },
  });
  if (monitor) scope.onReady(() => monitor.isKnown(targets));
  scope.fleet.onPools((pools) => targets.setPools(pools));
  await targets.watch();
}

/** Leaves out what is down, where names are watched: of a pool's addresses anycast thinks already. */
export function answerer(config: HealthConfig, scope: AnswerScope): Plugin | undefined {
  if (config.checks.length === 0 || config.watch.length === 0) return undefined;
  const watched = watchedBy(scope), tally = new Tally();
  return {
    name: "health",
    tallies: (context) => tally.of(context),
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

const health: PluginModule<HealthConfig> = {
  name: "health",
  usage: "health [ADDRESS]",
  options,
  metrics,
  repeats: "absence",
  parse,
  start: (config, scope) => start(config, scope),
  answerer,
};
export default health;
