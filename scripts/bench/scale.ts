/**
 * What large configurations take: a million records in one zone and in a thousand, ten thousand zones and nodes, a thousand
 * pools; each at a tenth, a third and the whole of it, so that what does not grow evenly shows.
 *
 *     deno run -A scripts/bench/scale.ts [--json] [--workers N] [--sizes SHARE,...] [NAME]...
 *
 * Processor time tells more than seconds do on a machine that does something else besides. While zones are read again, one
 * name is asked for a thousand times a second: the longest silence is what a reload holds up, and beside it stands the
 * longest in a time just before, when there was nothing to do.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { freePort } from "../../tests/support/server.ts";
import { cpuSecondsOf } from "./process.ts";
import { AskedServer } from "./asked_server.ts";

/** Something that there may be a lot of. */
interface Plan {
  readonly name: string;
  /** How many at full size. */
  readonly full: number;
  /** Writes the Corefile and what it names. @returns What to ask for. */
  write(folder: string, port: number, count: number, workers: number): Subject;
}

/** What a server is asked. */
interface Subject {
  /** A name with an address. */
  readonly name: string;
  /** Where there are zones: one that is written anew. */
  readonly zone?: { readonly origin: string; write(serial: number): void };
}

/** What was measured; memory in MB of a million octets, times in seconds but for the silences. */
interface Figures {
  readonly name: string;
  readonly count: number;
  readonly start: number;
  readonly startCpu: number;
  readonly resident: number;
  readonly peak: number;
  /** The Corefile read again, until the new server answers. */
  readonly reload: number;
  readonly reloadCpu: number;
  /** Memory after that. */
  readonly residentAfter: number;
  /** A zone's file written anew; from then to the first answer of it, up to a second of it before the server looks. */
  readonly zone?: number;
  readonly zoneCpu?: number;
  /** The longest silences, milliseconds: in a second without work, while the Corefile is read, while the zone is. */
  readonly silences: readonly number[];
}

const PLANS: readonly Plan[] = [
  { name: "one-zone", full: 1_000_000, write: writeOneZone },
  { name: "thousand-zones", full: 1_000_000, write: (...to) => writeFolder(...to, 1000) },
  {
    name: "zones-auto",
    full: 10_000,
    write: (folder, port, count, workers) => writeFolder(folder, port, 10 * count, workers, count),
  },
  { name: "zones-blocks", full: 10_000, write: writeBlocks },
  {
    name: "nodes",
    full: 10_000,
    write: (folder, port, count, workers) => writePools(folder, port, 100, count / 100, workers),
  },
  {
    name: "pools",
    full: 1_000,
    write: (folder, port, count, workers) => writePools(folder, port, count, 10, workers),
  },
];

function globals(workers: number): string {
  return `{\n  state off\n  control off\n  workers ${workers}\n}\n`;
}

function writeOneZone(folder: string, port: number, count: number, workers: number): Subject {
  const write = (serial: number) => replace(`${folder}/zone`, zoneText("big.example.", serial, count));
  write(1);
  const file = `file zone {\n    reload 1s\n  }`;
  Deno.writeTextFileSync(
    `${folder}/Corefile`,
    `${globals(workers)}big.example:${port} {\n  bind 127.0.0.1\n  ${file}\n}\n`,
  );
  return { name: "n7.big.example", zone: { origin: "big.example", write } };
}

/** So many zones in a folder, `records` in all of them together. */
function writeFolder(folder: string, port: number, records: number, workers: number, zones: number): Subject {
  Deno.mkdirSync(`${folder}/zones`);
  const write = (i: number, serial: number) => {
    const origin = `z${i}.example.`;
    replace(`${folder}/zones/db.z${i}.example`, zoneText(origin, serial, records / zones));
  };
  for (let i = 0; i < zones; i++) write(i, 1);
  const auto = `auto {\n    directory zones\n    reload 1s\n  }`;
  Deno.writeTextFileSync(
    `${folder}/Corefile`,
    `${globals(workers)}example:${port} {\n  bind 127.0.0.1\n  ${auto}\n}\n`,
  );
  return { name: "n7.z1.example", zone: { origin: "z3.example", write: (serial) => write(3, serial) } };
}

/** A block for each zone. */
function writeBlocks(folder: string, port: number, count: number, workers: number): Subject {
  Deno.mkdirSync(`${folder}/zones`);
  const write = (i: number, serial: number) =>
    replace(`${folder}/zones/${i}`, zoneText(`z${i}.example.`, serial, 10));
  const blocks = Array.from({ length: count }, (_, i) => {
    write(i, 1);
    const file = `file zones/${i} {\n    reload ${i === 3 ? "1s" : "0"}\n  }`;
    return `z${i}.example:${port} {\n  bind 127.0.0.1\n  ${file}\n}\n`;
  });
  Deno.writeTextFileSync(`${folder}/Corefile`, globals(workers) + blocks.join(""));
  return { name: "n7.z1.example", zone: { origin: "z3.example", write: (serial) => write(3, serial) } };
}

/** Pools of nodes that nobody probes. */
function writePools(
  folder: string,
  port: number,
  pools: number,
  nodesAPool: number,
  workers: number,
): Subject {
  const random = generator();
  const blocks = Array.from({ length: pools }, (_, i) => {
    Deno.writeTextFileSync(`${folder}/nodes${i}.yaml`, nodesYaml(nodesAPool, random));
    return `  anycast p${i}.pools.example {\n    nodes nodes${i}.yaml\n    answers 2\n    unknown nearest 50.11 8.68\n  }\n`;
  });
  Deno.writeTextFileSync(
    `${folder}/Corefile`,
    `${globals(workers)}pools.example:${port} {\n  bind 127.0.0.1\n  geo\n${blocks.join("")}}\n`,
  );
  return { name: "p1.pools.example" };
}

/** A zone of `records` records, its SOA, NS and the server's address among them. */
function zoneText(origin: string, serial: number, records: number): string {
  const lines = [
    `$ORIGIN ${origin}`,
    "$TTL 300",
    `@ SOA ns hostmaster ${serial} 7200 3600 1209600 60`,
    "@ NS ns",
    "ns A 192.0.2.53",
  ];
  for (let i = 3; i < records; i++) lines.push(`n${i} A 192.0.${i >> 8 & 255}.${i & 255}`);
  return lines.join("\n") + "\n";
}

function nodesYaml(count: number, random: () => number): string {
  const nodes = Array.from({ length: count }, (_, i) => {
    const latitude = (random() * 110 - 45).toFixed(2), longitude = (random() * 360 - 180).toFixed(2);
    const addresses = `[192.0.${i >> 8}.${i & 255}, "2001:db8::${i.toString(16)}"]`;
    return `  - { id: n${i}, addresses: ${addresses}, location: { latitude: ${latitude}, longitude: ${longitude} } }`;
  });
  return `nodes:\n${nodes.join("\n")}\n`;
}

/** The same numbers in every run. */
function generator(): () => number {
  let state = 1;
  return () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
}

/** Puts a file in place whole. */
function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}~`, text);
  Deno.renameSync(`${path}~`, path);
}

/** How long the rest lasts that is compared with, and how long memory has to settle, milliseconds. */
const REST_MS = 1000, SETTLE_MS = 3000;

async function measure(plan: Plan, count: number, workers: number): Promise<Figures> {
  const folder = await Deno.makeTempDir({ prefix: "meridian-scale-" });
  try {
    const port = freePort();
    const { name, zone } = plan.write(folder, port, count, workers);
    const server = await AskedServer.start(`${folder}/Corefile`, port, name);
    const { pid } = server, { seconds: start } = server;
    const startCpu = cpuSecondsOf(pid);
    await pause(SETTLE_MS);
    const { resident, peak } = memoryOf(pid);
    const silences = [await server.longestSilenceMs(pause(REST_MS))];
    const timed = async (work: () => Promise<void>) => {
      const beganMs = performance.now(), beganCpu = cpuSecondsOf(pid);
      silences.push(await server.longestSilenceMs(work()));
      return { seconds: (performance.now() - beganMs) / 1000, cpu: cpuSecondsOf(pid) - beganCpu };
    };
    const reload = await timed(() => server.reload());
    await pause(SETTLE_MS);
    const after = memoryOf(pid);
    const change = zone && await timed(() => {
      zone.write(2);
      return server.serialIs(zone.origin, 2);
    });
    await server.end();
    return {
      ...{ name: plan.name, count, start, startCpu, resident, peak },
      ...{ reload: reload.seconds, reloadCpu: reload.cpu, residentAfter: after.resident },
      ...change && { zone: change.seconds, zoneCpu: change.cpu },
      silences,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function memoryOf(pid: number): { resident: number; peak: number } {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) * 1024 / 1e6;
  return { resident: field("VmRSS"), peak: field("VmHWM") };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function table(figures: readonly Figures[]): string {
  const seconds = (value: number | undefined) => value === undefined ? "" : `${value.toFixed(1)} s`;
  const rows = figures.map((one) => [
    ...[one.name, String(one.count), seconds(one.start), seconds(one.startCpu)],
    ...[one.resident, one.peak].map((megabytes) => `${megabytes.toFixed(0)} MB`),
    ...[seconds(one.reload), seconds(one.reloadCpu), `${one.residentAfter.toFixed(0)} MB`],
    ...[seconds(one.zone), seconds(one.zoneCpu)],
    one.silences.map((ms) => ms.toFixed(0)).join(" / "),
  ]);
  const heads = ["", "count", "start", "CPU", "resident", "peak", "reload", "CPU", "resident", "zone", "CPU"];
  const all = [[...heads, "silence, ms"], ...rows];
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row.map((text, i) => i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)).join("  ");
  return all.map(line).join("\n");
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean" },
      workers: { type: "string", default: "2" },
      sizes: { type: "string", default: `0.1,${1 / 3},1` },
    },
    allowPositionals: true,
  });
  const figures: Figures[] = [];
  for (const plan of PLANS) {
    if (positionals.length > 0 && !positionals.includes(plan.name)) continue;
    for (const share of values.sizes.split(",").map(Number)) {
      // Whole hundreds, so that they can be shared out.
      const count = Math.round(plan.full * share / 100) * 100;
      figures.push(await measure(plan, count, Number(values.workers)));
      if (!values.json) console.error(table(figures.slice(-1)));
    }
  }
  console.log(values.json ? JSON.stringify(figures, undefined, 2) : table(figures));
}
