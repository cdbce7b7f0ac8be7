/**
 * The stage of the fleet's show: processes and folders, all of which are gone in the end.
 *
 * @module
 */

import { EtcdCluster } from "../../tests/support/etcd.ts";
import { freePort } from "../../tests/support/server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The name that the nodes answer for. */
export const NAME = "entry.fleet.example";

/** A region: where its nodes are, and a network of its clients. */
export interface Region {
  readonly name: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly clients: string;
}

export const REGIONS: readonly Region[] = [
  { name: "eu", latitude: 50.1, longitude: 8.7, clients: "198.51.100.0/24" },
  { name: "us", latitude: 40.7, longitude: -74, clients: "203.0.113.0/24" },
  { name: "asia", latitude: 1.35, longitude: 103.8, clients: "192.0.2.0/24" },
];

/** A node of the show. */
export interface ShowNode {
  readonly id: string;
  readonly region: string;
  readonly address: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** Three in each region, each a little further from its clients than the one before. */
export const NODES: readonly ShowNode[] = REGIONS.flatMap(({ name, latitude, longitude }, r) =>
  [1, 2, 3].map((n): ShowNode => ({
    ...{ id: `${name}${n}`, region: name, address: `127.0.${70 + r}.${n}` },
    ...{ latitude: latitude + n - 1, longitude },
  }))
);

const SERVERS = ["a", "b", "c"];

const networksYaml = `networks:
${
  REGIONS.map(({ clients, latitude, longitude }) =>
    `  - { prefix: ${clients}, latitude: ${latitude}, longitude: ${longitude} }`
  ).join("\n")
}
`;

/** See the module. */
export class FleetStage implements AsyncDisposable {
  /** By server: where it answers DNS. */
  readonly ports = new Map<string, number>();
  readonly #apis = new Map<string, number>();
  readonly #processes = new Map<string, Deno.ChildProcess>();
  readonly #down = new Set<string>();
  readonly #healthPort = freePort();

  private constructor(readonly folder: string, readonly etcd: EtcdCluster) {
    for (const id of SERVERS) {
      this.ports.set(id, freePort());
      this.#apis.set(id, freePort());
    }
  }

  static async open(): Promise<FleetStage> {
    const folder = await Deno.makeTempDir({ prefix: "meridian-fleet-" });
    const etcd = await EtcdCluster.start(3, ["--heartbeat-interval", "50", "--election-timeout", "500"]);
    const stage = new FleetStage(folder, etcd);
    try {
      await stage.#setUp();
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The nodes that live. */
  get living(): readonly ShowNode[] {
    return NODES.filter(({ id }) => !this.#down.has(id));
  }

  killNode(id: string): Promise<void> {
    this.#down.add(id);
    return this.#kill(`node ${id}`);
  }

  startNode(id: string): void {
    this.#down.delete(id);
    this.#start(`node ${id}`, ["agent", "-config", `${id}/agent.yaml`]);
  }

  async killRegion(region: string): Promise<void> {
    await Promise.all(this.#of(region).map(({ id }) => this.killNode(id)));
  }

  startRegion(region: string): void {
    for (const { id } of this.#of(region)) this.startNode(id);
  }

  killServer(id: string): Promise<void> {
    return this.#kill(`server ${id}`);
  }

  startServer(id: string): void {
    this.#start(`server ${id}`, ["serve", "-conf", `server-${id}/Corefile`]);
  }

  /** Whether a server is to answer. */
  isServing(id: string): boolean {
    return this.#processes.has(`server ${id}`);
  }

  async killLeader(): Promise<void> {
    await (await this.etcd.leader()).kill();
  }

  async killStore(): Promise<void> {
    for (const member of this.etcd.members) await member.kill();
  }

  async startStore(): Promise<void> {
    for (const member of this.etcd.members) member.start();
    await this.etcd.leader();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((what) => this.#kill(what)));
    await this.etcd[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }

  #of(region: string): readonly ShowNode[] {
    return NODES.filter((node) => node.region === region);
  }

  async #setUp(): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/networks.yaml`, networksYaml);
    for (const id of SERVERS) {
      await Deno.mkdir(`${this.folder}/server-${id}`);
      await Deno.writeTextFile(`${this.folder}/server-${id}/Corefile`, this.#corefile(id));
      this.startServer(id);
    }
    await Deno.writeTextFile(`${this.folder}/join.token`, await this.#joinToken());
    for (const node of NODES) {
      await Deno.mkdir(`${this.folder}/${node.id}`);
      await Deno.writeTextFile(`${this.folder}/${node.id}/agent.yaml`, this.#agentYaml(node));
      this.startNode(node.id);
    }
  }

  /** As an operator makes one: on a server's machine. It may not answer yet. */
  async #joinToken(): Promise<string> {
    const args = [
      "token",
      "create",
      "-name",
      "show",
      "-joins",
      "9",
      "-control",
      "server-a/state/control.sock",
    ];
    for (let attempt = 0; attempt < 100; attempt++) {
      const { code, stdout } = await this.#command(args, "piped").output();
      if (code === 0) return new TextDecoder().decode(stdout);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error("No join token could be made: the first server does not answer");
  }

  #corefile(id: string): string {
    return `{
    state state
    state etcd ${this.etcd.urls.join(" ")}
    server ${id} {
        url http://localhost:${this.#apis.get(id)}
    }
    workers 1
}
fleet.example:${this.ports.get(id)} {
    api localhost:${this.#apis.get(id)}
    geo {
        networks ../networks.yaml
    }
    health {
        check http ${this.#healthPort} /health
        interval 1s
        timeout 500ms
        fall 2
        rise 2
        hold-down off
        ramp off
    }
    anycast ${NAME} {
        nodes registry
        answers 1
        unknown nearest 50 8
    }
    ttl 1 30
}
`;
  }

  #agentYaml({ id, region, address, latitude, longitude }: ShowNode): string {
    return `node:
  id: ${id}
  addresses: [${address}]
  location: { latitude: ${latitude}, longitude: ${longitude} }
  region: ${region}
servers: [${SERVERS.map((server) => `"http://localhost:${this.#apis.get(server)}"`).join(", ")}]
state: state
join-token: ../join.token
health: { listen: "${address}:${this.#healthPort}" }
`;
  }

  #start(what: string, args: readonly string[]): void {
    this.#processes.set(what, this.#command(args, "null").spawn());
  }

  #command(args: readonly string[], stdout: "null" | "piped"): Deno.Command {
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}main.ts`, ...args],
      ...{ cwd: this.folder, stdin: "null", stdout, stderr: "null" },
    });
  }

  /** At once, as a crash does. */
  async #kill(what: string): Promise<void> {
    const process = this.#processes.get(what);
    if (!process) return;
    this.#processes.delete(what);
    try {
      process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await process.status;
  }
}
