/**
 * Several machines on this one: network namespaces on two bridges, of which the links of one can be cut. By the other one
 * everybody can be watched all the while.
 *
 *     10.77.0.0/16  the network: servers, stores, nodes      (cut and healed)
 *     10.78.0.0/16  by which they are watched                (never cut)
 *
 * All of it lies within namespaces of the one process that {@linkcode inNamespaces} starts: when that has ended, however it
 * did, the kernel ends what it had started, and takes networks and mounts away.
 *
 * @module
 */

import { ensurePackages } from "../../../scripts/packages.ts";

/** What such a process left. */
export interface Ran {
  readonly stdout: string;
}

/**
 * Runs a script in namespaces of its own: networks, mounts, processes.
 *
 * @throws {Error} They cannot be made, with the cause; or the script failed, with what it said.
 */
export async function inNamespaces(script: URL, ...args: string[]): Promise<Ran> {
  await ensurePackages(["iproute2", "nftables", "util-linux"]);
  const asRoot = Deno.uid() === 0 ? [] : ["--map-root-user"];
  const unshare = [...asRoot, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  await run("unshare", ...unshare, "true");
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [...unshare, Deno.execPath(), "run", "-A", "--no-check", "--quiet", script.pathname, ...args],
    stdin: "null",
  }).output();
  const said = { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  if (success) return { stdout: said.stdout };
  throw new Error(`${script.pathname} failed: ${said.stderr.trim().slice(0, 16_000)}`);
}

/** Where temporary files are from then on: in memory, and gone with the rest. */
const FOLDER = "/run/lab";

/** Which way packets of a machine are dropped. */
export interface Cut {
  /** `in`: it hears nothing, `out`: nobody hears it. */
  readonly way: "in" | "out" | "both";
  /** From or to these addresses alone; absent = all. */
  readonly peers?: readonly string[];
}

/** The two networks. */
export class Network {
  #machines = 0;

  private constructor() {}

  /** Only within {@linkcode inNamespaces}. The process itself has `addresses` on the network. */
  static async open(addresses: readonly string[]): Promise<Network> {
    await run("mount", "-t", "tmpfs", "none", "/run");
    for (const folder of ["/run/netns", FOLDER]) await Deno.mkdir(folder);
    Deno.env.set("TMPDIR", FOLDER);
    await run("ip", "link", "set", "lo", "up");
    for (const bridge of ["fleet", "watch"]) {
      await run("ip", "link", "add", "name", bridge, "type", "bridge");
      await run("ip", "link", "set", bridge, "up");
    }
    for (const address of addresses) await run("ip", "address", "add", `${address}/16`, "dev", "fleet");
    await run("ip", "address", "add", "10.78.255.254/16", "dev", "watch");
    return new Network();
  }

  /** A machine with an address on the network, and one like it by which it is watched: 10.77.0.1 and 10.78.0.1. */
  async add(name: string, address: string): Promise<Machine> {
    const number = ++this.#machines, watched = address.replace(/^10\.77\./, "10.78.");
    await run("ip", "netns", "add", name);
    await run("ip", "-n", name, "link", "set", "lo", "up");
    for (const [bridge, one] of [["fleet", address], ["watch", watched]] as const) {
      const end = `${bridge}${number}`;
      await run("ip", "link", "add", "name", end, "type", "veth", "peer", "name", bridge, "netns", name);
      await run("ip", "link", "set", end, "master", bridge, "up");
      await run("ip", "-n", name, "address", "add", `${one}/16`, "dev", bridge);
      await run("ip", "-n", name, "link", "set", bridge, "up");
    }
    return new Machine(name, address, watched);
  }
}

/** One machine. */
export class Machine {
  #isCut = false;

  constructor(
    readonly name: string,
    readonly address: string,
    readonly watched: string,
  ) {}

  /** A program with its arguments as it is started on this machine; the process is the program's own. */
  command(program: string, ...args: readonly string[]): [string, string[]] {
    return ["ip", ["netns", "exec", this.name, program, ...args]];
  }

  /** Drops packets, as a network does that loses them: nobody is told. Until {@linkcode heal}. */
  async cut({ way, peers }: Cut): Promise<void> {
    await this.heal();
    const of = (side: "saddr" | "daddr") => peers ? `ip ${side} { ${peers.join(", ")} } ` : "";
    const rules = [
      ...way !== "out" ? [`add rule inet cut in iifname fleet ${of("saddr")}drop`] : [],
      ...way !== "in" ? [`add rule inet cut out oifname fleet ${of("daddr")}drop`] : [],
    ];
    await this.#nft(
      "add table inet cut",
      "add chain inet cut in { type filter hook input priority 0; }",
      "add chain inet cut out { type filter hook output priority 0; }",
      ...rules,
    );
    this.#isCut = true;
  }

  /** Takes its link down, as a cable that is pulled out. Until {@linkcode heal}. */
  async unplug(): Promise<void> {
    await run("ip", "-n", this.name, "link", "set", "fleet", "down");
  }

  async heal(): Promise<void> {
    if (this.#isCut) await this.#nft("delete table inet cut");
    this.#isCut = false;
    await run("ip", "-n", this.name, "link", "set", "fleet", "up");
  }

  async #nft(...lines: readonly string[]): Promise<void> {
    for (const line of lines) await run("ip", "netns", "exec", this.name, "nft", line);
  }
}

/** @throws {Error} With what the program said. */
async function run(program: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args], stdout: "null" }).output();
  if (success) return;
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
