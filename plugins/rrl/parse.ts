/**
 * What `rrl` reads, in its own words and in those of the plugin of the same name for CoreDNS.
 *
 * @module
 */

import { readNames } from "../../core/dns/corefile_names.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  type Name,
  onlyOne,
  type Options,
  type ParseScope,
  type Prefix,
  type Problems,
  readOptions,
  type Token,
} from "../../core/plugin.ts";
import type { PrefixRate, Rates } from "./buckets.ts";

/** What is limited, how far, and what becomes of the rest. */
export interface RrlConfig extends Rates {
  /** Names within these; none = every name. */
  readonly zones: readonly Name[];
  /** Each reply of so many that are over the limit is sent truncated, the others not at all; 0 = all are dropped. */
  readonly slip: number;
  /** Networks without limit. */
  readonly allow: readonly Prefix[];
  /** Entries of each prefix length. */
  readonly tableSize: number;
  /** Limit nothing, and say what would have been. */
  readonly dryRun: boolean;
  /** The least between two lines in the log; 0 = none at all. */
  readonly logPeriodMs: number;
}

/** The model and the numbers of Knot DNS. */
export const DEFAULTS: RrlConfig = Object.freeze({
  zones: [],
  rate: 50,
  burst: 125,
  ipv4: rates([32, 1], [24, 32], [20, 256], [18, 768]),
  ipv6: rates([128, 1], [64, 2], [56, 3], [48, 4], [32, 64]),
  slip: 1,
  allow: [],
  tableSize: 65_536,
  dryRun: false,
  logPeriodMs: 30_000,
});

function rates(...pairs: [length: number, multiplier: number][]): readonly PrefixRate[] {
  return pairs.map(([length, multiplier]) => ({ length, multiplier }));
}

/** A value, and the word that set it. */
interface Said<T> {
  readonly value: T;
  readonly by: Token;
}

function said<T>(read: (args: Arguments) => T): (args: Arguments) => Said<T> {
  return (args) => ({ value: read(args), by: args.directive.name });
}

const RATE = { min: 1, max: 1_000_000 };
const perSecond = said((args) => args.whole("COUNT", RATE));
const slip = said((args) => args.whole("RATIO", { min: 0, max: 100 }));
const tableSize = said((args) => args.whole("ENTRIES", { min: 1024, max: 2 ** 22 }));
const ignored = said((args) => void args.rest());
const only = (max: number) => said((args) => rates([args.whole("LENGTH", { min: 1, max }), 1]));

/** The options, those of CoreDNS's plugin last. */
export const options = {
  rate: { usage: "rate COUNT", read: perSecond },
  burst: { usage: "burst COUNT", read: (args: Arguments) => args.whole("COUNT", RATE) },
  ipv4: { usage: "ipv4 LENGTH MULTIPLIER...", read: said((args) => prefixRates(args, 32)) },
  ipv6: { usage: "ipv6 LENGTH MULTIPLIER...", read: said((args) => prefixRates(args, 128)) },
  slip: { usage: "slip RATIO", read: slip },
  allow: { usage: "allow NETWORK...", repeats: true, read: (args: Arguments) => networks(args) },
  "table-size": { usage: "table-size ENTRIES", read: tableSize },
  "dry-run": { usage: "dry-run", read: () => true },
  "log-period": {
    usage: "log-period DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 0 }),
  },
  "responses-per-second": { usage: "responses-per-second COUNT", read: perSecond },
  "slip-ratio": { usage: "slip-ratio RATIO", read: slip },
  "ipv4-prefix-length": { usage: "ipv4-prefix-length LENGTH", read: only(32) },
  "ipv6-prefix-length": { usage: "ipv6-prefix-length LENGTH", read: only(128) },
  "max-table-size": { usage: "max-table-size ENTRIES", read: tableSize },
  "report-only": { usage: "report-only", read: () => true },
  window: { usage: "window SECONDS", read: ignored },
  "nodata-per-second": { usage: "nodata-per-second COUNT", read: ignored },
  "nxdomains-per-second": { usage: "nxdomains-per-second COUNT", read: ignored },
  "referrals-per-second": { usage: "referrals-per-second COUNT", read: ignored },
  "errors-per-second": { usage: "errors-per-second COUNT", read: ignored },
  "requests-per-second": { usage: "requests-per-second COUNT", read: ignored },
} satisfies Options;

const ONE_RATE = "every query counts alike, whatever it is answered: `rate` bounds them all";

/** Options that have nothing to set here, and why. */
const IGNORED = {
  window: "how long a burst may last follows from `burst` and `rate`",
  "nodata-per-second": ONE_RATE,
  "nxdomains-per-second": ONE_RATE,
  "referrals-per-second": ONE_RATE,
  "errors-per-second": ONE_RATE,
  "requests-per-second": ONE_RATE,
} as const;

/** Reads `rrl [ZONES...] { ... }`. */
export function parse(
  directives: readonly Directive[],
  { problems }: Pick<ParseScope, "problems">,
): RrlConfig {
  const directive = onlyOne(directives, problems);
  const zones = directive.args.flatMap((token) => readNames(token, problems));
  const read = readOptions(directive, options, problems);
  for (const [name, why] of Object.entries(IGNORED)) {
    const given = read[name as keyof typeof IGNORED];
    if (given) problems.warn(given.by, `rrl: ${name} is left out: ${why}`);
  }
  const one = <T>(a: Said<T> | undefined, b: Said<T> | undefined, byDefault: T) =>
    either(a, b, problems) ?? byDefault;
  const rate = one(read.rate, read["responses-per-second"], DEFAULTS.rate);
  return {
    zones,
    rate,
    burst: read.burst ?? Math.ceil(rate * DEFAULTS.burst / DEFAULTS.rate),
    ipv4: one(read.ipv4, read["ipv4-prefix-length"], DEFAULTS.ipv4),
    ipv6: one(read.ipv6, read["ipv6-prefix-length"], DEFAULTS.ipv6),
    slip: one(read.slip, read["slip-ratio"], DEFAULTS.slip),
    allow: read.allow?.flat() ?? [],
    tableSize: one(read["table-size"], read["max-table-size"], DEFAULTS.tableSize),
    dryRun: (read["dry-run"] ?? read["report-only"]) === true,
    logPeriodMs: read["log-period"] ?? DEFAULTS.logPeriodMs,
  };
}

/** Of two names for one thing, the one that was given. */
function either<T>(a: Said<T> | undefined, b: Said<T> | undefined, problems: Problems): T | undefined {
  if (a && b) problems.error(b.by, `rrl: ${b.by.text} says the same as ${a.by.text}: want one of them`);
  return (a ?? b)?.value;
}

function networks(args: Arguments): Prefix[] {
  const prefixes = [args.prefix("NETWORK")];
  while (args.more) prefixes.push(args.prefix("NETWORK"));
  return prefixes;
}

/** `/32 1 /24 32`: from the longest prefix to the shortest, each of which may take more than the one before. */
function prefixRates(args: Arguments, bits: number): readonly PrefixRate[] {
  const found: PrefixRate[] = [];
  do {
    const token = args.token("LENGTH"), digits = token.text.replace(/^\//, "");
    const last = found.at(-1), max = last ? last.length - 1 : bits;
    const length = /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
    if (length < 1 || length > max) {
      throw new CorefileError(
        token,
        `${args.directive.name.text}: LENGTH must be from 1 to ${max}, the longest first: got '${token.text}'`,
      );
    }
    found.push({ length, multiplier: args.number("MULTIPLIER", { min: last?.multiplier ?? 1, max: 1e6 }) });
  } while (args.more);
  return found;
}
