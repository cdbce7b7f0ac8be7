/**
 * The options of an `anycast` block, and the pool's policy that they add up to.
 *
 * @module
 */

import type { AllDown, PoolPolicy, Strategy, UnknownPolicy } from "../../core/fleet/pool.ts";
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

const STRATEGIES: readonly Strategy[] = ["linear", "quadratic", "logarithmic", "stepped"];

export const options = {
  nodes: { usage: "nodes FILE [registry]|registry|below [FILE]", read: readNodesOption },
  select: { usage: "select KEY=VALUE...", repeats: true, read: readSelect },
  check: {
    usage: "check NAME...",
    read: (args: Arguments) => atLeastOne(args, "NAME").map(({ text }) => text),
  },
  answers: { usage: "answers N", read: (args: Arguments) => args.whole("N", { min: 1, max: 16 }) },
  strategy: {
    usage: "strategy linear|quadratic|logarithmic|stepped [compat]",
    read: readStrategy,
  },
  bias: { usage: "bias [region R] [country C] [max DISTANCE]", repeats: true, read: readBias },
  "max-distance": { usage: "max-distance DISTANCE", read: (args: Arguments) => args.kilometres("DISTANCE") },
  ring: {
    usage: "ring SHARE DISTANCE",
    read: (args: Arguments) => ({ share: args.share("SHARE"), km: args.kilometres("DISTANCE") }),
  },
  threshold: {
    usage: "threshold SHARE",
    read: (args: Arguments) => args.share("SHARE", { min: 0, max: 1 }),
  },
  unknown: { usage: "unknown nearest LATITUDE LONGITUDE|nodes ID...|all", read: readUnknown },
  "all-down": {
    usage: "all-down last-known-good|fail-open|nodata|servfail|pool NAME",
    read: readAllDown,
  },
} satisfies Options;

/** The policy of the pool called `name`. */
export function policyOf(name: string, values: OptionValues<typeof options>): PoolPolicy {
  const bias = Object.assign({}, ...values.bias ?? []) as ReturnType<typeof readBias>;
  const { name: strategy = "linear", compat = false } = values.strategy ?? {};
  const region = bias.region ?? (compat ? COMPAT_BIAS : 0);
  return {
    name,
    select: Object.fromEntries((values.select ?? []).flat()),
    answers: values.answers ?? (compat ? COMPAT_ANSWERS : 2),
    strategy,
    ...compat && { compat },
    bias: { region, country: bias.country ?? region / 2, maxKm: bias.maxKm ?? 1000 },
    maxDistanceKm: values["max-distance"] ?? Infinity,
    ...values.ring && { ring: values.ring },
    threshold: values.threshold ?? 0,
    unknown: values.unknown ?? { policy: "all" },
    allDown: values["all-down"] ?? { policy: "last-known-good" },
  };
}

/** What the Formation network has where nothing is said. */
const COMPAT_BIAS = 0.8, COMPAT_ANSWERS = 3;

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
    if (word === "max") bias.maxKm = args.kilometres("DISTANCE");
    else bias[word] = args.number(word === "region" ? "R" : "C", { min: 0, max: 1 });
  } while (args.more);
  return bias;
}

function readUnknown(args: Arguments): UnknownPolicy {
  const policy = args.oneOf("the policy", ["nearest", "nodes", "all"]);
  if (policy === "all") return { policy };
  if (policy === "nodes") return { policy, nodes: atLeastOne(args, "ID").map(({ text }) => text) };
  const latitude = args.number("LATITUDE", { min: -90, max: 90 });
  return { policy, latitude, longitude: args.number("LONGITUDE", { min: -180, max: 180 }) };
}

function readAllDown(args: Arguments): AllDown {
  const policy = args.oneOf("the policy", ["last-known-good", "fail-open", "nodata", "servfail", "pool"]);
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
