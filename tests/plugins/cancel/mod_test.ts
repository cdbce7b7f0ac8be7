import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { type Answer, emptyAnswer, Problems } from "../../../core/plugin.ts";
import cancel, { answerer } from "../../../plugins/cancel/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, parseScopeOf } from "../../support/scopes.ts";

const DONE = emptyAnswer(0);

function make(timeoutMs = 5001) {
  const clock = new ManualClock(), counted: string[] = [];
  const count = (name: string) => void counted.push(name);
  return { clock, counted, plugin: answerer({ timeoutMs }, answerScopeOf({ clock, count })) };
}

Deno.test("cancel answers SERVFAIL after its time, once, and counts it", async () => {
  const { clock, counted, plugin } = make();
  const below = Promise.withResolvers<Answer>();
  const answer = plugin.answer(contextOf(), () => below.promise);
  clock.advance(5000);
  assert.deepEqual(counted, []);
  clock.advance(1);
  const { rcode, momentary, fault } = await answer;
  assert.deepEqual([rcode, momentary, fault], [2, true, {
    plugin: "cancel",
    message: "cancel: no answer within 5001 ms",
  }]);
  below.resolve(DONE);
  await below.promise;
  assert.deepEqual(counted, ["meridian_cancel_late_total"]);
});

Deno.test("cancel passes on what comes in time, and leaves no timer behind", async () => {
  const { clock, plugin, counted } = make();
  assert.equal(await plugin.answer(contextOf(), () => Promise.resolve(DONE)), DONE);
  await undefined;
  assert.equal(clock.nextMs, Infinity);
  clock.advance(10_000);
  assert.deepEqual(counted, []);
});

Deno.test("cancel makes no promise of an answer that does not wait", () => {
  assert.equal(make().plugin.answer(contextOf(), () => DONE), DONE);
});

Deno.test("cancel passes on a failure, and hides one that comes too late", async () => {
  const { clock, plugin } = make();
  await assert.rejects(async () =>
    await plugin.answer(contextOf(), () => Promise.reject(new Error("sudden")))
  );
  const below = Promise.withResolvers<Answer>();
  const answer = plugin.answer(contextOf(), () => below.promise);
  clock.advance(6000);
  assert.equal((await answer).rcode, 2);
  below.reject(new Error("late"));
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("cancel reads its time, 5001 ms by default", () => {
  const read = (text: string) => {
    const problems = new Problems();
    const config = problems.attempt(() => cancel.parse(directivesOf(text), parseScopeOf({ problems })));
    return { config, error: problems.errors[0]?.message };
  };
  assert.deepEqual(read("cancel").config, { timeoutMs: 5001 });
  assert.deepEqual(read("cancel 1s").config, { timeoutMs: 1000 });
  assert.match(read("cancel 0s").error!, /TIMEOUT must be from 1ms to 1h: got '0s'/);
  assert.match(read("cancel soon").error!, /must be a duration/);
  assert.match(read("cancel 1s 2s").error!, /takes no more here/);
  assert.match(read("cancel\ncancel").error!, /stands twice/);
});
