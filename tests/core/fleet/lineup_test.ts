import assert from "node:assert/strict";
import { LOOK } from "../../../core/fleet/consulted.ts";
import { makeTraced, Workspace } from "../../../core/fleet/partition.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import { leafHash } from "../../../core/fleet/rendezvous.ts";
import { type Choice, select } from "../../../core/fleet/select.ts";
import { viewsAt } from "../../../core/fleet/view.ts";
import { findNetwork, networkAt, valueAt } from "../../../core/net/network_table.ts";
import { generator } from "../../../core/prove/states.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { geography, node, NOW_MS, place, type PlaceText, POOL, pool, snapshot, verdicts } from "./make.ts";

const CLIENT: PlaceText = [0, 0, "US", "WA"];
const LEAVES = 16;

/** Leaves at one place, each followed by one without, so that none are joined. */
const world = geography(
  [CLIENT],
  Object.fromEntries(Array.from({ length: LEAVES }, (_, i) => [`${i * 16}.0.0.0/5`, 1])),
);

/** Nodes along the equator, in several countries, for a pool with a ring and a bias. */
function randomFleet(random: () => number) {
  const oneOf = <T>(...all: T[]): T => all[Math.floor(random() * all.length)]!;
  const nodes = Array.from({ length: 6 }, (_, i) => {
    const [country, subdivision] = oneOf(["US", "WA"], ["US", "NY"], ["DE", ""]);
    return node(`n${i}`, [0, random() * 25, country, subdivision], { weight: oneOf(1, 2, 5) });
  });
  const policy: Partial<PoolPolicy> = {
    answers: oneOf(1, 2, 3),
    bias: { region: oneOf(0.2, 0.6), country: oneOf(0.1, 0.2), maxKm: oneOf(500, 1500) },
    ring: { share: oneOf(0, 0.2, 1), km: oneOf(1, 100, 1000) },
  };
  const down = nodes.map(({ id }) => id).filter(() => random() < 0.4).slice(0, 3);
  return { nodes, policy, down };
}

function snapshotWith({ nodes, policy }: ReturnType<typeof randomFleet>, down: readonly string[]): Snapshot {
  const states = Object.fromEntries(nodes.map(({ id }) => [id, down.includes(id) ? "down" : "up"] as const));
  return snapshot([pool(nodes, policy)], { verdicts: verdicts(nodes, states) });
}

function choose(shot: Snapshot, entry: number): Choice {
  const leaf = leafHash(networkAt(world.v4, entry));
  return select(viewsAt(shot, 4, NOW_MS), POOL, { place: place(CLIENT), placeId: 1, leaf });
}

const looksOf = (choice: Choice) => choice.consulted()[0]!.looks;
const idsOf = ({ chosen }: Choice) => chosen.map(({ member }) => member.node.id).sort().join();

Deno.test("a choice awaits each node that is down and alone would change it or join the ring", () => {
  const random = generator(5);
  for (let run = 0; run < 500; run++) {
    const fleet = randomFleet(random);
    const shot = snapshotWith(fleet, fleet.down);
    const recovered = fleet.down.map((id) => ({
      index: Number(id.slice(1)),
      shot: snapshotWith(fleet, fleet.down.filter((other) => other !== id)),
    }));
    const job = { snapshot: shot, geography: world, pool: POOL, family: 4, nowMs: NOW_MS } as const;
    const { partition } = makeTraced(job, new Workspace())!;
    for (let entry = 0; entry < world.v4.count; entry++) {
      if (valueAt(world.v4, entry) !== 1) continue;
      const choice = choose(shot, entry), looks = looksOf(choice);
      for (const { index, shot } of recovered) {
        const then = choose(shot, entry);
        const isChanged = then.chosen.some(({ member }) => !idsOf(choice).includes(member.node.id));
        const isAwaited = isChanged || (looksOf(then)[index]! & LOOK.change) !== 0;
        assert.equal((looks[index]! & LOOK.up) !== 0, isAwaited, `n${index} in run ${run}, entry ${entry}`);
      }
      for (const { member } of choice.chosen) assert.ok(looks[member.index]! & LOOK.down);
      const block = findNetwork(partition.blocks[4], networkAt(world.v4, entry).octets);
      if (partition.tailored) {
        assert.deepEqual(partition.consulted[valueAt(partition.blocks[4], block)], choice.consulted());
      }
    }
  }
});
