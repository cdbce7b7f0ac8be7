/** One `log` at work: a line for each reply of its classes, or for some of them. @module */

import { locate } from "../../core/fleet/locate.ts";
import {
  type Address,
  type Answer,
  type AnswerScope,
  clientAddress,
  type QueryContext,
  type Repeater,
  type Sent,
} from "../../core/plugin.ts";
import { formatLine, PREFIX } from "./format.ts";
import { jsonLine } from "./json.ts";
import type { LogRule } from "./mod.ts";
import { jsonPieces, textPieces } from "./pieces.ts";
import { PreparedLines } from "./prepared.ts";
import { classOf, kindOf, type Reply } from "./reply.ts";
import { LEAVE_OUT, Sampler, weightOf } from "./sampler.ts";

/** See the module. */
export class QueryLog {
  readonly #rule: LogRule;
  readonly #scope: AnswerScope;
  readonly #sampler: Sampler;
  readonly #prepared = new PreparedLines();

  constructor(rule: LogRule, scope: AnswerScope) {
    [this.#rule, this.#scope] = [rule, scope];
    this.#sampler = new Sampler(rule.share, scope.random);
  }

  /** Writes the line of a reply, if it is to have one. */
  write(context: QueryContext, answer: Answer, sent: Sent): void {
    if (!this.#takes(context, answer) || !this.#sampler.next()) return;
    this.#scope.writeLine(lineOf(this.#rule.format, this.#replyOf(context, answer, sent)));
  }

  /** What does the same for each query that is given the reply again; undefined = {@linkcode write} must. */
  repeater(context: QueryContext, answer: Answer, sent: Sent): Repeater | undefined {
    if (!this.#takes(context, answer)) return LEAVE_OUT;
    const { lines } = this.#scope, { format } = this.#rule;
    if (!lines || (format !== "json" && !lines.takesText)) return undefined;
    const reply = this.#replyOf(context, answer, { ...sent, durationMs: 0 });
    const pieces = format === "json" ? jsonPieces(reply) : textPieces(format, reply);
    if (!pieces) return undefined;
    const line = this.#prepared.lineOf(pieces, {
      lines,
      sampler: this.#sampler,
      geography: this.#scope.geography(context.snapshot),
      bySubnet: answer.ecs !== false && context.ecs,
    });
    return line.write;
  }

  #takes({ question }: QueryContext, answer: Answer): boolean {
    return this.#rule.classes.includes(classOf(kindOf(question.type, answer)));
  }

  #replyOf(context: QueryContext, answer: Answer, sent: Sent): Reply {
    const { share } = this.#rule;
    return {
      context,
      answer,
      sent,
      locate: () => {
        const geography = this.#scope.geography(context.snapshot);
        return geography && locate(geography, clientOf(context, answer));
      },
      ...share < 1 && { weight: weightOf(share) },
    };
  }
}

/** The line for a reply. */
export function lineOf(format: LogRule["format"], reply: Reply): string {
  return format === "json" ? jsonLine(reply) : PREFIX + formatLine(format, reply);
}

/** The address that decided, or would have. */
function clientOf(context: QueryContext, answer: Answer): Address {
  return answer.ecs === false ? context.source.address : clientAddress(context).address;
}
