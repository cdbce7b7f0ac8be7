/**
 * loop: finds out whether what is forwarded comes back. Syntax: README.md.
 *
 * @module
 */

import { RCODE, TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  type AnswerScope,
  Arguments,
  type ControlScope,
  type Directive,
  emptyAnswer,
  fold,
  formatAddress,
  formatName,
  type Metric,
  type Name,
  onlyOne,
  parseName,
  type ParseScope,
  type Plugin,
  type PluginModule,
  type QueryContext,
  readOptions,
} from "../../core/plugin.ts";

/** The zone within which the probe is asked: the block's first. */
export interface LoopConfig {
  readonly zone: Name;
}

/** What is asked for. Published, so that every worker knows it when it comes back. */
export interface LoopProbe {
  readonly name: Name;
}

const FIRST_MS = 200;
const AGAIN_MS = 2000;
const ATTEMPTS_MAX = 15;

const metrics: Readonly<Record<string, Metric>> = {
  meridian_loop_queries_total: {
    kind: "counter",
    help: "Probes that came back: what this server forwards reaches it again.",
    labels: ["zone"],
  },
};

/** Reads `loop`. */
export function parse(directives: readonly Directive[], { problems, zones }: ParseScope): LoopConfig {
  const directive = onlyOne(directives, problems);
  readOptions(directive, {}, problems);
  new Arguments(directive).end();
  return { zone: zones[0] ?? parseName(".") };
}

/** Asks the block's own chain until there is any answer, or too many attempts were in vain. */
export function start({ zone }: LoopConfig, scope: ControlScope): void {
  if (!scope.probing) return;
  const name = probeName(zone);
  scope.publish({ name } satisfies LoopProbe);
  let cancel = () => {};
  const probe = async (attempt: number) => {
    const rcode = await scope.ask(name, TYPE.HINFO).then(({ rcode }) => rcode, () => RCODE.SERVFAIL);
    if (rcode === RCODE.SERVFAIL && attempt < ATTEMPTS_MAX) wait(AGAIN_MS, attempt + 1);
  };
  const wait = (delayMs: number, attempt: number) => {
    cancel = scope.clock.after(delayMs, () => void probe(attempt));
  };
  wait(FIRST_MS, 1);
  scope.own({ close: () => cancel() });
}

/** Knows the probe when it comes back, ends its circle, and tells of it once. */
export function answerer({ zone }: LoopConfig, scope: AnswerScope): Plugin {
  let told = false;
  const cameBack = (context: QueryContext): Answer => {
    scope.count("meridian_loop_queries_total", { zone: formatName(zone) });
    if (!told) scope.log.error(messageFor(context, zone));
    told = true;
    return emptyAnswer(RCODE.REFUSED, { momentary: true });
  };
  return {
    name: "loop",
    answer(context, next) {
      if (context.question.type !== TYPE.HINFO) return next(context);
      const probe = scope.published(context.snapshot) as LoopProbe | undefined;
      if (probe?.name !== context.name) return next(context);
      // A query that nobody sent is the probe on its way out; resolvers forward only what wants recursion.
      return isOurs(context)
        ? next(Object.freeze({ ...context, recursionDesired: true }))
        : cameBack(context);
    },
  };
}

/** Two labels of 64 bits that nobody can guess: who could would make the server tell of loops that there are none of. */
export function probeName(zone: Name): Name {
  const [high, low] = crypto.getRandomValues(new BigUint64Array(2));
  const suffix = formatName(zone);
  return fold(parseName(`${high!.toString(36)}.${low!.toString(36)}${suffix === "." ? "." : `.${suffix}`}`));
}

/** A message from a socket has octets. */
function isOurs({ sizeOctets }: QueryContext): boolean {
  return sizeOctets === 0;
}

function messageFor({ source, server }: QueryContext, zone: Name): string {
  const from = formatAddress(source.address);
  return `plugin/loop: Loop detected for zone "${
    formatName(zone)
  }": what forward sends out comes back from ${from} ` +
    `to port ${server.port}. One of its upstreams is this server, or forwards to it (127.0.0.53 in /etc/resolv.conf ` +
    "is such a one): name another upstream, or take this server out of that one's list";
}

const loop: PluginModule<LoopConfig> = {
  name: "loop",
  usage: "loop",
  options: {},
  metrics,
  // Not `absence`: the name of its probe does not exist, and has to get here all the same.
  repeats: "question",
  parse,
  start,
  answerer,
};
export default loop;
