import assert from "node:assert/strict";
import { emptyAnswer, type ParseScope, Problems } from "../../../core/plugin.ts";
import type { Answer, QueryContext } from "../../../core/plugin.ts";
import bufsize, { clampAnswer, clampQuery } from "../../../plugins/bufsize/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

const withSize = (payloadSize: number) =>
  contextOf({ edns: { version: 0, payloadSize, dnssecOk: true, options: [] } });

Deno.test("bufsize takes a size from 512 to 4096, 1232 by default", () => {
  const table: [text: string, size: number | undefined, message?: RegExp][] = [
    ["bufsize", 1232],
    ["bufsize 512", 512],
    ["bufsize 4096", 4096],
    ["bufsize 511", undefined, /SIZE must be from 512 to 4096: got '511'/],
    ["bufsize 4097", undefined, /got '4097'/],
    ["bufsize large", undefined, /SIZE must be a whole number: got 'large'/],
    ["bufsize 512 1", undefined, /after '1'/],
  ];
  for (const [text, size, message] of table) {
    const problems = new Problems();
    const config = problems.attempt(() => bufsize.parse(directivesOf(text), { problems } as ParseScope));
    assert.equal(config?.size, size, text);
    if (message) assert.match(problems.errors[0]!.message, message);
    else assert.deepEqual(problems.errors, []);
  }
});

Deno.test("clampQuery() lowers a client's size and never raises it", () => {
  assert.deepEqual(clampQuery(withSize(4096), 1232), withSize(1232));
  const small = withSize(600);
  assert.equal(clampQuery(small, 1232), small);
  const { edns: _, ...plain } = contextOf();
  assert.equal(clampQuery(plain, 1232), plain);
});

Deno.test("clampAnswer() bounds what is sent and announced, and keeps a lower bound", () => {
  assert.deepEqual(clampAnswer(emptyAnswer(0), 1232), emptyAnswer(0, { payloadSize: 1232 }));
  const low = emptyAnswer(0, { payloadSize: 600 });
  assert.deepEqual(clampAnswer(low, 1232), low);
});

Deno.test("bufsize clamps on the way down and on the way up", () => {
  const plugin = bufsize.answerer({ size: 1232 });
  let seen: QueryContext | undefined;
  const answer = plugin.answer(withSize(4096), (context) => (seen = context, emptyAnswer(0)));
  assert.equal(seen?.edns?.payloadSize, 1232);
  assert.equal((answer as Answer).payloadSize, 1232);
});
