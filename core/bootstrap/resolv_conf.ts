/** The system's resolvers: /etc/resolv.conf, as resolv.conf(5) has it. @module */

import { formatAddress, parseAddress } from "../net/address.ts";
import type { ResolverAddress } from "./exchange.ts";

/** What of the file concerns us. Search lists do not: entry points have whole names. */
export interface ResolvConf {
  readonly resolvers: readonly ResolverAddress[];
  /** How long one is waited for. */
  readonly timeoutMs?: number;
  /** How often all are asked. */
  readonly rounds?: number;
}

/** Where it lies. */
export const RESOLV_CONF = "/etc/resolv.conf";

/** The C library knows three; one that is written behind them was meant all the same. */
const RESOLVERS_MAX = 8;

/**
 * Reads the file. Who is named nowhere is on this machine, as resolv.conf(5) has it. An address with a zone (`fe80::1%eth0`)
 * is left out: sockets here take none.
 */
export function readResolvConf(text: string): ResolvConf {
  const lines = text.split("\n").map((line) => line.replace(/[#;].*/, "").trim().split(/\s+/));
  const addresses = lines.filter(([key]) => key === "nameserver")
    .flatMap(([, text = ""]) => parseAddress(text) ?? []).map(formatAddress);
  const options = lines.filter(([key]) => key === "options").flatMap(([, ...options]) => options);
  const number = (name: string, max: number) => {
    const text = options.findLast((option) => option.startsWith(`${name}:`))?.slice(name.length + 1);
    return text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Math.min(max, Number(text)) : undefined;
  };
  const seconds = number("timeout", 30), rounds = number("attempts", 5);
  return {
    resolvers: [...new Set(addresses.length > 0 ? addresses : ["127.0.0.1"])].slice(0, RESOLVERS_MAX)
      .map((address) => ({ address, port: 53 })),
    ...(seconds !== undefined && { timeoutMs: seconds * 1000 }),
    ...(rounds !== undefined && { rounds }),
  };
}
