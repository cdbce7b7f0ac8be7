/** loadbalance: puts records of an RRset in another order for each query or client. Syntax: README.md. @module */

import { TYPE } from "../../core/dns/types.ts";
import {
  alsoOn,
  type Answer,
  Arguments,
  CorefileError,
  type Directive,
  INDEPENDENT,
  mapRRsets,
  onlyOne,
  type Options,
  parseNetwork,
  type ParseScope,
  type PluginModule,
  type Prefix,
  type QueryContext,
  readOptions,
  type RRset,
  then,
  type Token,
} from "../../core/plugin.ts";
import { aliasesFirst, byWeight, preferred, rotated } from "./order.ts";
import { keepWeights, reportWeights, type Weights } from "./weights.ts";

/** What decides the order. Plain data. */
export interface LoadbalanceConfig {
  readonly weights?: { readonly path: string; readonly reloadMs: number };
  /** Addresses in these go first, those of the first of them before all. */
  readonly prefer: readonly Prefix[];
  /** Whether what pools chose is put in another order too. */
  readonly pools: boolean;
}

const RELOAD_MS = 30_000;

const options = {
  reload: { usage: "reload DURATION", read: (args: Arguments) => args.durationMs("DURATION", { min: 0 }) },
  prefer: {
    usage: "prefer CIDR...",
    repeats: true,
    read: (args: Arguments) => [args.token("CIDR"), ...args.rest()].map(readPrefix),
  },
  pools: { usage: "pools", read: () => true },
} satisfies Options;

/** Bits past the length are let be, as in CoreDNS. */
function readPrefix(token: Token): Prefix {
  const prefix = parseNetwork(token.text);
  if (prefix) return prefix;
  throw new CorefileError(token, `prefer: CIDR must be a network such as 192.0.2.0/24: got '${token.text}'`);
}

/** Reads `loadbalance [round_robin | weighted WEIGHTFILE] { ... }`, and the file, so that `check` shows what is wrong in it. */
function parse(directives: readonly Directive[], scope: ParseScope): LoadbalanceConfig {
  const { problems } = scope;
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  const policy = args.more ? args.oneOf("the policy", ["round_robin", "weighted"]) : "round_robin";
  const file = policy === "weighted" ? args.token("WEIGHTFILE") : undefined;
  args.end();
  const { reload, prefer = [], pools = false } = readOptions(directive, options, problems);
  const shared = { prefer: prefer.flat(), pools };
  if (!file) {
    if (reload !== undefined) problems.error(directive.name, "loadbalance: reload is for weighted alone");
    return shared;
  }
  const weights = { path: scope.dataPath(file), reloadMs: reload ?? RELOAD_MS };
  reportWeights(file, weights, problems);
  return { ...shared, weights };
}

/** The answer in the order for this query; what is in it stays. What rotates comes round again with some message ID. */
export function balance(
  answer: Answer,
  context: QueryContext,
  config: LoadbalanceConfig,
  weights: Weights | undefined,
): Answer {
  if (answer.rcode !== 0) return answer;
  const isFree = (rrset: RRset) => rrset.rdata.length > 1 && (config.pools || rrset.pool === undefined);
  const balanced = weights
    ? byWeight(answer, context, weights, isFree)
    : rotatedAll(answer, context.messageId, (rrset) => isFree(rrset) && ROTATES.has(rrset.type));
  const ordered = config.prefer.length > 0
    ? mapRRsets(balanced, (rrset) => isFree(rrset) ? preferred(rrset, config.prefer) : rrset)
    : balanced;
  return aliasesFirst(ordered);
}

/** Each RRset that `rotates` in turn, and after how many message IDs all of them are as they were. */
function rotatedAll(answer: Answer, messageId: number, rotates: (rrset: RRset) => boolean): Answer {
  let rotation = 1;
  const all = mapRRsets(answer, (rrset) => {
    if (!rotates(rrset)) return rrset;
    rotation = leastCommonMultiple(rotation, rrset.rdata.length);
    return rotated(rrset, messageId);
  });
  return rotation === 1 ? answer : alsoOn(all, { ...INDEPENDENT, rotation });
}

function leastCommonMultiple(a: number, b: number): number {
  let [divisor, rest] = [a, b];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  return a / divisor * b;
}

const ROTATES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.MX]);

const NO_WEIGHTS: Weights = new Map();

export default {
  name: "loadbalance",
  usage: "loadbalance [round_robin|weighted WEIGHTFILE]",
  options,
  // Of weights the owner's name is a part: they say themselves that an answer is for one name.
  repeats: "absence",
  parse,
  start: ({ weights }, scope) => weights && keepWeights(weights, scope),
  answerer: (config, scope) => ({
    name: "loadbalance",
    answer(context, next) {
      const weights = config.weights &&
        (scope.published(context.snapshot) as Weights | undefined ?? NO_WEIGHTS);
      return then(next(context), (answer) => balance(answer, context, config, weights));
    },
  }),
} satisfies PluginModule<LoadbalanceConfig>;
