/** Puts one load on one server once, and measures both. @module */

import type { CityData } from "./city_database.ts";
import { nativeProgram, type Program } from "./native.ts";
import { cpuNsOf, type Pin } from "./process.ts";
import type { Query } from "./queries.ts";
import type { Running } from "./server.ts";
import type { Bins } from "./statistics.ts";

/** How to load. */
export interface Load {
  readonly program: Exclude<Program, "echo" | "beats">;
  readonly query: Query;
  readonly seconds: number;
  /** Source ports, or connections. */
  readonly sockets: number;
  /** Closed loop: queries without reply, of all sockets over UDP, of each over TCP. */
  readonly window?: number;
  /** Open loop: queries a second. */
  readonly rate?: number;
  /** Equal seeds make equal queries. */
  readonly seed: number;
  /** Whether the server's own part of latency is wanted. Only the program in C for UDP can tell it. */
  readonly stamps?: boolean;
  /**
   * Whether queries go out when they are due although others want the generator's processor: it sleeps between them, and
   * is never kept waiting (SCHED_FIFO, sched(7), which wants root). The same program, in the open loop.
   */
  readonly isPunctual?: boolean;
}

/** What came back. */
export interface Figures {
  /** From the first query to the last reply, or to when the last was given up. */
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  /** Of those answered, how many were not as expected. */
  readonly wrong: number;
  /** How long replies took; in the open loop from when the query was due. */
  readonly bins: Bins;
  /**
   * How long the server took, where that was wanted: from when the query was really sent to when the kernel had the reply,
   * however late the generator's own processor let it send and look.
   */
  readonly serverBins?: Bins;
}

/** The same, and what it cost the server. */
export interface Measured extends Figures {
  /** Processor time of all its threads meanwhile. */
  readonly cpuNs: number;
}

/** Measures once. @throws {Error} When nothing is answered. */
export async function measure(server: Running, load: Load, city: CityData, pin: Pin): Promise<Measured> {
  const before = cpuNsOf(server.pid);
  const figures = await generate(server, load, city, pin);
  const cpuNs = cpuNsOf(server.pid) - before;
  if (figures.answered > 0) return { ...figures, cpuNs };
  throw new Error(`${server.name} does not answer${server.hasEnded() ? ": its process has ended" : ""}`);
}

async function generate({ address, port }: Running, load: Load, city: CityData, pin: Pin): Promise<Figures> {
  const {
    program,
    query: { octets, varies, rcode, answers },
    seconds,
    sockets,
    window,
    rate,
    seed,
    stamps,
    isPunctual,
  } = load;
  const variation = [varies.kind, varies.at, varies.length, varies.count, city.networks6].join(":");
  const [command, ...args] = pin(1, [
    ...await generator(program),
    ...["-a", address, "-p", String(port), "-l", String(seconds), "-s", String(sockets), "-i", String(seed)],
    ...["-q", octets.toHex(), "-v", variation, "-x", `${rcode}:${answers}`],
    ...(window === undefined ? [] : ["-W", String(window)]),
    ...(rate === undefined ? [] : ["-R", String(rate)]),
    ...(stamps ? ["-k"] : []),
    ...(isPunctual ? ["-z", "-f"] : []),
  ]);
  const output = await new Deno.Command(command!, { args, stderr: "inherit" }).output();
  if (!output.success) throw new Error(`${program} failed`);
  return JSON.parse(new TextDecoder().decode(output.stdout));
}

/** The program in C; without a compiler, for UDP, ours, which is slower than some servers. */
async function generator(program: Exclude<Program, "echo" | "beats">): Promise<string[]> {
  const native = await nativeProgram(program);
  if (native !== undefined) return [native];
  if (program !== "datagrams") throw new Error(`${program} wants a C compiler, gcc`);
  return [Deno.execPath(), "run", "-A", "--no-check", new URL("./generator.ts", import.meta.url).pathname];
}
