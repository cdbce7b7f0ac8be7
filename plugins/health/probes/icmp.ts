/**
 * Does an address answer an echo request? Deno has no ICMP sockets, so the system's `ping` asks.
 *
 * @module
 */

import type { IcmpCheck } from "../check.ts";
import { runCommand } from "./command.ts";
import type { Attempt } from "./attempt.ts";

/** One echo request; the latency is the one that `ping` measured. The limit in time is the probe's own. */
export const probeIcmp: Attempt<IcmpCheck> = async (address, _check, signal) => {
  const { code, output } = await runCommand("ping", ["-n", "-c", "1", "-W", "3600", address], {}, signal);
  if (code !== 0) throw new Error(unreachable(output) ?? `no echo reply, ping ended with ${code}`);
  const latencyMs = Number(/time[=<]([\d.]+) ?ms/.exec(output)?.[1]);
  return { reason: "echo reply", ...(latencyMs >= 0 && { latencyMs }) };
};

/** `From 192.0.2.1 icmp_seq=1 Destination Host Unreachable` → its last part. */
function unreachable(output: string): string | undefined {
  return /icmp_seq=\d+ (.+)/.exec(output)?.[1]?.toLowerCase();
}
