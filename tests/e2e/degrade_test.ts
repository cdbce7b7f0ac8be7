/**
 * Two servers over one store, and a region of which too few nodes serve: part of its clients go to the next-best region, and
 * come back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";

const NODES = {
  par1: ["127.0.0.81", "eu", 130, "48.9, longitude: 2.3"],
  ber1: ["127.0.0.82", "eu", 100, "52.5, longitude: 13.4"],
  mad1: ["127.0.0.83", "eu", 100, "40.4, longitude: -3.7"],
  nyc1: ["127.0.0.84", "us", 200, "40.7, longitude: -74"],
  sao1: ["127.0.0.85", "sa", 1000, "-23.5, longitude: -46.6"],
} as const;
type NodeId = keyof typeof NODES;

/** With what each asks for. */
const CLIENTS = {
  paris: ["198.51.100.0/26", 60, "48.8, longitude: 2.4"],
  berlin: ["198.51.100.64/26", 60, "52.4, longitude: 13.3"],
  madrid: ["198.51.100.128/26", 60, "40.5, longitude: -3.6"],
  lisbon: ["198.51.100.192/26", 30, "38.7, longitude: -9.1"],
  newYork: ["203.0.113.0/26", 50, "40.8, longitude: -73.9"],
} as const;
type Client = keyof typeof CLIENTS;

const nodesYaml = `nodes:
${
  Object.entries(NODES).map(([id, [address, region, capacity, at]]) =>
    `  - { id: ${id}, addresses: [${address}], region: ${region}, capacity: ${capacity}, location: { latitude: ${at} } }\n`
  ).join("")
}`;

const networksYaml = `networks:
${Object.values(CLIENTS).map(([prefix, , at]) => `  - { prefix: ${prefix}, latitude: ${at} }\n`).join("")}`;

const demandText = Object.values(CLIENTS).map(([prefix, demand]) => `${prefix} ${demand}\n`).join("");

const WRITTEN_S = Date.UTC(2026, 0, 1) / 1000;

/** An address is unreachable for all servers while a file says so. */
const corefile = (id: string, folder: string) =>
  `{
    state sqlite ${folder}/fleet.db
    server ${id}
    workers 1
}
example.org:1053 {
    api localhost:${freePort()}
    geo {
        networks networks.yaml
    }
    health {
        check exec /usr/bin/test ! -e ${folder}/unreachable-{address}
        interval 3s
        timeout 2900ms
        fall 2
        rise 1
        hold-down off
        slow-flap off
        ramp off
    }
    anycast entry.example.org {
        nodes nodes.yaml
        answers 1
        degrade below 50% above 60% dwell 2s
    }
    ttl 1 30
}
`;

/** The servers, each in a folder of its own. */
class World implements AsyncDisposable {
  readonly servers = new Map<string, ServeProcess>();
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<World> {
    const world = new World(await Deno.makeTempDir({ prefix: "meridian-degrade-" }));
    for (const id of ["ams", "fra"]) {
      const folder = world.folderOf(id);
      await Deno.mkdir(folder);
      await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml);
      await Deno.writeTextFile(`${folder}/networks.yaml`, networksYaml);
      // A digest has how old the data is.
      await Deno.utime(`${folder}/networks.yaml`, WRITTEN_S, WRITTEN_S);
      const server = await ServeProcess.start(folder, corefile(id, world.folder));
      world.servers.set(id, server);
      await server.says(/\/v1\//);
    }
    return world;
  }

  /** From now on nobody finds these nodes, and the others everybody. */
  async lose(...nodes: NodeId[]): Promise<void> {
    for (const [id, [address]] of Object.entries(NODES)) {
      const file = `${this.folder}/unreachable-${address}`;
      if (nodes.includes(id as NodeId)) await Deno.writeTextFile(file, "");
      else await Deno.remove(file).catch(() => {});
    }
  }

  /** Which node a server leads a client to. */
  async ask(port: number, client: Client): Promise<string> {
    const { answer } = await askServer(port, "entry.example.org", "A", { subnet: CLIENTS[client][0] });
    const address = answer.map(({ rdata }) => rdata.join(".")).join(" ");
    return Object.entries(NODES).find(([, node]) => node[0] === address)?.[0] ?? address;
  }

  /** Waits until all servers lead clients to these. */
  async lead(wanted: Readonly<Record<Client, NodeId>>): Promise<void> {
    let last = "";
    await until(`all to lead to ${Object.values(wanted).join(" ")}`, async () => {
      const all: string[] = [];
      for (const { port } of this.servers.values()) {
        const to = await Promise.all(Object.keys(CLIENTS).map((client) => this.ask(port, client as Client)));
        all.push(to.join(" "));
      }
      last = all.join(", ");
      return all.every((one) =>
        one === Object.keys(CLIENTS).map((client) => wanted[client as Client]).join(" ")
      );
    }).catch((error) => {
      throw new Error(`${error.message}; at last it was ${last}`);
    });
  }

  /** What a command says on a server's machine. */
  async tell(id: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await meridian(this.folderOf(id), ...args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  folderOf(id: string): string {
    return `${this.folder}/${id}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers.values()) await server[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("part of the clients of a region that is short of nodes go to the next-best region, and come back", async () => {
  await using world = await World.start();
  const whole = { paris: "par1", berlin: "ber1", madrid: "mad1", lisbon: "mad1", newYork: "nyc1" } as const;
  await world.lead(whole);
  await Deno.writeTextFile(`${world.folderOf("ams")}/demand.txt`, demandText);
  await world.tell("ams", "demand", "import", "demand.txt", "-reason", "counted");

  // Mad1 can do what Madrid and Lisbon ask for. It is Berlin that loses least in New York, then Paris.
  await world.lose("par1", "ber1");
  const moved = { paris: "nyc1", berlin: "nyc1", madrid: "mad1", lisbon: "mad1", newYork: "nyc1" } as const;
  await world.lead(moved);
  const explained = await world.tell("fra", "explain", "entry.example.org", "-client", CLIENTS.berlin[0]);
  assert.match(explained, /degraded: eu; what their nodes cannot do goes elsewhere/);
  assert.match(explained, /moved by prices: mad1 is 4\d\d\d km nearer/);
  assert.match(explained, /mad1 .*others come before it, with \d+ km for its price/);
  for (const id of world.servers.keys()) {
    await until(
      `${id} to show what is degraded`,
      async () => /entry\.example\.org\. +eu +mad1 \+\d+ km/.test(await world.tell(id, "status")),
    );
  }
  await until("all to have one digest", async () => {
    const { fleet: { servers } } = JSON.parse(await world.tell("fra", "status", "--json"));
    return new Set(Object.values<{ digest: string }>(servers).map(({ digest }) => digest)).size === 1;
  });

  // A reload moves nobody, at no moment.
  const { port } = world.servers.get("fra")!, seen = new Set<string>();
  let isReloaded = false;
  const asking = (async () => {
    while (!isReloaded) seen.add(await world.ask(port, "berlin"));
  })();
  await world.tell("fra", "reload").finally(() => isReloaded = true);
  await asking;
  await world.lead(moved);
  assert.deepEqual([...seen], ["nyc1"]);

  await world.lose("ber1");
  await world.lead({ ...whole, berlin: "par1" });
  await world.lose();
  await world.lead(whole);
  for (const id of world.servers.keys()) {
    await until(
      `${id} to have no region degraded`,
      async () => !/DEGRADED/.test(await world.tell(id, "status")),
    );
  }
  const audit = await world.tell("ams", "audit", "list", "--json");
  for (const action of ["pool.degrade", "pool.restore"]) assert.match(audit, new RegExp(`"${action}"`));
  assert.equal(audit.split('"region eu: ').length - 1, 2, "one record of each");
});
