/** cancel: no client waits longer than this for an answer. Syntax: README.md. @module */

import {
  type Answer,
  type AnswerScope,
  Arguments,
  type Clock,
  type Directive,
  emptyAnswer,
  onlyOne,
  type ParseScope,
  type Plugin,
  type PluginModule,
  readOptions,
} from "../../core/plugin.ts";
import { RCODE } from "../../core/dns/types.ts";

/** How long an answer may take. */
export interface CancelConfig {
  readonly timeoutMs: number;
}

/** A moment more than the five seconds after which most clients ask again. */
const DEFAULT_MS = 5001;

const LATE = "meridian_cancel_late_total";

export default {
  name: "cancel",
  usage: "cancel [TIMEOUT]",
  options: {},
  repeats: "absence",
  metrics: { [LATE]: { kind: "counter", help: "Queries whose answer took too long." } },
  parse,
  answerer,
} satisfies PluginModule<CancelConfig>;

/** Reads `cancel [TIMEOUT]`. */
function parse(directives: readonly Directive[], { problems }: ParseScope): CancelConfig {
  const directive = onlyOne(directives, problems);
  readOptions(directive, {}, problems);
  const args = new Arguments(directive);
  const timeoutMs = args.more ? args.durationMs("TIMEOUT", { min: 1, max: 3_600_000 }) : DEFAULT_MS;
  args.end();
  return { timeoutMs };
}

/** Bounds what is waited for; what does not wait passes as it is. */
export function answerer({ timeoutMs }: CancelConfig, { clock, count }: AnswerScope): Plugin {
  const message = `cancel: no answer within ${timeoutMs} ms`;
  // True of this moment only: the next one who asks may be luckier.
  const late = emptyAnswer(RCODE.SERVFAIL, { momentary: true, fault: { plugin: "cancel", message } });
  return {
    name: "cancel",
    answer(context, next) {
      const answer = next(context);
      if (!(answer instanceof Promise)) return answer;
      return within(answer, timeoutMs, clock, () => {
        count(LATE);
        context.record?.({ plugin: "cancel", what: message });
        return late;
      });
    },
  };
}

/** The answer, or what stands in for it when it takes too long; what comes of it afterwards is nobody's concern. */
function within(
  answer: Promise<Answer>,
  timeoutMs: number,
  clock: Clock,
  late: () => Answer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(timeoutMs, () => resolve(late()));
    answer.then(resolve, reject).finally(stop);
  });
}
