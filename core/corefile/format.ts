/**
 * Problems as a person reads them in a terminal, and as a program does.
 *
 * @module
 */

import { type CorefileError, formatPosition, type Problems } from "./directive.ts";

/** One problem as plain data. */
export interface ProblemRecord {
  readonly severity: "error" | "warning";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** How problems are shown. */
export interface FormatOptions {
  /** The text of a file, to show the line; undefined when it is not at hand. */
  source?(file: string): string | undefined;
  /** Whether to colour by ANSI escapes. */
  readonly color?: boolean;
}

/** Every problem once, by file, line and column: what a snippet causes wherever it is imported is one problem. */
export function problemRecords({ errors, warnings }: Problems): ProblemRecord[] {
  const records = [
    ...errors.map((error) => record("error", error)),
    ...warnings.map((warning) => record("warning", warning)),
  ];
  const unique = new Map(records.map((record) => [JSON.stringify(record), record]));
  return [...unique.values()].sort((a, b) =>
    compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.severity, b.severity)
  );
}

/**
 * Every problem with its line and a mark under the word, then how many there are:
 *
 *     Corefile:5:12: health: INTERVAL must be a duration such as 500ms, 10s or 1m30s: got '10x'
 *         interval 10x
 *                  ^^^
 *     1 error
 */
export function formatProblems(problems: Problems, { source, color = false }: FormatOptions = {}): string {
  const paint: Paint = color ? (code, text) => `\x1b[${code}m${text}\x1b[0m` : (_, text) => text;
  const records = problemRecords(problems);
  const texts = new Map<string, string[] | undefined>();
  const lines = records.flatMap((record) => {
    const { file } = record;
    if (!texts.has(file)) texts.set(file, source?.(file)?.replace(/^\ufeff/, "").split("\n"));
    return [headline(record, paint), ...excerpt(record, texts.get(file), paint)];
  });
  return [...lines, count(records), ""].join("\n");
}

type Paint = (code: number, text: string) => string;
const BOLD = 1, RED = 31, YELLOW = 33;

function record(severity: ProblemRecord["severity"], { at, message }: CorefileError): ProblemRecord {
  return { severity, file: at.file, line: at.line, column: at.column, message };
}

function headline(record: ProblemRecord, paint: Paint): string {
  const where = paint(BOLD, `${formatPosition(record)}:`);
  const message = visible(record.message);
  return record.severity === "error"
    ? `${where} ${paint(RED, message)}`
    : `${where} ${paint(YELLOW, "warning:")} ${message}`;
}

/** The line that a problem stands in, and the mark; nothing when the file is not at hand. */
function excerpt(
  { line, column, severity }: ProblemRecord,
  lines: readonly string[] | undefined,
  paint: Paint,
): string[] {
  const text = lines?.[line - 1]?.replace(/\r$/, "");
  if (text === undefined) return [];
  const characters = Array.from(text);
  const word = /^"(?:[^"\\]|\\.)*"?|^\S*/u.exec(characters.slice(column - 1).join(""))![0];
  // Tabs stay tabs, so that the mark is under its word however wide a terminal shows them.
  const indent = characters.slice(0, column - 1).map((c) => c === "\t" ? c : " ").join("");
  const mark = "^".repeat(Math.max(1, Array.from(word).length));
  return [visible(text), indent + paint(severity === "error" ? RED : YELLOW, mark)];
}

/** Text without the control characters that would move the cursor. */
function visible(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll("\n", "\\n").replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd");
}

/** `2 errors, 1 warning`. */
function count(records: readonly ProblemRecord[]): string {
  const many = (kind: ProblemRecord["severity"]) => {
    const number = records.filter(({ severity }) => severity === kind).length;
    return number === 0 ? [] : [`${number} ${kind}${number === 1 ? "" : "s"}`];
  };
  return [...many("error"), ...many("warning")].join(", ") || "no problems";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
