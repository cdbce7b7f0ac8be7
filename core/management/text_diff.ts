/**
 * How one text became another, line by line, in the unified format: what people read, and `patch` applies.
 *
 * The fewest lines that go and come are found as Myers does ("An O(ND) Difference Algorithm", 1986); texts that have too
 * little in common for that are told as one going and the other coming.
 *
 * @module
 */

/** Lines around a change that are shown with it. */
const CONTEXT = 3;

/** More lines than this going and coming are not sought the fewest of. */
const EDITS_MAX = 2000;

/** A line that stays (` `), goes (`-`) or comes (`+`). */
interface Edit {
  readonly mark: " " | "-" | "+";
  readonly line: string;
}

/** The unified diff of a file; "" when nothing is different. An absent text is no file: `/dev/null`. */
export function unifiedDiff(path: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return "";
  const edits = editsBetween(linesOf(before ?? ""), linesOf(after ?? ""));
  const from = before === undefined ? "/dev/null" : `a/${path}`;
  const to = after === undefined ? "/dev/null" : `b/${path}`;
  return [`--- ${from}\n+++ ${to}\n`, ...hunks(edits)].join("");
}

/** Lines with their ends: the last may have none. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function* hunks(edits: readonly Edit[]): Generator<string> {
  let before = 1, after = 1, at = 0;
  while (at < edits.length) {
    const first = edits.findIndex(({ mark }, i) => i >= at && mark !== " ");
    if (first < 0) return;
    const start = Math.max(at, first - CONTEXT);
    // What is skipped stays: both sides move on by it.
    before += start - at;
    after += start - at;
    const end = endOfHunk(edits, first), hunk = edits.slice(start, end);
    const gone = hunk.filter(({ mark }) => mark !== "+").length,
      come = hunk.filter(({ mark }) => mark !== "-").length;
    yield `@@ -${spanOf(before, gone)} +${spanOf(after, come)} @@\n${hunk.map(textOf).join("")}`;
    [before, after, at] = [before + gone, after + come, end];
  }
}

/** Changes that are near each other are one hunk. */
function endOfHunk(edits: readonly Edit[], first: number): number {
  let last = first;
  for (let i = first; i < edits.length && i <= last + 2 * CONTEXT; i++) if (edits[i]!.mark !== " ") last = i;
  return Math.min(edits.length, last + CONTEXT + 1);
}

/** Of no lines the number is that of the line before. */
function spanOf(start: number, count: number): string {
  return count === 1 ? `${start}` : `${count === 0 ? start - 1 : start},${count}`;
}

function textOf({ mark, line }: Edit): string {
  return line.endsWith("\n") ? mark + line : `${mark}${line}\n\\ No newline at end of file\n`;
}

function editsBetween(a: readonly string[], b: readonly string[]): Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const stays = (lines: readonly string[]): Edit[] => lines.map((line) => ({ mark: " ", line }));
  const middle = fewest(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...stays(a.slice(0, start)), ...middle, ...stays(a.slice(a.length - end))];
}

/** The fewest edits; furthest points on each diagonal, kept by how many edits led there. */
function fewest(a: readonly string[], b: readonly string[]): Edit[] {
  const trace: Int32Array[] = [], reach = Math.min(a.length + b.length, EDITS_MAX);
  const furthest = new Int32Array(2 * reach + 3);
  const middle = reach + 1;
  for (let edits = 0; edits <= reach; edits++) {
    trace.push(furthest.slice());
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down = diagonal === -edits ||
        (diagonal !== edits && furthest[middle + diagonal - 1]! < furthest[middle + diagonal + 1]!);
      let x = down ? furthest[middle + diagonal + 1]! : furthest[middle + diagonal - 1]! + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      furthest[middle + diagonal] = x;
      if (x >= a.length && x - diagonal >= b.length) return retraced(a, b, trace, middle);
    }
  }
  return [
    ...a.map((line): Edit => ({ mark: "-", line })),
    ...b.map((line): Edit => ({ mark: "+", line })),
  ];
}

function retraced(
  a: readonly string[],
  b: readonly string[],
  trace: readonly Int32Array[],
  middle: number,
): Edit[] {
  const edits: Edit[] = [];
  let x = a.length, y = b.length;
  for (let count = trace.length - 1; count >= 0; count--) {
    const furthest = trace[count]!, diagonal = x - y;
    const down = diagonal === -count ||
      (diagonal !== count && furthest[middle + diagonal - 1]! < furthest[middle + diagonal + 1]!);
    const from = down ? diagonal + 1 : diagonal - 1;
    const fromX = count === 0 ? 0 : furthest[middle + from]!, fromY = count === 0 ? 0 : fromX - from;
    const stayed = count === 0 ? x : down ? x - fromX : x - fromX - 1;
    for (let i = 0; i < stayed; i++) edits.push({ mark: " ", line: a[--x]! });
    if (count > 0) edits.push(down ? { mark: "+", line: b[fromY]! } : { mark: "-", line: a[fromX]! });
    [x, y] = [fromX, fromY];
  }
  return edits.reverse();
}
