/**
 * From a packet's octets to the reply's: decode, route, chain, respond. Knows of no socket.
 *
 * @module
 */

import { type Answer, both, type Dependence, emptyAnswer, INDEPENDENT } from "../answer.ts";
import { type Plugin, PluginFault } from "../chain.ts";
import type { Clock } from "../clock.ts";
import { type DecodedQuery, decodeQuery, NO_QUESTION } from "../dns/query.ts";
import { formatName, type Name } from "../dns/name.ts";
import { CLASS, RCODE } from "../dns/types.ts";
import type { Labels, Log, Series } from "../plugin.ts";
import type { Decision, QueryContext, Sent } from "../query.ts";
import { encodeReply, type Reply, respondError } from "../responder.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Arrival, Endpoint, Exchange } from "./arrival.ts";
import type { ChainedBlock } from "./chained_block.ts";
import { askedOf, type TellFault, tellFault } from "./faults.ts";
import { type Asking, makeContext } from "./query_context.ts";
import { type CountStray, makeStrayMeter } from "./stray_meter.ts";

/** Whether a block takes the query under way, as one for a name in `zone`. */
export type Admits = (block: ChainedBlock, zone: Name) => boolean;

/** What an exchange works with. */
export interface ExchangeOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The block that serves a name at the address and port a query came to, with the zone that matched. */
  route(
    name: Name,
    type: number,
    server: Endpoint,
    admits: Admits,
  ): { block: ChainedBlock; zone: Name } | undefined;
  /** The block that gives a cookie to who asks for nothing else there. */
  routeCookie?(server: Endpoint): { block: ChainedBlock; zone: Name } | undefined;
  snapshot(): Snapshot;
  count(name: string, labels?: Labels): void;
  series(name: string, labels?: Labels): Series;
  /** False: no plugin wants to know how long a reply took. */
  readonly isTimed?: boolean;
}

/** What became of one packet: what goes out, and how it came about. */
export interface Outcome {
  /** The reply; undefined = silence. */
  readonly octets: Uint8Array | undefined;
  /** Absent where the packet did not get as far as a chain. */
  readonly answer?: Answer;
  /** Nothing was answered here: the query must wait, and belongs to the control isolate. */
  readonly deferred?: true;
  /** There where the reply may be given to other queries, as far as the plugins go. */
  readonly repeatable?: Repeatable;
}

/** What else is known of a reply that may be given again. */
export interface Repeatable {
  /** The query's, as it entered the chain. */
  readonly context: QueryContext;
  readonly answer: Answer;
  readonly sent: Sent;
  readonly reply: Reply;
  readonly block: ChainedBlock;
  /** The blocks whose plugins were asked: that one, and those that did not admit the query. */
  readonly asked: readonly ChainedBlock[];
  /** What all plugins of these blocks allow. */
  readonly repeats: "question" | "absence";
  /** Counts and logs a bug of ours, met when it is remembered or repeated. */
  readonly fault: TellFault;
}

/** A function from packets to outcomes; with `record`, which takes each decision on the way, for queries that nobody sent. */
export type Examine = (
  octets: Uint8Array,
  arrival: Arrival,
  record?: (decision: Decision) => void,
) => Outcome | Promise<Outcome>;

/** Makes the exchange that sockets use out of the one that tells all. */
export function exchangeOf(examine: Examine): Exchange {
  return (octets, arrival) => {
    const outcome = examine(octets, arrival);
    return outcome instanceof Promise ? outcome.then(({ octets }) => octets) : outcome.octets;
  };
}

/** Makes the exchange. It throws for no packet. */
export function makeExamine(options: ExchangeOptions): Examine {
  const countStray = makeStrayMeter(options.series);
  const fault: TellFault = (...told) => tellFault(options, ...told);
  const all: ExchangeWith = { options, countStray, fault };
  return (octets, arrival, record) => {
    const query = decodeQuery(octets);
    if (query.kind !== "query") {
      const rcode = query.kind === "error" ? query.rcode : undefined;
      if (!record) countStray(arrival, query.kind === "error" ? query.question?.type : undefined, rcode);
      return query.kind === "error" ? { octets: respondError(query, query.rcode) } : SILENCE;
    }
    try {
      return answerQuery(query, octets, arrival, record, all);
    } catch (error) {
      fault("server", `cannot route ${askedOf(query)}`, error);
      return finish(query, arrival, SERVFAIL, options);
    }
  };
}

const SILENCE: Outcome = { octets: undefined };
const DEFERRED: Outcome = { octets: undefined, deferred: true };
const REFUSED = emptyAnswer(RCODE.REFUSED);
const SERVFAIL = emptyAnswer(RCODE.SERVFAIL);

/** A query that is being answered. */
interface UnderWay extends Asking {
  readonly query: DecodedQuery;
  readonly arrivedMs: number;
  /** The blocks whose filters were asked, and what these looked at. */
  asked: ChainedBlock[] | undefined;
  admission: Dependence;
  readonly with: ExchangeWith;
}

/** What is the same for all queries. */
interface ExchangeWith {
  readonly options: ExchangeOptions;
  readonly countStray: CountStray;
  readonly fault: TellFault;
}

function answerQuery(
  query: DecodedQuery,
  octets: Uint8Array,
  arrival: Arrival,
  record: ((decision: Decision) => void) | undefined,
  all: ExchangeWith,
): Outcome | Promise<Outcome> {
  const { options, countStray } = all;
  const arrivedMs = options.isTimed === false ? 0 : performance.now();
  const { folded: name } = query;
  const underWay: UnderWay = {
    query,
    octets,
    arrival,
    record,
    name,
    arrivedMs,
    asked: undefined,
    admission: INDEPENDENT,
    with: all,
  };
  const isQuestion = query.question !== NO_QUESTION;
  const routed = isQuestion
    ? options.route(name, query.question.type, arrival.server, (block, zone) => admits(underWay, block, zone))
    : options.routeCookie?.(arrival.server);
  if (!routed && !isQuestion) {
    if (!record) countStray(arrival, undefined, RCODE.FORMERR);
    return { octets: respondError(query, RCODE.FORMERR) };
  }
  if (!routed) {
    record?.({ plugin: "server", what: `no server block here serves ${formatName(name)}` });
    if (!record) countStray(arrival, query.question.type, RCODE.REFUSED);
    return finish(query, arrival, REFUSED, options);
  }
  const { block, zone } = routed;
  return runChain(block, makeContext(underWay, block, zone, options), underWay);
}

/** Whether a block takes a query. */
function admits(underWay: UnderWay, block: ChainedBlock, zone: Name): boolean {
  if (block.filters.length === 0) return true;
  const { options } = underWay.with, context = makeContext(underWay, block, zone, options);
  (underWay.asked ??= []).push(block);
  for (const plugin of block.filters) {
    underWay.admission = both(underWay.admission, plugin.admission?.(context) ?? INDEPENDENT);
  }
  return allAdmit(block, context, options);
}

/** Makes octets of an answer, and tells those who want to hear of it. */
function send(
  made: Answer,
  by: string,
  context: QueryContext,
  block: ChainedBlock,
  underWay: UnderWay,
): Outcome {
  if (made.deferred) return DEFERRED;
  const { query, arrival, record, admission, arrivedMs, asked, with: { options, fault } } = underWay;
  const answer = admission === INDEPENDENT ? made : { ...made, dependence: both(made.dependence, admission) };
  const outcome = finish(query, arrival, answer, options);
  // What is merely explained was asked by nobody: it is no line in a query log.
  if (record) return outcome;
  const durationMs = options.isTimed === false ? 0 : performance.now() - arrivedMs;
  const sent = sentAs(outcome.octets, by, durationMs);
  for (const plugin of block.talliers ?? NOBODY) {
    tally(plugin, context, outcome.answer ?? answer, sent, options);
  }
  for (const plugin of block.observers) observe(plugin, context, outcome.answer ?? answer, sent, options);
  return made === SERVFAIL ? outcome : withRepeatable(outcome, context, sent, block, asked, fault);
}

const NOBODY: readonly Plugin[] = [];

/** The outcome with what a memo needs, where every block that was asked allows one. */
function withRepeatable(
  outcome: Finished,
  context: QueryContext,
  sent: Sent,
  block: ChainedBlock,
  filtered: readonly ChainedBlock[] | undefined,
  fault: TellFault,
): Outcome {
  const { answer, reply } = outcome;
  if (!reply || !block.repeats) return outcome;
  const asked = !filtered ? alone(block) : filtered.includes(block) ? filtered : [...filtered, block];
  let repeats = block.repeats;
  for (const one of asked) {
    if (!one.repeats) return outcome;
    if (one.repeats === "question") repeats = "question";
  }
  const repeatable = { context, answer, sent, reply, block, asked, repeats, fault } as const;
  return { octets: reply.octets, answer, repeatable };
}

let latestAlone: readonly ChainedBlock[] = [];

/** A list of one block; the same each time for the block that was asked before. */
function alone(block: ChainedBlock): readonly ChainedBlock[] {
  return latestAlone[0] === block ? latestAlone : latestAlone = [block];
}

/** A filter that throws is a bug of ours, and admits nothing. */
function allAdmit({ filters }: ChainedBlock, context: QueryContext, options: ExchangeOptions): boolean {
  return filters.every((plugin) => {
    try {
      return plugin.admits!(context);
    } catch (error) {
      tellFault(options, plugin.name, `did not admit ${askedOf(context)}`, error);
      return false;
    }
  });
}

/** Runs the chain; a throw in it is a bug of ours, told with the plugin's name, and SERVFAIL to the client. */
function runChain(
  block: ChainedBlock,
  context: QueryContext,
  underWay: UnderWay,
): Outcome | Promise<Outcome> {
  const { chain, otherClassChain, reached } = block;
  try {
    const answer = (context.question.class === CLASS.IN ? chain : otherClassChain)(context);
    // Another query may run while this one waits: who answers it is whom it had come to by now.
    const by = reached.plugin;
    if (!(answer instanceof Promise)) return send(answer, by, context, block, underWay);
    return answer.then((answer) => send(answer, by, context, block, underWay))
      .catch((error) => failed(error, context, block, underWay));
  } catch (error) {
    return failed(error, context, block, underWay);
  }
}

function failed(error: unknown, context: QueryContext, block: ChainedBlock, underWay: UnderWay): Outcome {
  const plugin = error instanceof PluginFault ? error.plugin : "server";
  tellFault(underWay.with.options, plugin, `answered SERVFAIL to ${askedOf(context)}`, error);
  return send(SERVFAIL, "", context, block, underWay);
}

/** Counts what a plugin says is to be counted of a reply. */
function tally(
  plugin: Plugin,
  context: QueryContext,
  answer: Answer,
  sent: Sent,
  options: ExchangeOptions,
): void {
  try {
    for (const { series, value } of plugin.tallies!(context, answer, sent)) series.record(value);
  } catch (error) {
    tellFault(options, plugin.name, `counting the reply to ${askedOf(context)}`, error);
  }
}

/** Lets a plugin hear of a reply, which goes out whatever the plugin makes of it. */
function observe(
  plugin: Plugin,
  context: QueryContext,
  answer: Answer,
  sent: Sent,
  options: ExchangeOptions,
): void {
  try {
    plugin.observe!(context, answer, sent);
  } catch (error) {
    tellFault(options, plugin.name, `observing the reply to ${askedOf(context)}`, error);
  }
}

/** An outcome, with the reply where it is the answer's. */
interface Finished extends Outcome {
  readonly answer: Answer;
  readonly reply?: Reply;
}

/** An answer that cannot be encoded is a bug of whoever made it: SERVFAIL to the client. */
function finish(query: DecodedQuery, arrival: Arrival, answer: Answer, options: ExchangeOptions): Finished {
  if (answer.silent) return { octets: undefined, answer };
  try {
    const reply = encodeReply(query, answer, arrival);
    return { octets: reply.octets, answer, reply };
  } catch (error) {
    tellFault(options, "server", `cannot encode the answer to ${askedOf(query)}, SERVFAIL`, error);
    return { octets: respondError(query, RCODE.SERVFAIL), answer: SERVFAIL };
  }
}

function sentAs(octets: Uint8Array | undefined, plugin: string, durationMs: number): Sent {
  if (!octets) return { plugin, octets: 0, flags: 0, durationMs };
  return { plugin, octets: octets.length, flags: octets[2]! << 8 | octets[3]!, durationMs, message: octets };
}
