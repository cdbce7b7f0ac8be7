import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { CorefileError, Problems } from "../../../core/plugin.ts";
import { parse, spreadMs, start } from "../../../plugins/reload/mod.ts";
import { directivesOf } from "../../support/directives.ts";
import { controlScopeOf, parseScopeOf } from "../../support/scopes.ts";

function parsed(text: string) {
  const problems = new Problems();
  const config = parse(directivesOf(text), parseScopeOf({ problems }));
  return { config, errors: problems.errors.map(({ at, message }) => `${at.line}:${at.column}: ${message}`) };
}

for (
  const [text, intervalMs, jitterMs] of [
    ["reload", 30_000, 15_000],
    ["reload 10s", 10_000, 5000],
    ["reload 2s 1s", 2000, 1000],
    ["reload 1m 10s", 60_000, 10_000],
    ["reload 10s 0s", 10_000, 0],
    ["reload 10s 1m", 10_000, 5000],
  ] as const
) {
  Deno.test(`'${text}' looks every ${intervalMs} ms, spread over ${jitterMs} ms`, () => {
    assert.deepEqual(parsed(text), { config: { intervalMs, jitterMs }, errors: [] });
  });
}

Deno.test("reload reports an interval or a jitter that is too short, and what is too much", () => {
  assert.throws(() => parsed("reload 1s"), /INTERVAL must be .*2s.*'1s'/);
  assert.deepEqual(parsed("reload 10s 100ms").errors, [
    "2:12: reload: JITTER must be 0s or at least 1s: got '100ms'",
  ]);
  assert.throws(() => parsed("reload soon"), CorefileError);
  assert.throws(() => parsed("reload 10s 5s 1s"), /after '1s'/);
  assert.deepEqual(parsed("reload\nreload").errors, [
    "3:1: reload: stands twice in this server block: want it once",
  ]);
});

Deno.test("spreadMs() spreads looks evenly around the interval", () => {
  const config = { intervalMs: 10_000, jitterMs: 4000 };
  assert.deepEqual([0, 0.5, 0.75].map((draw) => spreadMs(config, draw)), [8000, 10_000, 11_000]);
});

Deno.test("reload looks at each interval, one look at a time, until it is closed", async () => {
  const clock = new ManualClock(), owned: { close(): void | Promise<void> }[] = [];
  const looks: PromiseWithResolvers<void>[] = [];
  const process = {
    ...controlScopeOf().process,
    reloadIfChanged() {
      looks.push(Promise.withResolvers());
      return looks.at(-1)!.promise;
    },
  };
  const own = <R extends { close(): void | Promise<void> }>(resource: R) => (owned.push(resource), resource);
  start({ intervalMs: 10_000, jitterMs: 4000 }, controlScopeOf({ clock, process, own, random: () => 0.75 }));
  clock.advance(10_999);
  assert.equal(looks.length, 0);
  clock.advance(1);
  assert.equal(looks.length, 1);
  clock.advance(60_000);
  assert.equal(looks.length, 1);
  looks[0]!.resolve();
  await settled();
  clock.advance(11_000);
  assert.equal(looks.length, 2);
  // Closed while it looks, as by the very reload that it brought about.
  owned[0]!.close();
  looks[1]!.resolve();
  await settled();
  assert.equal(clock.nextMs, Infinity);
});

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await undefined;
}
