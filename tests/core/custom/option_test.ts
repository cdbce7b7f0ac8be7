import assert from "node:assert/strict";
import { loadCorefile } from "../../../core/command/load.ts";
import { problemRecords } from "../../../core/corefile/format.ts";
import { plugins } from "../../../plugins/mod.ts";

/** The beginning of a plugin that passes everything on. */
const PLUGIN =
  'export default () => ({ api: 1, name: "mine", usage: "mine", options: {}, parse: () => ({}), MORE })\n';

function mine(more = ""): string {
  return PLUGIN.replace(", MORE", more && `, ${more}`);
}

/** Reads a Corefile in a folder with these files. */
async function load(files: Record<string, string>, globals: string, directives = "whoami") {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    const text = `{\n    ${globals.replaceAll("\n", "\n    ")}\n}\n.:1053 {\n    ${directives}\n}\n`;
    const loaded = await loadCorefile({ file: `${folder}/Corefile`, text }, plugins, 53);
    const problems = problemRecords(loaded.problems).map(({ line, column, message }) =>
      `${line}:${column} ${message}`.replaceAll(folder, "")
    );
    return { ...loaded, problems };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("plugin puts a file's plugin where the file says, and where the Corefile says instead", async () => {
  const files = { "mine.js": mine('before: "file"') };
  const orders: [line: string, below: string][] = [
    ["plugin mine.js", "file"],
    ["plugin mine.js before whoami", "whoami"],
    ["plugin ./mine.js after log", plugins[plugins.findIndex(({ name }) => name === "log") + 1]!.name],
  ];
  for (const [line, below] of orders) {
    const { problems, modules, configuration } = await load(files, line, "mine");
    assert.deepEqual(problems, []);
    const at = modules.findIndex(({ name }) => name === "mine");
    assert.equal(modules[at + 1]!.name, below);
    assert.deepEqual(configuration.blocks[0]!.facts.plugins, ["mine"]);
    const [custom] = configuration.globals.customPlugins;
    assert.equal(custom!.name, "mine");
    assert.equal(custom!.index, at);
    assert.match(custom!.url, /^file:\/\/\/.*\/mine\.js\?v=\d/);
  }
});

Deno.test("plugin puts a plugin that says nothing above all", async () => {
  const { modules } = await load({ "mine.ts": mine() }, "plugin mine.ts");
  assert.equal(modules[0]!.name, "mine");
  assert.equal(modules.length, plugins.length + 1);
});

const wrong: [what: string, files: Record<string, string>, line: string, problem: string | RegExp][] = [
  ["a file that is not there", {}, "plugin mine.ts", "2:12 plugin mine.ts: there is no such file"],
  ["no path", {}, "plugin", /^2:5 Wrong argument count .*plugin wants PATH$/],
  ["a folder", {}, "plugin .", "2:12 plugin .: is a folder: wanted a file"],
  ["something that is no module", { "mine.txt": "" }, "plugin mine.txt", /must end in one of \.ts, \.js/],
  ["a device", {}, "plugin /dev/null", "2:12 plugin /dev/null: is no regular file"],
  ["an address", {}, "plugin https://example.org/mine.ts", /is an address: wanted the path of a file/],
  ["a package", {}, "plugin npm:left-pad", /is an address/],
  ["data", {}, "plugin data:text/javascript,export", /is an address/],
  [
    "a syntax error",
    { "mine.js": "export default () => ({\n  api: = 1,\n});\n" },
    "plugin mine.js",
    /^2:12 plugin mine\.js: cannot be loaded: .*mine\.js:2:\d+/,
  ],
  [
    "a file that throws",
    { "mine.js": "\n  throw new RangeError('no luck');\n" },
    "plugin mine.js",
    /cannot be loaded: RangeError: no luck \(mine\.js:2:9\)$/,
  ],
  [
    "a function that throws",
    { "mine.js": "export default () => { nothing(); };\n" },
    "plugin mine.js",
    /its function threw: ReferenceError: nothing is not defined \(mine\.js:1:24\)$/,
  ],
  [
    "no default export",
    { "mine.js": "export const mine = 1;\n" },
    "plugin mine.js",
    /must export by default a function/,
  ],
  [
    "an object in place of the function",
    { "mine.js": "export default { api: 1 };\n" },
    "plugin mine.js",
    /must export by default a function/,
  ],
  [
    "another version",
    { "mine.js": mine().replace("api: 1", "api: 7") },
    "plugin mine.js",
    "2:12 plugin mine.js: mine: it is written for version 7 of the plugin API: wanted 1",
  ],
  [
    "a name that is ours",
    { "mine.js": mine().replace('"mine"', '"geoip"') },
    "plugin mine.js",
    "2:12 plugin geoip: there is a plugin 'geoip' already",
  ],
  [
    "a name that another has",
    { "a.js": mine(), "b.js": mine() },
    "plugin a.js\nplugin b.js",
    "3:12 plugin mine: 'mine' is taken by a.js",
  ],
  [
    "a place beside nobody",
    { "mine.js": mine() },
    "plugin mine.js before fiel",
    "2:27 plugin mine: before fiel: there is no such plugin; did you mean 'file'?",
  ],
  [
    "a place beside nobody, in the file",
    { "mine.js": mine('after: "anycats"') },
    "plugin mine.js",
    "2:12 plugin mine: after anycats: there is no such plugin; did you mean 'anycast'?",
  ],
  [
    "a place that is none",
    { "mine.js": mine() },
    "plugin mine.js above file",
    /^2:20 plugin: a place must be before or after: got 'above'/,
  ],
];

for (const [what, files, line, problem] of wrong) {
  Deno.test(`plugin tells of ${what} at its word, once`, async () => {
    const { problems } = await load(files, line, "mine");
    const [first, ...others] = problems;
    if (typeof problem === "string") assert.equal(first, problem);
    else assert.match(first ?? "", problem);
    // Where nobody knows what it would have been called, its directive is unknown.
    assert.deepEqual(others.filter((message) => !message.includes("Unknown directive")), []);
  });
}

Deno.test("a directive whose plugin could not be loaded is not an unknown one as well", async () => {
  const { problems } = await load({ "mine.js": "export default 1;\n" }, "plugin mine.js", "mine");
  assert.equal(problems.length, 1);
});

Deno.test("a changed file is loaded anew, an unchanged one is the module that it was", async () => {
  const folder = await Deno.makeTempDir();
  const text = "{\n    plugin mine.js\n}\n.:1053 {\n    mine\n}\n";
  const usageOf = async () => {
    const { modules } = await loadCorefile({ file: `${folder}/Corefile`, text }, plugins, 53);
    return modules[0]!.usage;
  };
  try {
    const counting = "let made = 0;\n" + mine().replace('usage: "mine"', "usage: `mine ${++made}`");
    await Deno.writeTextFile(`${folder}/mine.js`, counting);
    assert.equal(await usageOf(), "mine 1");
    assert.equal(await usageOf(), "mine 2");
    await Deno.writeTextFile(`${folder}/mine.js`, `${counting}// changed\n`);
    assert.equal(await usageOf(), "mine 1");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
