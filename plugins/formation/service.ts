/**
 * What Formation's programs ask for, done: reports and lists come in, nodes, their leases and entry points come of them.
 *
 *     reports, heartbeats ─┐
 *     form-state's list ───┼─▶ nodes/ID, registrations/ID ─▶ pools
 *     /bootstrap/add ──────┘        heartbeats ─▶ alive/SERVER ─▶ leases ─▶ verdicts
 *
 * @module
 */

import type { Asking, Management } from "../../core/management/change.ts";
import type { BeatsAccount } from "../../core/registry/shared_beats.ts";
import { LEASE_TERMS } from "../../core/registry/lease.ts";
import type { NodeRecord } from "../../core/registry/node_record.ts";
import type { NodeLoad } from "../../core/registry/hearings.ts";
import { digestOf, type Json } from "../../core/state/canonical.ts";
import type { Replica } from "../../core/state/replica.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";
import type { Clock, Log, Prefix } from "../../core/plugin.ts";
import { Heartbeats } from "./heartbeats.ts";
import { type Fields, fieldsOf, FormationProblem } from "./json.ts";
import { decodeNode, isWithinAny, type NodeList } from "./node_lists.ts";
import { BOOTSTRAP_LABEL, bootstrapTtl, existing, FormationNodes } from "./nodes.ts";
import type { PlaceSources } from "./places.ts";
import { FormationRecords } from "./records.ts";
import type {
  BootstrapEntry,
  BootstrapRequest,
  FormationRecord,
  ListedNode,
  NodeCapacity,
  NodeMetrics,
  NodeReport,
} from "./shapes.ts";

/** What it works with. */
export interface ServiceOptions {
  readonly management: Management;
  readonly replica: Pick<Replica, "get" | "below">;
  readonly server: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly places: PlaceSources;
  readonly beats: Pick<BeatsAccount, "hear">;
  readonly overlay: readonly Prefix[];
  readonly timeoutMs: number;
  readonly staleMs: number;
  /** The name of the entry points, as records are kept by. */
  readonly bootstrapName: string;
}

/** The port that formnet listens on: entry points are told with it. */
export const FORMNET_PORT = 51820;

/** An entry point's TTL where nobody said another, seconds. */
const BOOTSTRAP_TTL = 60;

/** What a node has said of itself last. */
interface Reported {
  readonly capacity?: NodeCapacity;
  readonly metrics?: NodeMetrics;
  readonly capabilities?: unknown;
}

/** See the module. */
export class FormationService {
  readonly nodes: FormationNodes;
  readonly records: FormationRecords;
  readonly heartbeats: Heartbeats;
  readonly #options: ServiceOptions;
  readonly #reported = new Map<string, Reported>();
  /** What of lists was taken already, by node; and what could not be. */
  readonly #taken = new Map<string, string>();
  readonly #refused = new Map<string, string>();

  constructor(options: ServiceOptions) {
    const { management, replica, server, clock, places, overlay, timeoutMs, staleMs, beats } = options;
    this.#options = options;
    this.nodes = new FormationNodes({ management, replica, clock, server, places });
    this.records = new FormationRecords({ management, overlay });
    this.heartbeats = new Heartbeats({
      ...{ clock, leaseMs: LEASE_TERMS.leaseMs, timeoutMs, staleMs },
      hear: (id, leaseMs) => beats.hear(id, false, this.#loadOf(id), leaseMs),
    });
  }

  /** A node reports. @throws {FormationProblem} Where there is no such node. */
  async report(report: NodeReport, asking: Asking): Promise<void> {
    const { node: id } = report;
    if (!this.nodes.get(id)) throw new FormationProblem(`there is no node ${id}: it is to be made first`);
    if (report.kind === "heartbeat") {
      if (!this.nodes.hasLease(id)) await this.nodes.lease(id, report.atMs, asking);
      return this.heartbeats.beat(id, report.atMs);
    }
    const { kind: _, node: _id, ...said } = report;
    this.#reported.set(id, { ...this.#reported.get(id), ...said });
    if (report.kind === "initial" && report.capacity) {
      await this.nodes.setCapacity(id, report.capacity.cpu_total_cores, asking);
    }
  }

  /** What a node reported last; nothing where it has not, here. */
  reported(id: string): Reported {
    return this.#reported.get(id) ?? {};
  }

  /** Takes a node as form-state has it. @throws {FormationProblem} */
  async takeNode(value: unknown, asking: Asking): Promise<void> {
    const document = fieldsOf(value, "a node"), { clock, overlay } = this.#options;
    const node = decodeNode(document, overlay);
    // Who makes itself known lives: its record may have been made long ago.
    const heartbeatMs = Math.max(node.heartbeatMs ?? 0, clock.nowMs());
    await this.nodes.take({ ...node, heartbeatMs }, asking, steadyPart(document));
    this.heartbeats.beat(node.id, heartbeatMs);
  }

  /** Takes a node away. @throws {FormationProblem} There is none. */
  async removeNode(id: string, asking: Asking): Promise<void> {
    await this.nodes.remove(id, asking);
    this.heartbeats.forget(id);
    this.#taken.delete(id);
    this.#reported.delete(id);
  }

  /** Takes a list of `source`'s, as of now. */
  async takeList({ nodes }: Pick<NodeList, "nodes">, source: string, asking: Asking): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    for (const node of nodes) {
      const heartbeatMs = node.heartbeatMs ?? nowMs, isDown = node.isUp === false;
      const isOld = nowMs - heartbeatMs >= this.#options.timeoutMs;
      // Of one that has not lived here, and does not, nothing is to be known.
      if ((isDown || isOld) && !this.nodes.get(node.id)) continue;
      if (await this.#takeListed(node, heartbeatMs, asking)) {
        this.heartbeats.beat(node.id, heartbeatMs, { source, isDown });
      }
    }
  }

  /** Makes a node an entry point. @throws {FormationProblem} It is one already. */
  async addBootstrap(request: BootstrapRequest, asking: Asking): Promise<void> {
    const { ip_address: address, node_id } = request, known = this.#bootstrapOf(address);
    if (known) throw existing(address);
    // A node that is known by its address is that one, whatever it calls itself.
    const node = this.nodes.get(node_id) ??
      this.nodes.all().find(({ addresses }) => addresses.includes(address));
    const isOverlay = isWithinAny(address, this.#options.overlay);
    await this.nodes.addBootstrap({ ...request, node_id: node?.id ?? node_id }, isOverlay, asking);
  }

  /** Makes a node no entry point any more: by its address, or by its id. @throws {FormationProblem} It is none. */
  async removeBootstrap({ ip_address, node_id }: BootstrapRequest, asking: Asking): Promise<void> {
    const node = this.#bootstrapOf(ip_address) ?? this.#bootstraps().find(({ id }) => id === node_id);
    if (!node) throw new FormationProblem(`Bootstrap node ${ip_address} does not exist`);
    await this.nodes.removeBootstrap(node.id, asking);
  }

  /** Every entry point. `healthOf`: what checks say of a node. */
  bootstraps(healthOf: (id: string) => BootstrapEntry["health_status"]): readonly BootstrapEntry[] {
    return this.#bootstraps().map((node) => ({
      ...{ node_id: node.id, ip_address: node.addresses[0]!, region: node.region ?? null },
      ttl: bootstrapTtl(node) ?? BOOTSTRAP_TTL,
      health_status: healthOf(node.id),
    }));
  }

  /** The entry points as form-dns has them: one record. */
  bootstrapRecord(): FormationRecord {
    const nodes = this.#bootstraps(), { overlay, bootstrapName } = this.#options;
    const isInside = (address: string) => isWithinAny(address, overlay);
    const sockets = (addresses: readonly string[]) =>
      [...new Set(addresses)].map((address) =>
        `${address.includes(":") ? `[${address}]` : address}:${FORMNET_PORT}`
      );
    const ttls = nodes.flatMap((node) => bootstrapTtl(node) ?? []);
    return {
      ...{ domain: bootstrapName, record_type: "A", cname_target: null, ssl_cert: false },
      public_ip: sockets(nodes.flatMap(({ addresses }) => addresses.filter((text) => !isInside(text)))),
      formnet_ip: sockets(nodes.flatMap(({ overlay = [] }) => overlay)),
      ttl: ttls.length > 0 ? Math.min(...ttls) : BOOTSTRAP_TTL,
      ...{ verification_status: "Verified", verification_timestamp: null },
    };
  }

  /** Whether a name is the entry points', which no request for records changes. */
  isBootstrapName(name: string): boolean {
    return name === this.#options.bootstrapName;
  }

  close(): void {
    this.heartbeats.close();
  }

  #bootstraps(): NodeRecord[] {
    return [...this.nodes.all()].filter(({ labels }) => labels?.[BOOTSTRAP_LABEL] !== undefined);
  }

  #bootstrapOf(address: string): NodeRecord | undefined {
    return this.#bootstraps().find(({ addresses }) => addresses.includes(address));
  }

  /** Whether it is a node of Formation's now. */
  async #takeListed(node: ListedNode, heartbeatMs: number, asking: Asking): Promise<boolean> {
    const { heartbeatMs: _, isUp: _up, ...steady } = node, digest = digestOf(steady as unknown as Json);
    if (this.#taken.get(node.id) === digest && this.nodes.get(node.id)) return true;
    try {
      await this.nodes.take({ ...node, heartbeatMs }, asking);
      this.#taken.set(node.id, digest);
      this.#refused.delete(node.id);
      return true;
    } catch (error) {
      // A store that is away is no fault of the list's: its heartbeats count all the same.
      if (!(error instanceof FormationProblem || error instanceof StoreUnavailableError)) throw error;
      if (this.#refused.get(node.id) !== error.message) this.#options.log.warn(`formation: ${error.message}`);
      this.#refused.set(node.id, error.message);
      return this.nodes.get(node.id) !== undefined;
    }
  }

  #loadOf(id: string): NodeLoad | undefined {
    const { capacity, metrics } = this.reported(id);
    return capacity || metrics ? loadOf(capacity, metrics) : undefined;
  }
}

/** How busy a node is, in the registry's own terms. */
export function loadOf(capacity: NodeCapacity | undefined, metrics: NodeMetrics | undefined): NodeLoad {
  const used = (available: number, total: number) =>
    total > 0 ? Math.min(1, Math.max(0, 1 - available / total)) : 0;
  return {
    cpu: capacity ? used(capacity.cpu_available_cores / 1000, capacity.cpu_total_cores) : 0,
    memory: capacity ? used(capacity.memory_available_bytes, capacity.memory_total_bytes) : 0,
    network: (metrics?.network_in_bytes_per_sec ?? 0) + (metrics?.network_out_bytes_per_sec ?? 0),
    // Nothing on this way tells of them.
    connections: 0,
  };
}

/** What of a node does not change with each heartbeat. */
function steadyPart({ last_heartbeat: _, updated_at: _u, metrics: _m, ...steady }: Fields): Json {
  return steady as Json;
}
