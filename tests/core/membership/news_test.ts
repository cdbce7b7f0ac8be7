import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { NewsGatherer } from "../../../core/membership/news.ts";
import type { News } from "../../../core/membership/protocol.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Entry } from "../../../core/state/store.ts";

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

/** A gatherer of a store with so many nodes that registered with fra, each of which was heard at an instant. */
function gathererOf(clock: ManualClock, count: number, heardMs: (i: number) => number) {
  const told: News[] = [], ids = Array.from({ length: count }, (_, i) => `n${i}`);
  const entries = new Map<string, Entry>();
  const put = (key: string, value: object): Entry => {
    const entry = { key, value: JSON.stringify(value), revision: 1, version: 1 };
    entries.set(key, entry);
    return entry;
  };
  for (const id of ids) {
    const node = { id, origin: "registry", addresses: ["192.0.2.1"] };
    put(KEYS.node(id), { ...node, location: { latitude: 0, longitude: 0 } });
    put(KEYS.registration(id), { registeredMs: 0, server: "fra", said: "" });
  }
  const fra = (heardMs: (i: number) => number) => {
    const nowMs = clock.nowMs(), heard = Object.fromEntries(ids.map((id, i) => [id, heardMs(i)]));
    return [
      put(KEYS.server("fra"), { nowMs, notedMs: nowMs }),
      put(KEYS.alive("fra", 0), { atMs: nowMs, heard }),
    ];
  };
  fra(heardMs);
  let listener: (differences: readonly { key: string; after: Entry }[]) => void = () => {};
  const gatherer = new NewsGatherer({
    server: "fra",
    replica: {
      get: (key: string) => entries.get(key),
      *below(prefix: string): Generator<Entry> {
        for (const entry of entries.values()) if (entry.key.startsWith(prefix)) yield entry;
      },
      onChange(one) {
        listener = one as typeof listener;
        return () => {};
      },
      revision: 1,
      confirmedMs: clock.nowMs(),
      fault: undefined,
    },
    clock,
    log: { error: (message) => assert.fail(message) },
    tell: (news) => void told.push(news),
  });
  gatherer.start();
  /** All of them are heard anew. */
  const hear = (heardMs: (i: number) => number) =>
    listener(fra(heardMs).map((after) => ({ key: after.key, after })));
  return { told, gatherer, hear };
}

Deno.test("leases that might have ended and have not are no news, a message each", () => {
  const clock = new ManualClock(), beganMs = clock.nowMs();
  // One each two milliseconds.
  const { told, gatherer, hear } = gathererOf(clock, 500, (i) => beganMs - 1000 - 2 * i);
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

Deno.test("of a lease that goes on it is told until when it holds while that is a while yet, and never later than it does", () => {
  const clock = new ManualClock(), leaseMs = 30_000;
  const { told, gatherer, hear } = gathererOf(clock, 1, () => clock.nowMs());
  let taken = 0, tellings = 0, toldMs = -Infinity;
  for (let beat = 0; beat < 20; beat++) {
    const heardMs = clock.nowMs();
    hear(() => heardMs);
    for (let second = 0; second < 10; second++) {
      clock.advance(1000);
      for (; taken < told.length; taken++) {
        const downMs = told[taken]!.leases?.["lease n0"]?.deadline?.downMs;
        if (downMs === undefined) continue;
        tellings++;
        toldMs = downMs;
      }
      assert.ok(toldMs <= heardMs + leaseMs && toldMs > clock.nowMs(), `${toldMs - clock.nowMs()} ms`);
    }
  }
  assert.ok(tellings >= 8 && tellings <= 12, `told ${tellings} times in 20 heartbeats`);
  gatherer.close();
});

Deno.test("ends of many leases that were put off are told a few at a time, all within a second; one that has come at once", () => {
  const clock = new ManualClock(), count = 1000;
  const { told, gatherer, hear } = gathererOf(clock, count, () => clock.nowMs());
  clock.advance(17_000);
  const before = told.length, heardMs = clock.nowMs();
  // One was not heard in time, and is down.
  hear((i) => i === 7 ? heardMs - 30_000 : heardMs);
  clock.advance(10);
  assert.equal(told[before]!.leases!["lease n7"]!.verdict!.state, "down");
  clock.advance(1000);
  const leases = told.slice(before).map(({ leases = {} }) => leases);
  assert.ok(
    leases.every((some) => Object.keys(some).length <= 129),
    `${leases.map((some) => Object.keys(some).length)}`,
  );
  const all: Record<string, number | undefined> = {};
  for (const some of leases) for (const key in some) all[key] = some[key]!.deadline?.downMs;
  const held = Object.entries(all).filter(([key, downMs]) =>
    key !== "lease n7" && downMs === heardMs + 30_000
  );
  assert.equal(held.length, count - 1);
  gatherer.close();
});
