import assert from "node:assert/strict";
import { drainedAt } from "../../core/management/drained.ts";
import type { OverrideValue } from "../../core/management/overrides.ts";
import { FleetView } from "../../core/membership/fleet_view.ts";
import { KEYS } from "../../core/state/keys.ts";
import { geography } from "../core/fleet/make.ts";
import { START_MS } from "../support/random_world.ts";
import { VirtualServer } from "../support/virtual_server.ts";

const POOL = "entry.anycast.example";
const MIN_S = 5, MAX_S = 60;

const corefile = `{
    state off
}
anycast.example:1053 {
    geo
    anycast ${POOL} {
        nodes nodes.yaml
        answers 1
        unknown nearest 50.11 8.68
    }
    ttl ${MIN_S} ${MAX_S}
}
`;

const at = (seconds: number) => new Date(START_MS + seconds * 1000).toISOString();

/** One that takes fra1 out from five minutes after the start on, as the store has it. */
const DRAIN: OverrideValue = {
  ...{ id: "d1", target: { node: "fra1" }, state: "drain", from: at(300), until: at(900), reason: "kernel" },
  ...{ actor: "token:anna", created: at(0) },
};

/** What control isolates are told of an override in the store. */
function told(server: VirtualServer, override: OverrideValue) {
  const view = new FleetView(), { nodes, policy } = server.server.publisher.snapshot.pools[`${POOL}.`]!;
  view.takeBesides({ nodes, pools: [{ name: policy.name, select: policy.select }] });
  const key = KEYS.override(override.id), value = JSON.stringify(override);
  view.take({ key, after: { key, value, revision: 1, version: 1 } });
  return view.changedOverrides(server.clock.nowMs())!;
}

Deno.test("maintenance that is known beforehand shortens TTLs so that no answer outlives its beginning by more than MIN", async () => {
  const server = await VirtualServer.start({
    ...{ corefile, startMs: START_MS, geography: geography([], {}), partitions: false },
    ...{ random: () => 0.5, script: () => ({ durationMs: 1 }) },
  });
  try {
    const asked = () => {
      const { answer: [record] } = server.ask(POOL, "A", "198.51.100.0/24");
      return { node: record!.rdata.join("."), ttl: record!.ttl };
    };
    assert.deepEqual(asked(), { node: "127.0.0.11", ttl: MAX_S });
    server.server.publisher.setOverrides(told(server, DRAIN));
    let last = 0;
    for (let second = 0; second < 300; second++) {
      await server.advanceTo(START_MS + second * 1000);
      const { node, ttl } = asked();
      assert.equal(node, "127.0.0.11");
      assert.equal(ttl, Math.max(MIN_S, Math.min(MAX_S, 300 - second)), `${second} s`);
      last = Math.max(last, second + ttl);
    }
    // What a drain's end is told as is what the last of these answers comes to.
    const witness = { server: "fra", sinceMs: START_MS, ttl: MAX_S, ttlMin: MIN_S };
    const done = drainedAt(START_MS + 300_000, [witness], START_MS);
    assert.deepEqual(done, { state: "expiring", drainedMs: START_MS + 305_000 });
    assert.equal(last, 304, "asked once a second");
    await server.advanceTo(START_MS + 300_000);
    assert.notEqual(asked().node, "127.0.0.11");
    assert.equal(asked().ttl, MAX_S, "its end is far away");
    await server.advanceTo(START_MS + 870_000);
    assert.equal(asked().ttl, 30, "and is known beforehand, too");
    await server.advanceTo(START_MS + 900_000);
    assert.equal(asked().node, "127.0.0.11");
  } finally {
    await server.close();
  }
});
