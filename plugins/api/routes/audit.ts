/** `/v1/audit`: who changed what, and whether the log is whole. @module */

import { type AuditLog, type AuditRecord, verifyAudit } from "../../../core/state/audit.ts";
import { namePart, PREFIXES } from "../../../core/state/keys.ts";
import { pageOf } from "../../../core/management/pagination.ts";
import { readerOf } from "../../../core/management/reader.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { demand } from "./request.ts";

/** Adds the routes. */
export function addAuditRoutes(app: App, { scope: { member: { replica, store } } }: Services): void {
  app.get("/v1/audit", async (context) => {
    demand(context, { resource: "audit", verb: "read" });
    const { limit, cursor, ...filters } = context.req.query();
    const { entries } = await readerOf(replica).list(PREFIXES.audit);
    const records = entries.map(({ value }) => JSON.parse(value) as AuditRecord).filter((record) =>
      isAsked(record, filters)
    )
      .toSorted((a, b) => a.atMs - b.atMs || (nameOf(a) < nameOf(b) ? -1 : 1));
    const page = pageOf(records, keyOf, {
      ...limit !== undefined && { limit: Number(limit) },
      ...cursor !== undefined && { cursor },
    });
    return context.json(page);
  });
  app.get("/v1/audit/verification", async (context) => {
    demand(context, { resource: "audit", verb: "read" });
    const [records, servers] = await Promise.all([store.list(PREFIXES.audit), store.list(PREFIXES.servers)]);
    const log: AuditLog = {
      records: records.entries.map(({ value }) => JSON.parse(value)),
      keys: Object.fromEntries(servers.entries.map(({ key, value }) => [
        namePart(key.slice(PREFIXES.servers.length)),
        JSON.parse(value).key,
      ])),
    };
    const faults = verifyAudit(log);
    return context.json({ records: log.records.length, isWhole: faults.length === 0, faults });
  });
}

const nameOf = ({ server, number }: AuditRecord) => `${server}/${number}`;

/** In order of time; two of one instant by their names. */
const keyOf = (record: AuditRecord) =>
  `${String(record.atMs).padStart(16, "0")} ${record.server} ${String(record.number).padStart(12, "0")}`;

const FILTERS = ["actor", "action", "subject", "server"] as const;

function isAsked(record: AuditRecord, filters: Readonly<Record<string, string>>): boolean {
  return FILTERS.every((field) => filters[field] === undefined || record[field] === filters[field]);
}
