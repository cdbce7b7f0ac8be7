/** `/v1/audit`: who changed what, and whether the log is whole. @module */

import { z } from "@hono/zod-openapi";
import {
  type AuditFault,
  type AuditLog,
  type AuditRecord,
  verifyAuditInSteps,
} from "../../../core/state/audit.ts";
import { KEYS, namePart, PREFIXES } from "../../../core/state/keys.ts";
import type { Entry, Store } from "../../../core/state/store.ts";
import { pageOf } from "../../../core/management/pagination.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { demand, pageOf as pageAsked } from "./request.ts";
import { pageSchema } from "./resources.ts";

/** Adds the routes. */
export function addAuditRoutes(app: App, { scope: { member: { replica, store } } }: Services): void {
  app.get("/v1/audit", (context) => {
    demand(context, { resource: "audit", verb: "read" });
    const { page, filters } = pageAsked(context), { server } = filters;
    const prefix = server === undefined ? PREFIXES.audit : KEYS.auditRecord(server, 0).replace(/[^/]*$/, "");
    const listed = replica.below(prefix).map(listedOf).filter((one) => isAsked(one, filters)).toArray()
      .sort((a, b) => a.order < b.order ? -1 : 1);
    const { items, ...rest } = pageOf(listed, ({ order }) => order, page);
    return context.json({ items: items.map(({ entry }) => JSON.parse(entry.value) as AuditRecord), ...rest });
  });
  let running: Promise<Verification> | undefined;
  app.get("/v1/audit/verification", async (context) => {
    demand(context, { resource: "audit", verb: "read" });
    // However many ask, it is done once at a time.
    running ??= verify(store).finally(() => running = undefined);
    return context.json(await running);
  });
  describe(app);
}

/** What is told of the whole log. */
interface Verification {
  readonly records: number;
  readonly isWhole: boolean;
  readonly faults: readonly AuditFault[];
}

async function verify(store: Store): Promise<Verification> {
  // Keys come first: whoever signs has put theirs there before.
  const keys = await keysIn(store), { entries } = await store.list(PREFIXES.audit);
  const log: AuditLog = { records: entries.map(({ value }) => JSON.parse(value)), keys };
  const steps = verifyAuditInSteps(log);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return { records: log.records.length, isWhole: value.length === 0, faults: value };
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** By server, whichever it has ever had. */
async function keysIn(store: Store): Promise<AuditLog["keys"]> {
  const keys: Record<string, string[]> = {};
  for (const { key, value } of (await store.list(PREFIXES.auditKeys)).entries) {
    keys[namePart(key.slice(PREFIXES.auditKeys.length))] = JSON.parse(value).keys;
  }
  // What programs of before have signed, which told their keys there alone.
  for (const { key, value } of (await store.list(PREFIXES.servers)).entries) {
    (keys[namePart(key.slice(PREFIXES.servers.length))] ??= []).push(JSON.parse(value).key);
  }
  return keys;
}

/** What is chosen and ordered by. */
interface Listed extends Pick<AuditRecord, typeof FILTERS[number]> {
  readonly entry: Entry;
  /** In order of time; two of one instant by their names. */
  readonly order: string;
}

/** A record is read once, and not for each who asks. */
const LISTED = new WeakMap<Entry, Listed>();

function listedOf(entry: Entry): Listed {
  const known = LISTED.get(entry);
  if (known) return known;
  const { actor, action, subject, server, number, atMs } = JSON.parse(entry.value) as AuditRecord;
  const order = `${String(atMs).padStart(16, "0")} ${server} ${String(number).padStart(12, "0")}`;
  const listed = { ...{ actor, action, subject, server }, entry, order };
  LISTED.set(entry, listed);
  return listed;
}

const FILTERS = ["actor", "action", "subject", "server"] as const;

function isAsked(listed: Listed, filters: Readonly<Record<string, string>>): boolean {
  return FILTERS.every((field) => filters[field] === undefined || listed[field] === filters[field]);
}

const recordSchema = z.object({
  ...{ server: z.string(), number: z.number().int(), atMs: z.number().int(), previous: z.string() },
  actor: z.string().openapi({ example: "token:ada/k3vq5m7xw2abcdef" }),
  action: z.string().openapi({ example: "node.update" }),
  subject: z.string().openapi({ example: "nodes/fra1" }),
  ...{ reason: z.string().optional(), cause: z.string().optional() },
  ...{ before: z.any().optional(), after: z.any().optional() },
}).openapi("AuditRecord");

function describe(app: App): void {
  const json = (schema: z.ZodType) => ({ "application/json": schema }), tag = "audit";
  const fault = z.object({ server: z.string(), number: z.number().int(), what: z.string() });
  describeRoutes(app, z.object({}), [
    {
      ...{ method: "get", path: "/v1/audit", tag, summary: "who changed what, the oldest first" },
      query: pageSchema.extend(Object.fromEntries(FILTERS.map((filter) => [filter, z.string().optional()]))),
      gives: json(z.object({ items: z.array(recordSchema), next: z.string().optional() })),
    },
    {
      ...{ method: "get", path: "/v1/audit/verification", tag, summary: "whether the log is whole" },
      gives: json(z.object({ records: z.number().int(), isWhole: z.boolean(), faults: z.array(fault) })),
    },
  ]);
}
