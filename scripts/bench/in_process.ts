/**
 * What a query costs inside the program, sockets aside: CPU time and allocation of replies that are repeated, and of those
 * that the chain is asked for.
 *
 *     deno run -A scripts/bench/in_process.ts [ROUNDS]
 *
 * @module
 */

import process from "node:process";
import { loadCorefile } from "../../core/command/load.ts";
import { parseName } from "../../core/dns/name.ts";
import { TYPE } from "../../core/dns/types.ts";
import { parseAddress } from "../../core/net/address.ts";
import type { PacketSource } from "../../core/query.ts";
import { Memo } from "../../core/server/memo/memo.ts";
import { Server } from "../../core/server/server.ts";
import { plugins } from "../../plugins/mod.ts";
import { medianOf } from "./statistics.ts";

/** How many packets are made ready for each workload. */
const PACKETS = 4096;

/** How many queries are asked at a time. */
const QUERIES = 200_000;

const ZONE_NAMES = PACKETS;

const POOL = "entry.anycast.example.";

/** How long partitions are waited for. */
const PATIENCE_MS = 60_000;

const COREFILE = `{
    state off
}
anycast.example:1053 {
    geo
    anycast entry.anycast.example {
        nodes nodes.yaml
        select role=entry
        answers 2
    }
    ttl 5 60
    file ZONE
}
`;

const ZONE = `$ORIGIN anycast.example.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.1
`;

interface Workload {
  readonly name: string;
  readonly packets: readonly Uint8Array[];
  /** Each packet comes to an address of its own, and all is forgotten when all have come: so the chain is asked. */
  readonly asksChain?: boolean;
}

const server = await startServer();
await partitionsAreThere(server);
const memo = new Memo({ answering: server.answering, slots: 1, later: () => {} });
const rounds = Number(Deno.args[0] ?? 7);
const SERVERS = Array.from({ length: PACKETS }, () => ({ address: parseAddress("127.0.0.1")!, port: 1053 }));
const source: PacketSource = {
  family: 4,
  words: Uint32Array.of(0x7f000001, 0, 0, 0),
  port: 5353,
  server: SERVERS[0]!,
};
const figures = new Map<string, { ns: number[]; octets: number[]; hits: number }>();
for (let round = 0; round < rounds; round++) {
  for (const workload of workloads()) {
    const { ns, octets, hits } = measure(workload);
    const figure = figures.get(workload.name) ?? { ns: [], octets: [], hits: 0 };
    figure.ns.push(ns);
    figure.octets.push(octets);
    figure.hits = hits;
    figures.set(workload.name, figure);
  }
}
for (const [name, { ns, octets, hits }] of figures) {
  const [time, space] = [medianOf(ns), medianOf(octets)];
  console.log(
    `${name.padEnd(36)} ${time.toFixed(0).padStart(6)} ns ${space.toFixed(1).padStart(8)} octets ` +
      `${(100 * hits).toFixed(0).padStart(4)} % repeated`,
  );
}
await server.close();

function workloads(): Workload[] {
  const random = () => Math.floor(Math.random() * 2 ** 32);
  const many = (make: (i: number) => Uint8Array) => Array.from({ length: PACKETS }, (_, i) => make(i));
  const edns = opt([]);
  const subnet = () => opt([0, 8, 0, 7, 0, 1, 24, 0, random() >>> 24, random() >>> 24, random() >>> 24]);
  const absent = () => `${random().toString(36).slice(0, 5).padEnd(5, "x")}.anycast.example.`;
  const host = (i: number) => `h${i}.anycast.example.`;
  return [
    { name: "static A", packets: many(() => query("ns1.anycast.example.")) },
    { name: "static A, EDNS", packets: many(() => query("ns1.anycast.example.", edns)) },
    { name: "static A, 4096 names", packets: many((i) => query(host(i), edns)) },
    { name: "pool, source", packets: many(() => query(POOL, edns)) },
    { name: "pool, random ECS /24", packets: many(() => query(POOL, subnet())) },
    { name: "no such name", packets: many(() => query(absent(), edns)) },
    { name: "static A, asking the chain", packets: many((i) => query(host(i), edns)), asksChain: true },
    { name: "pool, asking the chain", packets: many(() => query(POOL, subnet())), asksChain: true },
    {
      name: "no such name, asking the chain",
      packets: many((i) => query(absent(), edns, i)),
      asksChain: true,
    },
  ];
}

/** Everything once to warm up, then what it costs. */
function measure({ packets, asksChain = false }: Workload) {
  memo.drop();
  ask(packets, asksChain, QUERIES / 10);
  const idle = cpuOf(() => ask([], asksChain, QUERIES));
  const before = { hits: memo.hits, misses: memo.misses };
  const heap = heapOf(() => ask(packets, asksChain, QUERIES / 10));
  const cpu = cpuOf(() => ask(packets, asksChain, QUERIES));
  const hits = memo.hits - before.hits, all = hits + memo.misses - before.misses;
  return { ns: (cpu - idle) / QUERIES, octets: heap / (QUERIES / 10), hits: hits / all };
}

/** Asks packet by packet; without packets, does all the rest. */
function ask(packets: readonly Uint8Array[], asksChain: boolean, count: number): void {
  const { octets } = memo, nowMs = Date.now();
  for (let i = 0; i < count; i++) {
    source.server = asksChain ? SERVERS[i % PACKETS]! : SERVERS[0]!;
    if (asksChain && i % PACKETS === 0) memo.drop();
    if (packets.length === 0) continue;
    const packet = packets[i % PACKETS]!;
    for (let at = 0; at < packet.length; at++) octets[at] = packet[at]!;
    memo.answer(0, packet.length, source, nowMs);
  }
}

/** Nanoseconds of CPU. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return 1000 * (user + system);
}

function heapOf(work: () => void): number {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const before = Deno.memoryUsage().heapUsed;
  work();
  return Math.max(0, Deno.memoryUsage().heapUsed - before);
}

function query(name: string, additional: readonly number[] = [], type: number = TYPE.A): Uint8Array {
  const wire = Array.from(parseName(name), (character) => character.charCodeAt(0));
  const counts = [0, 1, 0, 0, 0, 0, 0, additional.length > 0 ? 1 : 0];
  return Uint8Array.from([1, 2, 1, 0, ...counts, ...wire, type >> 8 & 255, type & 255, 0, 1, ...additional]);
}

function opt(options: readonly number[]): number[] {
  return [0, 0, TYPE.OPT, 0x04, 0xd0, 0, 0, 0, 0, 0, options.length, ...options];
}

async function startServer(): Promise<Server> {
  const zone = Deno.makeTempFileSync();
  const hosts = Array.from({ length: ZONE_NAMES }, (_, i) => `h${i} A 192.0.2.${i % 256}`);
  Deno.writeTextFileSync(zone, `${ZONE}${hosts.join("\n")}\n`);
  const text = COREFILE.replace("ZONE", zone);
  const { configuration, modules, problems } = await loadCorefile({ file: "Corefile", text }, plugins, 1053);
  if (problems.errors.length > 0) throw new Error(JSON.stringify(problems.errors));
  const log = { debug() {}, info() {}, warn() {}, error: console.error };
  const server = await Server.start({ configuration, modules, log, writeLine() {}, listens: false });
  Deno.removeSync(zone);
  return server;
}

/** Until partitions are made, clients are told apart leaf by leaf. */
async function partitionsAreThere({ publisher }: Server): Promise<void> {
  for (const startedMs = performance.now(); performance.now() - startedMs < PATIENCE_MS;) {
    const made = publisher.snapshot.partitions[POOL];
    if (made?.[4] && made[6]) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`The partitions of ${POOL} were not made within ${PATIENCE_MS / 1000} s`);
}
