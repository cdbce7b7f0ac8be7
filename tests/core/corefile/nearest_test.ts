import assert from "node:assert/strict";
import { nearest } from "../../../core/corefile/nearest.ts";

const words = ["forward", "file", "health", "geo", "ttl"];

const table: [word: string, expected: string | undefined][] = [
  ["forwrad", "forward"],
  ["forwardd", "forward"],
  ["fil", "file"],
  ["File", "file"],
  ["hea", undefined],
  ["gio", "geo"],
  ["tll", "ttl"],
  ["whoami", undefined],
  ["", undefined],
];

for (const [word, expected] of table) {
  Deno.test(`nearest() to '${word}' is ${expected ?? "nothing"}`, () => {
    assert.equal(nearest(word, words), expected);
  });
}

Deno.test("nearest() of several equally near is the first", () => {
  assert.equal(nearest("cat", ["bat", "rat"]), "bat");
});
