import assert from "node:assert/strict";
import { Arguments, parseDurationMs, readOptions } from "../../../core/corefile/arguments.ts";
import { CorefileError, type Directive, Problems } from "../../../core/corefile/directive.ts";
import { errors, read } from "./reading.ts";

function directive(text: string): Directive {
  return read(`. {\n${text}\n}`).corefile.blocks[0]!.directives[0]!;
}

/** What `take` makes of the words after `d`, or where and why it fails. */
function taken(words: string, take: (args: Arguments) => unknown): unknown {
  try {
    const args = new Arguments(directive(`d ${words}`));
    const value = take(args);
    args.end();
    return value;
  } catch (error) {
    if (!(error instanceof CorefileError)) throw error;
    return `${error.at.column} ${error.message}`;
  }
}

const argumentCount = "Wrong argument count or unexpected line ending after";

const table: [title: string, words: string, take: (args: Arguments) => unknown, expected: unknown][] = [
  ["word()", "a", (args) => args.word("X"), "a"],
  ["word() without one", "", (args) => args.word("X"), `1 ${argumentCount} 'd': d wants X`],
  [
    "word() after the last",
    "a",
    (args) => [args.word("X"), args.word("Y")],
    `3 ${argumentCount} 'a': d wants Y`,
  ],
  ["end() before a word", "a", () => {}, `3 ${argumentCount} 'a': d takes no more here`],
  ["rest()", "a b", (args) => args.rest().map(({ text }) => text), ["a", "b"]],
  ["take()", "a b", (args) => [args.take("b"), args.take("a"), args.word("X")], [false, true, "b"]],
  ["oneOf()", "on", (args) => args.oneOf("X", ["on", "off"]), "on"],
  [
    "oneOf() of others",
    "onn",
    (args) => args.oneOf("X", ["on", "off"]),
    "3 d: X must be on or off: got 'onn'; did you mean 'on'?",
  ],
  ["onOff()", "off", (args) => args.onOff("X"), false],
  ["number()", "-1.5", (args) => args.number("X"), -1.5],
  ["number() of a word", "x", (args) => args.number("X"), "3 d: X must be a number: got 'x'"],
  [
    "number() out of range",
    "2",
    (args) => args.number("X", { min: 0, max: 1 }),
    "3 d: X must be from 0 to 1: got '2'",
  ],
  ["whole()", "12", (args) => args.whole("X"), 12],
  ["whole() of a fraction", "1.5", (args) => args.whole("X"), "3 d: X must be a whole number: got '1.5'"],
  [
    "whole() of too many digits",
    "9007199254740993",
    (args) => args.whole("X", { min: 0 }),
    "3 d: X must be a whole number: got '9007199254740993'",
  ],
  ["durationMs()", "1m30s", (args) => args.durationMs("X"), 90_000],
  [
    "durationMs() of another unit",
    "3sec",
    (args) => args.durationMs("X"),
    "3 d: X must be a duration such as 500ms, 10s or 1m30s: got '3sec'",
  ],
  [
    "durationMs() too short",
    "1ms",
    (args) => args.durationMs("X", { min: 10 }),
    "3 d: X must be at least 10ms: got '1ms'",
  ],
  ["kilometres()", "500km", (args) => args.kilometres("X"), 500],
  ["kilometres() bare", "0.5", (args) => args.kilometres("X"), 0.5],
  [
    "kilometres() in miles",
    "5mi",
    (args) => args.kilometres("X"),
    "3 d: X must be a distance such as 500km: got '5mi'",
  ],
  ["share() in per cent", "5%", (args) => args.share("X"), 0.05],
  ["share()", "0.05", (args) => args.share("X"), 0.05],
  ["share() of a word", "%", (args) => args.share("X"), "3 d: X must be a share such as 5% or 0.05: got '%'"],
  [
    "address()",
    "192.0.2.256",
    (args) => args.address("X"),
    "3 d: X must be an IP address: got '192.0.2.256'",
  ],
  [
    "prefix()",
    "192.0.2.1/24",
    (args) => args.prefix("X"),
    "3 d: X must be a network such as 192.0.2.0/24, no bits set past the length: got '192.0.2.1/24'",
  ],
];

for (const [title, words, take, expected] of table) {
  Deno.test(`Arguments.${title}`, () => {
    assert.deepEqual(taken(words, take), expected);
  });
}

const durations: [text: string, expected: number | undefined][] = [
  ["0", 0],
  ["10", 10_000],
  ["1.5", 1500],
  ["500ms", 500],
  ["1h2m3.5s", 3_723_500],
  ["1us", 0.001],
  ["1µs", 0.001],
  ["", undefined],
  ["s", undefined],
  ["-1s", undefined],
  ["10x", undefined],
  ["1s2", undefined],
  ["1 s", undefined],
];

for (const [text, expected] of durations) {
  Deno.test(`parseDurationMs() of '${text}'`, () => {
    assert.equal(parseDurationMs(text), expected);
  });
}

const options = {
  one: { usage: "one N", read: (args: Arguments) => args.whole("N") },
  many: { usage: "many N", repeats: true, read: (args: Arguments) => args.whole("N") },
  block: {
    usage: "block",
    opensBlock: true,
    read: (_: Arguments, line: Directive) => line.block?.length ?? 0,
  },
} as const;

Deno.test("readOptions() reads a block by its table", () => {
  const problems = new Problems();
  const values = readOptions(
    directive("d {\n many 1\n one 2\n many 3\n block {\n x\n }\n}"),
    options,
    problems,
  );
  assert.deepEqual([problems.errors, values], [[], { one: 2, many: [1, 3], block: 1 }]);
});

Deno.test("readOptions() reads nothing from a directive without a block", () => {
  assert.deepEqual(readOptions(directive("d"), options, new Problems()), {});
});

Deno.test("readOptions() reports every wrong line and reads the others", () => {
  const problems = new Problems();
  const text = "d {\n many x\n many 3\n one y\n one 1\n mny 1\n many 4 5\n many 6 {\n }\n toString\n}";
  assert.deepEqual(readOptions(directive(text), options, problems), { many: [3] });
  assert.deepEqual(errors(problems), [
    "3:7 many: N must be a whole number: got 'x'",
    "5:6 one: N must be a whole number: got 'y'",
    "6:2 d: one stands twice",
    "7:2 d: unknown property 'mny'; did you mean 'many'?",
    "8:9 Wrong argument count or unexpected line ending after '5': many takes no more here",
    "9:2 d: many takes no block",
    "11:2 d: unknown property 'toString'; d has one, many, block",
  ]);
});
