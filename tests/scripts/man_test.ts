import assert from "node:assert/strict";
import { manPage, manPages } from "../../scripts/man.ts";
import { havePackages } from "../../scripts/packages.ts";

/** The lines of a page below its head. */
function linesOf(markdown: string): string[] {
  const page = manPage({ name: "meridian-x", section: 7, day: "2026-11-22" }, markdown);
  return page.trimEnd().split("\n").slice(3);
}

Deno.test("manPage() heads a page with what man wants to know", () => {
  const [head] = manPage({ name: "meridian-x", section: 7, day: "2026-11-22" }, "# x\n").split("\n");
  assert.match(head!, /^\.TH "MERIDIAN-X" 7 "2026-11-22" "Meridian \d+\.\d+\.\d+" "Meridian"$/);
});

const pages: [what: string, markdown: string, lines: string[]][] = [
  ["the name for indexes", "# x\n\n## Name\n\n_x_ - does it.\n", ['.SH "NAME"', "meridian\\-x \\- does it."]],
  ["faces", "Give **N** to _x_: `a-b`.\n", [".PP", "Give \\fBN\\fP to \\fIx\\fP: \\fBa\\-b\\fP."]],
  ["underscores in words", "some_name_here\n", [".PP", "some_name_here"]],
  ["a paragraph as one line", "one\ntwo\n\nthree\n", [".PP", "one two", ".PP", "three"]],
  ["backslashes", "a \\ b\n", [".PP", "a \\e b"]],
  ["what looks like a request", "`x`\n\n.SH is one\n", [".PP", "\\fBx\\fP", ".PP", "\\&.SH is one"]],
  ["a list", "- one\n  more\n- two\n", [".IP \\(bu 3", "one more", ".IP \\(bu 3", "two"]],
  ["a list in a list", "- one\n  - two\n", [".IP \\(bu 3", "one", ".RS", ".IP \\(bu 3", "two", ".RE"]],
  ["numbers", "1. one\n2. two\n", [".IP 1. 3", "one", ".IP 2. 3", "two"]],
  ["code as it stands", "## S\n\n```\n.a {\n    b_c_\n}\n```\n", [
    '.SH "S"',
    ".RS 4",
    ".EX",
    "\\&.a {",
    "    b_c_",
    "}",
    ".EE",
    ".RE",
  ]],
  ["tables, aligned", "| a | b |\n| - | - |\n| `long` | **c** |\n", [
    ".PP",
    ".RS 4",
    ".EX",
    "a     b",
    "long  c",
    ".EE",
    ".RE",
  ]],
  ["links", "[docs](docs/X.md) and [it](https://example.org/)\n", [
    ".PP",
    "docs and it <https://example.org/>",
  ]],
];

for (const [what, markdown, lines] of pages) {
  Deno.test(`manPage() writes ${what}`, () => assert.deepEqual(linesOf(markdown), lines));
}

Deno.test("every page is one that groff and mandoc have nothing to say about", async () => {
  if (!await havePackages(["groff", "mandoc"])) return;
  const folder = await Deno.makeTempDir();
  try {
    const pages = manPages(".", "2026-11-22");
    for (const name of ["meridian.1", "meridian-serve.1", "meridian-explain.1", "meridian-anycast.7"]) {
      assert.ok(pages.has(name), name);
    }
    for (const [file, text] of pages) await Deno.writeTextFile(`${folder}/${file}`, text);
    const files = [...pages.keys()];
    assert.equal(
      await complaints(folder, "groff", "-K", "utf8", "-T", "utf8", "-man", "-ww", "-z", ...files),
      "",
    );
    assert.equal(await complaints(folder, "mandoc", "-T", "lint", "-W", "warning", ...files), "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function complaints(folder: string, program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(program, { args, cwd: folder }).output();
  return new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
}
