/**
 * What is answered, in the words of form-dns and form-state: enums externally tagged.
 *
 * @module
 */

import type { NodeRecord } from "../../core/registry/node_record.ts";
import { isFields } from "./json.ts";
import type { Verification } from "./verification.ts";
import type { BootstrapEntry, FormationRecord } from "./shapes.ts";

/** How `/bootstrap` answers: as form-dns does, or as formnet and the wizard read it, which form-dns never sent. */
export type ReplyStyle = "native" | "tagged";

/** Nothing to be told. */
export const NONE = { Success: "None" } as const;

export const some = <T>(value: T) => ({ Success: { Some: value } });

export const list = <T>(values: readonly T[]) => ({ Success: { List: values } });

/** form-dns's. */
export const failure = (why: string | null) => ({ Failure: why });

/** form-state's. */
export const failureWithReason = (reason: string) => ({ Failure: { reason } });

/** Of `/bootstrap/add` and `/bootstrap/remove`. */
export function bootstrapDone(style: ReplyStyle): unknown {
  return style === "native" ? "Success" : { type: "success" };
}

export function bootstrapFailed(style: ReplyStyle, why: string): unknown {
  return style === "native" ? failure(why) : { type: "failure", reason: why };
}

export function bootstrapList(style: ReplyStyle, nodes: readonly BootstrapEntry[]): unknown {
  return style === "native" ? { NodesList: nodes } : { type: "nodes_list", nodes };
}

/** What became of a verification; `record` as it is by then. */
export function verified(verification: Verification, record: FormationRecord): unknown {
  if (verification.kind === "verified") return { VerificationSuccess: { Verified: record } };
  if (verification.kind === "failed") return { VerificationFailure: verification.why };
  return { VerificationSuccess: { RequiresConfig: verification.config } };
}

/** What form-state's list has of a node beside what it said of itself. */
export interface NodeFacts {
  readonly record: NodeRecord;
  readonly document: unknown;
  /** Milliseconds since 1970; undefined = none. */
  readonly heartbeatMs: number | undefined;
  readonly isUp: boolean;
  readonly capacity?: unknown;
  readonly metrics?: unknown;
  readonly capabilities?: unknown;
}

/** A node as `/v1/node/list` has it. */
export function nodeOfState(facts: NodeFacts): Record<string, unknown> {
  const { record, document, heartbeatMs, capacity, metrics, capabilities } = facts;
  const said = isFields(document) ? document : {};
  return {
    ...{ node_id: record.id, node_owner: "", created_at: 0, updated_at: secondsOf(heartbeatMs) },
    ...{ host_region: record.region ?? "", capabilities: null, capacity: null, metrics: null },
    ...{ metadata: null, host: hostOf(record.addresses[0] ?? ""), operator_keys: [] },
    ...said,
    ...{ last_heartbeat: secondsOf(heartbeatMs) },
    ...capabilities !== undefined && { capabilities },
    ...capacity !== undefined && { capacity },
    ...metrics !== undefined && { metrics },
  };
}

/** A node as `/node/list` had it, and form-dns reads it. */
export function nodeOfHeartbeats({ record, heartbeatMs, isUp }: NodeFacts): Record<string, unknown> {
  const [address = ""] = record.addresses;
  return {
    ...{ node_id: record.id, public_ip: address, private_ip: record.overlay?.[0] ?? address },
    ...{ timestamp: secondsOf(heartbeatMs), region: record.region ?? null },
    status: isUp ? "active" : "inactive",
  };
}

/** A node as the documents have `/nodes`. */
export function nodeOfDocuments({ record, isUp, capacity }: NodeFacts): Record<string, unknown> {
  const [address = ""] = record.addresses, room = isFields(capacity) ? capacity : {};
  return {
    ...{ id: record.id, name: record.id },
    endpoint: `${address.includes(":") ? `[${address}]` : address}:51820`,
    state: isUp ? "online" : "offline",
    total_vcpus: record.capacity ?? 0,
    available_vcpus: Math.floor(Number(room.cpu_available_cores ?? 0) / 1000),
  };
}

function hostOf(address: string): Record<string, string> {
  return address.includes(":") ? { Ipv6: address } : { Ipv4: address };
}

function secondsOf(ms: number | undefined): number {
  return ms === undefined || !Number.isFinite(ms) ? 0 : Math.floor(ms / 1000);
}
