import assert from "node:assert/strict";
import type { Answer } from "../../../core/answer.ts";
import { CorefileError, Problems } from "../../../core/corefile/directive.ts";
import { guarded } from "../../../core/custom/guard.ts";
import { pluginIn } from "../../../core/custom/unhandled.ts";
import { ManualClock } from "../../../core/clock.ts";
import { type ControlScope, emptyAnswer, INDEPENDENT, type PluginModule } from "../../../core/plugin.ts";
import { contextOf } from "../../support/context.ts";

const URL_OF_IT = "file:///plugins/mine.js?v=1";
const DIRECTIVE = {
  name: { text: "mine", at: { file: "Corefile", line: 3, column: 5 }, quoted: false },
  args: [],
};

function guardedWith(more: Partial<PluginModule>, reported: string[] = []): PluginModule {
  const module = { name: "mine", usage: "mine", options: {}, parse: () => ({}), ...more };
  return guarded(module, URL_OF_IT, (message) => void reported.push(message));
}

const boom = () => {
  throw new RangeError("boom");
};

Deno.test("guarded() makes what parse() throws an error at the directive", () => {
  const parse = () => guardedWith({ parse: boom }).parse([DIRECTIVE], {} as never);
  assert.throws(parse, (error: CorefileError) => {
    assert.ok(error instanceof CorefileError);
    assert.deepEqual(error.at, DIRECTIVE.name.at);
    assert.equal(error.message, "mine: parse() threw: RangeError: boom");
    return true;
  });
});

Deno.test("guarded() leaves an error that has its place as it is", () => {
  const own = new CorefileError(DIRECTIVE.name, "mine: a day that is none");
  const parse = () => {
    throw own;
  };
  assert.throws(() => guardedWith({ parse }).parse([DIRECTIVE], {} as never), own);
});

for (
  const [what, config, why] of [
    ["a function", { act: () => {} }, /could not be cloned/],
    ["a promise", Promise.resolve({}), /it is a promise/],
    ["nothing", undefined, /it is nothing/],
  ] as const
) {
  Deno.test(`guarded() refuses a Config that is or has ${what}`, () => {
    const parse = () => guardedWith({ parse: () => config }).parse([DIRECTIVE], {} as never);
    assert.throws(parse, {
      name: "CorefileError",
      message: /^mine: what parse\(\) returned must be plain data: /,
    });
    assert.throws(parse, { message: why });
  });
}

Deno.test("guarded() has work that was under way when a plugin was closed start nothing anew", async () => {
  const clock = new ManualClock();
  const owned: { close(): void | Promise<void> }[] = [], told: string[] = [];
  let given!: ControlScope;
  const start = (_: unknown, scope: ControlScope) => {
    given = scope;
    scope.own({ close: () => void told.push("closed") });
    scope.clock.after(10, () => void told.push("early"));
    scope.clock.after(30, () => void told.push("forgotten"));
    scope.publish("a");
  };
  const own = <R extends { close(): void | Promise<void> }>(resource: R) => (owned.push(resource), resource);
  const scope = { clock, own, publish: (value: unknown) => void told.push(`published ${value}`) };
  await guardedWith({ start }).start!({}, scope as never);
  clock.advance(20);
  for (const resource of owned.splice(0).reverse()) resource.close();
  given.clock.after(10, () => void told.push("late"));
  given.publish("b");
  given.own({ close: () => void told.push("closed at once") });
  clock.advance(60_000);
  assert.deepEqual(told, ["published a", "early", "closed", "closed at once"]);
});

Deno.test("guarded() reports what other questions throw, and answers them as if nobody had been asked", () => {
  const reported: string[] = [];
  const module = guardedWith({ verify: boom, listenOn: boom, answersAll: boom, limits: boom }, reported);
  module.verify!({}, {} as never, new Problems());
  assert.deepEqual(module.listenOn!({}), []);
  assert.deepEqual(module.limits!({}), {});
  assert.equal(module.answersAll!({}, "" as never), false);
  assert.deepEqual(
    reported,
    ["verify", "listenOn", "limits", "answersAll"].map((what) => `mine: ${what}() threw: RangeError: boom`),
  );
});

Deno.test("guarded() names the plugin whose start() fails, at once or later", async () => {
  for (const start of [boom, () => Promise.reject(new RangeError("boom"))]) {
    await assert.rejects(async () => await guardedWith({ start }).start!({}, { own: () => {} } as never), {
      message: "mine: start() threw: RangeError: boom",
    });
  }
});

Deno.test("guarded() takes no answer for one that is none, now or later", async () => {
  for (const value of [undefined, { rcode: 0 }, "NOERROR", Promise.resolve({})]) {
    const answerer = () => ({ name: "x", answer: () => value as unknown as Answer });
    const plugin = guardedWith({ answerer }).answerer!({}, {} as never)!;
    const ask = async () => await plugin.answer(contextOf(), () => emptyAnswer(0));
    await assert.rejects(ask, { name: "TypeError", message: /^answer\(\) returned .*: wanted an answer/ });
  }
});

Deno.test("guarded() keeps the plugin's name, and what it has beside answer()", () => {
  const observed: number[] = [];
  class Mine {
    readonly name = "another";
    readonly #rcode = 5;
    answer = () => emptyAnswer(this.#rcode);
    observe(_: unknown, answer: Answer) {
      observed.push(answer.rcode);
    }
    admits() {
      return this.#rcode === 5;
    }
    admission() {
      return { ...INDEPENDENT, scopePrefixLength: this.#rcode };
    }
    readonly givesCookies = true as const;
    tallies() {
      return [{ series: { record() {} }, value: this.#rcode }];
    }
    gate() {
      return () => this.#rcode === 5;
    }
    repeater() {
      return () => void observed.push(this.#rcode + 1);
    }
  }
  const plugin = guardedWith({ answerer: () => new Mine() }).answerer!({}, {} as never)!;
  const answer = plugin.answer(contextOf(), () => emptyAnswer(0)) as Answer;
  assert.equal(plugin.name, "mine");
  assert.equal(answer.rcode, 5);
  plugin.observe!(contextOf(), answer, {} as never);
  assert.deepEqual(observed, [5]);
  assert.equal(plugin.admits!(contextOf()), true);
  assert.equal(plugin.admission!(contextOf()).scopePrefixLength, 5);
  assert.equal(plugin.givesCookies, true);
  assert.equal(plugin.tallies!(contextOf(), answer, {} as never)[0]!.value, 5);
  assert.equal(plugin.gate!(contextOf())!(contextOf().source.address, 0, "absent"), true);
  plugin.repeater!(contextOf(), answer, {} as never)!({} as never);
  assert.deepEqual(observed, [5, 6]);
  assert.equal(plugin.readsOptions, true, "whoever does not say so may look at any option");
  const blind = { name: "mine", answer: () => emptyAnswer(0), readsOptions: false };
  assert.equal(guardedWith({ answerer: () => blind }).answerer!({}, {} as never)!.readsOptions, false);
});

Deno.test("guarded() takes the blame for a label that somebody else asked for", () => {
  const answerer = () => ({ name: "mine", answer: () => emptyAnswer(0), labels: { "mine/x": boom } });
  const plugin = guardedWith({ answerer }).answerer!({}, {} as never)!;
  assert.throws(() => plugin.labels!["mine/x"]!(contextOf()), { name: "PluginFault", message: "mine: boom" });
});

Deno.test("guarded() tells the place in the plugin's own file", () => {
  const error = new TypeError("x is not a function");
  error.stack =
    "TypeError: x is not a function\n    at Object.parse (file:///plugins/mine.js?v=1:12:5)\n    at file:///core/x.ts:1:1";
  const parse = () => {
    throw error;
  };
  assert.throws(() => guardedWith({ parse }).parse([DIRECTIVE], {} as never), {
    message: "mine: parse() threw: TypeError: x is not a function (mine.js:12:5)",
  });
});

const customs = [
  { name: "one", url: "file:///plugins/one/mod.ts?v=1", index: 0 },
  { name: "two", url: "file:///plugins/two.js?v=2", index: 1 },
];

const stacks: [stack: string, plugin: string | undefined][] = [
  ["Error: x\n    at file:///core/a.ts:1:1\n    at file:///plugins/two.js?v=2:3:4", "two"],
  ["Error: x\n    at rule (file:///plugins/one/rule.ts:3:4)\n    at file:///plugins/two.js?v=2:3:4", "two"],
  ["Error: x\n    at rule (file:///plugins/one/rule.ts:3:4)", "one"],
  ["Error: x\n    at file:///core/a.ts:1:1", undefined],
  ["no stack at all", undefined],
];

for (const [stack, plugin] of stacks) {
  Deno.test(`pluginIn() finds ${plugin ?? "nobody"} in ${JSON.stringify(stack)}`, () => {
    assert.equal(pluginIn(stack, customs), plugin);
  });
}
