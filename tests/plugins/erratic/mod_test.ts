import assert from "node:assert/strict";
import { Problems } from "../../../core/plugin.ts";
import erratic from "../../../plugins/erratic/mod.ts";
import { startBlock } from "../../support/block.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

Deno.test("erratic reads CoreDNS's options and defaults", () => {
  const none = { drop: 0, truncate: 0, delay: 0, delayMs: 100, large: false };
  const table: [text: string, expected: unknown][] = [
    ["erratic", { ...none, drop: 2 }],
    ["erratic {\n drop 3\n}", { ...none, drop: 3 }],
    ["erratic {\n truncate\n}", { ...none, truncate: 2 }],
    ["erratic {\n delay\n}", { ...none, delay: 2 }],
    ["erratic {\n delay 3 50ms\n truncate 5\n}", { ...none, delay: 3, delayMs: 50, truncate: 5 }],
    ["erratic {\n drop\n truncate 4\n large\n}", { ...none, drop: 2, truncate: 4, large: true }],
    ["erratic {\n drop -1\n}", "AMOUNT must be from 0 to 2147483647: got '-1'"],
    ["erratic {\n delay 2 forever\n}", "DURATION must be a duration"],
    ["erratic x", "after 'x'"],
  ];
  for (const [text, expected] of table) {
    const problems = new Problems();
    const config = problems.attempt(() => erratic.parse(directivesOf(text), parseScopeOf({ problems })));
    if (typeof expected === "string") assert(problems.errors[0]?.message.includes(expected), text);
    else assert.deepEqual([config, problems.errors], [expected, []], text);
  }
});

Deno.test("erratic drops, truncates and delays one query in so many, the first among them", async () => {
  const dropping = await startBlock("example.org:1053 {\n erratic\n}\n");
  const replies = [];
  for (let i = 0; i < 4; i++) replies.push(await dropping.ask("example.org"));
  const answer = ["NOERROR aa", "example.org. 0 A 192.0.2.53"];
  assert.deepEqual(replies, [["silence"], answer, ["silence"], answer]);
  await dropping.close();

  const cutting = await startBlock("example.org:1053 {\n erratic {\n truncate 2\n }\n}\n");
  assert.deepEqual(await cutting.ask("example.org", "AAAA"), ["NOERROR aa tc"]);
  assert.deepEqual(await cutting.ask("example.org", "AAAA"), [
    "NOERROR aa",
    "example.org. 0 AAAA 2001:db8::53",
  ]);
  assert.deepEqual(await cutting.ask("example.org", "MX"), ["SERVFAIL tc"]);
  await cutting.close();
});

Deno.test("erratic delays by the clock", async () => {
  const block = await startBlock("example.org:1053 {\n erratic {\n delay 2 50ms\n large\n }\n}\n");
  const { clock } = block.virtual;
  const late: string[][] = [];
  const asked = block.ask("example.org").then((reply) => void late.push(reply));
  await block.virtual.advanceTo(clock.nowMs() + 49);
  assert.equal(late.length, 0);
  await block.virtual.advanceTo(clock.nowMs() + 1);
  await asked;
  assert.equal(late[0]!.length, 41);
  assert.deepEqual(await block.ask("example.org", "A", { edns: false }), ["NOERROR aa tc"]);
  await block.close();
});
