/**
 * health: probes nodes and leaves out addresses that are down; and the endpoint that says that the process lives.
 * Syntax and examples: README.md.
 *
 * @module
 */

import type { ControlScope, PluginModule } from "../../core/plugin.ts";
import answering from "./answering.ts";
import { endpointAddress, openEndpoint } from "./endpoint.ts";
import { options } from "./options.ts";
import { type HealthConfig, parse } from "./parse.ts";
import { type MakeProber, workerProber } from "./prober.ts";
import { releaseMonitor, shareMonitor } from "./share.ts";
import { BlockTargets } from "./targets.ts";

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

export default {
  ...answering,
  usage: "health [ADDRESS]",
  options,
  parse,
  start: (config, scope) => start(config, scope),
} satisfies PluginModule<HealthConfig>;
