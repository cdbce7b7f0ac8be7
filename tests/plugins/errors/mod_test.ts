import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import {
  type Answer,
  type AnswerScope,
  compose,
  emptyAnswer,
  type ParseScope,
  type Plugin,
  PluginFault,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import { compilePattern } from "../../../core/pattern/pattern.ts";
import { Consolidator } from "../../../plugins/errors/consolidator.ts";
import errors from "../../../plugins/errors/mod.ts";
import { memoryLog } from "../../core/server/sockets.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

function parse(text: string) {
  const problems = new Problems();
  const config = problems.attempt(() => errors.parse(directivesOf(text), { problems } as ParseScope));
  return { config, errors: problems.errors.map(({ message, at }) => `${at.line}:${at.column} ${message}`) };
}

/** A chain of errors, as `text` has it, over `below`. */
function chainOf(text: string, below: Plugin["answer"]) {
  const log = memoryLog();
  const clock = new ManualClock();
  const owned: { close(): void | Promise<void> }[] = [];
  const scope = {
    log,
    clock,
    own: (resource: { close(): void }) => (owned.push(resource), resource),
  } as unknown as AnswerScope;
  const plugin = errors.answerer(structuredClone(parse(text).config!), scope);
  const chain = compose([plugin, { name: "below", answer: below }]);
  return {
    log,
    clock,
    ask: (more: Partial<QueryContext> = {}) => chain(contextOf(more)),
    close: () => owned.forEach((one) => one.close()),
  };
}

const failing = (message: string): Answer => emptyAnswer(2, { fault: { plugin: "forward", message } });
const TIMEOUT = failing("192.0.2.1:53: i/o timeout");
const TIMEOUT_LINE = "plugin/errors: 2 www.example.org. A: 192.0.2.1:53: i/o timeout";

Deno.test("errors logs an answer with a fault behind it, as CoreDNS does, and passes it on", async () => {
  for (const answer of [TIMEOUT, Promise.resolve(TIMEOUT)]) {
    const { ask, log } = chainOf("errors", () => answer);
    const { dependence, ...said } = await ask();
    assert.deepEqual({ ...said, dependence: TIMEOUT.dependence }, TIMEOUT);
    // Whoever asks next is to be reported, too.
    assert.equal(dependence.untilMs, contextOf().nowMs);
    assert.deepEqual(log.lines, [`error ${TIMEOUT_LINE}`]);
  }
});

Deno.test("errors logs nothing of a query of which nobody wants to know anything", async () => {
  const { ask, log } = chainOf("errors", () => TIMEOUT);
  assert.deepEqual(await ask({ rehearsed: true, unheard: true }), TIMEOUT);
  assert.deepEqual(log.lines, []);
  await ask({ rehearsed: true });
  assert.equal(log.lines.length, 1);
});

Deno.test("errors logs no answer that is as it should be", () => {
  const { ask, log } = chainOf("errors", () => emptyAnswer(3));
  ask();
  assert.deepEqual(log.lines, []);
});

Deno.test("errors logs an exception below and lets it go on", async () => {
  const sudden = chainOf("errors", () => {
    throw new TypeError("broken");
  });
  assert.throws(() => sudden.ask(), PluginFault);
  const late = chainOf("errors", () => Promise.reject(new TypeError("broken")));
  await assert.rejects(Promise.resolve(late.ask()), PluginFault);
  for (const { log } of [sudden, late]) {
    assert.deepEqual(log.lines, ["error plugin/errors: 2 www.example.org. A: below: broken"]);
  }
});

Deno.test("errors with stacktrace tells where an exception came from", () => {
  const { ask, log } = chainOf("errors {\n stacktrace\n}", () => {
    throw new TypeError("broken");
  });
  assert.throws(ask);
  assert.match(
    log.lines[0]!,
    /^error plugin\/errors: 2 www\.example\.org\. A: below: broken\nTypeError: broken\n {4}at /,
  );
});

Deno.test("consolidate tells a number when its time is over, and starts again", () => {
  const { ask, log, clock } = chainOf('errors {\n consolidate 30s "i/o timeout$" warning\n}', () => TIMEOUT);
  for (let i = 0; i < 3; i++) ask();
  clock.advance(29_999);
  assert.deepEqual(log.lines, []);
  clock.advance(1);
  assert.deepEqual(log.lines, ["warn plugin/errors: 3 errors like 'i/o timeout$' occurred in last 30s"]);
  clock.advance(60_000);
  assert.equal(log.lines.length, 1);
  ask();
  clock.advance(30_000);
  assert.equal(log.lines[1], "warn plugin/errors: 1 errors like 'i/o timeout$' occurred in last 30s");
});

Deno.test("consolidate with show_first tells the first at once, and no number for it alone", () => {
  const { ask, log, clock } = chainOf("errors {\n consolidate 30s timeout show_first\n}", () => TIMEOUT);
  ask();
  assert.deepEqual(log.lines, [`error ${TIMEOUT_LINE}`]);
  clock.advance(30_000);
  assert.equal(log.lines.length, 1);
  ask();
  ask();
  clock.advance(30_000);
  assert.deepEqual(log.lines.slice(1), [
    `error ${TIMEOUT_LINE}`,
    "error plugin/errors: 2 errors like 'timeout' occurred in last 30s",
  ]);
});

Deno.test("consolidate counts an error for the first rule that fits, and leaves others alone", () => {
  const messages = ["Timeout A", "timeout B", "refused"];
  const { ask, log, close } = chainOf(
    "errors {\n consolidate 30s (?i)TIMEOUT info\n consolidate 30s B debug\n}",
    () => failing(messages.shift()!),
  );
  for (let i = 0; i < 3; i++) ask();
  close();
  assert.deepEqual(log.lines, [
    "error plugin/errors: 2 www.example.org. A: refused",
    "info plugin/errors: 2 errors like '(?i)TIMEOUT' occurred in last 30s",
  ]);
});

Deno.test("consolidate takes level and show_first in any order", () => {
  const rule = {
    durationMs: 300_000,
    duration: "5m",
    pattern: compilePattern("a b"),
    level: "warn",
    showFirst: true,
  };
  for (const rest of ["warning show_first", "show_first warning"]) {
    assert.deepEqual(parse(`errors {\n consolidate 5m "a b" ${rest}\n}`).config?.rules, [rule]);
  }
});

Deno.test("consolidate takes no longer for a message that a stranger made long", () => {
  const { config } = parse('errors {\n consolidate 5m "^(a+)+$"\n}');
  const told: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (line: string) => void told.push(line) };
  const consolidator = new Consolidator(config!.rules, log, new ManualClock());
  // A machine that tries every way to read it would not come back.
  consolidator.report(`${"a".repeat(5000)}!`, "no match");
  consolidator.report("a".repeat(5000), "a match");
  assert.deepEqual(told, ["no match"]);
  consolidator.close();
  assert.equal(told[1], "plugin/errors: 1 errors like '^(a+)+$' occurred in last 5m");
});

Deno.test("errors tells what is wrong in its block where it stands", () => {
  const table: [text: string, error: RegExp][] = [
    ["errors stdout", /^2:8 .*after 'stdout'/],
    ["errors {\n consolidate 0s x\n}", /^3:14 consolidate: DURATION must be a duration.*got '0s'/],
    ["errors {\n consolidate soon x\n}", /^3:14 .*got 'soon'/],
    ["errors {\n consolidate 30s\n}", /^3:14 .*consolidate wants REGEXP/],
    [
      "errors {\n consolidate 30s a(\n}",
      /^3:20 consolidate: a '\(' is never closed, at character 3 of 'a\('$/,
    ],
    ["errors {\n consolidate 30s a warnin\n}", /LEVEL must be .*; did you mean 'warning'\?/],
    ["errors {\n consolidate 30s a show_first show_first\n}", /LEVEL must be .*got 'show_first'/],
    ["errors {\n consolidate 30s a error error\n}", /after 'error'/],
    ["errors {\n stacktraces\n}", /unknown property 'stacktraces'; did you mean 'stacktrace'\?/],
  ];
  for (const [text, error] of table) assert.match(parse(text).errors[0] ?? "no error", error, text);
});
