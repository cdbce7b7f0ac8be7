/**
 * A real etcd, of one member or several, in processes of its own on loopback.
 *
 * @module
 */

import { ensurePackages } from "../../scripts/packages.ts";
import { freePort } from "./server.ts";

/** One member of a cluster. */
export class EtcdMember {
  readonly url: string;
  readonly #args: readonly string[];
  readonly #folder: string;
  #process: Deno.ChildProcess | undefined;

  constructor(
    name: string,
    folder: string,
    clientPort: number,
    peerPort: number,
    cluster: string,
    flags: readonly string[],
  ) {
    this.url = `http://127.0.0.1:${clientPort}`;
    this.#folder = `${folder}/${name}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    this.#args = [
      ...["--name", name, "--data-dir", this.#folder, "--log-level", "error"],
      ...["--listen-client-urls", this.url, "--advertise-client-urls", this.url],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", cluster, "--initial-cluster-state", "new", "--unsafe-no-fsync"],
      ...flags,
    ];
  }

  start(): void {
    this.#process = new Deno.Command("etcd", { args: [...this.#args], stdout: "null", stderr: "null" })
      .spawn();
  }

  /** @throws {Error} It does not run. */
  get pid(): number {
    if (!this.#process) throw new Error("this member of etcd does not run");
    return this.#process.pid;
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (!process) return;
    this.#process = undefined;
    try {
      process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await process.status;
  }

  /** Stops it where it is, as a machine that hangs does; `SIGCONT` lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process!.kill(signal);
  }

  /** The id of the member that leads, by this one's account. */
  async status(): Promise<{ member: string; leader: string }> {
    const response = await fetch(`${this.url}/v3/maintenance/status`, {
      ...{ method: "POST", body: "{}", signal: AbortSignal.timeout(5000) },
    });
    const { header, leader } = await response.json();
    return { member: header.member_id, leader };
  }
}

/** A cluster that has a leader when it is started. */
export class EtcdCluster implements AsyncDisposable {
  private constructor(readonly members: readonly EtcdMember[], readonly folder: string) {}

  static async start(size: number, flags: readonly string[] = []): Promise<EtcdCluster> {
    await ensurePackages(["etcd-server"]);
    const folder = await Deno.makeTempDir({ prefix: "meridian-etcd-" });
    const ports = Array.from({ length: size }, () => [freePort(), freePort()] as const);
    const cluster = ports.map(([, peer], i) => `m${i}=http://127.0.0.1:${peer}`).join(",");
    const members = ports.map(([client, peer], i) =>
      new EtcdMember(`m${i}`, folder, client, peer, cluster, flags)
    );
    for (const member of members) member.start();
    const started = new EtcdCluster(members, folder);
    await started.leader();
    return started;
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url);
  }

  /** The member that leads, once there is one. @throws {Error} There is none within two minutes. */
  async leader(): Promise<EtcdMember> {
    for (const fromMs = Date.now(); Date.now() - fromMs < 120_000;) {
      for (const member of this.members) {
        const status = await member.status().catch(() => undefined);
        if (status?.leader && status.leader !== "0" && status.leader === status.member) return member;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("etcd has no leader");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await Deno.remove(this.folder, { recursive: true });
  }
}
