/**
 * `/v1/zones/ZONE/records`: the RRsets of a zone, one by one or several at once.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { rrsetChangesSchema } from "../../../core/management/record_changes.ts";
import { Records, recordsChangedSchema } from "../../../core/management/records.ts";
import { rrsetSchema } from "../../../core/management/rrset.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { askingOf, bodyOf, pageOf } from "./request.ts";
import { answer, pageSchema } from "./resources.ts";
import { allow, pathOf, zoneOf } from "./zones.ts";

const LIST = "/v1/zones/{zone}/records", ONE = "/v1/zones/{zone}/records/{name}/{type}";

/** Adds the routes. */
export function addRecordRoutes(app: App, { management }: Services): void {
  const records = new Records(management);

  app.get(pathOf(LIST), async (context) => {
    const zone = zoneOf(context), { page, filters } = pageOf(context);
    allow(context, "records", "read", zone);
    const { items, next } = await records.list(zone, page, filters);
    return context.json({ items: items.map(({ value }) => value), ...next !== undefined && { next } });
  });
  app.post(pathOf(LIST), async (context) => {
    const zone = zoneOf(context), body = await bodyOf(context);
    for (const verb of verbsOf(body)) allow(context, "records", verb, zone);
    return answer(context, await records.change(zone, body, askingOf(context)));
  });
  app.get(pathOf(ONE), async (context) => {
    const { zone, name, type } = context.req.param() as Which;
    allow(context, "records", "read", zone);
    const { value, etag } = await records.get(zone, name, type);
    return context.json(value, 200, { ETag: etag });
  });
  app.put(pathOf(ONE), async (context) => {
    const { zone, name, type } = context.req.param() as Which, body = await bodyOf(context);
    const isThere = await records.get(zone, name, type).then(() => true, () => false);
    allow(context, "records", isThere ? "update" : "create", zone);
    return answer(context, await records.put(zone, name, type, body, askingOf(context)));
  });
  app.patch(pathOf(ONE), async (context) => {
    const { zone, name, type } = context.req.param() as Which, patch = await bodyOf(context);
    allow(context, "records", "update", zone);
    return answer(context, await records.patch(zone, name, type, patch, askingOf(context)));
  });
  app.delete(pathOf(ONE), async (context) => {
    const { zone, name, type } = context.req.param() as Which;
    allow(context, "records", "delete", zone);
    return answer(context, await records.remove(zone, name, type, askingOf(context)));
  });
  describe(app);
}

/** An RRset of a zone, as paths have it. */
interface Which {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
}

/** What a set of changes takes: a put may make an RRset or change one. */
function verbsOf(body: unknown): ("create" | "update" | "delete")[] {
  const { changes } = (body ?? {}) as { changes?: unknown };
  const kinds = new Set(Array.isArray(changes) ? changes.map((one) => one?.change) : []);
  return kinds.has("delete") ? ["create", "update", "delete"] : ["create", "update"];
}

function describe(app: App): void {
  const params = z.object({
    zone: z.string().openapi({ example: "example.org." }),
    name: z.string().openapi({ example: "www.example.org." }),
    type: z.string().openapi({ example: "A" }),
  });
  const json = (schema: z.ZodType) => ({ "application/json": schema });
  const query = pageSchema.extend({
    name: z.string().optional().openapi({ description: "those of this owner" }),
    type: z.string().optional().openapi({ description: "those of this type" }),
  });
  const one = rrsetSchema.partial({ name: true, type: true }), some = rrsetSchema.partial();
  const page = z.object({ items: z.array(rrsetSchema), next: z.string().optional() });
  const routes = [
    { method: "get", path: LIST, summary: "list RRsets, a page at a time", query, gives: json(page) },
    {
      method: "post",
      path: LIST,
      summary: "change several RRsets at once, or none",
      takes: json(rrsetChangesSchema),
      gives: json(recordsChangedSchema),
    },
    { method: "get", path: ONE, summary: "an RRset", gives: json(rrsetSchema) },
    {
      method: "put",
      path: ONE,
      summary: "make an RRset what the body says",
      takes: json(one),
      gives: json(rrsetSchema),
    },
    {
      method: "patch",
      path: ONE,
      summary: "change some of an RRset (RFC 7396)",
      takes: json(some),
      gives: json(rrsetSchema),
    },
    { method: "delete", path: ONE, summary: "delete an RRset" },
  ] as const;
  describeRoutes(app, params, routes.map((route) => ({ ...route, tag: "records" })));
}
