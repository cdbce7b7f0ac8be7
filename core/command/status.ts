/** `meridian status`: what the running server knows and since when. @module */

import { ofTarget } from "../fleet/by_target.ts";
import type { Node } from "../fleet/node.ts";
import { asItStands, inRegion, type VerdictDeadline } from "../fleet/verdict.ts";
import { formatAddress } from "../net/address.ts";
import type { WorkerStatus } from "../server/data_plane/data_workers.ts";
import type { FleetStatus } from "../membership/link.ts";
import type { Server } from "../server/server.ts";
import type { ReloadReport } from "../server/supervisor.ts";
import type { Snapshot } from "../snapshot.ts";
import { askServer, DEFAULT_CONTROL_SOCKET } from "./control.ts";
import type { Command } from "./mod.ts";
import { checkName, formatSpan, formatTable } from "./table.ts";
import { print } from "./verbs.ts";

/** What the server tells of itself; plain data. Instants are milliseconds since 1970. */
export interface Status {
  readonly nowMs: number;
  readonly startedMs: number;
  /** What became of the last reload; absent before the first. */
  readonly reload?: ReloadReport;
  readonly snapshot: { readonly epoch: number; readonly publishedMs: number };
  readonly listening: readonly string[];
  /** Its data workers; absent where UDP is read without. */
  readonly workers?: readonly WorkerStatus[];
  readonly geography: readonly {
    readonly block: string;
    readonly name: string;
    readonly precision: string;
    readonly builtMs: number;
    readonly loadedMs: number;
    readonly refused?: string;
  }[];
  readonly nodes: readonly NodeStatus[];
  /** Pools of which some region is degraded: what its nodes cannot do goes elsewhere. */
  readonly degraded: readonly {
    readonly pool: string;
    readonly regions: readonly string[];
    /** What is added to the distance of nodes, by id, kilometres. */
    readonly pricesKm: Readonly<Record<string, number>>;
  }[];
  readonly overrides: Snapshot["overrides"];
  /** The fleet that it is one server of; absent where it is alone. */
  readonly fleet?: FleetStatus;
  readonly counters: Readonly<Record<string, number>>;
}

/** One address of a node in a pool. */
export interface NodeStatus {
  readonly pool: string;
  readonly node: string;
  readonly address: string;
  /** What the operator says of the node: up, drain, down, maintenance. */
  readonly operator: string;
  readonly checks: readonly ({
    readonly target: string;
    /** What regions say that say otherwise, to their clients. */
    readonly regions?: readonly (SaidStatus & { readonly region: string })[];
  } & SaidStatus)[];
}

/** What is said of a check. */
interface SaidStatus {
  readonly state: string;
  readonly sinceMs?: number;
  readonly reason?: string;
  readonly ramp?: number;
  /** The earliest change of state; absent = never. */
  readonly nextFlipMs?: number;
}

/** The status of a server, and of the process if that is older. */
export function statusOf(
  server: Server,
  { startedMs = server.startedMs, reload }: { startedMs?: number; reload?: ReloadReport | undefined } = {},
): Status {
  const { snapshot } = server.publisher;
  const { workers } = server;
  server.showPlane();
  const nowMs = server.nowMs();
  return {
    nowMs,
    startedMs,
    ...(reload && { reload }),
    snapshot: { epoch: snapshot.epoch, publishedMs: snapshot.publishedMs },
    listening: server.listening.flatMap((listening) =>
      listening.endpoints.map(({ address, port }) => `${formatAddress(address)} ${port}`)
    ),
    ...workers && { workers },
    geography: Object.entries(snapshot.geographies).flatMap(([block, { sources }]) =>
      sources.map((source) => ({ block, ...source }))
    ),
    nodes: Object.entries(snapshot.pools).flatMap(([pool, { nodes }]) =>
      nodes.flatMap((node) => nodeStatus(pool, node, snapshot, nowMs))
    ),
    degraded: Object.entries(snapshot.pools).flatMap(([pool, { degradation }]) =>
      degradation ? [{ pool, regions: degradation.regions, pricesKm: inKm(degradation.prices) }] : []
    ),
    overrides: snapshot.overrides,
    ...server.fleet && { fleet: server.fleet },
    counters: server.metrics.snapshot(),
  };
}

function inKm(metres: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metres).map(([id, one]) => [id, one / 1000]));
}

function nodeStatus(pool: string, node: Node, snapshot: Snapshot, nowMs: number): NodeStatus[] {
  const inWindow = node.maintenance.some(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs);
  const operator = node.state === "up" && inWindow ? "maintenance" : node.state;
  return [node.ipv4, node.ipv6].filter((address) => address !== undefined).map((address) => ({
    pool,
    node: node.id,
    address,
    operator,
    checks: (snapshot.pools[pool]!.targets[address] ?? []).map((target) => {
      const { regions, ...verdict } = ofTarget(snapshot.verdicts, target) ?? { state: "unknown" };
      const told = ofTarget(snapshot.deadlines, target), deadline = told && asItStands(told);
      return {
        target,
        ...verdict,
        ...nextFlip(deadline),
        ...regions && {
          regions: regions.map((own) => ({
            ...own,
            ...nextFlip(deadline && inRegion(deadline, own.region)),
          })),
        },
      };
    }),
  }));
}

function nextFlip(deadline: VerdictDeadline | undefined): { nextFlipMs?: number } {
  const nextFlipMs = deadline ? Math.min(deadline.downMs, deadline.upMs, deadline.changeMs) : Infinity;
  return nextFlipMs === Infinity ? {} : { nextFlipMs };
}

/** The command. */
export const status: Command = {
  usage: "status [--control PATH] [--json]",
  summary: "ask the running server: verdicts and their next flip, overrides, age of data",
  flags: {
    control: { value: "PATH", help: `the server's control socket (${DEFAULT_CONTROL_SOCKET})` },
    json: { help: "print a JSON object" },
  },
  async run({ values }) {
    const status = await askServer<Status>(values.control as string | undefined, "status");
    print(values, status, () => formatStatus(status));
    return 0;
  },
};

/** A status for people. */
export function formatStatus(status: Status): string {
  const ago = (ms: number) => `${formatSpan(status.nowMs - ms)} ago`;
  const parts = [
    `started ${ago(status.startedMs)}, ${snapshotLine(status.snapshot, ago)}`,
    `listening on ${status.listening.join(", ") || "nothing"}`,
    ...status.workers ? [workersLine(status.workers)] : [],
    ...status.reload ? [reloadLine(status.reload, ago)] : [],
  ];
  if (status.fleet) parts.push(...fleetParts(status.fleet, ago));
  if (status.geography.length > 0) {
    parts.push(formatTable(
      ["GEO DATA", "PRECISION", "BUILT", "TAKEN", ""],
      status.geography.map(({ name, precision, builtMs, loadedMs, refused }) => //
      [
        name,
        precision,
        builtMs ? ago(builtMs) : "-",
        ago(loadedMs),
        refused ? `newer one refused: ${refused}` : "",
      ]),
    ));
  }
  if (status.nodes.length > 0) {
    parts.push(formatTable(
      ["POOL", "NODE", "ADDRESS", "OPERATOR", "CHECK", "STATE", "SINCE", "NEXT FLIP", "REASON"],
      status.nodes.flatMap((node) => nodeRows(node, status.nowMs)),
    ));
  }
  if (status.degraded.length > 0) {
    parts.push(formatTable(
      ["POOL", "DEGRADED", "PRICES"],
      status.degraded.map(({ pool, regions, pricesKm }) => [
        pool,
        regions.join(", "),
        Object.entries(pricesKm).map(([id, km]) => `${id} +${Math.round(km)} km`).join(", ") || "none",
      ]),
    ));
  }
  if (status.overrides.length > 0) {
    parts.push(formatTable(
      ["OVERRIDE", "STATE", "UNTIL", "BY", "REASON"],
      status.overrides.map(({ nodeId, state, untilMs, actor, reason }) => //
      [nodeId, state, new Date(untilMs).toISOString(), actor, reason]),
    ));
  }
  const counters = Object.entries(status.counters);
  if (counters.length > 0) {
    parts.push(formatTable(["COUNTER", "COUNT"], counters.map(([name, count]) => [name, String(count)])));
  }
  return parts.join("\n\n");
}

/** The store, how old what is known of it is, and who else answers from it; `*` is this server. */
function fleetParts(fleet: FleetStatus, ago: (ms: number) => string): string[] {
  const { store, revision, confirmedMs, fault, server, servers } = fleet;
  const known = confirmedMs === undefined ? "nothing known of it yet" : `as of ${ago(confirmedMs)}`;
  const line = `store ${store}, revision ${revision}, ${known}${
    fault ? `; it cannot be followed: ${fault}` : ""
  }`;
  const rows = Object.values(servers).toSorted((a, b) => a.id < b.id ? -1 : 1).map((one) => [
    `${one.id}${one.id === server ? " *" : ""}${one.isTwice ? ", two go by this name" : ""}`,
    one.region || "-",
    one.version,
    ago(one.pulseMs),
    one.digest.slice(0, 12) || "-",
  ]);
  return rows.length === 0
    ? [line]
    : [line, formatTable(["SERVER", "REGION", "VERSION", "HEARD", "DIGEST"], rows)];
}

/** `UDP is read by 2 workers: 1204 packets, 1198 packets, 1 failure`. */
function workersLine(workers: readonly WorkerStatus[]): string {
  if (workers.length === 0) return "UDP is read by the control isolate";
  const each = workers.map(({ state, packets, failures }) => {
    const failed = failures > 0 ? [`${failures} ${failures === 1 ? "failure" : "failures"}`] : [];
    return [...state === "serving" ? [] : [state], `${packets} packets`, ...failed].join(", ");
  });
  return `UDP is read by ${workers.length} ${workers.length === 1 ? "worker" : "workers"}: ${
    each.join("; ")
  }`;
}

function reloadLine({ atMs, why, taken, reason }: ReloadReport, ago: (ms: number) => string): string {
  const wanted = `${ago(atMs)} (${why})`;
  return taken ? `reloaded ${wanted}` : `not reloaded ${wanted}, serving as before: ${reason}`;
}

/** A server without anything to publish, as one of `whoami` alone, keeps the empty snapshot. */
function snapshotLine({ epoch, publishedMs }: Status["snapshot"], ago: (ms: number) => string): string {
  return epoch === 0 ? "nothing published" : `snapshot ${epoch} published ${ago(publishedMs)}`;
}

function nodeRows({ pool, node, address, operator, checks }: NodeStatus, nowMs: number): string[][] {
  if (checks.length === 0) return [[pool, node, address, operator, "none", "up"]];
  const said = checks.flatMap((check) => [
    { name: checkName(check.target, address), ...check },
    ...(check.regions ?? []).map((own) => ({
      name: `${checkName(check.target, address)}, by region ${own.region}`,
      ...own,
    })),
  ]);
  return said.map(({ name, state, sinceMs, nextFlipMs, reason, ramp }) => [
    pool,
    node,
    address,
    operator,
    name,
    ramp !== undefined && ramp < 1 ? `${state}, ramp ${Math.round(ramp * 100)} %` : state,
    sinceMs === undefined ? "-" : formatSpan(nowMs - sinceMs),
    nextFlipMs === undefined ? "-" : `in ${formatSpan(nextFlipMs - nowMs)}`,
    reason ?? "",
  ]);
}
