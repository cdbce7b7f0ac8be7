import assert from "node:assert/strict";
import fc from "fast-check";
import { unifiedDiff } from "../../../core/management/text_diff.ts";

/** What `patch` would make of a text. */
function patched(before: string, diff: string): string {
  const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? [], result: string[] = [];
  let at = 0, last = "";
  for (const line of diff.match(/[^\n]*\n/g) ?? []) {
    const header = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n$/.exec(line);
    if (line.startsWith("---") || line.startsWith("+++")) continue;
    if (header) {
      const start = Number(header[1]) - (header[2] === "0" ? 0 : 1);
      while (at < start) result.push(lines[at++]!);
      assert.equal(result.length + (header[4] === "0" ? 0 : 1), Number(header[3]));
    } else if (line.startsWith("\\")) {
      if (last !== "-") result.push(result.pop()!.slice(0, -1));
    } else {
      if (line[0] !== "+") {
        const isLast = at === lines.length - 1;
        assert.equal(line.slice(1), isLast && !lines[at]!.endsWith("\n") ? `${lines[at]}\n` : lines[at]);
        at++;
      }
      if (line[0] !== "-") result.push(line.slice(1));
    }
    last = line[0]!;
  }
  return result.join("") + lines.slice(at).join("");
}

Deno.test("a diff shows what went and came, with three lines around it", () => {
  const before = "a\nb\nc\nd\ne\nf\ng\nh\n";
  assert.equal(
    unifiedDiff("Corefile", before, before.replace("e\n", "E\nEE\n")),
    "--- a/Corefile\n+++ b/Corefile\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n+EE\n f\n g\n h\n",
  );
});

Deno.test("changes far from each other are hunks of their own", () => {
  const lines = Array.from({ length: 20 }, (_, i) => `${i}\n`);
  const after = lines.with(1, "x\n").with(18, "y\n");
  const headers = unifiedDiff("f", lines.join(""), after.join("")).match(/^@@.*@@$/gm);
  assert.deepEqual(headers, ["@@ -1,5 +1,5 @@", "@@ -16,5 +16,5 @@"]);
});

Deno.test("a file that is new or gone is told so, and a missing last line end too", () => {
  assert.equal(unifiedDiff("f", undefined, "a\n"), "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
  assert.equal(
    unifiedDiff("f", "a", undefined),
    "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n",
  );
  assert.equal(unifiedDiff("f", "a\n", "a\n"), "");
});

const text = fc.tuple(fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 30 }), fc.boolean())
  .map(([lines, ends]) => lines.join("\n") + (ends && lines.length > 0 ? "\n" : ""));

Deno.test("a diff makes the one text of the other", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      assert.equal(patched(before, unifiedDiff("f", before, after)), after);
    }),
    { numRuns: 500, seed: 3 },
  );
});

Deno.test("the fewest lines go and come", () => {
  const common = (a: string[], b: string[]): number => {
    const row = new Array<number>(b.length + 1).fill(0);
    for (const one of a) {
      for (let j = 1, left = 0; j <= b.length; j++) {
        const above = row[j]!;
        row[j] = one === b[j - 1] ? left + 1 : Math.max(above, row[j - 1]!);
        left = above;
      }
    }
    return row[b.length]!;
  };
  const lines = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 20 });
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const diff = unifiedDiff("f", a.map((l) => `${l}\n`).join(""), b.map((l) => `${l}\n`).join(""));
      const edits = diff.split("\n").slice(2).filter((line) => /^[+-]/.test(line)).length;
      assert.equal(edits, a.length + b.length - 2 * common(a, b));
    }),
    { numRuns: 300, seed: 4 },
  );
});

Deno.test("texts with nothing in common are told, however long they are", () => {
  const before = Array.from({ length: 3000 }, (_, i) => `a${i}\n`).join("");
  const after = Array.from({ length: 3000 }, (_, i) => `b${i}\n`).join("");
  assert.equal(patched(before, unifiedDiff("f", before, after)), after);
});
