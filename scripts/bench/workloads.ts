/** What is measured, against whom, and what Meridian must not fall below. @module */

import type { QueryKind } from "./queries.ts";
import type { Kind } from "./server.ts";
import { bind } from "./servers/bind.ts";
import { echo } from "./servers/echo.ts";
import { dnsdist, unbound } from "./servers/forwarders.ts";
import { gdnsd } from "./servers/gdnsd.ts";
import { knot } from "./servers/knot.ts";
import { meridian } from "./servers/meridian.ts";
import { dinodns, dns2, dns2v2 } from "./servers/npm.ts";
import { nsd } from "./servers/nsd.ts";
import { pdns } from "./servers/pdns.ts";

/** A bound of a ratio: of `ours` to `theirs`. */
export interface Floor {
  readonly ours: string;
  readonly theirs: string;
  readonly floor: number;
}

/** Servers under one load, in turn, as fast as they answer. */
export interface LoadWorkload {
  readonly name: string;
  readonly what: string;
  readonly kind: "load";
  readonly query: QueryKind;
  readonly servers: readonly Kind[];
  readonly floors: readonly Floor[];
  readonly program: "datagrams" | "streams" | "flood";
  readonly address: "127.0.0.1" | "::1";
  readonly threads: number;
  readonly processors: string;
  readonly sockets: number;
  readonly window?: number;
  /** What a floor is about: processor time of an answer, or answers a second. */
  readonly judges: "cpu" | "rate";
  /** Whether the servers ask another one, which is started for them. */
  readonly needsUpstream: boolean;
}

/** How long answers take at given rates. */
export interface LatencyWorkload {
  readonly name: string;
  readonly what: string;
  readonly kind: "latency";
  readonly query: QueryKind;
  readonly servers: readonly Kind[];
  /** Queries a second; "half" of what Meridian answers at most. */
  readonly rates: readonly (number | "half")[];
  /** Of what the echo takes, at most. */
  readonly p50: number;
  readonly p99: number;
}

/** Queries that get no answer at a rate. */
export interface LossWorkload {
  readonly name: string;
  readonly what: string;
  readonly kind: "loss";
  readonly query: QueryKind;
  readonly servers: readonly Kind[];
  readonly rate: number;
}

/** What Meridian takes by itself. */
export interface ResourceWorkload {
  readonly name: "idle" | "memory" | "start";
  readonly what: string;
  readonly kind: "resource";
}

/** Anything that is measured. */
export type Workload = LoadWorkload | LatencyWorkload | LossWorkload | ResourceWorkload;

/** Whether it takes the city database. */
export function needsCity(workload: Workload, peers?: readonly string[]): boolean {
  if (workload.kind === "resource" || workload.query.startsWith("pool")) return true;
  return workload.servers.includes(pdns) && (peers?.includes(pdns.name) ?? true);
}

/** Ratios that Meridian must reach beside each of some servers. */
function against(floors: Readonly<Record<string, number>>): Floor[] {
  return Object.entries(floors).map(([theirs, floor]) => ({ ours: "meridian", theirs, floor }));
}

const UDP = {
  kind: "load",
  program: "datagrams",
  address: "127.0.0.1",
  threads: 1,
  processors: "0",
  sockets: 16,
  window: 512,
  judges: "cpu",
  needsUpstream: false,
} as const;

const GEOGRAPHIC = [meridian(), gdnsd, knot, pdns, echo];

/** All of it, in the order of reports. */
export const WORKLOADS: readonly Workload[] = [
  {
    ...UDP,
    name: "geo",
    what: "the pool's name, ECS a random /24",
    query: "pool4",
    servers: GEOGRAPHIC,
    floors: against({ gdnsd: 1, knot: 1.4, pdns: 4, echo: 0.85 }),
  },
  {
    ...UDP,
    name: "geo6",
    what: "the same over IPv6, ECS a random /56",
    query: "pool6",
    address: "::1",
    servers: GEOGRAPHIC,
    floors: against({ gdnsd: 1, knot: 1.4, pdns: 4, echo: 0.85 }),
  },
  {
    ...UDP,
    name: "static",
    what: "one of 500 names",
    query: "name",
    servers: [meridian(), gdnsd, knot, nsd, pdns, bind, dns2, dns2v2, dinodns, echo],
    floors: against({ gdnsd: 1, knot: 1.2, nsd: 1.35, "dns2": 5, "dns2-v2": 25, "dinodns": 5 }),
  },
  {
    ...UDP,
    name: "nxdomain",
    what: "random names that do not exist",
    query: "absent",
    servers: [meridian(), gdnsd, knot, nsd],
    floors: against({ knot: 0.9 }),
  },
  {
    ...UDP,
    name: "log",
    what: "geo with a query log in a file: of 1 % of the queries, of all",
    query: "pool4",
    servers: [
      meridian(),
      meridian({ name: "meridian, sampled log", log: "log {\n        sample 1%\n    }" }),
      meridian({ name: "meridian, full log", log: "log" }),
    ],
    floors: [
      { ours: "meridian, sampled log", theirs: "meridian", floor: 0.95 },
      { ours: "meridian, full log", theirs: "meridian", floor: 0.6 },
    ],
  },
  {
    ...UDP,
    name: "forward",
    what: "one of 500 names of another server, remembered",
    query: "recursive",
    servers: [meridian({ forwards: true }), unbound, dnsdist],
    floors: against({ unbound: 1, dnsdist: 1 }),
    needsUpstream: true,
  },
  {
    ...UDP,
    name: "forward-miss",
    what: "random names that do not exist, asked of another server each time",
    query: "unheard",
    servers: [meridian({ forwards: true }), unbound, dnsdist],
    floors: [],
    needsUpstream: true,
  },
  {
    ...UDP,
    name: "tcp",
    what: "one of 500 names over TCP, 10 connections with 40 queries under way on each",
    query: "name",
    program: "streams",
    sockets: 10,
    window: 40,
    servers: [meridian(), gdnsd, knot, nsd, bind],
    floors: against({ gdnsd: 2.5 }),
    judges: "rate",
  },
  {
    ...UDP,
    name: "two",
    what: "geo with two workers on two processors, flooded",
    query: "pool4",
    program: "flood",
    threads: 2,
    processors: "0,1",
    sockets: 64,
    servers: [meridian(), gdnsd],
    floors: against({ gdnsd: 1 }),
    judges: "rate",
  },
  {
    kind: "latency",
    name: "latency",
    what: "geo at a rate, from when a query was due",
    query: "pool4",
    servers: [meridian(), gdnsd, knot, echo],
    rates: [1000, 10_000, "half"],
    p50: 1.15,
    p99: 1.25,
  },
  {
    kind: "loss",
    name: "loss",
    what: "geo at 50,000 queries a second",
    query: "pool4",
    servers: [meridian(), gdnsd, echo],
    rate: 50_000,
  },
  { kind: "resource", name: "idle", what: "processor time without queries, 50 nodes probed" },
  { kind: "resource", name: "memory", what: "resident memory after load" },
  { kind: "resource", name: "start", what: "from the start of the process to the first answer" },
];
