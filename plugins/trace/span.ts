/**
 * From a query and its decisions to spans. They are made when all is over, with the times at which it was, so that
 * nothing that a span costs delays the query's own steps.
 *
 * @module
 */

import {
  type Attributes,
  context as contexts,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { rcodeToText, typeToText } from "../../core/dns/types.ts";
import {
  type Answer,
  clientAddress,
  type Decision,
  formatName,
  formatPrefix,
  prefixOf,
  type QueryContext,
} from "../../core/plugin.ts";

/** All that was taken down of a query. */
export interface Taken {
  readonly context: QueryContext;
  /** What was decided, in turn, and when: milliseconds since the query came. */
  readonly steps: readonly { readonly decision: Decision; readonly atMs: number }[];
  readonly durationMs: number;
  /** Absent where a plugin threw. */
  readonly answer?: Answer;
  /** What it threw. */
  readonly error?: unknown;
}

/** Hands a query's span to `tracer`, decisions as its events, those that took time as spans below it. */
export function emitSpan(tracer: Tracer, { context, steps, durationMs, answer, error }: Taken): void {
  const at = (ms: number) => context.nowMs + ms;
  const span = tracer.startSpan(`DNS ${typeToText(context.question.type)}`, {
    kind: SpanKind.SERVER,
    root: true,
    startTime: at(0),
    attributes: { ...askedAttributes(context), ...answer && answerAttributes(context, answer) },
  });
  const below = trace.setSpan(contexts.active(), span);
  for (const { decision, atMs } of steps) {
    const attributes = decisionAttributes(decision);
    span.addEvent(`${decision.plugin}: ${decision.what}`, attributes, at(atMs));
    if (decision.durationMs === undefined) continue;
    const startTime = at(atMs - decision.durationMs);
    tracer.startSpan(decision.plugin, { kind: SpanKind.CLIENT, startTime, attributes }, below).end(at(atMs));
  }
  if (error !== undefined) {
    span.recordException(error instanceof Error ? error : String(error), at(durationMs));
    span.setStatus({
      code: SpanStatusCode.ERROR,
      message: error instanceof Error ? error.message : String(error),
    });
  } else if (answer?.fault) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: answer.fault.message });
  }
  span.end(at(durationMs));
}

function askedAttributes({ question, name, zone, transport }: QueryContext): Attributes {
  return {
    "dns.question.name": formatName(name),
    "dns.question.type": typeToText(question.type),
    "network.transport": transport,
    "meridian.zone": formatName(zone),
  };
}

function answerAttributes(context: QueryContext, answer: Answer): Attributes {
  const { rcode, selections = [], dependence: { scopePrefixLength } } = answer;
  const address = answer.ecs === false ? context.source.address : clientAddress(context).address;
  return {
    "dns.response.code": rcodeToText(rcode),
    // Of a client nothing is told but what the answer depended on.
    "meridian.client": formatPrefix(prefixOf(address, scopePrefixLength)),
    ...selections.length > 0 && {
      "meridian.pool": selections.map(({ pool }) => pool),
      "meridian.nodes": selections.flatMap(({ nodes }) => [...nodes]),
      "meridian.why": selections.map(({ why }) => why),
    },
  };
}

/** Facts that are more than a plain value are told as JSON. */
function decisionAttributes({ plugin, facts = {} }: Decision): Attributes {
  const plain = Object.entries(facts).map(([name, value]) => {
    const isPlain = ["string", "number", "boolean"].includes(typeof value);
    return [`meridian.${plugin}.${name}`, isPlain ? value : JSON.stringify(value)];
  });
  return { "meridian.plugin": plugin, ...Object.fromEntries(plain) };
}
