/**
 * What a repeated reply costs within the process, for CI: not in time, of which a busy machine has its own idea, but in
 * octets allocated, and beside a yardstick of the same kind of work, measured in turn.
 *
 *     deno run -A --v8-flags=--expose-gc scripts/bench/gate.ts
 *
 * @module
 */

import process from "node:process";
import { loadCorefile } from "../../core/command/load.ts";
import { parseAddress } from "../../core/net/address.ts";
import type { PacketSource } from "../../core/query.ts";
import { Memo } from "../../core/server/memo/memo.ts";
import { Server } from "../../core/server/server.ts";
import { plugins } from "../../plugins/mod.ts";
import { nodesYaml, POOL_NAME, ZONE, zoneFile } from "./fleet.ts";
import { type QueryKind, queryOf, queryWriter } from "./queries.ts";

/** What came of one kind of query. */
export interface GateFigures {
  readonly kind: QueryKind;
  /** Share of the packets for which the chain was not asked. */
  readonly repeated: number;
  /** Octets of heap that one packet takes. */
  readonly octets: number;
  /** Processor time of a packet, in that of a packet of the yardstick. */
  readonly cost: number;
}

const KINDS: readonly QueryKind[] = ["name", "absent", "pool4"];

/** Packets of each kind, each asked again and again. */
const PACKETS = 512;

/** Packets to a slice, and slices: of all slices the shortest counts, since whatever disturbs makes them longer. */
const SLICE = 16_384, SLICES = 25;

const source: PacketSource = {
  family: 4,
  words: Uint32Array.of(0x7f000001, 0, 0, 0),
  port: 5353,
  server: { address: parseAddress("127.0.0.1")!, port: 1053 },
};

/** Measures every kind. */
export async function gateFigures(): Promise<GateFigures[]> {
  const server = await startServer();
  try {
    const memo = new Memo({ answering: server.answering, slots: 1, later: () => {} });
    return KINDS.map((kind) => figuresOf(kind, memo));
  } finally {
    await server.close();
  }
}

function figuresOf(kind: QueryKind, memo: Memo): GateFigures {
  const packets = packetsOf(kind), nowMs = Date.now();
  const work = () => ask(memo, packets, nowMs), yard = () => walkYard(memo.octets, packets);
  for (let i = 0; i < 10; i++) (work(), yard());
  const before = { hits: memo.hits, misses: memo.misses };
  const octets = heapOf(work) / SLICE;
  let shortest = Infinity, yardstick = Infinity;
  for (let i = 0; i < SLICES; i++) {
    shortest = Math.min(shortest, cpuOf(work));
    yardstick = Math.min(yardstick, cpuOf(yard));
  }
  const hits = memo.hits - before.hits, misses = memo.misses - before.misses;
  return { kind, repeated: hits / (hits + misses), octets, cost: shortest / yardstick };
}

function ask(memo: Memo, packets: readonly Uint8Array[], nowMs: number): void {
  for (let i = 0; i < SLICE; i++) {
    const packet = packets[i % PACKETS]!;
    put(packet, memo.octets);
    memo.answer(0, packet.length, source, nowMs);
  }
}

/** As `set` would, which makes more of so few octets than it takes. */
function put(packet: Uint8Array, into: Uint8Array): void {
  for (let i = 0; i < packet.length; i++) into[i] = packet[i]!;
}

/** A table that the nearest cache of a processor does not hold, as little as it does the memo's. */
const YARD = new Int32Array(1 << 18).map((_, i) => Math.imul(i, 0x9e3779b1));

/**
 * The yardstick: what a memo cannot do without. A packet is read, hashed octet by octet, found by some steps through a table,
 * and as many octets are written as a reply has.
 */
function walkYard(octets: Uint8Array, packets: readonly Uint8Array[]): void {
  for (let i = 0; i < SLICE; i++) {
    const packet = packets[i % PACKETS]!;
    put(packet, octets);
    let hash = 0x811c9dc5;
    for (let at = 2; at < packet.length; at++) hash = Math.imul(hash ^ octets[at]!, 0x01000193);
    for (let step = 0; step < 8; step++) hash ^= YARD[(hash ^ step) & YARD.length - 1]!;
    octets.copyWithin(packet.length, 12, packet.length);
    octets[2] = hash;
  }
}

/** Microseconds of processor time of this process: what others use is not in it. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** What a slice leaves on the heap: too little for the collector to come meanwhile. */
function heapOf(work: () => void): number {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error("This takes --v8-flags=--expose-gc");
  gc();
  const before = Deno.memoryUsage().heapUsed;
  work();
  return Deno.memoryUsage().heapUsed - before;
}

function packetsOf(kind: QueryKind): Uint8Array[] {
  const query = queryOf(kind), write = queryWriter(query, 1);
  return Array.from({ length: PACKETS }, (_, i) => {
    const packet = new Uint8Array(query.octets.length);
    write(packet, 0, i);
    return packet;
  });
}

async function startServer(): Promise<Server> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/zone`, zoneFile());
  await Deno.writeTextFile(`${folder}/nodes.yaml`, nodesYaml());
  const text = `{
    state off
}
${ZONE}:1053 {
    geo
    anycast ${POOL_NAME} {
        nodes nodes.yaml
        answers 1
    }
    ttl 5 60
    file zone
}
`;
  const { configuration, modules, problems } = await loadCorefile(
    { file: `${folder}/Corefile`, text },
    plugins,
    1053,
  );
  if (problems.errors.length > 0) throw new Error(problems.errors[0]!.message);
  const log = { debug() {}, info() {}, warn() {}, error: console.error };
  const server = await Server.start({ configuration, modules, log, writeLine() {}, listens: false });
  // Until networks with equal answers have been worked out, each network of the data has an answer of its own.
  while (!Object.values(server.publisher.snapshot.partitions)[0]) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await Deno.remove(folder, { recursive: true });
  return server;
}

if (import.meta.main) console.log(JSON.stringify(await gateFigures()));
