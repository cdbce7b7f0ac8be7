import assert from "node:assert/strict";
import { emptyAnswer, Problems, type QueryContext } from "../../../core/plugin.ts";
import header from "../../../plugins/header/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { startBlock } from "../../support/block.ts";
import { parseScopeOf } from "../../support/scopes.ts";

Deno.test("header reads flags, the later of two lines counting", () => {
  const table: [text: string, expected: unknown][] = [
    ["header {\n response set ra aa\n response clear rd\n}", {
      query: {},
      response: { ra: true, aa: true, rd: false },
    }],
    ["header {\n query set rd\n query clear rd cd\n}", { query: { rd: false, cd: false }, response: {} }],
    ["header {\n response set aa\n}\nheader {\n response clear aa\n}", {
      query: {},
      response: { aa: false },
    }],
    ["header {\n response set tc\n}", "FLAGS must be aa, ra or rd: got 'tc'"],
    ["header {\n response put aa\n}", "the action must be set or clear: got 'put'"],
    ["header {\n response set\n}", "response wants FLAGS"],
    ["header {\n reply set aa\n}", "unknown property 'reply'"],
    ["header", "wanted lines such as 'response set ra' in its block"],
    ["header x {\n response set aa\n}", "after 'x'"],
  ];
  for (const [text, expected] of table) {
    const scope = parseScopeOf({ problems: new Problems() });
    const config = scope.problems.attempt(() => header.parse(directivesOf(text), scope));
    const [error] = scope.problems.errors;
    if (typeof expected === "string") assert(error?.message.includes(expected), `${text}: ${error?.message}`);
    else assert.deepEqual([config, error], [expected, undefined]);
  }
});

Deno.test("header changes what those below see of a query", () => {
  const config = header.parse(directivesOf("header {\n query set cd\n query clear rd\n}"), parseScopeOf());
  let seen: QueryContext | undefined;
  header.answerer(config).answer(contextOf(), (context) => (seen = context, emptyAnswer(0)));
  assert.deepEqual([seen?.recursionDesired, seen?.checkingDisabled], [false, true]);
});

Deno.test("header sets the flags of a reply, and the query's own stay as they are otherwise", async () => {
  const serve = (lines: string) => startBlock(`example.org:1053 {\n header {\n ${lines}\n }\n whoami\n}\n`);
  const set = await serve("response set ra\n response clear aa rd");
  assert.equal((await set.ask("example.org", "A", { recursionDesired: true }))[0], "NOERROR ra");
  await set.close();
  const query = await serve("query clear rd");
  assert.equal((await query.ask("example.org", "A", { recursionDesired: true }))[0], "NOERROR aa rd");
  await query.close();
});
