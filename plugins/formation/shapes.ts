/**
 * What a Formation deployment says and hears, as its programs have it in JSON: enums externally tagged, integers where the
 * world has fractions. Types alone.
 *
 * @module
 */

/** A record of form-dns. Addresses are `ip:port`, an IPv6 one in brackets. */
export interface FormationRecord {
  readonly domain: string;
  readonly record_type: RecordType;
  readonly public_ip: readonly string[];
  /** Those on the overlay. */
  readonly formnet_ip: readonly string[];
  readonly cname_target: string | null;
  readonly ssl_cert: boolean;
  /** Seconds. */
  readonly ttl: number;
  readonly verification_status: VerificationStatus | null;
  /** Seconds since 1970. */
  readonly verification_timestamp: number | null;
}

export type RecordType = "A" | "AAAA" | "CNAME";

/** Whether somebody has shown that a name is theirs. */
export type VerificationStatus = "Pending" | "Verified" | "NotVerified" | { readonly Failed: string };

/** A request to make a record, or to change one. */
export interface RecordRequest {
  /** Absent where the path has it. */
  readonly domain?: string;
  readonly record_type: RecordType;
  /** `ip:port`, as far as it was given; the port is the proxy's. */
  readonly addresses: readonly string[];
  readonly cname_target: string | null;
  readonly ssl_cert: boolean;
  /** False: the addresses come to those that are there. */
  readonly replace: boolean;
  readonly ttl?: number;
}

/** A request of `/bootstrap/add` and `/bootstrap/remove`. */
export interface BootstrapRequest {
  readonly node_id: string;
  /** Canonical text. */
  readonly ip_address: string;
  readonly region?: string;
  readonly ttl?: number;
}

/** An entry of `/bootstrap/list`. */
export interface BootstrapEntry {
  readonly node_id: string;
  readonly ip_address: string;
  readonly region: string | null;
  readonly ttl: number;
  readonly health_status: "healthy" | "unhealthy" | "unknown";
}

/** A node of form-state, as far as it matters here; the rest is kept as it came. */
export interface FormationNode {
  readonly node_id: string;
  readonly host: { readonly Ipv4: string } | { readonly Ipv6: string } | { readonly Domain: string };
  readonly host_region: string;
  /** Seconds since 1970. */
  readonly last_heartbeat: number;
  readonly [field: string]: unknown;
}

/** Of form-node-metrics: how busy a node is. Loads are thousandths, `power_usage_watts` is milliwatts. */
export interface NodeMetrics {
  readonly load_avg_1: number;
  readonly load_avg_5: number;
  readonly load_avg_15: number;
  readonly process_count: number;
  readonly disk_read_bytes_per_sec: number;
  readonly disk_write_bytes_per_sec: number;
  readonly network_in_bytes_per_sec: number;
  readonly network_out_bytes_per_sec: number;
  /** Hundredths of degrees Celsius. */
  readonly cpu_temperature?: number | null;
  readonly gpu_temperature?: number | null;
  readonly power_usage_watts?: number | null;
}

/** Of form-node-metrics: what a node has. Available cores are thousandths. */
export interface NodeCapacity {
  readonly cpu_total_cores: number;
  readonly cpu_available_cores: number;
  readonly memory_total_bytes: number;
  readonly memory_available_bytes: number;
  readonly storage_total_bytes: number;
  readonly storage_available_bytes: number;
  readonly gpu_total_memory_bytes: number;
  readonly gpu_available_memory_bytes: number;
  readonly network_total_bandwidth: number;
  readonly network_available_bandwidth: number;
}

/** What a node reports, by whichever way it came. */
export type NodeReport =
  | {
    readonly kind: "initial";
    readonly node: string;
    readonly capacity?: NodeCapacity;
    readonly capabilities?: unknown;
  }
  | {
    readonly kind: "metrics";
    readonly node: string;
    readonly capacity?: NodeCapacity;
    readonly metrics?: NodeMetrics;
  }
  | { readonly kind: "heartbeat"; readonly node: string; readonly atMs: number };

/** A node as one of the three lists of form-state has it. */
export interface ListedNode {
  readonly id: string;
  /** Canonical text; `overlay` are those on the overlay. */
  readonly addresses: readonly string[];
  readonly overlay: readonly string[];
  readonly region: string;
  /** Milliseconds since 1970; absent where the list has no heartbeats. */
  readonly heartbeatMs?: number;
  /** What the list itself says of it; absent = nothing. */
  readonly isUp?: boolean;
  /** Cores. */
  readonly capacity?: number;
  readonly labels: Readonly<Record<string, string>>;
}
