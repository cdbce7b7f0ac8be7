/**
 * All that a server does at once, for as long as wanted: pools whose nodes go and come back, static, absent and wildcard names,
 * what is forwarded and cached, cookies, TCP with many queries at a time and with few, packets that are none; its log begun
 * anew, its metrics read, its Corefile read again. Every answer is checked; none may be lost that the server does not account
 * for, and memory, descriptors and p99 stay where they are. Memory is judged in runs of 1800 s and more only, and a shorter one
 * says so: until then caches fill, and a bound that allows for that would find nothing.
 *
 * MERIDIAN_SOAK_SECONDS: how long; 120.
 * MERIDIAN_SOAK_RATE: queries a second over UDP; 5000.
 * MERIDIAN_SOAK_RELOAD_SECONDS: between one reload and the next; an eighth of the time, ten minutes at the most.
 * MERIDIAN_SOAK_FLIP_SECONDS: between one change of a node and the next; 25.
 * MERIDIAN_SOAK_REPORT: a path for all samples as JSON.
 *
 * @module
 */

import assert from "node:assert/strict";
import { nativeProgram } from "../../scripts/bench/native.ts";
import { ServeProcess, withFolder } from "../command/meridian.ts";
import { freePort } from "../support/server.ts";
import { cityDatabases, type Sample, SoakServer, sumOf } from "./mixed/server.ts";
import { runWindow } from "./mixed/steady.ts";
import { latenciesOf, partsOf, tableOf } from "./mixed/summary.ts";
import {
  type ClientsPlan,
  type ClientsReport,
  UPSTREAM_ZONE,
  upstreamZoneText,
  type Window,
} from "./mixed/world.ts";

const number = (name: string, byDefault: number) =>
  Number(Deno.env.get(`MERIDIAN_SOAK_${name}`) ?? byDefault);

const seconds = number("SECONDS", 120), rate = number("RATE", 5000);
const flipMs = 1000 * number("FLIP_SECONDS", 25);
const reloadSeconds = number("RELOAD_SECONDS", Math.min(600, seconds / 8));

/** Before anything is counted: caches fill, the first partitions are made. */
const WARMING_SECONDS = Math.min(60, Math.max(15, seconds / 10));

const WINDOW_SECONDS = 10, ROTATION_SECONDS = Math.min(60, seconds / 4);

/** What clients that look at every answer ask, beside the steady load. */
const CHECKED_SHARE = 0.06;

/**
 * From how long a run on memory is judged, seconds. A worker remembers 65,536 replies and keeps up to 1.6 KiB of objects for each
 * beside their octets, as this log takes: until all places are taken, some ten minutes at the usual rate, it grows by up to
 * 100 MiB.
 */
const MEMORY_JUDGED_SECONDS = 1800;

/** How much more the last third may have than the second, as a ratio and beyond that, in MiB. */
const MEMORY = { ratio: 1.05, more: 8 };

/** The same of p99, in microseconds, against the worse of the thirds before: others who use the machine move it by much. */
const P99 = { ratio: 2, more: 1000 };

const program = await nativeProgram("datagrams");
if (program === undefined) console.warn("left out: the load wants a C compiler, gcc");

Deno.test(
  { name: "a mixed load is answered rightly, and nothing grows", ignore: program === undefined },
  async () => {
    await withFolder({ db: upstreamZoneText() }, async (upstreamFolder) => {
      const corefile = `${UPSTREAM_ZONE}:1053 {\n    bind 127.0.0.1\n    file db\n}\n`;
      // Sockets that data workers read have room for all that is asked at once.
      await using upstream = await ServeProcess.start(upstreamFolder, corefile, "-workers", "1");
      await withFolder({}, async (folder) => {
        const soak = await Soak.start(folder, upstream.port);
        try {
          await soak.run();
          await soak.judge();
        } finally {
          await soak.stop();
        }
      });
    });
  },
);

/** A server, its load, and what was seen of both. */
class Soak {
  readonly #server: SoakServer;
  readonly #clients: ClientsProcess;
  readonly #port: number;
  readonly #samples: Sample[] = [];
  readonly #windows: Window[] = [];
  #beganMs = performance.now();
  #reloads = 0;
  #scrapes = 0;

  private constructor(server: SoakServer, clients: ClientsProcess, port: number) {
    [this.#server, this.#clients, this.#port] = [server, clients, port];
  }

  static async start(folder: string, upstreamPort: number): Promise<Soak> {
    const [port, metricsPort, nodePort] = [freePort(), freePort(), freePort()];
    const clients = await ClientsProcess.start({
      port,
      nodePort,
      rate: rate * CHECKED_SHARE,
      flipMs,
    });
    const plan = { port, metricsPort, nodePort, upstreamPort, workers: 2 };
    return new Soak(await SoakServer.start(folder, plan), clients, port);
  }

  /** Puts the load on, and looks at what it does. */
  async run(): Promise<void> {
    await this.#clients.begin();
    await this.#window(WARMING_SECONDS);
    this.#beganMs = performance.now();
    const timers = [
      setInterval(() => this.#samples.push(this.#server.sample(this.#atSeconds)), 1000),
      this.#every(WINDOW_SECONDS, async () => {
        await this.#server.metrics();
        this.#scrapes++;
      }),
      this.#every(ROTATION_SECONDS, () => this.#server.rotate()),
      this.#every(reloadSeconds, async () => {
        await this.#server.reload();
        this.#reloads++;
      }),
    ];
    try {
      while (this.#atSeconds < seconds) this.#windows.push(await this.#window(WINDOW_SECONDS));
    } finally {
      timers.forEach(clearInterval);
    }
  }

  /** Prints what came of it. @throws {AssertionError} When something is not as it should be. */
  async judge(): Promise<void> {
    const checked = await this.#clients.end(), metrics = await this.#server.metrics();
    const code = await this.#server.end();
    const thirds = partsOf(this.#samples, this.#windows, 3), [first, second, last] = thirds;
    const parts = partsOf(this.#samples, this.#windows, Math.max(3, Math.min(12, this.#windows.length >> 1)));
    const kinds = kindsOf(this.#windows);
    const { complaints, rotations, loggedOctets } = this.#server;
    const counted = {
      workerFailures: sumOf(metrics, "meridian_worker_failures_total"),
      faults: sumOf(metrics, "meridian_faults_total"),
      logLinesLost: sumOf(metrics, "meridian_log_dropped_lines_total"),
      notTaken: sumOf(metrics, "meridian_udp_kernel_dropped_total") +
        sumOf(metrics, "meridian_udp_dropped_total", /"(overload|send)"/),
    };
    const lost = sum(kinds, ({ lost }) => lost) + sum(checked.kinds, ({ lost }) => lost);
    const wrong = sum(kinds, ({ wrong }) => wrong) + sum(checked.kinds, ({ wrong }) => wrong);
    const { kinds: checkedKinds, samples, ...others } = checked;
    const more = { reloads: this.#reloads, scrapes: this.#scrapes, rotations, loggedOctets, ...others };
    console.log(`geography: ${cityDatabases().length > 0 ? "cities" : "countries"}`);
    console.log(tableOf(parts));
    console.log("thirds");
    console.log(tableOf(thirds));
    console.table(kinds);
    console.table(checkedKinds);
    console.log({ ...more, ...counted, lost, wrong, complaints: complaints.length });
    for (const line of [...samples, ...complaints.slice(0, 20)]) console.log(line);
    const path = Deno.env.get("MERIDIAN_SOAK_REPORT");
    const report = { seconds, rate, thirds, parts, kinds, checked, more, counted, complaints };
    if (path !== undefined) {
      const windows = this.#windows.map(({ atSeconds, kinds }) => ({
        ...{ atSeconds, ...latenciesOf(Object.values(kinds)) },
        kinds: Object.fromEntries(
          Object.entries(kinds).map(([kind, figures]) => [kind, { ...figuresOf([figures]) }]),
        ),
      }));
      await Deno.writeTextFile(path, JSON.stringify({ ...report, windows, samples: this.#samples }));
    }
    assert.equal(wrong, 0, "wrong answers");
    assert.ok(lost <= counted.notTaken, `${lost} lost, of which the server knows ${counted.notTaken}`);
    assert.ok(
      Object.values(checkedKinds).every(({ answered }) => answered > seconds),
      "every kind was asked",
    );
    assert.ok(
      flipMs < 20_000 || others.exact > seconds && others.flips > 0,
      "pools were looked at closely",
    );
    assert.deepEqual([counted.workerFailures, counted.faults, counted.logLinesLost], [0, 0, 0]);
    assert.deepEqual(complaints.filter((line) => line.startsWith("[ERROR]")), []);
    assert.equal(code, 0);
    const isJudged = seconds >= MEMORY_JUDGED_SECONDS;
    if (isJudged) isFlat("memory, MiB", second!.residentMiB, last!.residentMiB, MEMORY);
    else console.warn(`left out: memory is judged in runs of ${MEMORY_JUDGED_SECONDS} s and more`);
    isFlat("descriptors", second!.descriptors, last!.descriptors, { ratio: 1.1, more: 8 });
    isFlat("p99, µs", Math.max(first!.p99, second!.p99), last!.p99, P99);
  }

  async stop(): Promise<void> {
    await this.#clients[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  get #atSeconds(): number {
    return (performance.now() - this.#beganMs) / 1000;
  }

  #window(forSeconds: number): Promise<Window> {
    if (this.#failed) throw this.#failed;
    if (this.#server.hasEnded) throw new Error("The server has ended");
    const steady = rate * (1 - CHECKED_SHARE);
    return runWindow(program!, this.#port, steady, forSeconds, this.#atSeconds);
  }

  #failed: Error | undefined;

  #every(everySeconds: number, act: () => Promise<void>) {
    return setInterval(() => void act().catch((error) => this.#failed ??= error), everySeconds * 1000);
  }
}

/** clients.ts. */
class ClientsProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #said = "";

  private constructor(plan: ClientsPlan) {
    const [script, config] = ["./mixed/clients.ts", "../../deno.json"].map((path) =>
      new URL(path, import.meta.url).pathname
    );
    const args = ["run", "-A", "--no-check", "--quiet", `--config=${config}`, script!, JSON.stringify(plan)];
    this.#child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts it, and waits until its nodes take connections. */
  static async start(plan: ClientsPlan): Promise<ClientsProcess> {
    const clients = new ClientsProcess(plan);
    await clients.#line();
    return clients;
  }

  async begin(): Promise<void> {
    await this.#input.write(new Uint8Array(1));
  }

  async end(): Promise<ClientsReport> {
    await this.#input.close();
    return JSON.parse(await this.#line());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* ended already */ }
    await this.#child.status;
    await this.#input.close().catch(() => {});
    await this.#lines.cancel();
  }

  async #line(): Promise<string> {
    while (!this.#said.includes("\n")) {
      const { value } = await this.#lines.read();
      if (value === undefined) throw new Error("The clients ended");
      this.#said += value;
    }
    const [line, ...rest] = this.#said.split("\n");
    this.#said = rest.join("\n");
    return line!;
  }
}

type KindFigures = ReturnType<typeof figuresOf>;

/** By kind of query, over all windows. */
function kindsOf(windows: readonly Window[]): Record<string, KindFigures> {
  const kinds = Object.keys(windows[0]!.kinds);
  return Object.fromEntries(kinds.map((kind) => [kind, figuresOf(windows.map(({ kinds }) => kinds[kind]!))]));
}

function figuresOf(figures: readonly Window["kinds"][string][]) {
  const sent = sum(figures, ({ sent }) => sent), answered = sum(figures, ({ answered }) => answered);
  return { sent, lost: sent - answered, wrong: sum(figures, ({ wrong }) => wrong), ...latenciesOf(figures) };
}

function sum<T>(of: readonly T[] | Readonly<Record<string, T>>, what: (one: T) => number): number {
  return Object.values<T>(of).reduce((total, one) => total + what(one), 0);
}

function isFlat(what: string, before: number, after: number, may: { ratio: number; more: number }): void {
  const most = before * may.ratio + may.more;
  assert.ok(
    after <= most,
    `${what}: ${before.toFixed(1)} before, ${after.toFixed(1)} in the last third`,
  );
}
