/**
 * The server of a mixed load, in a process of its own, its log in a file; and what Linux and its metrics say of it.
 *
 * @module
 */

import { askControl } from "../../../core/server/control_socket.ts";
import { ROOT } from "../../command/meridian.ts";
import { until } from "../../support/until.ts";
import { networksText, nodesText, UPSTREAM_ZONE, ZONE, zoneText } from "./world.ts";

/** What to start. */
export interface ServerPlan {
  readonly port: number;
  readonly metricsPort: number;
  readonly nodePort: number;
  readonly upstreamPort: number;
  readonly workers: number;
}

/** What a process has just now. */
export interface Sample {
  /** Since the load began. */
  readonly atSeconds: number;
  readonly residentMiB: number;
  /** Of that, what no file and no shared memory has. */
  readonly anonymousMiB: number;
  readonly descriptors: number;
  readonly threads: number;
  /** Processor time so far. */
  readonly cpuSeconds: number;
}

/** How many warnings are kept from one rotation to the next, and how much of a log is read at a time. */
const WARNINGS_MAX = 50, READ_OCTETS = 1 << 20;

/** The databases of cities, where the repository has them; else the server has those of countries that are embedded. */
export function cityDatabases(): readonly string[] {
  const paths = [4, 6].map((family) => `${ROOT}data/dbip-city-ipv${family}.mmdb`);
  const isThere = (path: string) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  };
  return paths.every(isThere) ? paths : [];
}

function corefileOf(
  { port, metricsPort, nodePort, upstreamPort, workers }: ServerPlan,
  version: number,
): string {
  return `# ${version}
{
    state .meridian
    workers ${workers}
}
${ZONE}:${port} {
    bind 127.0.0.1
    errors
    log
    prometheus 127.0.0.1:${metricsPort}
    geo ${cityDatabases().join(" ")} {
        networks networks.yaml
    }
    cookie
    rrl {
        allow 127.0.0.0/16
        log-period 0s
    }
    health {
        check tcp ${nodePort}
        interval 2s
        timeout 1s
        rise 1
        slow-flap off
        hold-down off
        ramp off
    }
    anycast entry.${ZONE} {
        nodes nodes.yaml
        unknown nearest 50 8
    }
    ttl 5 60
    file zone
}
${UPSTREAM_ZONE}:${port} {
    bind 127.0.0.1
    errors
    log
    cache 30
    forward . 127.0.0.1:${upstreamPort} {
        read_timeout 5s
    }
}
`;
}

/** See the module. */
export class SoakServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #plan: ServerPlan;
  readonly #child: Deno.ChildProcess;
  #version = 1;
  #ended: Deno.CommandStatus | undefined;
  /** Warnings and errors that the log had. */
  readonly complaints: string[] = [];
  /** How often the log was begun anew, and how many octets it had by then. */
  rotations = 0;
  loggedOctets = 0;

  private constructor(folder: string, plan: ServerPlan) {
    [this.#folder, this.#plan] = [folder, plan];
    const command =
      `exec "$0" run -A --no-check --quiet --config=${ROOT}deno.json ${ROOT}main.ts serve >>log 2>>log`;
    this.#child = new Deno.Command("bash", {
      args: ["-c", command, Deno.execPath()],
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).spawn();
    this.#child.status.then((status) => this.#ended = status);
  }

  /** Starts it and waits until it serves, with all its nodes known. */
  static async start(folder: string, plan: ServerPlan): Promise<SoakServer> {
    const files = { zone: zoneText(), "nodes.yaml": nodesText(), "networks.yaml": networksText() };
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await Deno.writeTextFile(`${folder}/Corefile`, corefileOf(plan, 1));
    const server = new SoakServer(folder, plan);
    await until("the server", async () => {
      const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
      if (server.#ended) throw new Error(`The server ended: ${log}`);
      return log.includes("Meridian-");
    }, 180_000);
    return server;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Reads the Corefile again, in which one line is another. @throws When it is not taken. */
  async reload(): Promise<void> {
    await Deno.writeTextFile(`${this.#folder}/Corefile`, corefileOf(this.#plan, ++this.#version));
    const reply = await askControl(`${this.#folder}/.meridian/control.sock`, "reload");
    if (!("result" in reply) || !(reply.result as { taken: boolean }).taken) {
      throw new Error(`Not reloaded: ${JSON.stringify(reply)}`);
    }
  }

  /** Begins the log anew, as `copytruncate` has it, once it was looked through to its very end. */
  async rotate(): Promise<void> {
    using file = await Deno.open(`${this.#folder}/log`, { read: true, write: true });
    const complaints = new Complaints(), buffer = new Uint8Array(READ_OCTETS);
    for (;;) {
      // At once, so that next to nothing is written between the end that is seen here and the cut.
      const count = file.readSync(buffer);
      if (count === null) break;
      complaints.take(buffer.subarray(0, count));
      this.loggedOctets += count;
      await new Promise((resolve) => setTimeout(resolve));
    }
    file.truncateSync();
    // What ends in no end of a line is looked at as well.
    complaints.take(Uint8Array.of(0x0a));
    this.complaints.push(...complaints.found);
    this.rotations++;
  }

  /** What its process has. */
  sample(atSeconds: number): Sample {
    const { pid } = this.#child;
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)![1]);
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");
    return {
      atSeconds,
      residentMiB: of("VmRSS") / 1024,
      anonymousMiB: of("RssAnon") / 1024,
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
      threads: of("Threads"),
      cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100,
    };
  }

  /**
   * Its metrics by name and labels, as Prometheus gets them. A connection that was kept may be closed just as it is used again:
   * that is told, and asked once more. @throws {Error} With the end of the log.
   */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    try {
      return await this.#scrape();
    } catch (error) {
      console.warn(`${new Date().toISOString()} no metrics: ${(error as Error).cause ?? error}`);
    }
    try {
      return await this.#scrape();
    } catch (cause) {
      const log = await Deno.readTextFile(`${this.#folder}/log`).catch(() => "");
      const state = this.#ended ? `it has ended, ${JSON.stringify(this.#ended)}` : "it has not ended";
      const others = log.split("\n").filter((line) => !line.startsWith("[INFO]")).slice(-50);
      throw new Error(`no metrics; ${state}; its log ends:\n${others.join("\n")}`, { cause });
    }
  }

  async #scrape(): Promise<ReadonlyMap<string, number>> {
    const response = await fetch(`http://127.0.0.1:${this.#plan.metricsPort}/metrics`);
    const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }));
  }

  /** Ends it in order, and gives its exit code. */
  async end(): Promise<number> {
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    await this.rotate();
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** Finds all errors in a log that comes in pieces, and the first warnings: a flood of those must hide no error. */
class Complaints {
  readonly found: string[] = [];
  readonly #decoder = new TextDecoder();
  #warnings = 0;
  #begun = "";

  take(octets: Uint8Array): void {
    const text = this.#begun + this.#decoder.decode(octets, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    this.#begun = text.slice(end);
    for (const [line, level] of text.slice(0, end).matchAll(/^\[(WARNING|ERROR)\].*/gm)) {
      if (level === "ERROR" || this.#warnings++ < WARNINGS_MAX) this.found.push(line);
    }
  }
}

/** The sum of a metric over all its labels, or those that match. */
export function sumOf(metrics: ReadonlyMap<string, number>, name: string, labels = /(?:)/): number {
  return metrics.entries().filter(([key]) => key.replace(/\{.*/, "") === name && labels.test(key))
    .reduce((sum, [, value]) => sum + value, 0);
}
