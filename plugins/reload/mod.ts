/** reload: serves by the Corefile as it is now. Syntax: README.md. @module */

import {
  Arguments,
  type ControlScope,
  type Directive,
  onlyOne,
  type ParseScope,
  type PluginModule,
  readOptions,
} from "../../core/plugin.ts";

/** How often to look. */
export interface ReloadConfig {
  readonly intervalMs: number;
  /** By how much an interval may differ, all told; 0 = not at all. */
  readonly jitterMs: number;
}

const DEFAULT_INTERVAL_MS = 30_000, DEFAULT_JITTER_MS = 15_000;
const LEAST_INTERVAL_MS = 2000, LEAST_JITTER_MS = 1000;

export default {
  name: "reload",
  usage: "reload [INTERVAL] [JITTER]",
  options: {},
  parse,
  start,
} satisfies PluginModule<ReloadConfig>;

/** Reads `reload [INTERVAL] [JITTER]`. */
export function parse(directives: readonly Directive[], { problems }: ParseScope): ReloadConfig {
  const directive = onlyOne(directives, problems);
  readOptions(directive, {}, problems);
  const args = new Arguments(directive);
  const intervalMs = args.more
    ? args.durationMs("INTERVAL", { min: LEAST_INTERVAL_MS })
    : DEFAULT_INTERVAL_MS;
  const token = args.peek();
  const jitterMs = token ? args.durationMs("JITTER") : DEFAULT_JITTER_MS;
  if (jitterMs > 0 && jitterMs < LEAST_JITTER_MS) {
    problems.error(token!, `reload: JITTER must be 0s or at least 1s: got '${token!.text}'`);
  }
  args.end();
  return { intervalMs, jitterMs: Math.min(jitterMs, intervalMs / 2) };
}

/** Looks again and again, until the server that it belongs to has been replaced. */
export function start(config: ReloadConfig, { clock, random, process, own }: ControlScope): void {
  const everyMs = spreadMs(config, random());
  let cancel = () => {};
  let isClosed = false;
  const wait = () => {
    if (!isClosed) cancel = clock.after(everyMs, () => void process.reloadIfChanged().finally(wait));
  };
  own({
    close() {
      isClosed = true;
      cancel();
    },
  });
  wait();
}

/** The interval of one server among many that were started together: `draw` is uniform in [0, 1). */
export function spreadMs({ intervalMs, jitterMs }: ReloadConfig, draw: number): number {
  return intervalMs + (draw - 0.5) * jitterMs;
}
