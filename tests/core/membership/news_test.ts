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

/** A clock that counts how often somebody was called back. */
class Turns extends ManualClock {
  turns = 0;

  override after(delayMs: number, then: () => void): () => void {
    return super.after(delayMs, () => {
      this.turns++;
      then();
    });
  }
}

Deno.test("who was heard is taken a bucket in a turn of the event loop, before the pulse that came after it, and told once", () => {
  const clock = new Turns(), readIn: number[] = [];
  const onRead = () => void readIn.push(clock.turns);
  const { told, gatherer, hear, start } = gathererOf(clock, 64, () => clock.nowMs(), { buckets: 16, onRead });
  start();
  clock.advance(29_000);
  const heardMs = clock.nowMs();
  // The last that was heard before ends within a second; the one that went is in the last bucket.
  hear((i) => i === 63 ? heardMs - 29_000 : heardMs);
  clock.advance(2000);
  readIn.length = 0;
  const before = told.length;
  // Their pulse says that nothing else was heard: were it taken first, all leases would be over by it.
  clock.advance(28_500);
  hear((i) => i === 63 ? heardMs - 29_000 : clock.nowMs() - 1000);
  clock.advance(100);
  assert.equal(readIn.length, 16);
  assert.equal(new Set(readIn).size, 16, `${readIn}`);
  const leases = told.slice(before).flatMap((news) => news.leases ? [news.leases] : []);
  assert.deepEqual(leases.map((some) => Object.keys(some)), [["lease n63"]]);
  assert.equal(leases[0]!["lease n63"]!.verdict!.state, "down");
  gatherer.close();
});

Deno.test("of very many buckets that come at once a few are taken in a turn: all are known soon", () => {
  const clock = new Turns(), readIn: number[] = [], buckets = 1500;
  const onRead = () => void readIn.push(clock.turns);
  const { gatherer, hear, start } = gathererOf(clock, buckets, () => clock.nowMs(), { buckets, onRead });
  start();
  clock.advance(10_000);
  readIn.length = 0;
  hear(() => clock.nowMs());
  clock.advance(100);
  assert.equal(readIn.length, buckets);
  const turns = new Set(readIn).size;
  assert.ok(turns > 64 && turns < 400, `${turns} turns`);
  gatherer.close();
});
