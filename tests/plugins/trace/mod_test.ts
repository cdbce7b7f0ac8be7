import assert from "node:assert/strict";
import type { SpanOptions, Tracer } from "@opentelemetry/api";
import { type Answer, type CorefileError, type Decision, emptyAnswer } from "../../../core/plugin.ts";
import trace, { tracing } from "../../../plugins/trace/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, controlScopeOf, parseScopeOf } from "../../support/scopes.ts";

const parse = (text: string) => trace.parse(directivesOf(text), parseScopeOf());

Deno.test("parse() reads how many, and says where an endpoint is set", () => {
  assert.deepEqual(parse("trace"), { every: 1 });
  assert.deepEqual(parse("trace {\n every 1000\n}"), { every: 1000 });
  assert.throws(
    () => parse("trace zipkin localhost:9411"),
    (error: CorefileError) =>
      error.at.column === 7 && /OTEL_EXPORTER_OTLP_ENDPOINT .*got 'zipkin'/.test(error.message),
  );
});

Deno.test("without an exporter the plugin is not in the chain, and the log says so", () => {
  const warned: string[] = [];
  const log = { ...answerScopeOf().log, warn: (message: string) => void warned.push(message) };
  trace.start!({ every: 1 }, controlScopeOf({ log }));
  assert.equal(trace.answerer!({ every: 1 }, answerScopeOf()), undefined);
  assert.match(warned[0]!, /OTEL_DENO=true/);
});

/** A span as the fake tracer keeps it. */
interface Kept {
  name: string;
  options: SpanOptions | undefined;
  events: string[];
  status?: { code: number; message?: string };
  ended: boolean;
}

function fakeTracer() {
  const spans: Kept[] = [];
  const startSpan = (name: string, options?: SpanOptions) => {
    const kept: Kept = { name, options, events: [], ended: false };
    spans.push(kept);
    const span = {
      addEvent: (event: string) => void kept.events.push(event),
      recordException: (error: Error) => void kept.events.push(`exception ${error.message}`),
      setStatus: (status: Kept["status"]) => void (kept.status = status!),
      end: () => void (kept.ended = true),
    };
    return span as unknown as ReturnType<Tracer["startSpan"]>;
  };
  return { spans, tracer: { startSpan } as unknown as Tracer };
}

Deno.test("one query of `every` is traced, and none that someone explains", async () => {
  const { spans, tracer } = fakeTracer();
  const plugin = tracing({ every: 3 }, answerScopeOf(), tracer);
  for (let i = 0; i < 7; i++) await plugin.answer(contextOf(), () => emptyAnswer(0));
  assert.equal(spans.length, 3);
  const nobody = contextOf({ record() {}, rehearsed: true });
  for (let i = 0; i < 3; i++) await plugin.answer(nobody, () => emptyAnswer(0));
  assert.equal(spans.length, 3);
});

Deno.test("decisions of a query that is traced are told to who else wants them, as debug does", async () => {
  const { spans, tracer } = fakeTracer();
  const told: Decision[] = [];
  const context = contextOf({ record: (decision) => void told.push(decision) });
  await tracing({ every: 1 }, answerScopeOf(), tracer).answer(context, ({ record }) => {
    record!({ plugin: "geo", what: "found" });
    return emptyAnswer(0);
  });
  assert.deepEqual(told, [{ plugin: "geo", what: "found" }]);
  assert.deepEqual(spans[0]!.events, ["geo: found"]);
});

Deno.test("a span has decisions as events, waits as spans below it, and of the client its scope alone", async () => {
  const { spans, tracer } = fakeTracer();
  const plugin = tracing({ every: 1 }, answerScopeOf(), tracer);
  const decisions: Decision[] = [
    { plugin: "geo", what: "found", facts: { network: "192.0.2.0/24" } },
    { plugin: "forward", what: "asked", durationMs: 12 },
  ];
  const answer: Answer = {
    ...emptyAnswer(0),
    dependence: { ...emptyAnswer(0).dependence, scopePrefixLength: 20 },
    selections: [{ pool: "p.", nodes: ["fra1", "lon1"], why: "nearest" }],
  };
  await plugin.answer(contextOf(), (context) => {
    for (const decision of decisions) context.record!(decision);
    return Promise.resolve(answer);
  });
  const [span, below] = spans;
  assert.equal(span!.name, "DNS A");
  assert.deepEqual(span!.events, ["geo: found", "forward: asked"]);
  assert.deepEqual(span!.options!.attributes, {
    "dns.question.name": "www.example.org.",
    "dns.question.type": "A",
    "dns.response.code": "NOERROR",
    "network.transport": "udp",
    "meridian.zone": "example.org.",
    "meridian.client": "192.0.0.0/20",
    "meridian.pool": ["p."],
    "meridian.nodes": ["fra1", "lon1"],
    "meridian.why": ["nearest"],
  });
  assert.equal(below!.name, "forward");
  assert.ok(span!.ended && below!.ended);
});

Deno.test("a query that is answered in another isolate leaves no span here", async () => {
  const { spans, tracer } = fakeTracer();
  const plugin = tracing({ every: 1 }, answerScopeOf(), tracer);
  await plugin.answer(contextOf(), () => emptyAnswer(0, { deferred: true }));
  assert.deepEqual(spans, []);
});

Deno.test("a plugin that throws, at once or later, leaves a span with an error, and the throw goes on", async () => {
  const error = new Error("out of order");
  for (
    const next of [() => Promise.reject(error), () => {
      throw error;
    }]
  ) {
    const { spans, tracer } = fakeTracer();
    const plugin = tracing({ every: 1 }, answerScopeOf(), tracer);
    await assert.rejects(async () => await plugin.answer(contextOf(), next), error);
    assert.deepEqual(spans[0]!.events, ["exception out of order"]);
    assert.deepEqual(spans[0]!.status, { code: 2, message: "out of order" });
  }
});
