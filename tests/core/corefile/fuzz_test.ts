import assert from "node:assert/strict";
import fc from "fast-check";
import type { Corefile, Directive } from "../../../core/corefile/directive.ts";
import { formatProblems } from "../../../core/corefile/format.ts";
import { checkDuplicates, readKeys } from "../../../core/corefile/keys.ts";
import { parseName } from "../../../core/dns/name.ts";
import { knowing, read } from "./reading.ts";

/** What Corefiles are made of, and what slips into them. */
const piece = fc.constantFrom(
  ..."{ } { } import a (a) (b) b x.conf y.conf *.conf . example.org: whoami".split(" "),
  ...["example.org,", "10.0.0.0/27:53", ":", ",", "{}", "x{", '"', '"q r"', "\\", "#", "“"],
  ..."{$SET} {$UNSET} {%SET%} \ufeff \r \u200b".split(" "),
  ...["\n", "\n", "\n", "\n"],
);
const corefileText = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(" "));
const anyText = fc.oneof(corefileText, fc.string({ unit: "binary", maxLength: 200 }));

const runs = { numRuns: 2000, seed: 20261122 };

function check(text: string, x: string, y: string) {
  const env = (name: string) => name === "SET" ? "import {" : undefined;
  const parsed = read(text, { ...knowing("whoami"), env, knownOptions: [] }, { "x.conf": x, "y.conf": y });
  const zones = readKeys(parsed.corefile, { port: 53 }, parsed.problems);
  checkDuplicates(zones.flat().map((key) => ({ key, addresses: [] })), parsed.problems);
  const source = (file: string) => parsed.sources.get(file);
  return { ...parsed, zones: zones.flat(), shown: formatProblems(parsed.problems, { source }) };
}

Deno.test("any text gives a Corefile and problems, never a throw", () => {
  fc.assert(
    fc.property(anyText, anyText, anyText, (text, x, y) => {
      const { corefile, shown, sources } = check(text, x, y);
      assert.match(shown, /(no problems|\d+ (error|warning)s?)\n$/);
      for (const { at } of words(corefile)) {
        assert.ok(sources.has(at.file) && at.line >= 1 && at.column >= 1);
      }
    }),
    runs,
  );
});

Deno.test("every word points to where its text stands", () => {
  fc.assert(
    fc.property(corefileText, (text) => {
      const { corefile } = check(text, "", "");
      for (const { text: word, at, quoted } of words(corefile)) {
        const line = Array.from(text.replace(/^\ufeff/, "").split("\n")[at.line - 1]!);
        const there = line.slice(at.column - 1).join("");
        if (!quoted && /^[a-z]+$/.test(word)) {
          assert.ok(there.startsWith(word), `'${word}' is not in '${there}'`);
        }
      }
    }),
    runs,
  );
});

Deno.test("every zone that a key gives is a domain name", () => {
  const host = fc.string({ unit: fc.constantFrom(..."aZ.9:/\\\\üf-"), maxLength: 20 });
  fc.assert(
    fc.property(host, (host) => {
      const { zones } = check(`"${host}x." {\n}`, "", "");
      for (const { zone, port } of zones) {
        assert.equal(zone, zone.toLowerCase());
        assert.doesNotThrow(() => parseName(zone));
        assert.ok(port >= 0 && port < 65536);
      }
    }),
    runs,
  );
});

Deno.test("what is written out is read back the same", () => {
  const word = fc.stringMatching(/^[a-z"\\#{}. ]{0,6}$/);
  const line: fc.Arbitrary<string> = fc.letrec<{ line: string }>((tie) => ({
    line: fc.tuple(
      word,
      fc.array(word, { maxLength: 3 }),
      fc.option(fc.array(tie("line"), { maxLength: 3 }), { maxDepth: 3 }),
    )
      .map(([name, args, block]) =>
        [name, ...args].map(quote).join(" ") + (block ? ` {\n${block.join("")}}` : "") + "\n"
      ),
  })).line;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      const text = `{\n${lines.join("")}}\n`;
      const { corefile, problems } = read(text);
      assert.deepEqual(problems.errors, []);
      assert.equal(rewrite(corefile), text);
    }),
    { ...runs, numRuns: 500 },
  );
});

Deno.test("a large file is read whole, and a large file of slips is told whole", () => {
  const many = (block: string) =>
    Array.from({ length: 20_000 }, (_, i) => block.replace("#", String(i))).join("");
  assert.equal(check(many("zone#.example {\n whoami a b c\n}\n"), "", "").zones.length, 20_000);
  const { shown } = check(many("zone#.example {\n whoareyou\n}\n"), "", "");
  assert.match(shown, /20000 errors\n$/);
});

function rewrite({ globals }: Corefile): string {
  return `{\n${globals.map(rewriteLine).join("")}}\n`;
}

function rewriteLine({ name, args, block }: Directive): string {
  const words = [name, ...args].map(({ text }) => quote(text)).join(" ");
  return words + (block ? ` {\n${block.map(rewriteLine).join("")}}` : "") + "\n";
}

/** A word in quotes. A backslash before a quote cannot be written at all, so backslashes become letters. */
function quote(word: string): string {
  return `"${word.replaceAll("\\", "b").replaceAll('"', '\\"')}"`;
}

function words({ globals, blocks }: Corefile) {
  return [
    ...blocks.flatMap(({ keys }) => keys),
    ...wordsOf(globals),
    ...wordsOf(blocks.flatMap((b) => b.directives)),
  ];
}

function wordsOf(lines: readonly Directive[]): Directive["name"][] {
  return lines.flatMap(({ name, args, block = [] }) => [name, ...args, ...wordsOf(block)]);
}
