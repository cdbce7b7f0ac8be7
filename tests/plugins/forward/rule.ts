/**
 * A rule as a `forward` directive without a block has it.
 *
 * @module
 */

import { ROOT } from "../../../core/plugin.ts";
import type { ForwardRule } from "../../../plugins/forward/config.ts";
import type { Upstream } from "../../../plugins/forward/upstream.ts";

/** Everything to these upstreams, tried in order. */
export function ruleTo(upstreams: readonly Upstream[], more: Partial<ForwardRule> = {}): ForwardRule {
  return {
    from: [ROOT],
    except: [],
    upstreams,
    policy: "sequential",
    transport: "client",
    maxFails: 2,
    healthCheck: { intervalMs: 500, name: ROOT, recursionDesired: true },
    failFast: false,
    failover: [],
    next: [],
    nextOnNodata: false,
    readTimeoutMs: 2000,
    attemptsMax: 2 * upstreams.length,
    concurrentMax: 1000,
    passesSubnet: false,
    keep: { idleMs: 10_000, ageMaxMs: 0, idleMax: 0 },
    tls: {},
    dohMethod: "POST",
    ...more,
  };
}
