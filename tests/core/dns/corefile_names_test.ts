import assert from "node:assert/strict";
import { CorefileError, Problems } from "../../../core/corefile/directive.ts";
import { readName, readNames } from "../../../core/dns/corefile_names.ts";
import { formatName } from "../../../core/dns/name.ts";

function namesOf(text: string): string[] {
  const token = { text, at: { file: "Corefile", line: 3, column: 5 }, quoted: false };
  return readNames(token, new Problems()).map(formatName);
}

Deno.test("readNames() folds a name, and takes the reverse zones of a network", () => {
  const table: [string, string[]][] = [
    ["Example.ORG", ["example.org."]],
    [".", ["."]],
    ["dns://example.org:53", ["example.org."]],
    ["10.0.0.0/8", ["10.in-addr.arpa."]],
    ["192.0.2.0/25", Array.from({ length: 128 }, (_, i) => `${i}.2.0.192.in-addr.arpa.`)],
    ["2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa."]],
  ];
  for (const [text, names] of table) assert.deepEqual(namesOf(text), names, text);
});

Deno.test("readNames() points at a word that is no name", () => {
  assert.throws(() => namesOf("a..b"), (error) => error instanceof CorefileError && error.at.column === 5);
});

Deno.test("readName() takes one name, and points at a word that is none", () => {
  const at = (text: string) => ({ text, at: { file: "Corefile", line: 3, column: 5 }, quoted: false });
  assert.equal(formatName(readName(at("Example.ORG"))), "example.org.");
  for (const text of ["a..b", "", `${"a".repeat(64)}.example`]) {
    assert.throws(
      () => readName(at(text)),
      (error) => error instanceof CorefileError && error.at.column === 5,
    );
  }
});
