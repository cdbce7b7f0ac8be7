/**
 * prometheus: counts queries and what became of them, and shows every metric to who scrapes. Syntax and metrics: README.md.
 *
 * @module
 */

import { parseHostPort } from "../../core/net/host_port.ts";
import {
  Arguments,
  type ControlScope,
  CorefileError,
  type Directive,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  readOptions,
} from "../../core/plugin.ts";
import answering from "./answering.ts";
import { hidePools, showFleet } from "./fleet.ts";
import { showHeap, showProcess, watchLag } from "./runtime.ts";

/** One `prometheus`. Plain data. */
export interface PrometheusConfig {
  readonly address: string;
  /** Whether the heap is shown too. */
  readonly runtime: boolean;
}

const options = {
  runtime_metrics: { usage: "runtime_metrics", read: () => true },
} satisfies Options;

export default {
  ...answering,
  usage: "prometheus [ADDRESS]",
  options,
  parse,
  start,
} satisfies PluginModule<PrometheusConfig>;

function parse(directives: readonly Directive[], { problems }: ParseScope): PrometheusConfig {
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  const address = args.more ? args.token("ADDRESS") : undefined;
  args.end();
  if (address && !parseHostPort(address.text)?.port) {
    throw new CorefileError(
      address,
      `prometheus: ADDRESS must be [HOST]:PORT such as localhost:9153: got '${address.text}'`,
    );
  }
  const { runtime_metrics: runtime } = readOptions(directive, options, problems);
  return { address: address?.text ?? "localhost:9153", runtime: runtime ?? false };
}

const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Servers whose state is shown already: one block of each does it for all. */
const shown = new WeakSet<object>();

function start({ address, runtime }: PrometheusConfig, scope: ControlScope): void {
  scope.serveHttp({
    address,
    path: "/metrics",
    handler: () =>
      new Response(scope.process.metricsText(), { headers: { "content-type": EXPOSITION_TYPE } }),
  });
  if (runtime) scope.onScrape(() => showHeap(scope.gauge));
  if (!scope.probing || shown.has(scope.process)) return;
  shown.add(scope.process);
  scope.own(watchLag(scope.clock, scope.observe));
  let pools: readonly string[] = [];
  scope.onScrape(() => {
    const snapshot = scope.snapshot();
    hidePools(pools.filter((pool) => !(pool in snapshot.pools)), scope.gauge);
    pools = Object.keys(snapshot.pools);
    showFleet(snapshot, scope.clock.nowMs(), scope.gauge);
    showProcess(scope.gauge);
  });
}
