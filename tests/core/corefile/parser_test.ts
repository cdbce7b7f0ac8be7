import assert from "node:assert/strict";
import { errors, knowing, outline, read, warnings } from "./reading.ts";

const accepted: [title: string, text: string, expected: string][] = [
  ["nothing", "", ""],
  ["comments alone", "# a\n  # b\n", ""],
  ["a key alone", ".", ". {}"],
  ["a key with a port alone", "example.org:1053", "example.org:1053 {}"],
  [
    "one server without braces",
    "example.org:1053\n  dir1 foo bar\n  dir2\n",
    "example.org:1053 {dir1 foo bar; dir2}",
  ],
  ["two keys without braces", "a.example, b.example\n dir1", "a.example b.example {dir1}"],
  [
    "blocks of directives without braces",
    "a\n dir1 {\n bar baz\n }\n dir2 {\n foo\n }",
    "a {dir1 {bar baz}; dir2 {foo}}",
  ],
  ["keys over lines after a comma", "a,\n b,\n c", "a b c {}"],
  ["a block", "a {\n dir1 foo\n dir2\n}", "a {dir1 foo; dir2}"],
  ["a block whose brace is on the next line", "example.org:1053\n{\nwhoami\n}", "example.org:1053 {whoami}"],
  ["a brace on the next line but one", "a\n\n\n{\nwhoami\n}", "a {whoami}"],
  ["keys parted by blanks", "a b {\n}", "a b {}"],
  ["keys parted by commas", "example.org, example.net {\n}", "example.org example.net {}"],
  ["a comma and a new line", "example.org,\nexample.net {\n}", "example.org example.net {}"],
  ["a lone comma", "a , b {\n}", "a b {}"],
  ["an empty block on one line", ". { }", ". {}"],
  ["a directive on the line of the opening brace", ". { errors\n log\n}", ". {errors; log}"],
  ["two blocks", "a {\n}\nb {\n x\n}", "a {} b {x}"],
  ["two blocks, the second on the line of the brace", "a {\n} b {\n}", "a {} b {}"],
  ["a directive more than once", "a {\n x 1\n y\n x 2\n}", "a {x 1; y; x 2}"],
  [
    "a block in a block",
    "a\n dir1 {\n nested {\n foo\n }\n }\n dir2 foo",
    "a {dir1 {nested {foo}}; dir2 foo}",
  ],
  [
    "a one-line block of a directive",
    ". {\n geoip x.mmdb { edns-subnet }\n log\n}",
    ". {geoip x.mmdb {edns-subnet}; log}",
  ],
  ["an empty block of a directive", ". {\n dir1 {\n }\n dir2 { }\n}", ". {dir1 {}; dir2 {}}"],
  ["closing braces of inner blocks on one line", ". {\n a {\n b {\n c\n } }\n}", ". {a {b {c}}}"],
  ["log formats as arguments", "a {\n log . {combined} {/a/b}\n}", "a {log . {combined} {/a/b}}"],
  ["quoted braces as arguments", 'a {\n x "{" "}"\n}', "a {x { }}"],
  ["an argument over lines", 'a {\n x "1\n2" 3\n y\n}', "a {x 1\n2 3; y}"],
  ["a snippet", "(s) {\n a 1\n b\n}\nx {\n import s\n}\ny {\n import s\n c\n}", "x {a 1; b} y {a 1; b; c}"],
  ["a snippet that begins on the line of its brace", "(s) { a 1\n b\n}\nx {\n import s\n}", "x {a 1; b}"],
  ["a snippet with a block", "(s) {\n a {\n b\n }\n}\nx {\n import s\n}", "x {a {b}}"],
  ["a snippet in a snippet", "(s) {\n a\n}\n(t) {\n import s\n b\n}\nx {\n import t\n}", "x {a; b}"],
  ["a snippet of server blocks", "(s) {\n a {\n b\n }\n}\nimport s\nc {\n}", "a {b} c {}"],
  ["a snippet of keys", "(s) {\n a, b\n}\nimport s\n{\n c\n}", "a b {c}"],
  [
    "a snippet in a directive's block",
    "(s) {\n o 1\n p\n}\nx {\n a {\n n\n import s\n q\n }\n}",
    "x {a {n; o 1; p; q}}",
  ],
  [
    "a snippet in a snippet, on the line of its brace",
    "(t) {\n o\n}\n(s) { import t\n}\n. {\n x {\n import s\n }\n}",
    ". {x {o}}",
  ],
  ["an unused snippet", "(s) {\n nonsense {\n }\n}\n. {\n}", ". {}"],
  ["import as an argument", ". {\n a import s\n}", ". {a import s}"],
  ["import in a one-line block as a word", ". {\n a { import }\n}", ". {a {import}}"],
  ["a quoted import as a directive", '. {\n "import" s\n}', ". {import s}"],
  ["global options", "{\n plugin ./x.ts before y\n}\n. {\n}", "{plugin ./x.ts before y} . {}"],
  ["empty global options", "{\n}\n. {\n}", ". {}"],
  ["snippets before global options", "(s) {\n a\n}\n{\n import s\n}\n. {\n}", "{a} . {}"],
];

for (const [title, text, expected] of accepted) {
  Deno.test(`parseCorefile() reads ${title}`, () => {
    const { corefile, problems } = read(text);
    assert.deepEqual(errors(problems), []);
    assert.deepEqual(warnings(problems), []);
    assert.equal(outline(corefile), expected);
  });
}

const stray = "Unexpected '}' because no matching opening brace";

/** What is wrong, all that is told of it, and what is still understood. */
const refused: [title: string, text: string, expected: string[], understood: string][] = [
  [
    "a server block on one line",
    ". { whoami }",
    [`1:12 ${stray} on this line: it must stand on its own`],
    ". {whoami}",
  ],
  [
    "a server block closed on the line of a directive's",
    "a {\n dir1 {\n } }\nb {\n}",
    [`3:4 ${stray} on this line: it must stand on its own`],
    "a {dir1 {}} b {}",
  ],
  [
    "a closing brace too many",
    "a {\n x\n}\n}\nb {\n}",
    [`4:1 ${stray}; every block above it is closed already`],
    "a {x} b {}",
  ],
  [
    "a missing opening brace",
    "a\n x\n}\nb {\n y\n}",
    [`3:1 ${stray}; the server block above it has no '{' behind its zone`],
    "a {x} b {y}",
  ],
  [
    "an unclosed server block",
    "a {\n x\n",
    ["1:3 Unexpected EOF: the '{' that opens here is never closed"],
    "a {x}",
  ],
  [
    "an unclosed block of a directive, told once",
    "a {\n x {\n foo",
    ["2:4 Unexpected EOF: the '{' that opens here is never closed"],
    "a {x {foo}}",
  ],
  ["an unclosed snippet", "(s) {\n a {\n }\n", [
    "1:5 Unexpected EOF: the '{' that opens here is never closed",
  ], ""],
  [
    "an unclosed quote, told once",
    'a {\n x "b\n}\n',
    ["2:4 Unexpected EOF: the quote that opens here is never closed"],
    "a {x b}",
  ],
  [
    "a comma before the brace",
    "a, {\n x\n}",
    ["1:4 Expected another address but had '{' - check for extra comma"],
    "a {x}",
  ],
  ["a comma at the end", "a, b,", ["1:4 Unexpected EOF: wanted another key after the comma"], "a b {}"],
  [
    "a brace glued to the root",
    ".{\nwhoami\n}",
    ["1:1 zone is not a valid domain name: .{; a blank must stand before '{'"],
    ". {whoami}",
  ],
  [
    "a brace glued to a key with a port",
    "example.org:1053{\n log\n}\n. {\n}",
    ["1:1 zone is not a valid domain name: example.org:1053{; a blank must stand before '{'"],
    "example.org:1053 {log} . {}",
  ],
  ["empty braces as one word", ". {}\na {\n}", [
    "1:3 zone is not a valid domain name: {}; a blank must stand before '{'",
  ], ". {} a {}"],
  [
    "a brace glued to a directive",
    ". {\n health{\n x\n }\n}",
    ["2:2 Unknown directive 'health{'; a blank must stand before '{'"],
    ". {health {x}}",
  ],
  [
    "a brace glued to an option",
    ". {\n a {\n b{\n c\n }\n }\n}",
    ["3:2 unknown property 'b{'; a blank must stand before '{'"],
    ". {a {b {c}}}",
  ],
  [
    "a directive's block that opens on the next line",
    ". {\n a\n {\n b\n }\n c\n}",
    ["3:2 Unexpected '{' on a line of its own: the block of 'a' opens on the line of its name"],
    ". {a {b}; c}",
  ],
  [
    "words after a block",
    ". {\n a {\n b\n } c d\n e\n}",
    ["4:4 Unexpected 'c' after '}': wanted a new line"],
    ". {a {b}; e}",
  ],
  [
    "a block without a name",
    ". {\n {\n b\n }\n c\n}",
    ["2:2 Unexpected '{': wanted a name before it"],
    ". {c}",
  ],
  [
    "a block without a key that is not the first",
    ". {\n}\n{\n a\n}\nb {\n}",
    ["3:1 Unexpected '{': wanted a zone before it (only the first block of a file, the global options, has no key)"],
    ". {} b {}",
  ],
  ["an empty key", '"" {\n a\n}\n', ["1:1 Key is empty: wanted a zone such as example.org"], ""],
  [
    "a snippet twice",
    "(a) {\n x\n}\n(a) {\n y\n}\n. {\n import a\n}",
    ["4:1 redeclaration of previously declared snippet a: the first is at Corefile:1:1"],
    ". {x}",
  ],
  [
    "a snippet without braces",
    "(a)\nx",
    ["2:1 Syntax error: Unexpected token 'x', expecting '{': a snippet's words stand in braces"],
    "x {}",
  ],
  ["import without an argument", ". {\n import\n x\n}", [
    "2:2 Wrong argument count or unexpected line ending after 'import': wanted a snippet or a file",
  ], ". {x}"],
  [
    "import with two",
    "import a b\n. {\n}",
    ["1:10 Import takes only one argument (glob pattern or file)"],
    ". {}",
  ],
  ["import on the line of the closing brace", ". { import a }\nb {\n}", [
    "1:14 Import takes only one argument (glob pattern or file)",
  ], ". {} b {}"],
  ["import of nothing", 'import ""', ["1:8 Import requires a non-empty filepath"], ""],
  ["import of a missing file", ". {\n import nope\n}", [
    "2:9 File to import not found: nope; there is no snippet of that name, and no file nope",
  ], ". {}"],
  ["import of a misspelt snippet", "(common) {\n}\n. {\n import comon\n}", [
    "4:9 File to import not found: comon; did you mean the snippet 'common'?",
  ], ". {}"],
  ["import before the snippet", ". {\n import a\n}\n(a) {\n}", [
    "2:9 File to import not found: a; the snippet of that name stands only at Corefile:4:1: move it up",
  ], ". {}"],
  ["wild globs", "import /*/*.txt\nimport /???/?*?o\nimport /??\nimport /[a-z]", [
    "1:8 Glob pattern may only contain one wildcard (*), but has others: /*/*.txt",
    "2:8 Glob pattern may only contain one wildcard (*), but has others: /???/?*?o",
    "3:8 Glob pattern may only contain one wildcard (*), but has others: /??",
    "4:8 Glob pattern may only contain one wildcard (*), but has others: /[a-z]",
  ], ""],
  ["a snippet that imports itself", "(a) {\n x\n import a\n}\n. {\n import a\n}", [
    "3:9 import cycle: (a) imports (a)",
  ], ". {x}"],
  ["snippets that import each other", "(a) {\n import b\n}\n(b) {\n import a\n}\n. {\n import a\n}", [
    "5:9 import cycle: (a) imports (b) imports (a)",
  ], ". {}"],
  ["several things at once", ".{\n x {\n y{\n }\n } z\n}\n}\nb,{\n import\n}", [
    "1:1 zone is not a valid domain name: .{; a blank must stand before '{'",
    "3:2 unknown property 'y{'; a blank must stand before '{'",
    "5:4 Unexpected 'z' after '}': wanted a new line",
    `7:1 ${stray}; every block above it is closed already`,
    "8:1 zone is not a valid domain name: b,{; a blank must stand before '{'",
    "8:3 Expected another address but had '{' - check for extra comma",
    "9:2 Wrong argument count or unexpected line ending after 'import': wanted a snippet or a file",
  ], ". {x {y {}}} b {}"],
];

for (const [title, text, expected, understood] of refused) {
  Deno.test(`parseCorefile() refuses ${title}`, () => {
    const { corefile, problems } = read(text);
    assert.deepEqual(errors(problems), expected);
    assert.equal(outline(corefile), understood);
  });
}

Deno.test("parseCorefile() refuses blocks that lie too deep, without running out of stack", () => {
  const { problems } = read(`. {\n${"a {\n".repeat(50_000)}${"}\n".repeat(50_000)}}\nb {\n}`);
  assert.deepEqual(errors(problems), ["34:3 Unexpected '{': blocks lie at most 32 deep in each other"]);
});

Deno.test("parseCorefile() stops snippets that multiply", () => {
  const doubling = Array.from({ length: 40 }, (_, i) => `(s${i + 1}) {\n import s${i}\n import s${i}\n}\n`);
  const { problems } = read(`(s0) {\n x\n}\n${doubling.join("")}. {\n import s40\n}`);
  assert.equal(errors(problems).length, 1);
  assert.match(errors(problems)[0]!, /maximum snippet import depth \(10000\) exceeded/);
});

Deno.test("parseCorefile() stops imports that bring in too many words", () => {
  const body = "x\n".repeat(10_000);
  const { problems } = read(`(s) {\n${body}}\n. {\n${"import s\n".repeat(120)}}`);
  assert.deepEqual(errors(problems).map((error) => error.replace(/^\S+ /, "")), [
    "imports bring in more than 1000000 words",
  ]);
});

Deno.test("parseCorefile() names unknown directives and what may have been meant", () => {
  const known = {
    knownDirectives: [
      { name: "whoami" },
      { name: "geo", aliases: ["geoip"] },
      { name: "forward", options: { max_fails: {} } },
    ],
  };
  const text = `(unused) {
    nonsense
}
(used) {
    fwd
}
example.org {
    foo
    whoam
    geoip
    max_fails 3
    import used
    example.net {
    }
}
. {
    import used
}`;
  assert.deepEqual(errors(read(text, known).problems), [
    "5:5 Unknown directive 'fwd'; there are forward, geo, geoip, whoami",
    "8:5 Unknown directive 'foo'; there are forward, geo, geoip, whoami",
    "9:5 Unknown directive 'whoam'; did you mean 'whoami'?",
    "11:5 Unknown directive 'max_fails'; it is an option of 'forward' and belongs inside its braces",
    "13:5 Unknown directive 'example.net'; if it is a zone, the block above it lacks a brace",
  ]);
});

Deno.test("parseCorefile() names unknown global options and what may have been meant", () => {
  const known = { ...knowing("whoami"), knownOptions: ["plugin"] };
  assert.deepEqual(errors(read("{\n plugn x\n whoami\n plugin y\n}", known).problems), [
    "2:2 Unknown global option 'plugn'; did you mean 'plugin'?",
    "3:2 Unknown global option 'whoami'; it is a directive and belongs in a server block: is the zone before '{' missing?",
  ]);
});

Deno.test("parseCorefile() keeps the position of every word", () => {
  const { corefile } = read("a, b {\n  x 1 {\n\ty\n  }\n}");
  const [block] = corefile.blocks;
  const place = ({ at }: { at: { file: string; line: number; column: number } }) =>
    `${at.file}:${at.line}:${at.column}`;
  assert.deepEqual(block!.keys.map(place), ["Corefile:1:1", "Corefile:1:4"]);
  const [x] = block!.directives;
  assert.deepEqual([x!.name, x!.args[0]!, x!.block![0]!.name].map(place), [
    "Corefile:2:3",
    "Corefile:2:5",
    "Corefile:3:2",
  ]);
});

Deno.test("parseCorefile() expands variables in keys, names, arguments and imports", () => {
  const values: Record<string, string> = { ZONE: "example.org", NAME: "r1", BLANKS: "a b", BRACE: "{" };
  const text = "{$ZONE}:{%PORT%} {\n di{$NAME} {$BLANKS} {$BRACE}\n import {$NAME}.conf\n}";
  const { corefile, problems } = read(text, { env: (name) => values[name] }, { "r1.conf": "x" });
  assert.equal(outline(corefile), "example.org: {dir1 a b {; x}");
  assert.equal(corefile.blocks[0]!.directives[0]!.args.length, 2);
  assert.deepEqual(warnings(problems), ["1:1 Environment variable 'PORT' is not set: read as nothing"]);
});
