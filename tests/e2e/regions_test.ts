/**
 * Four servers of two regions over one store, of which some cannot reach what the others can.
 *
 * @module
 */

import assert from "node:assert/strict";
import { askServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";

const SERVERS = { ams: "eu", fra: "eu", nyc: "us", sfo: "us" } as const;
type ServerId = keyof typeof SERVERS;

const NODES = { par1: "127.0.0.71", ber1: "127.0.0.72", nyc1: "127.0.0.73", sfo1: "127.0.0.74" } as const;
type NodeId = keyof typeof NODES;

const nodesYaml = `nodes:
  - { id: par1, addresses: [${NODES.par1}], region: eu, location: { latitude: 48.9, longitude: 2.3 } }
  - { id: ber1, addresses: [${NODES.ber1}], region: eu, location: { latitude: 52.5, longitude: 13.4 } }
  - { id: nyc1, addresses: [${NODES.nyc1}], region: us, location: { latitude: 40.7, longitude: -74 } }
  - { id: sfo1, addresses: [${NODES.sfo1}], region: us, location: { latitude: 37.8, longitude: -122.4 } }
`;

const PARIS = "198.51.100.0/24", NEW_YORK = "203.0.113.0/25";

const networksYaml = `networks:
  - { prefix: ${PARIS}, latitude: 48.86, longitude: 2.35, country: FR }
  - { prefix: ${NEW_YORK}, latitude: 40.71, longitude: -74.01, country: US }
`;

const WRITTEN_S = Date.UTC(2026, 0, 1) / 1000;

/** An address is unreachable for a server in whose folder a file says so. */
const corefile = (id: ServerId, store: string, vantages: string) =>
  `{
    state sqlite ${store}
    server ${id} {
        region ${SERVERS[id]}
    }
    ${vantages}
    workers 1
}
example.org:1053 {
    geo {
        networks networks.yaml
    }
    health {
        check exec /usr/bin/test ! -e unreachable-{address}
        interval 1s
        timeout 900ms
        fall 2
        rise 2
        hold-down off
        ramp off
    }
    anycast entry.example.org {
        nodes nodes.yaml
        answers 1
    }
    ttl 1 30
}
`;

/** The servers, each in a folder of its own. */
class World implements AsyncDisposable {
  readonly #servers = new Map<ServerId, ServeProcess>();
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(vantages: string): Promise<World> {
    const world = new World(await Deno.makeTempDir({ prefix: "meridian-regions-" }));
    for (const id of Object.keys(SERVERS) as ServerId[]) {
      const folder = world.#folderOf(id);
      await Deno.mkdir(folder);
      await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml);
      await Deno.writeTextFile(`${folder}/networks.yaml`, networksYaml);
      // A digest has how old the data is.
      await Deno.utime(`${folder}/networks.yaml`, WRITTEN_S, WRITTEN_S);
      const text = corefile(id, `${world.#folder}/fleet.db`, vantages);
      world.#servers.set(id, await ServeProcess.start(folder, text));
    }
    return world;
  }

  /** From now on, from a server's point of view, these nodes are not there. */
  async cannotReach(server: ServerId, ...nodes: NodeId[]): Promise<void> {
    for (const [node, address] of Object.entries(NODES) as [NodeId, string][]) {
      const file = `${this.#folderOf(server)}/unreachable-${address}`;
      if (nodes.includes(node)) await Deno.writeTextFile(file, "");
      else await Deno.remove(file).catch(() => {});
    }
  }

  /** Waits until all servers lead clients at Paris and at New York to these. */
  async lead(paris: NodeId, newYork: NodeId): Promise<void> {
    const wanted = `${NODES[paris]} ${NODES[newYork]}`;
    let last = "";
    await until(`all to lead to ${paris} and ${newYork}`, async () => {
      const all = await Promise.all(
        Array.from(
          this.#servers.values(),
          async ({ port }) =>
            (await Promise.all([PARIS, NEW_YORK].map((subnet) => this.#ask(port, subnet)))).join(" "),
        ),
      );
      last = all.join(", ");
      return all.every((one) => one === wanted);
    }).catch((error) => {
      throw new Error(`${error.message}; at last it was ${last}`);
    });
  }

  async #ask(port: number, subnet: string): Promise<string> {
    const { answer } = await askServer(port, "entry.example.org", "A", { subnet });
    return answer.map(({ rdata }) => rdata.join(".")).join(" ");
  }

  /** What a command says on a server's machine. */
  async tell(id: ServerId, ...args: string[]): Promise<string> {
    const { stdout, stderr } = await meridian(this.#folderOf(id), ...args);
    assert.equal(stderr, "");
    return stdout;
  }

  #folderOf(id: ServerId): string {
    return `${this.#folder}/${id}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.values()) await server[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("what one region cannot reach is down for its clients, and for nobody else's", async () => {
  await using world = await World.start("vantages quorum");
  await world.lead("par1", "nyc1");
  for (const id of ["ams", "fra"] as const) await world.cannotReach(id, "par1", "nyc1");
  await world.lead("ber1", "nyc1");
  const explained = await world.tell("sfo", "explain", "entry.example.org", "-client", PARIS);
  assert.match(explained, /region eu has verdicts of its own .* which decide/);
  assert.match(explained, /par1 .*by region eu: exec .* down .*2 of 2 vantages.*globally up/);
  assert.match(await world.tell("sfo", "status"), /par1 .*, by region eu +down /);
  await until("all to have one digest", async () => {
    const { fleet: { servers } } = JSON.parse(await world.tell("nyc", "status", "--json"));
    return new Set(Object.values<{ digest: string }>(servers).map(({ digest }) => digest)).size === 1;
  });
  // Cut off from everything, a region is wrong about it all, and moves not even its own clients.
  for (const id of ["ams", "fra"] as const) await world.cannotReach(id, "par1", "ber1", "nyc1", "sfo1");
  await world.lead("par1", "nyc1");
  const fallen = await world.tell("fra", "explain", "entry.example.org", "-client", PARIS);
  assert.match(fallen, /region eu would leave nobody of entry\.example\.org\.: everyone's verdicts decide/);
  // Three of four make it everyone's.
  await world.cannotReach("nyc", "par1");
  await world.lead("ber1", "nyc1");
  for (const id of ["ams", "fra", "nyc"] as const) await world.cannotReach(id);
  await world.lead("par1", "nyc1");
  // The last of its targets may be found to be up after the first.
  await until("no region to differ", async () => !/by region/.test(await world.tell("ams", "status")));
});

Deno.test("with `regions off` two servers of four move nobody, wherever they are", async () => {
  await using world = await World.start("vantages quorum {\n        regions off\n    }");
  await world.lead("par1", "nyc1");
  for (const id of ["ams", "fra", "nyc"] as const) await world.cannotReach(id, "par1");
  await world.lead("ber1", "nyc1");
  await world.cannotReach("nyc");
  await world.lead("par1", "nyc1");
});
