import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Namesakes } from "../../../core/membership/namesakes.ts";
import { NewsGatherer } from "../../../core/membership/news.ts";
import type { News } from "../../../core/membership/protocol.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Difference } from "../../../core/state/replica.ts";

/** What is said at each pulse, five seconds apart. */
function saidOf(pulses: string): string {
  const namesakes = new Namesakes();
  return Array.from(pulses, (instance, i) => namesakes.take("fra", instance, i * 5000) ? "!" : ".").join("");
}

Deno.test("two servers of one name are found by their turns, a server and its successor are none", () => {
  assert.equal(saidOf("aaaaaa"), "......");
  assert.equal(saidOf("ababababab"), "....!!!!!!");
  assert.equal(saidOf("aabbaabbaabb"), "........!!!!");
  // One server after the other, the old one heard once more.
  assert.equal(saidOf("aaabbbccc"), ".........");
  assert.equal(saidOf("aaababbbb"), ".........");
  assert.equal(saidOf("aaabbbaaa"), ".........");
  // Once one of them has gone it is over within a minute.
  assert.equal(saidOf(`ababab${"b".repeat(14)}`).slice(-3), "...");
});

Deno.test("names are told apart, and who does not say which process it is counts as one", () => {
  const namesakes = new Namesakes();
  for (let i = 0; i < 8; i++) {
    assert.equal(namesakes.take("fra", "a", i), false);
    assert.equal(namesakes.take("nyc", "b", i), false);
    assert.equal(namesakes.take("old", undefined, i), false);
  }
});

Deno.test("that two go by one name is told with the server's news", () => {
  const clock = new ManualClock(), told: News[] = [];
  let hear = (_: readonly Difference[]) => {};
  const gatherer = new NewsGatherer({
    server: "nyc",
    replica: {
      ...{
        get: () => undefined,
        below: function* () {},
        revision: 1,
        confirmedMs: clock.nowMs(),
        fault: undefined,
      },
      onChange: (listener) => (hear = listener, () => {}),
    },
    clock,
    log: { error() {} },
    tell: (news) => void told.push(news),
  });
  gatherer.start();
  for (const instance of "ababab") {
    const value = JSON.stringify({ instance, nowMs: clock.nowMs() });
    hear([{ key: KEYS.server("fra"), after: { key: KEYS.server("fra"), value, revision: 2, version: 1 } }]);
    clock.advance(1000);
  }
  const flags = told.flatMap(({ servers }) => servers?.fra ? [servers.fra.isTwice ?? false] : []);
  assert.deepEqual(flags, [false, false, false, false, true, true]);
  gatherer.close();
});
