import assert from "node:assert/strict";
import { basename } from "node:path/posix";
import { Arguments, type Options, readOptions } from "../../../core/corefile/arguments.ts";
import type { Directive, Problems } from "../../../core/corefile/directive.ts";
import { problemRecords } from "../../../core/corefile/format.ts";
import { checkDuplicates, readKeys } from "../../../core/corefile/keys.ts";
import type { KnownDirective } from "../../../core/corefile/known.ts";
import { parseCorefile } from "../../../core/corefile/parser.ts";

const folder = "tests/cases/broken";

/** A directive as far as reading it goes: what a plugin's module has, without the plugin. */
interface Reader extends KnownDirective {
  readonly options: Options;
  read?(args: Arguments): void;
}

const readers: Reader[] = [
  { name: "whoami", options: {}, read: () => {} },
  { name: "chaos", options: {} },
  { name: "file", options: {}, read: (args) => void args.word("DBFILE") },
  {
    name: "forward",
    options: { max_fails: { usage: "max_fails N", read: (args) => args.whole("N", { min: 0 }) } },
  },
  {
    name: "health",
    options: {
      check: { usage: "check TYPE PORT", repeats: true, read: (args) => args.rest() },
      interval: { usage: "interval DURATION", read: (args) => args.durationMs("DURATION") },
    },
  },
  {
    name: "anycast",
    options: {
      nodes: { usage: "nodes FILE", read: (args) => args.word("FILE") },
      "max-distance": { usage: "max-distance KM", read: (args) => args.kilometres("KM") },
    },
  },
  {
    name: "acl",
    options: {
      allow: {
        usage: "allow net PREFIX…",
        repeats: true,
        read: (args) => {
          args.oneOf("kind", ["net"]);
          return args.prefix("PREFIX");
        },
      },
    },
  },
];

function readDirective(directive: Directive, problems: Problems): void {
  const reader = readers.find(({ name }) => name === directive.name.text);
  if (!reader) return;
  problems.attempt(() => {
    const args = new Arguments(directive);
    if (!reader.read) return args.rest();
    reader.read(args);
    args.end();
  });
  readOptions(directive, reader.options, problems);
}

/** Every error of a Corefile, as `FILE:LINE:COLUMN TEXT`. */
function errorsOf(file: string): string[] {
  const { corefile, problems } = parseCorefile(Deno.readTextFileSync(file), {
    file,
    env: () => undefined,
    read: readIfThere,
    list: () => [],
    knownDirectives: readers,
    knownOptions: ["plugin"],
  });
  const keys = readKeys(corefile, { port: 53 }, problems).flat();
  checkDuplicates(keys.map((key) => ({ key, addresses: [] })), problems);
  for (const directive of corefile.blocks.flatMap((block) => block.directives)) {
    readDirective(directive, problems);
  }
  return problemRecords(problems).filter(({ severity }) => severity === "error")
    .map(({ file, line, column, message }) => `${basename(file)}:${line}:${column} ${message}`);
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
  name.endsWith(".corefile")
);

for (const name of files.sort()) {
  Deno.test(`${folder}/${name} is told what is wrong with it`, () => {
    const text = Deno.readTextFileSync(`${folder}/${name}`);
    const expected = [...text.matchAll(/^# expect: (?:(\S+):)?(\d+:\d+) (.*)$/gm)];
    const errors = errorsOf(`${folder}/${name}`);
    assert.equal(errors.length, expected.length, errors.join("\n"));
    for (const [i, [, file = name, place, part]] of expected.entries()) {
      assert.ok(errors[i]!.startsWith(`${file}:${place} `), errors[i]);
      assert.ok(errors[i]!.includes(part!), errors[i]);
    }
  });
}

Deno.test("there are broken Corefiles, and each expects something", () => {
  assert.ok(files.length >= 20);
  for (const name of files) assert.match(Deno.readTextFileSync(`${folder}/${name}`), /^# expect: /);
});
