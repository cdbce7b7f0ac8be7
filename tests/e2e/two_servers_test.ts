import assert from "node:assert/strict";
import { geography, type PlaceText } from "../core/fleet/make.ts";
import { Chance, START_MS } from "../support/random_world.ts";
import { VirtualServer } from "../support/virtual_server.ts";

const POOL = "entry.anycast.example";
const COUNT = 200;
const NETWORKS = Array.from({ length: COUNT }, (_, i) => `198.${18 + (i & 1)}.${i}.0/24`);

/** Clients all over the world, and a policy in which everything is drawn that can be. */
function worldOf(chance: Chance) {
  const places = NETWORKS.map((): PlaceText => [chance.unit() * 160 - 80, chance.unit() * 360 - 180]);
  return geography(places, Object.fromEntries(NETWORKS.map((network, i) => [network, i + 1])));
}

const COREFILE = `{
    state off
}
anycast.example:1053 {
    geo
    health {
        check tcp 8443
        interval 10s
        fall 2
        rise 2
        slow-flap off
        hold-down off
        ramp off
    }
    anycast ${POOL} {
        nodes nodes.yaml
        answers 3
        ring 40% 2000km
        unknown nearest 50.11 8.68
    }
    ttl 5 60
}
`;

/** A server that started at its own time, probes at its own instants, and has seen other troubles before. */
async function start(seed: number, down: ReadonlySet<string>): Promise<VirtualServer> {
  const chance = new Chance(seed);
  const server = await VirtualServer.start({
    corefile: COREFILE,
    startMs: START_MS - Math.floor(chance.unit() * 600_000),
    geography: worldOf(new Chance(1)),
    partitions: true,
    random: chance.unit,
    script: ({ address }, atMs) => ({
      durationMs: 1 + chance.unit() * 900,
      ok: atMs < START_MS ? chance.unit() < 0.7 : !down.has(address),
    }),
  });
  await server.advanceTo(START_MS + 120_000);
  return server;
}

Deno.test("two servers that know the same say the same, whatever came before", async () => {
  const down = new Set(["127.0.0.12", "127.0.0.17"]);
  const servers = [await start(2, down), await start(3, down)];
  const asked = (network: string) =>
    servers.map((server) => {
      const { answer, edns } = server.ask(POOL, "A", network);
      return { addresses: answer.map(({ rdata }) => rdata.join(".")), options: edns?.options };
    });
  const seen = new Set<string>();
  for (const network of NETWORKS) {
    const [one, other] = asked(network);
    assert.deepEqual(one, other, network);
    assert.equal(one!.addresses.length, 3);
    seen.add(one!.addresses.join());
  }
  assert.ok(seen.size > 40, `${seen.size} different answers`);
  for (const address of down) assert.ok([...seen].every((answer) => !answer.split(",").includes(address)));
  await Promise.all(servers.map((server) => server.close()));
});

Deno.test("servers that do not know the same do not say the same", async () => {
  const servers = [await start(2, new Set(["127.0.0.12"])), await start(3, new Set(["127.0.0.17"]))];
  const answers = servers.map((server) =>
    NETWORKS.map((network) => server.ask(POOL, "A", network).answer.map(({ rdata }) => rdata.join(".")))
  );
  assert.notDeepEqual(answers[0], answers[1]);
  await Promise.all(servers.map((server) => server.close()));
});
