import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { ImportError } from "../../../core/import/imported.ts";
import { readVscf, type Vscf } from "../../../core/import/vscf.ts";
import { sourceOf } from "./import_fixture.ts";

/** Words, lists and objects in place of values with positions. */
function plain(value: Vscf): unknown {
  switch (value.kind) {
    case "word":
      return value.text;
    case "list":
      return value.items.map(plain);
    case "table":
      return Object.fromEntries([...value.entries].map(([key, one]) => [key, plain(one)]));
  }
}

function read(text: string, files: Record<string, string> = {}): unknown {
  return plain(readVscf("etc/config", sourceOf({ "etc/config": text, ...files })));
}

Deno.test("readVscf() takes gdnsd's three ways of writing the same", () => {
  const same = { options: { listen: ["192.0.2.1", "192.0.2.2"] } };
  assert.deepEqual(read("options = {\n  listen = [ 192.0.2.1, 192.0.2.2 ],\n}\n"), same);
  assert.deepEqual(read('"options" => {\n  listen => [ 192.0.2.1 192.0.2.2 ]\n}\n'), same);
  assert.deepEqual(read("options={listen=[192.0.2.1 192.0.2.2]}"), same);
});

Deno.test("readVscf() takes quotes and escapes", () => {
  const table: [written: string, word: string][] = [
    ["example", "example"],
    ["ex\\097mpl\\e", "example"],
    ['"ex\\097mpl\\e"', "example"],
    ['internal\\"doublequote', 'internal"doublequote'],
    ["white\\ space", "white space"],
    ['"braces{every[where]oh}my"', "braces{every[where]oh}my"],
    ["braces\\{every\\[where\\]oh\\}my", "braces{every[where]oh}my"],
    ["\\\\\\=\\=\\=", "\\==="],
    ['"# no ; comment"', "# no ; comment"],
    ["%%ITEM%%", "%%ITEM%%"],
  ];
  for (const [written, word] of table) assert.deepEqual(read(`k => ${written}`), { k: word }, written);
});

Deno.test("readVscf() passes over comments and commas", () => {
  assert.deepEqual(read("# one\na = b ; two\n, c => { d = [ ], } # three"), { a: "b", c: { d: [] } });
  assert.deepEqual(read(""), {});
});

Deno.test("readVscf() includes files as values and into tables", () => {
  const files = {
    "etc/list": "[ 127.0.0.1 127.0.0.2 ]",
    "etc/geo.cfg": "geoip => { x = y }",
    "etc/plugins.d/a": "weighted => {}",
    "etc/plugins.d/b": "simplefo => $include{../list}",
    "/abs": "k = v",
  };
  const text =
    'listen => $include{list}, $include{ "/abs" } plugins => { $include{geo.cfg} $include{plugins.d} }';
  assert.deepEqual(read(text.replace("../list", "x"), { ...files, "etc/plugins.d/../list": "[ a ]" }), {
    listen: ["127.0.0.1", "127.0.0.2"],
    k: "v",
    plugins: { geoip: { x: "y" }, weighted: {}, simplefo: ["a"] },
  });
  assert.deepEqual(read("$include{geo*}", files), { geoip: { x: "y" } });
});

Deno.test("readVscf() says what is wrong and where", () => {
  const table: Record<string, RegExp> = {
    "a b": /^etc\/config:1:3 found 'b': wanted '=>' after a$/,
    "a = {\n b = c": /^etc\/config:2:7 found the end of the file: wanted a word$/,
    "a = [ b": /^etc\/config:1:8 found the end of the file: wanted a word$/,
    "a =": /^etc\/config:1:4 found the end of the file: wanted a word$/,
    "a = b }": /^etc\/config:1:7 found '}': wanted a word$/,
    "\n[ a ]": /^etc\/config:2:1 found a list: wanted keys and values$/,
    "a = $include{none}": /^etc\/none:1:1 cannot read etc\/none: there is no such file$/,
    "$include{none*}": /^etc\/config:1:1 no file fits etc\/none\*$/,
    "$include{config}": /found files included 33 deep/,
  };
  for (const [text, expected] of Object.entries(table)) {
    assert.throws(() => read(text), (error: unknown) => {
      assert.ok(error instanceof ImportError, text);
      assert.match(`${formatPosition(error.at)} ${error.message}`, expected);
      return true;
    });
  }
});
