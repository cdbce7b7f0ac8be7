import assert from "node:assert/strict";
import { digestTeller, snapshotDigest } from "../../../core/fleet/digest.ts";
import { withTargets } from "../../../core/fleet/by_target.ts";
import type { Node } from "../../../core/fleet/node.ts";
import type { Verdict } from "../../../core/fleet/verdict.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { CITIES, node, NOW_MS, override, pool, snapshot, verdicts } from "./make.ts";

const NODES = [node("a", CITIES.frankfurt), node("b", CITIES.london)];

const world = (states: Parameters<typeof verdicts>[1], nodes: readonly Node[] = NODES): Snapshot =>
  snapshot([pool(nodes)], { verdicts: verdicts(NODES, states) });

const digest = (one: Snapshot) => snapshotDigest(structuredClone(one), NOW_MS);

Deno.test("equal state has equal digests, whatever the server that made it", () => {
  const one = world({ a: "up", b: "down" });
  assert.match(digest(one), /^[0-9a-f]{32}$/);
  assert.equal(digest(one), digest({ ...one, epoch: 99, publishedMs: 5 }));
  // One that knew a target which is no more, and other reasons and times for the same states.
  const gone: Verdict = { state: "up", sinceMs: 0, reason: "", ramp: 1 };
  const later = verdicts(NODES, { a: { sinceMs: 7, reason: "again" }, b: { state: "down", reason: "gone" } });
  const been = withTargets(withTargets(later, { "tcp 192.0.2.99": gone }), { "tcp 192.0.2.99": undefined });
  assert.equal(digest(one), digest({ ...one, verdicts: been }));
});

Deno.test("a digest tells what an answer may depend on", () => {
  const one = world({ a: "up", b: "down" });
  const others = [
    world({ a: "up", b: "up" }),
    world({ a: "up", b: "degraded" }),
    { ...one, overrides: [override("a", "drain")] },
    world({ a: "up", b: "down" }, NODES.slice(1)),
    world({ a: "up", b: "down" }, [{ ...NODES[0]!, weight: 2 }, NODES[1]!]),
  ];
  const digests = new Set([one, ...others].map(digest));
  assert.equal(digests.size, others.length + 1);
});

Deno.test("an override that has ended is told no more", () => {
  const one = world({ a: "up" });
  assert.equal(digest({ ...one, overrides: [override("a", "drain", { untilMs: NOW_MS })] }), digest(one));
  assert.notEqual(
    digest({ ...one, overrides: [override("a", "drain", { untilMs: NOW_MS + 1 })] }),
    digest(one),
  );
});

Deno.test("which nodes served last is told apart only where a pool answers by it", () => {
  const served = (ids: string[], state: "up" | "down") =>
    snapshot([pool(NODES, {}, { lastServing: { 4: ids, 6: [] } })], {
      verdicts: verdicts(NODES, { a: state, b: state }),
    });
  assert.equal(digest(served(["a"], "up")), digest(served(["b"], "up")));
  assert.notEqual(digest(served(["a"], "down")), digest(served(["b"], "down")));
});

Deno.test("a digest that is asked for often is told again until something else is answered by, or time may have changed it", () => {
  const tell = digestTeller(), one = world({ a: "up" });
  const ending = { ...one, overrides: [override("a", "drain", { untilMs: NOW_MS + 100 })] };
  assert.equal(tell(one, NOW_MS), snapshotDigest(one, NOW_MS));
  assert.equal(
    tell(ending, NOW_MS),
    snapshotDigest(ending, NOW_MS),
    "another part is another digest at once",
  );
  // Deadlines are in none.
  assert.equal(
    tell({ ...ending, epoch: 7 }, NOW_MS + 200),
    snapshotDigest(ending, NOW_MS),
    "as it was just now",
  );
  assert.equal(
    tell(ending, NOW_MS + 300),
    snapshotDigest(one, NOW_MS),
    "soon after it has ended it is told no more",
  );
});
