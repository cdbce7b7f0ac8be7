/**
 * trace: one query of many, with every decision on its way, as an OpenTelemetry span. Syntax and examples: README.md.
 *
 * @module
 */

import { ProxyTracerProvider, trace, type Tracer } from "@opentelemetry/api";
import {
  type Answer,
  type AnswerScope,
  Arguments,
  CorefileError,
  type Directive,
  type Next,
  onlyOne,
  type Options,
  type ParseScope,
  type Plugin,
  type PluginModule,
  type QueryContext,
  readOptions,
} from "../../core/plugin.ts";
import { emitSpan, type Taken } from "./span.ts";

/** One `trace`. Plain data. */
export interface TraceConfig {
  /** One query of so many. */
  readonly every: number;
}

const options = {
  every: { usage: "every COUNT", read: (args: Arguments) => args.whole("COUNT", { min: 1, max: 1e9 }) },
} satisfies Options;

const metrics = {
  meridian_trace_spans_total: { kind: "counter", help: "Queries traced." },
} satisfies PluginModule["metrics"];

export default {
  name: "trace",
  usage: "trace",
  options,
  metrics,
  // No `repeats`: a span tells the decisions of its query, which only the chain takes.
  parse,
  start(_config, { log, probing }) {
    if (probing && !isExporting()) {
      log.warn("trace: nothing is traced: start the server with OTEL_DENO=true to export spans");
    }
  },
  answerer: (config, scope) =>
    isExporting() ? tracing(config, scope, trace.getTracer("meridian")) : undefined,
} satisfies PluginModule<TraceConfig>;

function parse(directives: readonly Directive[], { problems }: ParseScope): TraceConfig {
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  if (args.more) {
    const found = args.token("nothing");
    throw new CorefileError(
      found,
      `trace: where spans go is said by OTEL_EXPORTER_OTLP_ENDPOINT in the environment: got '${found.text}'`,
    );
  }
  return { every: readOptions(directive, options, problems).every ?? 1 };
}

/** Whether somebody takes spans: Deno does, when it was told so by the environment. */
function isExporting(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) ||
    provider.getDelegate() !== new ProxyTracerProvider().getDelegate();
}

/** Traces one query of `every`. */
export function tracing(
  { every }: TraceConfig,
  { series }: Pick<AnswerScope, "series">,
  tracer: Tracer,
): Plugin {
  const spans = series("meridian_trace_spans_total");
  let number = 0;
  const emit = (taken: Taken) => {
    emitSpan(tracer, taken);
    spans.record(1);
  };
  return {
    name: "trace",
    answer: (context, next) =>
      !context.rehearsed && number++ % every === 0 ? follow(context, next, emit) : next(context),
  };
}

/** Passes on, and takes down what is decided until the answer comes back. */
function follow(context: QueryContext, next: Next, emit: (taken: Taken) => void): Answer | Promise<Answer> {
  const startMs = performance.now();
  const steps: Taken["steps"][number][] = [];
  const sinceMs = () => performance.now() - startMs;
  const end = (outcome: Pick<Taken, "answer" | "error">) =>
    emit({ context, steps, durationMs: sinceMs(), ...outcome });
  const returned = (answer: Answer) => {
    // Another isolate answers it, and traces it there.
    if (!answer.deferred) end({ answer });
    return answer;
  };
  const thrown = (error: unknown): never => {
    end({ error });
    throw error;
  };
  const record: QueryContext["record"] = (decision) => {
    steps.push({ decision, atMs: sinceMs() });
    context.record?.(decision);
  };
  let answer: Answer | Promise<Answer>;
  try {
    answer = next(Object.freeze({ ...context, record }));
  } catch (error) {
    return thrown(error);
  }
  return answer instanceof Promise ? answer.then(returned, thrown) : returned(answer);
}
