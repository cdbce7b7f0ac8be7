/**
 * Lenient decoding of what form-state, form-node-metrics, formnet and people's scripts send: several shapes of one thing
 * come to one value.
 *
 * @module
 */

import {
  fieldsOf,
  FormationProblem,
  formatSocket,
  isFields,
  listOf,
  optionalText,
  shown,
  socketOf,
  textOf,
  wholeOf,
  wholeOr0,
} from "./json.ts";
import type {
  BootstrapRequest,
  FormationRecord,
  NodeCapacity,
  NodeMetrics,
  NodeReport,
  RecordRequest,
  RecordType,
  VerificationStatus,
} from "./shapes.ts";

/** The port of an address that came without one: of HTTP, as form-dns has it for such. */
export const DEFAULT_PORT = 80;

/** TTLs are of 31 bits (RFC 2181 section 8). */
const TTL_MAX = 2 ** 31 - 1;

/**
 * A body of `/record/create`, `/record/NAME/update`, `/v1/dns/create` or `/v1/dns/update`: `{"Create":{…}}`, `{"Update":{…}}`
 * or the fields themselves. `ip_addr` has the addresses, or `public_ip` and `formnet_ip` do.
 *
 * @throws {FormationProblem}
 */
export function decodeRecordRequest(body: unknown): RecordRequest {
  const { tag, fields } = untagged(body, ["Create", "Update"]);
  const domain = optionalText(fields.domain, "domain"), ttl = fields.ttl ?? undefined;
  const given = fields.ip_addr !== undefined && fields.ip_addr !== null
    ? listOf(fields.ip_addr, "ip_addr")
    : [...listOf(fields.formnet_ip, "formnet_ip"), ...listOf(fields.public_ip, "public_ip")];
  const record_type = recordType(fields.record_type);
  const cname_target = optionalText(fields.cname_target, "cname_target") ?? null;
  const request = {
    ...domain !== undefined && { domain },
    record_type,
    addresses: given.map((one) => formatSocket(socketOf(one, "an address"), DEFAULT_PORT)),
    cname_target,
    ssl_cert: fields.ssl_cert === true,
    // form-state sends the body of a new record where it means that the record is to be this one.
    replace: typeof fields.replace === "boolean" ? fields.replace : tag !== "Update",
    ...ttl !== undefined && { ttl: wholeOf(ttl, "ttl", TTL_MAX) },
  };
  checkAddresses(request);
  return request;
}

/** @throws {FormationProblem} What of a request form-dns refuses. */
function checkAddresses({ record_type, addresses, cname_target }: RecordRequest): void {
  const families = addresses.map((text) => socketOf(text, "an address").family);
  if (record_type === "CNAME" && cname_target === null) {
    throw new FormationProblem("a CNAME record wants a cname_target");
  }
  if (record_type === "A" && addresses.length === 0) {
    throw new FormationProblem("an A record wants at least one address in ip_addr");
  }
  const other = record_type === "A" ? 6 : record_type === "AAAA" ? 4 : 0;
  const at = families.findIndex((family) => family === other);
  if (at >= 0) throw new FormationProblem(`an ${record_type} record cannot have ${addresses[at]}`);
}

function recordType(value: unknown): RecordType {
  const type = typeof value === "string" ? value.toUpperCase() : undefined;
  if (type === "A" || type === "AAAA" || type === "CNAME") return type;
  throw new FormationProblem(`record_type must be A, AAAA or CNAME: got ${shown(value)}`);
}

/** A record as form-dns lists it, or as records.json has it. @throws {FormationProblem} */
export function decodeRecord(value: unknown): FormationRecord {
  const fields = fieldsOf(value, "a record");
  const sockets = (name: string) =>
    listOf(fields[name], name).map((one) => formatSocket(socketOf(one, name), DEFAULT_PORT));
  return {
    domain: textOf(fields.domain, "domain"),
    record_type: recordType(fields.record_type),
    public_ip: sockets("public_ip"),
    formnet_ip: sockets("formnet_ip"),
    cname_target: optionalText(fields.cname_target, "cname_target") ?? null,
    ssl_cert: fields.ssl_cert === true,
    ttl: fields.ttl === undefined || fields.ttl === null ? 3600 : wholeOf(fields.ttl, "ttl", TTL_MAX),
    verification_status: verificationStatus(fields.verification_status),
    verification_timestamp: typeof fields.verification_timestamp === "number"
      ? fields.verification_timestamp
      : null,
  };
}

function verificationStatus(value: unknown): VerificationStatus | null {
  if (value === undefined || value === null) return null;
  if (value === "Pending" || value === "Verified" || value === "NotVerified") return value;
  if (isFields(value) && typeof value.Failed === "string") return { Failed: value.Failed };
  throw new FormationProblem(
    `verification_status must be "Pending", "Verified", "NotVerified" or {"Failed": why}: got ${
      shown(value)
    }`,
  );
}

/** A body of `/bootstrap/add` or `/bootstrap/remove`. @throws {FormationProblem} */
export function decodeBootstrap(body: unknown): BootstrapRequest {
  const fields = fieldsOf(body, "the body"), region = optionalText(fields.region, "region");
  const { address } = socketOf(fields.ip_address, "ip_address");
  return {
    node_id: optionalText(fields.node_id, "node_id") ?? `node-${address}`,
    ip_address: address,
    ...region !== undefined && { region },
    ...fields.ttl !== undefined && fields.ttl !== null && { ttl: wholeOf(fields.ttl, "ttl", TTL_MAX) },
  };
}

/** The subtopic of the queue that has metrics, and that which has nodes. */
const METRICS = 6, NODES = 5;

/** What came through the queue. */
export type Queued =
  | { readonly kind: "report"; readonly report: NodeReport }
  | { readonly kind: "node"; readonly node: unknown };

/**
 * A body of `/queue/write_local`: `{"Write":{"content":[6, …JSON octets],"topic":…}}`. Undefined where it is of a subtopic
 * that does not concern DNS.
 *
 * @throws {FormationProblem}
 */
export function decodeQueued(body: unknown): Queued | undefined {
  const { fields } = untagged(body, ["Write"]), content = listOf(fields.content, "content");
  const octets = content.map((one) => wholeOf(one, "an octet of content", 255));
  const [subtopic, ...rest] = octets;
  if (subtopic !== METRICS && subtopic !== NODES) return undefined;
  const value = parseJson(new TextDecoder().decode(Uint8Array.from(rest)), "content");
  return subtopic === METRICS
    ? { kind: "report", report: decodeReport(value) }
    : { kind: "node", node: untagged(value, ["Create", "Update"]).fields };
}

/** @throws {FormationProblem} */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormationProblem(`${what} must be JSON: ${(error as Error).message}`);
  }
}

/** `{"SetInitialMetrics":…}`, `{"UpdateMetrics":…}` or `{"Heartbeat":…}`. @throws {FormationProblem} */
export function decodeReport(value: unknown): NodeReport {
  const { tag, fields } = untagged(value, ["SetInitialMetrics", "UpdateMetrics", "Heartbeat"]);
  const node = textOf(fields.node_id, "node_id");
  if (tag === "Heartbeat") {
    return { kind: "heartbeat", node, atMs: secondsAsMs(wholeOf(fields.timestamp, "timestamp")) };
  }
  const capacity = isFields(fields.node_capacity) ? capacityOf(fields.node_capacity) : undefined;
  if (tag === "SetInitialMetrics") {
    return { kind: "initial", node, ...capacity && { capacity }, capabilities: fields.node_capabilities };
  }
  if (tag !== "UpdateMetrics") {
    throw new FormationProblem(
      `wanted {"SetInitialMetrics":…}, {"UpdateMetrics":…} or {"Heartbeat":…}: got ${shown(value)}`,
    );
  }
  const metrics = isFields(fields.node_metrics) ? metricsOf(fields.node_metrics) : undefined;
  return { kind: "metrics", node, ...capacity && { capacity }, ...metrics && { metrics } };
}

/** A body of `/v1/node/ID/report_metrics`: `{capacity, metrics}`. @throws {FormationProblem} */
export function decodeMetrics(node: string, body: unknown): NodeReport {
  const { capacity, metrics } = fieldsOf(body, "the body");
  return {
    kind: "metrics",
    node,
    ...isFields(capacity) && { capacity: capacityOf(capacity) },
    ...isFields(metrics) && { metrics: metricsOf(metrics) },
  };
}

/** Every number that is missing counts as 0. */
function capacityOf(fields: Readonly<Record<string, unknown>>): NodeCapacity {
  return Object.fromEntries(
    CAPACITY.map((name) => [name, wholeOr0(fields[name])]),
  ) as unknown as NodeCapacity;
}

function metricsOf(fields: Readonly<Record<string, unknown>>): NodeMetrics {
  const given = (names: readonly string[]) =>
    names.flatMap((name) =>
      typeof fields[name] === "number" ? [[name, wholeOr0(fields[name])] as const] : []
    );
  return Object.fromEntries([
    ...METRIC_NAMES.map((name) => [name, wholeOr0(fields[name])] as const),
    ...given(["cpu_temperature", "gpu_temperature", "power_usage_watts"]),
  ]) as unknown as NodeMetrics;
}

const CAPACITY = [
  ...["cpu_total_cores", "cpu_available_cores", "memory_total_bytes", "memory_available_bytes"],
  ...["storage_total_bytes", "storage_available_bytes", "gpu_total_memory_bytes"],
  ...["gpu_available_memory_bytes", "network_total_bandwidth", "network_available_bandwidth"],
];

const METRIC_NAMES = [
  ...["load_avg_1", "load_avg_5", "load_avg_15", "process_count", "disk_read_bytes_per_sec"],
  ...["disk_write_bytes_per_sec", "network_in_bytes_per_sec", "network_out_bytes_per_sec"],
];

/** Timestamps are seconds; one that could only be milliseconds is taken for these. */
export function secondsAsMs(timestamp: number): number {
  return timestamp > 1e11 ? timestamp : timestamp * 1000;
}

/** The inside of `{"Tag":{…}}`, or the fields themselves where there is no such tag. @throws {FormationProblem} */
export function untagged(
  value: unknown,
  tags: readonly string[],
): { readonly tag: string | undefined; readonly fields: Readonly<Record<string, unknown>> } {
  const fields = fieldsOf(value, "the body"), tag = tags.find((tag) => Object.hasOwn(fields, tag));
  return tag === undefined ? { tag, fields } : { tag, fields: fieldsOf(fields[tag], tag) };
}
