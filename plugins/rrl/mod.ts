/** rrl: response rate limiting. Syntax, model and bound: README.md. @module */

import { PrefixSet } from "../../core/net/prefix_set.ts";
import {
  type Address,
  type Answer,
  type AnswerScope,
  type ControlScope,
  emptyAnswer,
  formatPrefix,
  INDEPENDENT,
  isDeferred,
  isWithin,
  type Log,
  type Plugin,
  type PluginModule,
  prefixOf,
  type ProcessScope,
  type QueryContext,
  then,
  undivided,
} from "../../core/plugin.ts";
import { RCODE } from "../../core/dns/types.ts";
import { Buckets, type BucketStore, makeStore, shapeOf, UNLIMITED } from "./buckets.ts";
import { options, parse, type RrlConfig } from "./parse.ts";

/** What becomes of a reply that is over the limit. */
type Action = "truncate" | "drop" | "dry-run";

const LIMITED = "meridian_rrl_limited_total";

export default {
  name: "rrl",
  usage: "rrl [ZONES...]",
  options,
  metrics: {
    [LIMITED]: {
      kind: "counter",
      help: "Replies over the limit, by what became of them and the prefix length whose bucket was empty.",
      labels: ["action", "family", "length"],
    },
  },
  repeats: "absence",
  parse,
  start,
  answerer,
} satisfies PluginModule<RrlConfig>;

/** The tables of each process that runs here, by shape. */
const stores = new WeakMap<ProcessScope, Map<string, BucketStore>>();

/**
 * Finds the tables: those of another block of the server, so that a victim is not sent as many times as much as there are
 * blocks; or of the server before this one, so that a reload forgives nobody; or new ones.
 */
function start(config: RrlConfig, scope: ControlScope): void {
  const shape = shapeOf(config, config.tableSize);
  const former = scope.inherited as BucketStore | undefined;
  const shared = stores.get(scope.process) ?? new Map<string, BucketStore>();
  stores.set(scope.process, shared);
  const store = shared.get(shape) ?? (former?.shape === shape ? former : undefined) ??
    makeStore(config, config.tableSize, scope.clock.nowMs());
  shared.set(shape, store);
  scope.publish(store);
  scope.bequeath(() => store);
}

/**
 * Passes on what is within the limit. What a query is allowed depends on all those before it: no answer of this plugin may
 * be remembered, and whoever repeats those from below asks its gate first.
 */
export function answerer(config: RrlConfig, scope: AnswerScope): Plugin {
  const allowed = new PrefixSet(config.allow);
  const bucketsIn = bucketsOf(config, scope);
  const limit = limiter(config, scope);
  const pass = (answer: Answer | Promise<Answer>) =>
    config.zones.length === 0 ? answer : then(answer, (answer) => undivided(answer, config.zones));
  return {
    name: "rrl",
    gate(context) {
      if (isFree(context, config)) return undefined;
      const buckets = bucketsIn(context);
      return (source, nowMs, cookie) =>
        cookie === "valid" || allowed.has(source) || buckets.charge(source, nowMs) === UNLIMITED;
    },
    answer(context, next) {
      if (isFree(context, config) || allowed.has(context.source.address)) return pass(next(context));
      const { source: { address }, nowMs } = context;
      const buckets = bucketsIn(context);
      const length = buckets.charge(address, nowMs);
      if (length !== UNLIMITED) return limit(context, length) ?? pass(next(context));
      const answer = pass(next(context));
      // Whoever answers in this one's place counts it.
      if (isDeferred(answer)) buckets.refund(address, nowMs);
      return answer;
    },
  };
}

/** Whether nothing is charged for a query, whoever asks: its address is not forged, or nobody's, or the name is not limited. */
function isFree({ transport, cookie, name, rehearsed }: QueryContext, { zones }: RrlConfig): boolean {
  if (transport === "tcp" || cookie === "valid" || rehearsed) return true;
  return zones.length > 0 && !zones.some((zone) => isWithin(name, zone));
}

/** The buckets in the tables that were published, or in tables of its own where none were. */
function bucketsOf(config: RrlConfig, scope: AnswerScope): (context: QueryContext) => Buckets {
  let store: BucketStore | undefined, buckets: Buckets | undefined;
  return ({ snapshot, nowMs }) => {
    const published = scope.published(snapshot) as BucketStore | undefined;
    if (!buckets || (published && published !== store)) {
      store = published ?? makeStore(config, config.tableSize, nowMs);
      buckets = new Buckets(store, config);
    }
    return buckets;
  };
}

/** Decides what becomes of a query over the limit, counts it, and logs some. Undefined = it is answered all the same. */
function limiter({ slip, dryRun, logPeriodMs }: RrlConfig, scope: AnswerScope) {
  const series = new Map<string, ReturnType<AnswerScope["series"]>>();
  const count = (action: Action, family: number, length: number) => {
    const key = `${action}${family}${length}`;
    let found = series.get(key);
    if (!found) {
      found = scope.series(LIMITED, { action, family: `ipv${family}`, length: String(length) });
      series.set(key, found);
    }
    found.record(1);
  };
  const tell = new Sampled(dryRun, logPeriodMs, scope.log);
  let over = 0;
  return ({ source: { address }, nowMs }: QueryContext, length: number): Answer | undefined => {
    const action = dryRun ? "dry-run" : slip > 0 && ++over % slip === 0 ? "truncate" : "drop";
    count(action, address.family, length);
    tell.limited(address, length, nowMs);
    return ANSWERS[action];
  };
}

/** Of this moment only, and for this client. */
const once = { momentary: true, dependence: { ...INDEPENDENT, keys: ["source", "port"] } } as const;

const ANSWERS: Readonly<Record<Action, Answer | undefined>> = {
  // No longer than the query, but for a cookie: whoever forged it gains nothing, and whoever did not asks over TCP.
  truncate: emptyAnswer(RCODE.NOERROR, { ...once, truncated: true }),
  drop: emptyAnswer(RCODE.NOERROR, { ...once, silent: true }),
  "dry-run": undefined,
};

/** Says who is limited, now and then: a flood must not become one of lines. */
class Sampled {
  readonly #verb: string;
  readonly #periodMs: number;
  readonly #log: Log;
  #count = 0;
  #toldMs = -Infinity;

  constructor(dryRun: boolean, periodMs: number, log: Log) {
    this.#verb = dryRun ? "would have limited" : "limited";
    this.#periodMs = periodMs;
    this.#log = log;
  }

  limited(address: Address, length: number, nowMs: number): void {
    this.#count++;
    if (this.#periodMs === 0 || (nowMs - this.#toldMs < this.#periodMs && nowMs >= this.#toldMs)) return;
    const replies = this.#count === 1 ? "1 reply" : `${this.#count} replies`;
    this.#log.warn(
      `rrl: ${this.#verb} ${replies} since it last said so, just now one to ${
        formatPrefix(prefixOf(address, length))
      }`,
    );
    this.#toldMs = nowMs;
    this.#count = 0;
  }
}
