/**
 * A fleet on a {@linkcode Network}: an etcd of three members, three servers and some nodes, each at addresses of its own,
 * and someone who asks every server all the while.
 *
 * Nodes are health endpoints of this process, and agents beside them that register and are heard over HTTPS.
 *
 * @module
 */

import { generateKeyPairSync } from "node:crypto";
import { Agent } from "../../../core/agent/agent.ts";
import { Client } from "../../../core/agent/client.ts";
import { nodeKey } from "../../../core/agent/key_file.ts";
import { ServerList } from "../../../core/agent/servers.ts";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { readReports } from "../../../core/membership/report_record.ts";
import { openEtcdStore } from "../../../core/state/etcd_store.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Store } from "../../../core/state/store.ts";
import { Listeners } from "../../../scripts/listeners.ts";
import { type Certificates, makeCertificates } from "../certificates.ts";
import { until } from "../until.ts";
import { type Cut, type Machine, Network } from "./network.ts";
import { Watcher } from "./watcher.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** The name that nodes answer for. */
export const NAME = "entry.example.org";

/** How servers of the laboratory agree: `vantages quorum 2 { fresh …; hold … }`. Pulses come every 5 s. */
export const FRESH_MS = 7000, HOLD_MS = 12_000;

/** How they probe. */
export const INTERVAL_MS = 1000, TIMEOUT_MS = 500, FALL = 2;

/** By when a server has found, at the latest, that a node refuses connections: see plugins/health/README.md. */
export const PROBE_BOUND_MS = INTERVAL_MS + (FALL - 1) * 1000;

const HEALTH_PORT = 7000, API_PORT = 8443, METRICS_PORT = 9153;

/** A server of the fleet: a process on a machine of its own. */
export class LabServer {
  #process: Deno.ChildProcess | undefined;
  #log: Deno.FsFile | undefined;

  constructor(readonly id: string, readonly machine: Machine, readonly folder: string) {}

  get url(): string {
    return `https://${this.machine.address}:${API_PORT}`;
  }

  start(): void {
    this.#log = Deno.openSync(`${this.folder}/log`, { create: true, append: true });
    const [program, args] = this.machine.command(
      Deno.execPath(),
      ...["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}main.ts`],
      ...["serve", "-conf", `${this.folder}/Corefile`],
    );
    const process = new Deno.Command(program, {
      ...{ args, cwd: this.folder, stdin: "null", stdout: "piped", stderr: "piped" },
    }).spawn();
    for (const stream of [process.stdout, process.stderr]) {
      void stream.pipeTo(new WritableStream({ write: (octets) => void this.#log?.writeSync(octets) }))
        .catch(() => {});
    }
    this.#process = process;
  }

  /** `SIGSTOP`: as a machine that hangs. */
  signal(signal: Deno.Signal): void {
    this.#process?.kill(signal);
  }

  /** For how long the store has not confirmed what the server knows, seconds, as it says itself. */
  async ageSeconds(): Promise<number> {
    const response = await fetch(`http://${this.machine.watched}:${METRICS_PORT}/metrics`, {
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return Number(/^meridian_fleet_state_age_seconds (\S+)$/m.exec(text)?.[1] ?? NaN);
  }

  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill("SIGKILL");
    await process?.status;
    this.#log?.close();
    this.#log = undefined;
  }
}

/** A member of etcd on a machine of its own. */
export class LabStore {
  #process: Deno.ChildProcess | undefined;

  constructor(
    readonly machine: Machine,
    readonly folder: string,
    readonly cluster: string,
  ) {}

  get url(): string {
    return `http://${this.machine.address}:2379`;
  }

  start(): void {
    const { name, address } = this.machine, peer = `http://${address}:2380`;
    const [program, args] = this.machine.command(
      "etcd",
      ...["--name", name, "--data-dir", `${this.folder}/${name}`, "--log-level", "error"],
      ...["--listen-client-urls", this.url, "--advertise-client-urls", this.url],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", this.cluster, "--initial-cluster-state", "new", "--unsafe-no-fsync"],
      ...["--heartbeat-interval", "50", "--election-timeout", "500"],
    );
    this.#process = new Deno.Command(program, { args, stdout: "null", stderr: "null" }).spawn();
  }

  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill("SIGKILL");
    await process?.status;
  }
}

/** A node: a health endpoint, and an agent that says that it lives. */
export class LabNode {
  #agent: Agent | undefined;
  /** When its last heartbeat that was answered was sent, milliseconds since 1970. */
  beatMs = 0;

  constructor(readonly id: string, readonly address: string, readonly fleet: LabFleet, readonly at: number) {}

  /** Its health endpoint refuses from now on; its agent goes on. */
  refuse(): void {
    this.fleet.listeners.close(this.address);
  }

  accept(): void {
    this.fleet.listeners.open(this.address);
  }

  /** Its agent says nothing any more; its health endpoint goes on. */
  async fallSilent(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = undefined;
  }

  /** It registers, and is heard from now on. */
  speak(): void {
    if (this.#agent) return;
    const { servers, http, joinToken } = this.fleet, urls = servers.map(({ url }) => url);
    const offset = this.at % urls.length;
    this.#agent = new Agent({
      node: {
        ...{ id: this.id, addresses: [this.address] },
        location: { latitude: 50 + this.at, longitude: 8 },
      },
      key: this.#key,
      client: new Client(async (url, init) => {
        const sentMs = Date.now(), response = await fetch(url, { ...init, client: http });
        if (url.endsWith("/beat") && response.ok) this.beatMs = sentMs;
        return response;
      }, SYSTEM_CLOCK),
      servers: new ServerList([...urls.slice(offset), ...urls.slice(0, offset)], []),
      ...{ clock: SYSTEM_CLOCK, random: Math.random, log: QUIET, drainMs: 0, keep() {} },
      joinToken: () => Promise.resolve(joinToken),
      load: () => ({ cpu: 0.1, memory: 0.1, network: 1000, connections: 1 }),
    });
    this.#agent.start();
  }

  readonly #key = nodeKey(generateKeyPairSync("ed25519").privateKey);
}

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

/** The addresses that a server's own probes find up, as it told the store: in order, as the watcher has them. */
async function foundBy(server: string, store: Store): Promise<string> {
  const { entries } = await store.list(KEYS.reports(server, 0).replace(/0$/, ""));
  const reports = entries.flatMap(({ value }) => Object.entries(readReports(value)));
  return reports.flatMap(([key, { state }]) => state === "up" ? [key.split(" ")[0]!] : []).toSorted().join(
    " ",
  );
}

/** All of it. */
export class LabFleet implements AsyncDisposable {
  readonly servers: LabServer[] = [];
  readonly stores: LabStore[] = [];
  readonly nodes: LabNode[];
  readonly watcher = new Watcher();
  joinToken = "";

  private constructor(
    readonly folder: string,
    readonly listeners: Listeners,
    readonly http: Deno.HttpClient,
    readonly certificates: Certificates,
    addresses: readonly string[],
  ) {
    this.nodes = addresses.map((address, i) => new LabNode(`n${i + 1}`, address, this, i));
  }

  /** Starts everything, and waits until all servers answer with all nodes from equal digests. */
  static async start(nodes: number): Promise<LabFleet> {
    const addresses = Array.from({ length: nodes }, (_, i) => `10.77.2.${i + 1}`);
    const network = await Network.open(["10.77.255.254", ...addresses]);
    const folder = await Deno.makeTempDir({ prefix: "meridian-lab-" });
    const ids = ["a", "b", "c"], machines: Machine[] = [];
    for (const [i, id] of ids.entries()) machines.push(await network.add(id, `10.77.0.${i + 1}`));
    const certificates = await makeCertificates(machines.map(({ address }) => address));
    const http = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(certificates.authority)] });
    const listeners = Listeners.open(addresses, HEALTH_PORT);
    const fleet = new LabFleet(folder, listeners, http, certificates, addresses);
    try {
      await fleet.#startStores(network);
      await fleet.#startServers(machines);
      await fleet.#startNodes();
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  server(id: string): LabServer {
    return this.servers.find((server) => server.id === id)!;
  }

  /** What answers have when all of these serve: in order, as the watcher has them. */
  answerOf(nodes: readonly LabNode[]): string {
    return nodes.map(({ address }) => address).toSorted().join(" ");
  }

  /** Waits until these servers answer with these nodes. */
  async say(nodes: readonly LabNode[], servers: readonly LabServer[] = this.servers): Promise<void> {
    const wanted = this.answerOf(nodes), names = servers.map(({ id }) => id).join(", ");
    await this.#until(
      `${names} to answer with ${wanted}`,
      () => servers.every(({ id }) => this.watcher.last(id)?.answer === wanted),
    );
  }

  /** Waits until all servers answer from equal digests. */
  async agree(): Promise<void> {
    await this.#until("equal digests", () => this.watcher.agrees(this.servers.map(({ id }) => id)));
  }

  /** Cuts one off, which is not held to say what the others do meanwhile. */
  async cut({ id, machine }: LabServer, how: Cut | "unplugged"): Promise<void> {
    this.watcher.sees(id, false);
    if (how === "unplugged") await machine.unplug();
    else await machine.cut(how);
  }

  /** Heals it, and waits until the store has confirmed since what it knows, as it says itself. */
  async heal(server: LabServer): Promise<void> {
    await server.machine.heal();
    await this.#confirmed(server);
    this.watcher.sees(server.id, true);
  }

  /**
   * Waits until the probes of every server, each by itself, find these nodes up and the others down, and all know that of each
   * other. Who was cut off found all nodes down, and says so for a while after it was healed.
   */
  async find(nodes: readonly LabNode[]): Promise<void> {
    const wanted = this.answerOf(nodes), store = openEtcdStore({ urls: this.stores.map(({ url }) => url) });
    try {
      for (const { id } of this.servers) {
        await this.#until(`${id} to find ${wanted}`, async () => await foundBy(id, store) === wanted);
      }
    } finally {
      await store.close();
    }
    for (const server of this.servers) await this.#confirmed(server);
  }

  /** Waits until the store has confirmed from now on what a server knows. */
  async #confirmed(server: LabServer): Promise<void> {
    const fromMs = Date.now();
    await this.#until(
      `${server.id} to see the store`,
      async () => 1000 * await server.ageSeconds() < Date.now() - fromMs,
    );
  }

  async #until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    try {
      await until(what, condition);
    } catch (error) {
      const seen = this.servers.map(({ id }) => `${id}: ${JSON.stringify(this.watcher.last(id))}`);
      throw new Error([(error as Error).message, ...seen, this.logs()].join("\n"));
    }
  }

  /** What servers logged last. */
  logs(): string {
    return this.servers.map(({ id, folder }) => {
      const log = Deno.readTextFileSync(`${folder}/log`);
      return `${id}: ${log.slice(-4000)}`;
    }).join("\n");
  }

  async #startStores(network: Network): Promise<void> {
    const addresses = [1, 2, 3].map((i) => `10.77.1.${i}`);
    const cluster = addresses.map((address, i) => `e${i}=http://${address}:2380`).join(",");
    for (const [i, address] of addresses.entries()) {
      const store = new LabStore(await network.add(`e${i}`, address), this.folder, cluster);
      this.stores.push(store);
      store.start();
    }
  }

  async #startServers(machines: readonly Machine[]): Promise<void> {
    for (const machine of machines) {
      const folder = `${this.folder}/${machine.name}`;
      await Deno.mkdir(folder);
      const server = new LabServer(machine.name, machine, folder);
      await Deno.writeTextFile(`${folder}/Corefile`, this.#corefile(server));
      server.start();
      this.servers.push(server);
      this.watcher.add(server.id, machine.watched);
    }
    await this.#until(
      "all servers to answer",
      () => this.servers.every(({ id }) => this.watcher.last(id) !== undefined),
    );
  }

  async #startNodes(): Promise<void> {
    await until("a join token", async () => {
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}main.ts`],
          ...["token", "create", "-name", "lab", "-joins", `${this.nodes.length}`],
          ...["-control", `${this.servers[0]!.folder}/state/control.sock`],
        ],
        ...{ stdin: "null", stderr: "null" },
      }).output();
      this.joinToken = new TextDecoder().decode(stdout).trim();
      return code === 0;
    });
    for (const node of this.nodes) node.speak();
    await this.say(this.nodes);
    await this.agree();
  }

  #corefile({ id, machine, url }: LabServer): string {
    const { certificate, key } = this.certificates.server;
    return `{
    state state
    state etcd ${this.stores.map(({ url }) => url).join(" ")}
    server ${id} {
        url ${url}
    }
    vantages quorum 2 {
        fresh ${FRESH_MS / 1000}s
        hold ${HOLD_MS / 1000}s
    }
    workers 1
}
example.org:53 {
    bind ${machine.watched}
    prometheus ${machine.watched}:${METRICS_PORT}
    api ${machine.address}:${API_PORT} {
        tls ${certificate} ${key}
    }
    health {
        check tcp ${HEALTH_PORT}
        interval ${INTERVAL_MS / 1000}s
        timeout ${TIMEOUT_MS}ms
        fall ${FALL}
        rise 2
        hold-down off
        ramp off
    }
    geo
    anycast ${NAME} {
        nodes registry
        answers ${this.nodes.length}
        unknown nearest 50 8
    }
    ttl 1 30
}
digest.meridian:53 {
    bind ${machine.watched}
    chaos
}
`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watcher.stop();
    await Promise.all(this.nodes.map((node) => node.fallSilent()));
    for (const server of this.servers) await server.kill();
    for (const store of this.stores) await store.kill();
    this.listeners.close();
    this.http.close();
    await this.certificates[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
