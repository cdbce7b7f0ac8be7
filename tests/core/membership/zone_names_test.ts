import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { fold, parseName } from "../../../core/dns/name.ts";
import { FleetKnowledge } from "../../../core/membership/knowledge.ts";
import { NewsGatherer } from "../../../core/membership/news.ts";
import type { News } from "../../../core/membership/protocol.ts";
import type { Difference } from "../../../core/state/replica.ts";
import type { Entry } from "../../../core/state/store.ts";
import { Zones } from "../../../core/management/zones.ts";
import { ANNA, emptyWorld } from "../management/support.ts";

const zone = (name: string) => ({ origin: fold(parseName(name)), serial: 1 });

Deno.test("zones that went while no isolate looked are gone once the store has said so, and not before", async () => {
  const world = emptyWorld(), clock = new ManualClock(), told: News[] = [];
  await new Zones(world).create({ name: "a.example", nameServers: ["ns.example.net"] }, ANNA);
  let listener: (differences: readonly Difference[]) => void = () => {};
  const replica = {
    get: (key: string) => world.store.entries.get(key),
    *below(prefix: string): Generator<Entry> {
      for (const entry of world.store.entries.values()) if (entry.key.startsWith(prefix)) yield entry;
    },
    onChange: (then: typeof listener) => (listener = then, () => {}),
    revision: 1,
    // Of what was kept by a process before this one.
    confirmedMs: clock.nowMs() - 1000,
    fault: undefined,
  };
  const gatherer = new NewsGatherer({
    server: "fra",
    replica,
    clock,
    log: { error: assert.fail },
    tell: (news) => void told.push(news),
  });
  const knowledge = new FleetKnowledge();
  knowledge.take({
    revision: 1,
    zones: { "a.example.": zone("a.example"), "b.example.": zone("b.example") },
  });
  const known = () => {
    for (const news of told.splice(0)) knowledge.take(news);
    return Object.keys(knowledge.all().zones!).sort();
  };
  gatherer.start();
  assert.deepEqual(known(), ["a.example.", "b.example."], "what was kept is no news");
  clock.advance(1000);
  assert.deepEqual(known(), ["a.example.", "b.example."]);
  replica.confirmedMs = clock.nowMs();
  listener([]);
  clock.advance(10);
  assert.deepEqual(known(), ["a.example."]);
  gatherer.close();
});
