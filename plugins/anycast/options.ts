/**
 * The options of an `anycast` block, and the pool's policy that they add up to.
 *
 * @module
 */

import type { AllDown, PoolPolicy, Strategy, UnknownPolicy } from "../../core/fleet/pool.ts";
import {
  ALL_DOWN,
  type DegradeTerms,
  policyOf as policyFrom,
  type PoolTerms,
  RANGES,
  STRATEGIES,
  UNKNOWN,
} from "../../core/fleet/pool_terms.ts";
import {
  type Arguments,
  CorefileError,
  fold,
  formatName,
  type Options,
  type OptionValues,
  parseName,
  type Token,
} from "../../core/plugin.ts";

/** Where a pool's nodes come from. */
export interface NodesOption {
  /** `below`: an RRset's addresses, which the file says the places of. */
  readonly kind: "lists" | "below";
  readonly file?: Token;
  /** Also, or only, those that registered themselves: the word that says so. */
  readonly registry?: Token;
}

export const options = {
  nodes: { usage: "nodes FILE [registry]|registry|below [FILE]", read: readNodesOption },
  select: { usage: "select KEY=VALUE...", repeats: true, read: readSelect },
  check: {
    usage: "check NAME...",
    read: (args: Arguments) => atLeastOne(args, "NAME").map(({ text }) => text),
  },
  answers: { usage: "answers N", read: (args: Arguments) => args.whole("N", RANGES.answers) },
  strategy: {
    usage: "strategy linear|quadratic|logarithmic|stepped [compat]",
    read: readStrategy,
  },
  bias: { usage: "bias [region R] [country C] [max DISTANCE]", repeats: true, read: readBias },
  "max-distance": { usage: "max-distance DISTANCE", read: readDistance },
  ring: {
    usage: "ring SHARE DISTANCE",
    read: (args: Arguments) => ({ share: args.share("SHARE", RANGES.ringShare), km: readDistance(args) }),
  },
  threshold: {
    usage: "threshold SHARE",
    read: (args: Arguments) => args.share("SHARE", RANGES.threshold),
  },
  degrade: { usage: "degrade [below SHARE] [above SHARE] [dwell DURATION]", read: readDegrade },
  unknown: { usage: "unknown nearest LATITUDE LONGITUDE|nodes ID...|all", read: readUnknown },
  "all-down": {
    usage: "all-down last-known-good|fail-open|nodata|servfail|pool NAME",
    read: readAllDown,
  },
} satisfies Options;

/** The policy of the pool called `name`. */
export function policyOf(name: string, values: OptionValues<typeof options>): PoolPolicy {
  return policyFrom(name, termsOf(values));
}

/** What a block of options says of a pool. */
export function termsOf(values: OptionValues<typeof options>): PoolTerms {
  const { select, answers, strategy, bias, ring, threshold, degrade, unknown } = values;
  return {
    ...select && { select: Object.fromEntries(select.flat()) },
    ...{ answers, ring, threshold, unknown, maxDistanceKm: values["max-distance"] },
    ...strategy && { strategy: strategy.name, compat: strategy.compat },
    ...degrade && { degrade },
    ...bias && { bias: Object.assign({}, ...bias) as ReturnType<typeof readBias> },
    allDown: values["all-down"],
  };
}

function readDistance(args: Arguments): number {
  return args.kilometres("DISTANCE", RANGES.kilometres);
}

function readStrategy(args: Arguments): { name: Strategy; compat: boolean } {
  const name = args.oneOf("STRATEGY", STRATEGIES);
  return { name, compat: args.more && args.oneOf("the second word", ["compat"]) === "compat" };
}

function readNodesOption(args: Arguments): NodesOption {
  const token = args.token("FILE, below or registry");
  const isWord = (word: string, token: Token | undefined) => token?.text === word && !token.quoted;
  if (isWord("below", token)) return { kind: "below", ...args.more && { file: args.token("FILE") } };
  if (isWord("registry", token)) return { kind: "lists", registry: token };
  const isMixed = isWord("registry", args.peek());
  return { kind: "lists", file: token, ...isMixed && { registry: args.token("registry") } };
}

function readSelect(args: Arguments): [string, string][] {
  return atLeastOne(args, "KEY=VALUE").map((token) => {
    const equals = token.text.indexOf("=");
    if (equals > 0) return [token.text.slice(0, equals), token.text.slice(equals + 1)];
    throw new CorefileError(
      token,
      `select: KEY=VALUE must be a label such as role=entry: got '${token.text}'`,
    );
  });
}

function readBias(args: Arguments): { region?: number; country?: number; maxKm?: number } {
  const bias: { region?: number; country?: number; maxKm?: number } = {};
  do {
    const word = args.oneOf("the first word", ["region", "country", "max"]);
    if (word === "max") bias.maxKm = readDistance(args);
    else bias[word] = args.number(word === "region" ? "R" : "C", RANGES.bias);
  } while (args.more);
  return bias;
}

function readDegrade(args: Arguments): DegradeTerms {
  const degrade: { -readonly [K in keyof DegradeTerms]: DegradeTerms[K] } = {};
  while (args.more) {
    const word = args.oneOf("the first word", ["below", "above", "dwell"]);
    if (word === "dwell") degrade.dwellMs = args.durationMs("DURATION", RANGES.dwellMs);
    else degrade[word] = args.share("SHARE", RANGES.threshold);
  }
  return degrade;
}

function readUnknown(args: Arguments): UnknownPolicy {
  const policy = args.oneOf("the policy", UNKNOWN);
  if (policy === "all") return { policy };
  if (policy === "nodes") return { policy, nodes: atLeastOne(args, "ID").map(({ text }) => text) };
  const latitude = args.number("LATITUDE", RANGES.latitude);
  return { policy, latitude, longitude: args.number("LONGITUDE", RANGES.longitude) };
}

function readAllDown(args: Arguments): AllDown {
  const policy = args.oneOf("the policy", ALL_DOWN);
  return policy === "pool" ? { policy, pool: poolName(args.token("NAME")) } : { policy };
}

/** A domain name as pools are called by. */
export function poolName(token: Token): string {
  try {
    return formatName(fold(parseName(token.text)));
  } catch (error) {
    throw new CorefileError(token, `anycast: NAME must be a domain name: ${(error as Error).message}`);
  }
}

function atLeastOne(args: Arguments, what: string): Token[] {
  return [args.token(what), ...args.rest()];
}
