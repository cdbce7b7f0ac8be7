/**
 * Changes a server in a process of its own under load, and holds every answer against the version that was valid when it was
 * asked.
 *
 * @module
 */

import { askControl } from "../../../core/server/control_socket.ts";
import { ServeProcess, withFolder } from "../../command/meridian.ts";
import { until } from "../until.ts";
import { type LoadReport, UP_ADDRESS } from "./load.ts";

/** What to do to a server. */
export interface ChangePlan {
  readonly reloads: number;
  readonly replaces: number;
  /** Queries a second that are tried for. */
  readonly rate: number;
  /** Between one change and the next. */
  readonly pauseMs: number;
  readonly flags?: readonly string[];
}

/** What came of it: `mixed` says where a version was answered before it was there or after it had gone. */
export interface ChangeReport extends LoadReport {
  readonly mixed: readonly string[];
  /** What the server said. */
  readonly output: string;
}

/** Queries that may be unanswered at a time. */
const WINDOW = 500;

/** Does all that to one server: its reloads spread evenly among the replaces. */
export async function changeUnderLoad(plan: ChangePlan): Promise<ChangeReport> {
  let report: ChangeReport | undefined;
  using up = Deno.listen({ hostname: UP_ADDRESS, port: 0 });
  accept(up);
  await withFolder(FILES, async (folder) => {
    const flags = ["-pidfile", "pid", ...plan.flags ?? []];
    await using server = await ServeProcess.start(folder, corefileOf(0, up.addr.port), ...flags);
    const changes = new Changes(folder, server.port, up.addr.port);
    try {
      await until("the node that is down to be found", () => server.output.includes("is down"));
      await until("the node that is up to be found", () => server.output.includes("is up"));
      const load = await startLoad(server.port, plan.rate);
      await load.sees(0);
      for (let i = 0; i < plan.reloads + plan.replaces; i++) {
        await new Promise((resolve) => setTimeout(resolve, plan.pauseMs));
        const isReplace = Math.floor((i + 1) * plan.replaces / (plan.reloads + plan.replaces)) >
          Math.floor(i * plan.replaces / (plan.reloads + plan.replaces));
        if (isReplace) await changes.replace();
        else await changes.reload();
        await load.sees(i + 1);
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
      const loaded = await load.end();
      report = { ...loaded, mixed: changes.mixed(loaded), output: server.output };
    } finally {
      await changes.stop();
    }
  });
  return report!;
}

/** The versions of a server, and when each was valid. */
class Changes {
  readonly #folder: string;
  readonly #port: number;
  readonly #checkPort: number;
  readonly #valid: { fromMs: number; untilMs: number }[] = [{ fromMs: 0, untilMs: Infinity }];

  constructor(folder: string, port: number, checkPort: number) {
    [this.#folder, this.#port, this.#checkPort] = [folder, port, checkPort];
  }

  async reload(): Promise<void> {
    await this.#change(async () => {
      const reply = await askControl(`${this.#folder}/.meridian/control.sock`, "reload");
      const isTaken = "result" in reply && (reply.result as { taken: boolean }).taken;
      if (!isTaken) throw new Error(`Not reloaded: ${JSON.stringify(reply)}`);
    });
  }

  async replace(): Promise<void> {
    await this.#change(async () => {
      const before = this.#pid();
      Deno.kill(before, "SIGUSR2");
      await until("another process to take over", () => this.#pid() !== before);
      // The one before it answers what it has, and goes.
      await until("the process before to end", () => !isAlive(before));
    });
  }

  /** Ends whichever process serves now. */
  async stop(): Promise<void> {
    const pid = this.#pid();
    Deno.kill(pid, "SIGTERM");
    await until("the server to end", () => !isAlive(pid));
  }

  /** What was answered before it could be, or to a query that came when it had gone. */
  mixed({ versions }: LoadReport): string[] {
    return Object.entries(versions).flatMap(([number, { count, firstReceivedMs, lastSentMs }]) => {
      const valid = this.#valid[Number(number)];
      if (!valid) return [`version ${number} never was, ${count} times`];
      const early = valid.fromMs - firstReceivedMs, late = lastSentMs - valid.untilMs;
      return [
        ...early > 0 ? [`version ${number} was answered ${early} ms before it was there`] : [],
        ...late > 0 ? [`version ${number} was answered to what was asked ${late} ms after it had gone`] : [],
      ];
    });
  }

  async #change(act: () => Promise<void>): Promise<void> {
    const next = this.#valid.length;
    this.#valid.push({ fromMs: Date.now(), untilMs: Infinity });
    Deno.writeTextFileSync(`${this.#folder}/zone.${next}`, zoneOf(next));
    const text = corefileOf(next, this.#checkPort).replaceAll("1053", `${this.#port}`);
    Deno.writeTextFileSync(`${this.#folder}/Corefile`, text);
    await act();
    this.#valid[next - 1]!.untilMs = Date.now();
  }

  #pid(): number {
    return Number(Deno.readTextFileSync(`${this.#folder}/pid`));
  }
}

/** Questions of a process of its own. */
interface RunningLoad {
  /** Waits until it has been answered by a version: of two processes one may not be run for longer than a version lasts. */
  sees(version: number): Promise<void>;
  end(): Promise<LoadReport>;
}

async function startLoad(port: number, rate: number): Promise<RunningLoad> {
  const script = new URL("load.ts", import.meta.url).pathname;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", "--quiet", `--config=${config}`, script];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, ...[port, rate, WINDOW, 3600].map(String)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  let said = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) said += text;
  })();
  await until("the load to begin", () => said.startsWith("ready\n"));
  return {
    async sees(version) {
      await until(`an answer of version ${version}`, () => said.includes(`\nseen ${version}\n`));
    },
    async end() {
      await child.stdin.close();
      await reading;
      await child.status;
      return JSON.parse(said.trimEnd().split("\n").at(-1)!) as LoadReport;
    },
  };
}

const FILES = {
  "zone.0": zoneOf(0),
  "nodes.yaml": `nodes:
  - { id: down, addresses: [127.0.0.3], location: { latitude: 50, longitude: 8 } }
  - { id: up, addresses: [${UP_ADDRESS}], location: { latitude: 35, longitude: 139 } }
`,
};

function zoneOf(version: number): string {
  const address = `10.0.${version >> 8}.${version & 0xff}`;
  return `$TTL 60\n@ SOA ns1 hostmaster ${
    version + 1
  } 2h 30m 2w 5m\n@ NS ns1\nns1 A 192.0.2.53\nversion A ${address}\n`;
}

function corefileOf(version: number, checkPort: number): string {
  return `example.org:1053 {
    bind 127.0.0.1
    geo
    health {
        check tcp ${checkPort}
        interval 2s
        rise 1
        ramp off
    }
    anycast entry.example.org {
        nodes nodes.yaml
        answers 1
    }
    file zone.${version} {
        reload 0s
    }
}
`;
}

async function accept(listener: Deno.Listener): Promise<void> {
  try {
    for await (const connection of listener) connection.close();
  } catch {
    // Closed.
  }
}

/** Whether a process runs: one that has ended and was not waited for does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
