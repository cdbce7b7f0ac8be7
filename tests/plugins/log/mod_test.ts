import assert from "node:assert/strict";
import type { AnswerScope, ParseScope } from "../../../core/plugin.ts";
import { emptyAnswer, parseName, Problems } from "../../../core/plugin.ts";
import log, { type LogRule } from "../../../plugins/log/mod.ts";
import { lineOf } from "../../../plugins/log/query_log.ts";
import { classOf, kindOf, type Reply } from "../../../plugins/log/reply.ts";
import { replyOf, rrsetOf } from "./reply_fixture.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

function parse(text: string): { rules: readonly LogRule[] | undefined; problems: Problems } {
  const problems = new Problems();
  const rules = problems.attempt(() => log.parse(directivesOf(text), { problems } as ParseScope));
  return { rules, problems };
}

/** The line that a server without geo data writes for a reply. */
function lineFor({ context, answer, sent }: Reply, rules: readonly LogRule[]): string | undefined {
  const lines: string[] = [];
  const scope = {
    geography: () => undefined,
    random: () => 0.5,
    writeLine: (line: string) => void lines.push(line),
  };
  log.answerer(rules, scope as unknown as AnswerScope).observe(context, answer, sent);
  return lines[0];
}

Deno.test("log alone is for every name and every class", () => {
  const { rules } = parse("log");
  assert.deepEqual(rules?.[0]?.names, [parseName(".")]);
  assert.deepEqual(rules?.[0]?.classes, ["success", "denial", "error"]);
  assert.deepEqual(structuredClone(rules), rules);
});

Deno.test("the last word is the format only if it has a brace or is json", () => {
  assert.deepEqual(parse("log example.org Example.net").rules?.[0]?.names, [
    parseName("example.org"),
    parseName("example.net"),
  ]);
  assert.deepEqual(parse("log 10.0.0.0/8").rules?.[0]?.names, [parseName("10.in-addr.arpa")]);
  assert.equal(parse("log json").rules?.[0]?.format, "json");
  assert.deepEqual(parse('log "{rcode} of {name}"').rules?.[0]?.format, [
    { field: "rcode" },
    { text: " of " },
    { field: "name" },
  ]);
  assert.deepEqual(parse("log . {rcode}").rules?.[0]?.format, [{ field: "rcode" }]);
});

Deno.test("what is wrong in a log is told where it stands", () => {
  const table: [text: string, message: string, line: number, column: number][] = [
    ["log . {nmae}", "log: unknown placeholder '{nmae}'; did you mean '{name}'?", 2, 7],
    ["log a..b", "zone is not a valid domain name: a..b; it has an empty label", 2, 5],
    [
      "log {\nclass sucess\n}",
      "class: class must be success, denial, error or all: got 'sucess'; did you mean 'success'?",
      3,
      7,
    ],
    [
      "log {\nclass\n}",
      "Wrong argument count or unexpected line ending after 'class': class wants class",
      3,
      1,
    ],
    ["log {\nsample 0%\n}", "sample: SHARE must be from 0.000001 to 1: got '0%'", 3, 8],
    ["log {\nclas error\n}", "log: unknown property 'clas'; did you mean 'class'?", 3, 1],
  ];
  for (const [text, message, line, column] of table) {
    const { problems } = parse(text);
    assert.deepEqual(problems.errors.map((e) => [e.message, e.at.line, e.at.column]), [[
      message,
      line,
      column,
    ]]);
  }
});

Deno.test("a reply's class is CoreDNS's", () => {
  const soa = { authority: [rrsetOf(6)] }, ns = { authority: [rrsetOf(2)] };
  const table: [Parameters<typeof emptyAnswer>, string][] = [
    [[0, { answer: [rrsetOf(1)] }], "NOERROR success"],
    [[0, {}], "NOERROR success"],
    [[0, ns], "DELEGATION success"],
    [[0, soa], "NODATA denial"],
    [[3, soa], "NXDOMAIN denial"],
    [[3, {}], "OTHERERROR error"],
    [[2, {}], "OTHERERROR error"],
    [[5, {}], "OTHERERROR error"],
  ];
  for (const [answer, expected] of table) {
    const kind = kindOf(1, emptyAnswer(...answer));
    assert.equal(`${kind} ${classOf(kind)}`, expected);
  }
  assert.equal(classOf(kindOf(252, emptyAnswer(0, { answer: [rrsetOf(6)] }))), "error");
});

Deno.test("log writes the classes wanted and no other", () => {
  const { rules } = parse("log . {rcode} {\nclass error\nclass denial\n}");
  assert.equal(lineFor(replyOf(), rules!), undefined);
  assert.equal(lineFor(replyOf({ answer: { rcode: 2, answer: [] } }), rules!), "[INFO] SERVFAIL");
});

Deno.test("of several log directives the first that fits writes the line", () => {
  const { rules } = parse("log sub.example.org {zone}\nlog example.org {name}");
  assert.equal(lineFor(replyOf(), rules!), "[INFO] www.example.org.");
  assert.equal(
    lineFor(replyOf({ context: contextOf({}, "a.sub.example.org") }), rules!),
    "[INFO] example.org.",
  );
  assert.equal(lineFor(replyOf({ context: contextOf({}, "notexample.org") }), rules!), undefined);
});

Deno.test("JSON lines name their units and escape what is not ASCII", () => {
  const fault = { plugin: "forward", message: "é\u202e" };
  const labels = { "forward/upstream": "192.0.2.1:53" };
  const line = lineOf("json", replyOf({ answer: { fault, labels } }));
  assert.match(line, /^[ -~]+$/);
  const { time, name, durationMs, replyOctets, flags, location, selections, fault: told, ...more } = JSON
    .parse(line);
  assert.deepEqual([more.plugin, more.labels], ["file", labels]);
  assert.deepEqual({ time, name, durationMs, replyOctets, flags, selections, told }, {
    time: "2026-11-22T12:00:00.250Z",
    name: "www.example.org.",
    durationMs: 37.990251,
    replyOctets: 68,
    flags: ["qr", "aa", "rd", "ra"],
    selections: undefined,
    told: fault,
  });
  assert.equal(location.country, "DE");
});

Deno.test("the plugin passes queries on, and writes when it observes", () => {
  const lines: string[] = [];
  const scope = {
    geography: () => undefined,
    random: () => 0.5,
    writeLine: (line: string) => void lines.push(line),
  } as unknown as AnswerScope;
  const plugin = log.answerer(
    parse("log {name}{location}").rules!,
    scope,
  );
  const answer = emptyAnswer(0);
  assert.equal(plugin.answer(contextOf(), () => answer), answer);
  assert.deepEqual(lines, []);
  plugin.observe(contextOf(), answer, { octets: 12, flags: 0x8000, plugin: "file", durationMs: 1 });
  assert.deepEqual(lines, ["[INFO] www.example.org.-"]);
});

Deno.test("a sample has one line for so many replies, and each says for how many it stands", () => {
  const draws = [0.5, 0.99, 0];
  const lines: string[] = [];
  const scope = {
    geography: () => undefined,
    random: () => draws.shift() ?? 0,
    writeLine: (line: string) => void lines.push(line),
  } as unknown as AnswerScope;
  const { rules } = parse("log . {>id} {\nsample 10%\n}");
  const plugin = log.answerer(rules!, scope);
  for (let messageId = 0; messageId < 55; messageId++) {
    const { answer, sent } = replyOf();
    plugin.observe(contextOf({ messageId }), answer, sent);
  }
  // floor(ln 0.5 / ln 0.9) = 6 are left out, then floor(ln 0.01 / ln 0.9) = 43, then none.
  assert.deepEqual(lines, ["6", "50", "51", "52", "53", "54"].map((id) => `[INFO] ${id} weight=10`));
});

Deno.test("in the long run a sample has its share of the replies", () => {
  let lines = 0;
  const scope = { geography: () => undefined, random: Math.random, writeLine: () => lines++ };
  const { rules } = parse('log . "{weight}" {\nsample 1%\n}');
  const plugin = log.answerer(rules!, scope as unknown as AnswerScope);
  const { context, answer, sent } = replyOf();
  for (let i = 0; i < 1_000_000; i++) plugin.observe(context, answer, sent);
  // Within six standard deviations of 10,000.
  assert.ok(Math.abs(lines - 10_000) < 600, String(lines));
});

Deno.test("JSON lines of a sample have their weight", () => {
  assert.equal(JSON.parse(lineOf("json", replyOf())).weight, undefined);
  assert.equal(JSON.parse(lineOf("json", { ...replyOf(), weight: "33.3333" })).weight, 33.3333);
});
