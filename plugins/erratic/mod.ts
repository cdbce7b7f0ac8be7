/** erratic: answers late, cut off or not at all, to see what clients make of it. Syntax: README.md. @module */

import { RCODE, TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  Arguments,
  type Clock,
  type Directive,
  emptyAnswer,
  INDEPENDENT,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  type RRset,
} from "../../core/plugin.ts";

/** One query in so many; 0 = none. */
export interface ErraticConfig {
  readonly drop: number;
  readonly truncate: number;
  readonly delay: number;
  readonly delayMs: number;
  /** Answer A with so many addresses that no packet of 512 octets holds them. */
  readonly large: boolean;
}

const AMOUNT = 2, DELAY_MS = 100;

const options = {
  drop: { usage: "drop [AMOUNT]", read: readAmount },
  truncate: { usage: "truncate [AMOUNT]", read: readAmount },
  delay: {
    usage: "delay [AMOUNT [DURATION]]",
    read: (args: Arguments) => ({
      amount: readAmount(args),
      ms: args.more ? args.durationMs("DURATION", { min: 0, max: 60_000 }) : DELAY_MS,
    }),
  },
  large: { usage: "large", read: () => true },
} satisfies Options;

function readAmount(args: Arguments): number {
  return args.more ? args.whole("AMOUNT", { min: 0, max: 2 ** 31 - 1 }) : AMOUNT;
}

/** Reads `erratic { ... }`; where it says neither truncate nor delay, every second query is dropped. */
function parse(directives: readonly Directive[], { problems }: ParseScope): ErraticConfig {
  const directive = onlyOne(directives, problems);
  problems.attempt(() => new Arguments(directive).end());
  const { drop, truncate = 0, delay, large = false } = readOptions(directive, options, problems);
  return {
    drop: drop ?? (truncate > 0 || (delay?.amount ?? 0) > 0 ? 0 : AMOUNT),
    truncate,
    delay: delay?.amount ?? 0,
    delayMs: delay?.ms ?? DELAY_MS,
    large,
  };
}

/** RFC 5737 and RFC 3849. */
const IPV4 = [192, 0, 2, 53],
  IPV6 = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53);

/** How many addresses a large answer has. */
const LARGE_COUNT = 40;

/** What is done to the query of a number, counted from 0: to every such one of so many, the first among them. */
export function answerErratic(context: QueryContext, config: ErraticConfig, number: number): Answer {
  const isOneOf = (amount: number) => amount > 0 && number % amount === 0;
  const answer = withoutErrors(context, config.large);
  return {
    ...answer,
    // True of this query alone.
    dependence: { ...INDEPENDENT, keys: ["port"] },
    momentary: true,
    ...isOneOf(config.truncate) && { truncated: true },
    ...isOneOf(config.drop) && { silent: true },
  };
}

function withoutErrors({ question: { name, type } }: QueryContext, large: boolean): Answer {
  const answer = (rrset: RRset) => emptyAnswer(RCODE.NOERROR, { authoritative: true, answer: [rrset] });
  if (type === TYPE.AAAA) return answer({ name, type, ttl: 0, rdata: [IPV6] });
  if (type !== TYPE.A) return emptyAnswer(RCODE.SERVFAIL);
  const count = large ? LARGE_COUNT : 1;
  const rdata = Array.from(
    { length: count },
    (_, i) => Uint8Array.of(IPV4[0]!, IPV4[1]!, IPV4[2]!, IPV4[3]! + i),
  );
  return answer({ name, type, ttl: 0, rdata });
}

function later(clock: Clock, ms: number, answer: Answer): Promise<Answer> {
  return new Promise((resolve) => void clock.after(ms, () => resolve(answer)));
}

export default {
  name: "erratic",
  usage: "erratic",
  options,
  // No `repeats`: what becomes of a query hangs on how many came before it.
  waits: true,
  parse,
  start: (_, scope) => scope.onReady(() => true),
  answersAll: () => true,
  answerer(config, { clock }) {
    let asked = 0;
    return {
      name: "erratic",
      answer(context) {
        const number = asked++;
        const answer = answerErratic(context, config, number);
        const isLate = config.delay > 0 && number % config.delay === 0;
        return isLate ? later(clock, config.delayMs, answer) : answer;
      },
    };
  },
} satisfies PluginModule<ErraticConfig>;
