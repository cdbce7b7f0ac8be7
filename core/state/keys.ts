/**
 * Which key says what, in the store of a fleet.
 *
 * @module
 */

/** Keys, by what they say. Ids are checked by whoever writes them; see {@linkcode keyPart}. */
export const KEYS = {
  /** `{ version }`: the least version of this layout that a program must know. */
  schema: "schema",
  /** A Meridian server: address, region, version, pulse. */
  server: (id: string) => `servers/${keyPart(id)}`,
  node: (id: string) => `nodes/${keyPart(id)}`,
  /** When and to whom a node registered, and left: what the registry alone writes of it. */
  registration: (id: string) => `registrations/${keyPart(id)}`,
  pool: (name: string) => `pools/${keyPart(name)}`,
  override: (id: string) => `overrides/${keyPart(id)}`,
  zone: (name: string) => `zones/${keyPart(name)}`,
  /** An RRset; the owner name in presentation form, folded. */
  rrset: (zone: string, owner: string, type: string) => `records/${keyPart(zone)}/${keyPart(owner)}/${type}`,
  token: (id: string) => `tokens/${keyPart(id)}`,
  approval: (id: string) => `approvals/${keyPart(id)}`,
  /** Rewritten by every change that is held against what people keep out of pools: of two at once, one looks again. */
  poolFence: "fences/pools",
  secret: (name: string) => `secrets/${keyPart(name)}`,
  /** What one server last heard of some nodes. */
  alive: (server: string, bucket: number) => `alive/${keyPart(server)}/${bucket}`,
  load: (server: string, bucket: number) => `load/${keyPart(server)}/${bucket}`,
  /** Verdicts of one server on some targets. */
  reports: (server: string, bucket: number) => `reports/${keyPart(server)}/${bucket}`,
  /** Since when one server answers by the drains that there are. */
  drains: (server: string) => `drains/${keyPart(server)}`,
  configurationVersion: (number: number) => `config/versions/${padded(number)}`,
  configurationCurrent: "config/current",
  configurationStage: "config/stage",
  /** What a server made of the version that it was to take. */
  configurationSeen: (server: string) => `config/seen/${keyPart(server)}`,
  demandVersion: (number: number) => `demand/versions/${padded(number)}`,
  demandCurrent: "demand/current",
  /** Below which the networks of a version lie. */
  demandRows: (id: string) => `demand/rows/${keyPart(id)}/`,
  /** Which regions of a pool are degraded, and since when. */
  degraded: (pool: string) => `degraded/${keyPart(pool)}`,
  /** A request that may come again with the same key, and what was answered. */
  idempotency: (actor: string, key: string) => `idempotency/${keyPart(actor)}/${keyPart(key)}`,
  auditRecord: (server: string, number: number) => `audit/${keyPart(server)}/${padded(number)}`,
  auditHead: (server: string) => `audit-heads/${keyPart(server)}`,
  /** Where a chain begins whose oldest records have been put away: the head before the first that is there. */
  auditBegin: (server: string) => `audit-begins/${keyPart(server)}`,
  /** All public keys by which a server has ever signed the log, which outlive it. */
  auditKeys: (server: string) => `audit-keys/${keyPart(server)}`,
} as const;

/** Everything of one kind lies below one of these. */
export const PREFIXES = {
  servers: "servers/",
  nodes: "nodes/",
  registrations: "registrations/",
  pools: "pools/",
  overrides: "overrides/",
  zones: "zones/",
  records: "records/",
  tokens: "tokens/",
  approvals: "approvals/",
  secrets: "secrets/",
  alive: "alive/",
  load: "load/",
  reports: "reports/",
  drains: "drains/",
  configurationVersions: "config/versions/",
  configurationSeen: "config/seen/",
  demandVersions: "demand/versions/",
  demandRows: "demand/rows/",
  degraded: "degraded/",
  idempotency: "idempotency/",
  audit: "audit/",
  auditHeads: "audit-heads/",
  auditBegins: "audit-begins/",
  auditKeys: "audit-keys/",
} as const;

/** A name as one part of a key: what keys cannot have, and `/`, as `%` and two hexadecimal digits an octet of UTF-8. */
export function keyPart(name: string): string {
  return encodeURIComponent(name).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
}

/** The name that {@linkcode keyPart} was given; of a part that it has not made, that itself. */
export function namePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** So that the order of keys is that of numbers. */
function padded(number: number): string {
  return String(number).padStart(12, "0");
}
