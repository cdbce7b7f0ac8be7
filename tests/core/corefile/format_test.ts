import assert from "node:assert/strict";
import { Problems } from "../../../core/corefile/directive.ts";
import { formatProblems, problemRecords } from "../../../core/corefile/format.ts";

const corefile = '. {\r\n\tinterval 10x\r\n  body "two \\" words" x\n\u{1f30d}\u{1f30d} bad\x1b[2J\n}';

function some(): Problems {
  const problems = new Problems();
  const at = (line: number, column: number, file = "Corefile") => ({ file, line, column });
  problems.error(at(4, 4), "not good: got 'bad\x1b[2J\n'");
  problems.error(at(2, 11), "interval must be a duration: got '10x'");
  problems.warn(at(3, 8), "too wordy");
  problems.error(at(9, 9, "nodes.yaml"), "no such node");
  problems.error(at(2, 11), "interval must be a duration: got '10x'");
  return problems;
}

const source = (file: string) => file === "Corefile" ? corefile : undefined;

Deno.test("formatProblems() shows each problem once, sorted, with its line and a mark", () => {
  assert.equal(
    formatProblems(some(), { source }),
    `Corefile:2:11: interval must be a duration: got '10x'
\tinterval 10x
\t         ^^^
Corefile:3:8: warning: too wordy
  body "two \\" words" x
       ^^^^^^^^^^^^^^
Corefile:4:4: not good: got 'bad\ufffd[2J\\n'
\u{1f30d}\u{1f30d} bad\ufffd[2J
   ^^^^^^^
nodes.yaml:9:9: no such node
3 errors, 1 warning
`,
  );
});

Deno.test("formatProblems() counts alone when there is nothing to tell", () => {
  assert.equal(formatProblems(new Problems()), "no problems\n");
});

Deno.test("formatProblems() counts one in the singular", () => {
  const problems = new Problems();
  problems.warn({ file: "Corefile", line: 1, column: 1 }, "x");
  assert.equal(formatProblems(problems), "Corefile:1:1: warning: x\n1 warning\n");
});

Deno.test("formatProblems() colours only when told", () => {
  assert.equal(formatProblems(some(), { source }).includes("\x1b"), false);
  const colored = formatProblems(some(), { source, color: true });
  assert.ok(colored.includes("\x1b[31minterval must be a duration: got '10x'\x1b[0m\n"));
  assert.ok(colored.includes(`\t${" ".repeat(9)}\x1b[31m^^^\x1b[0m\n`));
});

Deno.test("formatProblems() marks the end of a line and survives a position past it", () => {
  const problems = new Problems();
  problems.error({ file: "Corefile", line: 1, column: 40 }, "past the end");
  problems.error({ file: "Corefile", line: 70, column: 1 }, "past the file");
  assert.equal(
    formatProblems(problems, { source }),
    "Corefile:1:40: past the end\n. {\n   ^\nCorefile:70:1: past the file\n2 errors\n",
  );
});

Deno.test("problemRecords() gives plain data in the same order", () => {
  const records = problemRecords(some());
  assert.deepEqual(structuredClone(records), records);
  assert.deepEqual(records.map(({ severity, line }) => `${severity} ${line}`), [
    "error 2",
    "warning 3",
    "error 4",
    "error 9",
  ]);
});

Deno.test("formatProblems() leaves a byte order mark out of the line, as columns do", () => {
  const problems = new Problems();
  problems.error({ file: "Corefile", line: 1, column: 1 }, "x");
  assert.equal(
    formatProblems(problems, { source: () => "\ufeffab c" }),
    "Corefile:1:1: x\nab c\n^^\n1 error\n",
  );
});
