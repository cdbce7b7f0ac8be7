import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { NewsGatherer } from "../../../core/membership/news.ts";
import type { News } from "../../../core/membership/protocol.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Entry } from "../../../core/state/store.ts";
import { gathererOf } from "./leased.ts";

Deno.test("what the store says of one node keeps nobody from hearing of the others", () => {
  const clock = new ManualClock(), nowMs = clock.nowMs(), told: News[] = [], said: string[] = [];
  const registration = { registeredMs: nowMs - 60_000, server: "fra", said: "" };
  const node = (id: string) => ({
    ...{ id, addresses: ["192.0.2.1"], location: { latitude: 50, longitude: 8 } },
    ...{ origin: "registry", token: "t1" },
  });
  const values: Record<string, object> = {
    ...{ [KEYS.node("n")]: node("n"), [KEYS.node("constructor")]: node("constructor") },
    ...{ [KEYS.registration("n")]: registration, [KEYS.registration("constructor")]: registration },
    ...{ [KEYS.node("bad")]: node("bad"), [KEYS.registration("bad")]: { ...registration, leftMs: 1e300 } },
    [KEYS.alive("fra", 3)]: {
      ...{ atMs: nowMs, heard: { constructor: nowMs, n: nowMs }, draining: { n: nowMs } },
    },
    ...{ [KEYS.pool("a.")]: { name: "a.", answers: 1, description: "ours", origin: "api" } },
    ...{ [KEYS.pool("b.")]: { name: "b.", unknown: { policy: "nearest" } } },
    [KEYS.server("fra")]: { nowMs, notedMs: nowMs },
    [KEYS.reports("fra", 1)]: { toString: { state: "up", sinceMs: 1, reason: "", ramp: 1 } },
  };
  const entries = new Map(
    Object.entries(values).map(([key, value]): [string, Entry] => {
      return [key, { key, value: JSON.stringify(value), revision: 1, version: 1 }];
    }),
  );
  const gatherer = new NewsGatherer({
    server: "fra",
    replica: {
      get: (key: string) => entries.get(key),
      *below(prefix: string): Generator<Entry> {
        for (const entry of entries.values()) if (entry.key.startsWith(prefix)) yield entry;
      },
      onChange: () => () => {},
      revision: 1,
      confirmedMs: nowMs,
      fault: undefined,
    },
    clock,
    log: { error: (message) => void said.push(message) },
    tell: (news) => void told.push(news),
  });
  gatherer.start();
  const { leases, nodes, pools, reports, allThere } = told[0]!;
  assert.deepEqual(pools, { "a.": { name: "a.", answers: 1 } });
  assert.deepEqual(allThere?.pools, ["a.", "b."]);
  assert.ok(said.some((message) => message.includes("pools/b. cannot be used")), `${said}`);
  assert.equal(leases?.["lease n"]?.verdict?.reason.startsWith("draining since"), true);
  assert.equal(leases?.["lease constructor"]?.verdict?.state, "up");
  assert.equal(Object.hasOwn(leases!, "lease bad"), false);
  assert.ok(nodes?.["n"]);
  assert.ok(Object.hasOwn(reports!["fra"]!, "toString"));
  assert.ok(said.some((message) => message.includes("nodes/bad cannot be used")), `${said}`);
  clock.advance(2000);
  assert.ok(told.length > 1, "it goes on");
  gatherer.close();
});

Deno.test("leases that might have ended and have not are no news, a message each", () => {
  const clock = new ManualClock(), beganMs = clock.nowMs();
  // One each two milliseconds.
  const { told, gatherer, hear, start } = gathererOf(clock, 500, (i) => beganMs - 1000 - 2 * i);
  start();
  clock.advance(20_000);
  hear((i) => beganMs + 20_000 - 2 * i);
  clock.advance(7000);
  // By what was heard first, each of the five hundred would end by itself in the two seconds that come.
  const before = told.length;
  clock.advance(3000);
  assert.ok(told.length - before <= 4, `${told.length - before} messages in 3 s without news`);
  assert.ok(told.slice(before).every(({ leases }) => leases === undefined));
  clock.advance(25_000);
  gatherer.close();
});
