import assert from "node:assert/strict";
import { errors, type Files, outline, read, warnings } from "./reading.ts";

const files: Files = {
  "block.conf": "host1 {\n dir1\n dir2 a\n}\n",
  "lines.conf": "dir2 arg1 arg2\ndir3",
  "conf/a.conf": "a.example {\n}\n",
  "conf/b.conf": "import deeper/c.conf\n",
  "conf/b.txt": "nothing {\n",
  "conf/deeper/c.conf": "c.example {\n import ../lines.conf\n}\n",
  "conf/lines.conf": "inner",
  "other/a.conf": "other.example {\n}\n",
  "/etc/x.conf": "absolute.example {\n}\n",
  "options.conf": "prop1 1\nprop2 2",
};

const accepted: [title: string, text: string, expected: string][] = [
  ["a file of blocks", "import block.conf\n. {\n}", "host1 {dir1; dir2 a} . {}"],
  [
    "a file of directives",
    "a {\n dir1\n import lines.conf\n dir4\n}",
    "a {dir1; dir2 arg1 arg2; dir3; dir4}",
  ],
  ["a file in a file without braces", "a\n dir1\n import lines.conf", "a {dir1; dir2 arg1 arg2; dir3}"],
  ["a file of options", "a {\n p {\n import options.conf\n q\n }\n}", "a {p {prop1 1; prop2 2; q}}"],
  ["a path relative to the file that imports", "import conf/b.conf", "c.example {inner}"],
  ["an absolute path", "import /etc/x.conf", "absolute.example {}"],
  ["the same file twice", "import conf/a.conf\nimport conf/a.conf", "a.example {} a.example {}"],
  ["a glob, sorted", "import conf/?.conf", "a.example {} c.example {inner}"],
  ["a glob of folders", "import */a.conf", "a.example {} other.example {}"],
  ["a glob that matches no slash", "import conf*a.conf\n. {\n}", ". {}"],
  ["a snippet rather than a file of its name", "(lines.conf) {\n x\n}\n. {\n import lines.conf\n}", ". {x}"],
];

for (const [title, text, expected] of accepted) {
  Deno.test(`import reads ${title}`, () => {
    const { corefile, problems } = read(text, {}, files);
    assert.deepEqual(errors(problems), []);
    assert.equal(outline(corefile), expected);
  });
}

Deno.test("import of a glob without a match warns and goes on", () => {
  const { corefile, problems } = read("import conf/*.nope\nimport nowhere/*\n. {\n}", {}, files);
  assert.deepEqual(errors(problems), []);
  assert.deepEqual(warnings(problems), [
    "1:8 No files matching import glob pattern: conf/*.nope",
    "2:8 No files matching import glob pattern: nowhere/*",
  ]);
  assert.equal(outline(corefile), ". {}");
});

Deno.test("import lets a snippet name files relative to the file it stands in", () => {
  const inFolder = { "conf/s.conf": "(s) {\n import x.conf\n}", "conf/x.conf": "right", "x.conf": "wrong" };
  const { corefile } = read("import conf/s.conf\n. {\n import s\n}", {}, inFolder);
  assert.equal(outline(corefile), ". {right}");
});

Deno.test("positions of imported words name the imported file, and its text is kept", () => {
  const { corefile, sources } = read("import conf/b.conf", { file: "/etc/Corefile" }, {
    "/etc/conf/b.conf": "\n b.example {\n  log\n}",
  });
  assert.deepEqual(corefile.blocks[0]!.directives[0]!.name.at, {
    file: "/etc/conf/b.conf",
    line: 3,
    column: 3,
  });
  assert.deepEqual([...sources.keys()], ["/etc/Corefile", "/etc/conf/b.conf"]);
});

Deno.test("import tells of a cycle and its round", () => {
  const round = {
    "a.conf": "x\nimport b.conf\n",
    "b.conf": "y\nimport ./a.conf",
    "Corefile": "import Corefile",
  };
  assert.deepEqual(errors(read(". {\n import a.conf\n}", {}, round).problems), [
    "b.conf:2:8 import cycle: a.conf imports b.conf imports a.conf",
  ]);
  assert.deepEqual(errors(read("import Corefile", {}, round).problems), [
    "1:8 import cycle: Corefile imports Corefile",
  ]);
});

Deno.test("import takes a file that another of the same glob imports for no cycle", () => {
  const both = { "c/a.conf": "import b.conf\n", "c/b.conf": "x\n" };
  const { corefile, problems } = read(". {\n import c/*.conf\n}", {}, both);
  assert.deepEqual(errors(problems), []);
  assert.equal(outline(corefile), ". {x; x}");
});

Deno.test("import reports what the file system says", () => {
  const throwing = (message: string) => () => {
    throw new Error(message);
  };
  const access = { read: throwing("is a directory"), list: throwing("permission denied") };
  assert.deepEqual(errors(read("import conf\nimport conf/*.conf\n. {\n}", access).problems), [
    "1:8 Could not import conf: is a directory",
    "2:8 Could not import conf/*.conf: permission denied",
  ]);
});

Deno.test("import reports each problem of a file that is imported twice only once", () => {
  const twice = { "x.conf": "a {\n b\n } c" };
  assert.deepEqual(errors(read(". {\n import x.conf\n import x.conf\n}", {}, twice).problems), [
    "x.conf:3:4 Unexpected 'c' after '}': wanted a new line",
  ]);
});
