/**
 * What the control isolate and the fleet isolate tell each other. All of it survives a structured clone.
 *
 *     control isolate  --reports, digest-->  fleet isolate  --> store
 *     control isolate  <--news---------------  fleet isolate  <-- store
 *
 * @module
 */

import type { PoolShares } from "../fleet/hub.ts";
import type { Agreement } from "../fleet/vantages.ts";
import type { Node, Override } from "../fleet/node.ts";
import type { Seen } from "../management/rollout.ts";
import type { NodeLease } from "../registry/lease.ts";
import type { FleetPlugin } from "./fleet_half.ts";
import type { CorefilePool, PoolTaker } from "../fleet/hub.ts";
import type { ManagedPool } from "../fleet/pool_terms.ts";
import type { State, TargetKey, ToldDeadline, Verdict, VerdictDeadline } from "../fleet/verdict.ts";
import type { TtlsByPool } from "../fleet/ttl_bounds.ts";
import type { SharedZone } from "../zone/shared_zone.ts";

/** Which store, and as whom. Plain data, from the Corefile's global options. */
export interface MembershipConfiguration {
  readonly store: SqliteChoice | EtcdChoice;
  /** This server's id: unique among those of the store, the same after a restart. */
  readonly server: string;
  /** A fleet label; "" where none. */
  readonly region: string;
  /** Where agents and other servers reach its API; "" where they do not. */
  readonly url: string;
  readonly agreement: Agreement;
  /** What nodes are told that this server hears; absent = as everywhere. */
  readonly lease?: NodeLease;
  /** Where the last that was known is kept, with the server's key; "" = nowhere. */
  readonly stateDirectory: string;
  /** Meridian's own version, for people. */
  readonly version: string;
}

/** `state sqlite FILE`. */
export interface SqliteChoice {
  readonly kind: "sqlite";
  readonly file: string;
}

/** `state etcd URL… { … }`; paths of files. */
export interface EtcdChoice {
  readonly kind: "etcd";
  readonly urls: readonly string[];
  readonly user?: string;
  readonly passwordFile?: string;
  readonly caFile?: string;
  readonly certificateFile?: string;
  readonly keyFile?: string;
}

/** What one server says of one target. `deadline` is absent while the target is steady: nothing is under way there. */
export interface TargetReport {
  readonly state: State;
  readonly sinceMs: number;
  readonly reason: string;
  readonly ramp: number;
  readonly deadline?: VerdictDeadline;
}

/** Reports that changed; null = no longer probed. */
export type Reports = Readonly<Record<TargetKey, TargetReport | null>>;

/** Another server of the fleet, or this one. */
export interface ServerNews {
  readonly id: string;
  readonly region: string;
  readonly url: string;
  readonly version: string;
  /** When it last told that its reports stand, milliseconds since 1970 by the clock of who is told. */
  readonly pulseMs: number;
  /** Of what it answers from; see core/fleet/digest.ts. "" = it has not told. */
  readonly digest: string;
  /** The configuration's version that it answers by. */
  readonly configuration: string;
  /** Another server calls itself so too, and each takes the other's word for its own; absent = none does. */
  readonly isTwice?: true;
}

/** What changed of a lease. */
export interface LeaseNews {
  readonly verdict?: Verdict;
  readonly deadline?: ToldDeadline;
}

/** What there is, by name, where nothing else is: what an isolate before knew may be gone. */
export interface AllThere {
  readonly servers: readonly string[];
  readonly nodes: readonly string[];
  /** Managed ones. */
  readonly pools: readonly string[];
  readonly leases: readonly TargetKey[];
  /** Servers that report. */
  readonly reporters: readonly string[];
}

/** What is different since the news before. */
export interface News {
  /** The store's revision that is known. */
  readonly revision: number;
  /** When the store last confirmed that this is all there is; absent = never. */
  readonly confirmedMs?: number;
  /** Why the store cannot be followed; absent = it can. */
  readonly fault?: string;
  /** By id; null = its lease has ended, or it left. */
  readonly servers?: Readonly<Record<string, ServerNews | null>>;
  /** By server: what it says. */
  readonly reports?: Readonly<Record<string, Reports>>;
  /** Registered nodes, by id; null = no more. */
  readonly nodes?: Readonly<Record<string, Node | null>>;
  /** Managed pools, by name; null = no more. */
  readonly pools?: Readonly<Record<string, ManagedPool | null>>;
  /** All of them, where one has changed. */
  readonly overrides?: readonly Override[];
  /** What became of nodes' leases, by the target of each; null = it has none any more. */
  readonly leases?: Readonly<Record<TargetKey, LeaseNews | null>>;
  /** Managed zones, by name; null = no more. What is large in them is shared. */
  readonly zones?: Readonly<Record<string, SharedZone | null>>;
  /**
   * The names of all managed zones, told once the store has confirmed that there are no others: one that was known before
   * this isolate took the place of another may be gone.
   */
  readonly zoneNames?: readonly string[];
  /** The same of all else, told at the same time. */
  readonly allThere?: AllThere;
  /** The version of the configuration that this server is to run; null = what is on its disk. */
  readonly configuration?: WantedConfiguration | null;
}

/** A version of the configuration that servers share. */
export interface WantedConfiguration {
  readonly number: number;
  /** SHA-256 of Corefile and files. */
  readonly digest: string;
  /** When it was applied, ISO 8601: one that is applied again is to be tried again. */
  readonly at: string;
  readonly corefile: string;
  /** By path relative to the Corefile. */
  readonly files: Readonly<Record<string, string>>;
  /** Why it cannot be taken, such as it is in the store; absent = it can. */
  readonly fault?: string;
}

/** What this server made of a version. */
export type SeenConfiguration = Omit<Seen, "at">;

/** What decides over overrides besides the store: nodes of lists, and who is in the Corefile's pools. */
export interface Besides {
  readonly nodes: readonly Node[];
  readonly pools: readonly CorefilePool[];
  /** Blocks that answer managed pools; absent = none. */
  readonly takers?: readonly PoolTaker[];
}

/** What answers of this server are by. */
export interface Answering {
  /** The store's revision up to which they have all overrides. */
  readonly revision: number;
  /** Nodes that they leave out since these want no new clients, each with since when that is. */
  readonly draining: Readonly<Record<string, number>>;
  /** How long they may be kept, by pool. */
  readonly ttls: TtlsByPool;
}

/** How much of each region of pools is healthy, as this server sees it, by pool. */
export type NotedShares = Readonly<Record<string, PoolShares>>;

/** Under which name the fleet isolate tells {@linkcode DegradationNews}. */
export const DEGRADATIONS = "degradations";

/** A request of HTTP that comes by no network. */
export interface LocalRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What came of it. */
export interface LocalResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** To the fleet isolate. */
export type ToFleet =
  | { readonly kind: "start"; readonly configuration: MembershipConfiguration }
  | { readonly kind: "reports"; readonly reports: Reports }
  | { readonly kind: "digest"; readonly digest: string }
  | { readonly kind: "besides"; readonly besides: Besides }
  | { readonly kind: "shares"; readonly shares: NotedShares }
  | { readonly kind: "seen"; readonly seen: SeenConfiguration }
  | { readonly kind: "answering"; readonly answering: Answering }
  | { readonly kind: "plugins"; readonly plugins: readonly FleetPlugin[] }
  /** What somebody asks through the machine's own control socket. */
  | { readonly kind: "request"; readonly number: number; readonly request: LocalRequest }
  | { readonly kind: "told"; readonly number: number; readonly value?: unknown; readonly error?: string }
  | { readonly kind: "close" };

/** From it. The first `news` holds all that is known; it comes once something is, or the store cannot be had for now. */
export type FromFleet =
  | { readonly kind: "news"; readonly news: News }
  /** Its thread goes behind those that answer, and may go further. */
  | { readonly kind: "behind"; readonly thread: number }
  | { readonly kind: "log"; readonly level: "debug" | "info" | "warn" | "error"; readonly message: string }
  /** A question to the control isolate, which answers with `told`. */
  | { readonly kind: "ask"; readonly number: number; readonly what: string; readonly params?: unknown }
  | { readonly kind: "response"; readonly number: number; readonly response: LocalResponse }
  /** What a plugin's half there has for its half here, in the place of what it had before. */
  | { readonly kind: "tell"; readonly plugin: string; readonly value: unknown }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "closed" };

/** The target by which a registered node's lease decides over its addresses. */
export function leaseTarget(nodeId: string): TargetKey {
  return `lease ${nodeId}`;
}
