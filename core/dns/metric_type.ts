/**
 * The types of questions that metrics tell apart, as CoreDNS does: a stranger chooses the type, so the list is fixed.
 *
 * @module
 */

import { TYPE } from "./types.ts";

const TOLD_APART = [
  ...[
    "A",
    "AAAA",
    "CNAME",
    "DNSKEY",
    "DS",
    "HTTPS",
    "MX",
    "NS",
    "NSEC",
    "NSEC3",
    "PTR",
    "RRSIG",
    "SOA",
    "SRV",
  ],
  ...["TXT", "AXFR", "IXFR", "ANY"],
] as const;

/** The values of the label `type`; the last stands for everything else. */
export const METRIC_TYPES: readonly string[] = [...TOLD_APART, "other"];

const numbers = new Uint8Array(65536).fill(TOLD_APART.length);
for (const [i, name] of TOLD_APART.entries()) numbers[TYPE[name]] = i;

/** The place of a type in {@linkcode METRIC_TYPES}. */
export function metricTypeOf(type: number): number {
  return numbers[type]!;
}
