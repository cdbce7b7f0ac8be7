/** `/v1/audit`: who changed what, and whether the log is whole. @module */

import { z } from "@hono/zod-openapi";
import { AccessError } from "../../../core/access/error.ts";
import { ProblemError } from "../../../core/management/problem.ts";
import { readAs } from "../../../core/management/schema.ts";
import { type AuditRecord, recordIn } from "../../../core/state/audit.ts";
import { ArchiveError, archiveText, planArchive } from "../../../core/state/audit_archive.ts";
import { sweepArchived, type Verification, verifyStore } from "../../../core/state/audit_log.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import type { Entry } from "../../../core/state/store.ts";
import { pageOfUnordered } from "../../../core/management/pagination.ts";
import type { App } from "../app.ts";
import { gated } from "../approval_gate.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { askingOf, bodyOf, demand, pageOf as pageAsked } from "./request.ts";
import { pageSchema } from "./resources.ts";
import { othersTurn, streamOfText } from "./slowly.ts";

const ARCHIVE = "/v1/audit/archive";

const DELETE = { resource: "audit", verb: "delete" } as const;

/** What whoever asks has in a file of theirs. */
const toArchiveSchema = z.strictObject({
  ends: z.record(z.string(), z.strictObject({ number: z.number().int().min(1), hash: z.string() })),
  sha256: z.string().openapi({ description: "of the archive, as its last line has it" }),
}).openapi("AuditToArchive");

/** Adds the routes. */
export function addAuditRoutes(app: App, services: Services): void {
  const { scope } = services, { member: { replica, store }, clock } = scope;
  app.get("/v1/audit", async (context) => {
    demand(context, { resource: "audit", verb: "read" });
    const { page, filters } = pageAsked(context), { server } = filters;
    const prefix = server === undefined ? PREFIXES.audit : KEYS.auditRecord(server, 0).replace(/[^/]*$/, "");
    const read = (entry: Entry) => {
      const listed = listedOf(entry);
      return listed && isAsked(listed, filters) ? listed : undefined;
    };
    // However long the log is, heartbeats and others have their turn meanwhile.
    const entries = [...replica.below(prefix)];
    const { items, ...rest } = await pageOfUnordered(entries, read, ({ order }) => order, page);
    return context.json({ items: items.map(({ entry }) => JSON.parse(entry.value) as AuditRecord), ...rest });
  });
  let running: Promise<Verification> | undefined;
  app.get("/v1/audit/verification", async (context) => {
    demand(context, { resource: "audit", verb: "read" });
    // However many ask, it is done once at a time.
    running ??= verifyStore(store, replica.below(PREFIXES.audit), othersTurn).finally(() =>
      running = undefined
    );
    return context.json(await running);
  });
  app.get(ARCHIVE, async (context) => {
    demand(context, { resource: "audit", verb: "read" });
    const before = context.req.query("before"), beforeMs = Date.parse(before ?? "");
    if (Number.isNaN(beforeMs)) {
      throw new ProblemError(
        "malformed",
        `before: wanted an instant such as 2026-12-01T00:00:00Z, got ${before}`,
      );
    }
    const lines = archiveText(store, beforeMs, clock.nowMs(), othersTurn);
    // What cannot be is told before anything is sent.
    const { value: first = "" } = await told(() => lines.next());
    return context.body(streamOfText(lines, first), 200, { "Content-Type": "text/plain; charset=utf-8" });
  });
  app.post(ARCHIVE, async (context) => {
    demand(context, DELETE);
    const body = await bodyOf(context),
      asked = readAs(toArchiveSchema, body),
      { actor, reason } = askingOf(context);
    const plan = await told(() =>
      planArchive(store, asked, {
        ...{ server: scope.configuration.server, actor, nowMs: clock.nowMs() },
        ...reason !== undefined && { reason },
        sign: (octets) => scope.member.sign(octets),
      })
    );
    const { ledger } = gated(context, services, [DELETE], { body });
    const { succeeded } = await ledger.write(plan.events, plan.writes, plan.conditions);
    if (!succeeded) throw new ProblemError("conflict", "somebody else has put records away just now");
    // The rest of the sweeping is anybody's, whenever it comes.
    if (!context.env.rehearsal) await sweepArchived(store, replica.below(PREFIXES.audit));
    return context.json({ begins: asked.ends });
  });
  describe(app);
}

/** What cannot be archived is told to who asked. */
async function told<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ArchiveError) throw new AccessError("invalid", error.message);
    throw error;
  }
}

/** What is chosen and ordered by. */
interface Listed extends Pick<AuditRecord, typeof FILTERS[number]> {
  readonly entry: Entry;
  /** In order of time; two of one instant by their names. */
  readonly order: string;
}

/** A record is read once, and not for each who asks. */
const LISTED = new WeakMap<Entry, Listed | typeof UNREADABLE>();

const UNREADABLE = Symbol("no record");

/** Undefined of what is no record: that it is none, verification tells. */
function listedOf(entry: Entry): Listed | undefined {
  const known = LISTED.get(entry) ?? listedFrom(entry);
  LISTED.set(entry, known);
  return known === UNREADABLE ? undefined : known;
}

function listedFrom(entry: Entry): Listed | typeof UNREADABLE {
  const record = recordIn(entry.value);
  if (!record) return UNREADABLE;
  const { actor, action, subject, server, number, atMs } = record;
  const order = `${String(atMs).padStart(16, "0")} ${server} ${String(number).padStart(12, "0")}`;
  return { ...{ actor, action, subject, server }, entry, order };
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
    {
      ...{
        method: "get",
        path: ARCHIVE,
        tag,
        summary: "the records before an instant, as a text with a digest",
      },
      query: z.object({ before: z.iso.datetime().openapi({ example: "2026-12-01T00:00:00Z" }) }),
      gives: { "text/plain": z.string() },
    },
    {
      ...{
        method: "post",
        path: ARCHIVE,
        tag,
        summary: "have the log begin after records that lie elsewhere",
      },
      ...{
        takes: json(toArchiveSchema),
        gives: json(z.object({ begins: toArchiveSchema.shape.ends })),
        mayWait: true,
      },
    },
  ]);
}
