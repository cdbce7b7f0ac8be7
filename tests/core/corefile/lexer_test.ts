import assert from "node:assert/strict";
import { Problems } from "../../../core/corefile/directive.ts";
import { lex } from "../../../core/corefile/lexer.ts";
import { errors, warnings } from "./reading.ts";

const environment: Record<string, string> = {
  PORT: "8080",
  ADDRESS: "example.org",
  SPACED: "two words",
  SELF: "{$SELF}",
  EMPTY: "",
};

function words(text: string, problems = new Problems()) {
  return lex(text, "Corefile", (name) => environment[name], problems);
}

const texts: [title: string, text: string, expected: string[]][] = [
  ["an empty file", "", []],
  ["blanks alone", " \t\r\n\n", []],
  ["words over lines", "a b c\nd e", ["a", "b", "c", "d", "e"]],
  ["every kind of white space", "a\u00a0b\u2003c\u3000d\x85e\vf\fg\u2028h", [..."abcdefgh"]],
  ["a leading byte order mark", "\ufeffa b", ["a", "b"]],
  ["carriage returns, even inside a word", "fo\ro\r\nbar\r\n", ["foo", "bar"]],
  ["a comment", "a # b c\nd #e\n#f", ["a", "d"]],
  ["a comment right after a quote", '"a"#b c\nd', ["a", "d"]],
  ["a # inside a word", "foo#bar baz", ["foo#bar", "baz"]],
  ["quotes", '"a b" c', ["a b", "c"]],
  ["quotes over lines", '"a\n\nb" c', ["a\n\nb", "c"]],
  ["a carriage return in quotes", '"a\r\nb"', ["a\r\nb"]],
  ["an escaped quote", String.raw`"say \"hi\"" x`, ['say "hi"', "x"]],
  ["other escapes", String.raw`"a\nb\\" c`, [String.raw`a\nb\\`, "c"]],
  ["a word after a closing quote", '"a"b', ["a", "b"]],
  ["a quote inside a word", 'a"b c"', ['a"b', 'c"']],
  ["an empty word", 'a "" b', ["a", "", "b"]],
  ["an unclosed quote, to the end of its line", 'a "b c\nd', ["a", "b c"]],
  ["an unclosed quote at the end", 'a "', ["a"]],
  ["a backslash at the end of an unclosed quote", '"a\\', ["a"]],
  ["other quotes as characters", "'a b' `c", ["'a", "b'", "`c"]],
  ["braces as words only when they stand apart", "a{ { } b}", ["a{", "{", "}", "b}"]],
  ["log formats as words", "{combined} {/a/b} {>id}", ["{combined}", "{/a/b}", "{>id}"]],
  ["no continuation of lines", "a \\\nb", ["a", "\\", "b"]],
  ["a variable", "{$ADDRESS}:{$PORT}", ["example.org:8080"]],
  ["a variable by per cent", ":{%PORT%}", [":8080"]],
  ["both kinds in one word", "{%ADDRESS%}:{$PORT}", ["example.org:8080"]],
  ["a variable in quotes", '"{{ .Name }} {$ADDRESS}"', ["{{ .Name }} example.org"]],
  ["a value with blanks as one word", "a {$SPACED} b", ["a", "two words", "b"]],
  ["a value that is not looked at again", "{$SELF}", ["{$SELF}"]],
  ["an unset variable", "localhost:{$NOWHERE}", ["localhost:"]],
  ["an empty variable", "a{$EMPTY}b", ["ab"]],
  ["malformed variables", "{$} {%} {%ADDRESS} {$ADDRESS {%%}", [
    "{$}",
    "{%}",
    "{%ADDRESS}",
    "{$ADDRESS",
    "{%%}",
  ]],
  ["a variable with a name that none has", ":{$PORT$}", [":"]],
];

for (const [title, text, expected] of texts) {
  Deno.test(`lex() reads ${title}`, () => {
    assert.deepEqual(words(text).map(({ token }) => token.text), expected);
  });
}

Deno.test("lex() gives the position of each word, columns in characters", () => {
  const places = words('\ufeff# x\n\t\u{1f30d}\u{1f30d} b\r\n  "c\nd" e').map(({ token: { text, at } }) =>
    `${at.line}:${at.column} ${text}`
  );
  assert.deepEqual(places, ["2:2 \u{1f30d}\u{1f30d}", "2:5 b", "3:3 c\nd", "4:4 e"]);
});

Deno.test("lex() says which words begin a line, quotes over lines included", () => {
  const starts = words('a b\nc "d\ne" f\n\ng').filter(({ startsLine }) => startsLine);
  assert.deepEqual(starts.map(({ raw }) => raw), ["a", "c", "g"]);
});

Deno.test("lex() says which words were quoted", () => {
  assert.deepEqual(words('"a" b ""').map(({ token }) => token.quoted), [true, false, true]);
});

const complaints: [text: string, expectedErrors: string[], expectedWarnings: string[]][] = [
  ["a#b c#", [], [
    "1:2 '#' inside a word starts no comment: put a blank before it, or quote the word",
    "1:6 '#' inside a word starts no comment: put a blank before it, or quote the word",
  ]],
  ['"a#b" #c', [], []],
  ["a:{$NOWHERE}", [], ["1:1 Environment variable 'NOWHERE' is not set: read as nothing"]],
  ["{$EMPTY}", [], []],
  ['a\nb "c\n', ["2:3 Unexpected EOF: the quote that opens here is never closed"], []],
  ["a “b”", [`1:3 Unexpected typographic quote '“': a word is quoted with "`], []],
  ['"“b”" it’s', [], []],
  ["a\u200bb", ["1:1 Unexpected invisible character U+200B in 'a\u200bb': delete it"], []],
];

for (const [text, expectedErrors, expectedWarnings] of complaints) {
  Deno.test(`lex() complains about ${JSON.stringify(text)}`, () => {
    const problems = new Problems();
    words(text, problems);
    assert.deepEqual(errors(problems), expectedErrors);
    assert.deepEqual(warnings(problems), expectedWarnings);
  });
}
