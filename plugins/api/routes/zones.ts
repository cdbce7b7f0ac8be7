/**
 * `/v1/zones`: zones that are managed through the store, and each as a master file.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Action, Verb } from "../../../core/access/actor.ts";
import { etagOf } from "../../../core/management/etag.ts";
import { exportZone, importedSchema, importZone } from "../../../core/management/zone_transfer.ts";
import { findZone, newZoneSchema, Zones, zoneSchema } from "../../../core/management/zones.ts";
import type { App, Env } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { pageSchema } from "./resources.ts";
import { askingOf, bodyOf, demand, pageOf, textBodyOf } from "./request.ts";
import { answer } from "./resources.ts";

const LIST = "/v1/zones", ONE = "/v1/zones/{zone}", FILE = "/v1/zones/{zone}/file";

/** Of a master file (RFC 4027). */
const MASTER_FILE = "text/dns";

/** Adds the routes. */
export function addZoneRoutes(app: App, { management }: Services): void {
  const zones = new Zones(management), reader = management.reader ?? management.store;
  const isThere = async (name: string) => await findZone(reader, name).then(() => true, () => false);

  app.get(LIST, async (context) => {
    demand(context, { resource: "zones", verb: "read" });
    const { items, next } = await zones.list(pageOf(context).page);
    return context.json({ items: items.map(({ value }) => value), ...next !== undefined && { next } });
  });
  app.post(LIST, async (context) => {
    const body = await bodyOf(context);
    allow(context, "zones", "create", nameIn(body));
    return answer(context, await zones.create(body, askingOf(context)));
  });
  app.get(pathOf(ONE), async (context) => {
    const name = zoneOf(context);
    allow(context, "zones", "read", name);
    const { value, etag } = await zones.get(name);
    return context.json(value, 200, { ETag: etag });
  });
  app.put(pathOf(ONE), async (context) => {
    const name = zoneOf(context), body = await bodyOf(context);
    allow(context, "zones", await isThere(name) ? "update" : "create", name);
    return answer(context, await zones.put(name, body, askingOf(context)));
  });
  app.delete(pathOf(ONE), async (context) => {
    const name = zoneOf(context);
    allow(context, "zones", "delete", name);
    return answer(context, await zones.remove(name, askingOf(context)));
  });
  app.get(pathOf(FILE), async (context) => {
    const name = zoneOf(context);
    allow(context, "records", "read", name);
    const before = await findZone(reader, name), text = await exportZone(reader, name);
    const { revision } = (await findZone(reader, name)).soaEntry;
    // Of a file that was written while the zone changed it is not known which it is.
    const tag = revision === before.soaEntry.revision ? { ETag: etagOf(revision) } : {};
    return context.body(text, 200, { "Content-Type": `${MASTER_FILE}; charset=utf-8`, ...tag });
  });
  app.put(pathOf(FILE), async (context) => {
    const name = zoneOf(context);
    if (await isThere(name)) {
      for (const verb of ["create", "update", "delete"] as const) allow(context, "records", verb, name);
    } else allow(context, "zones", "create", name);
    return answer(context, await importZone(management, name, await textBodyOf(context), askingOf(context)));
  });
  describe(app);
}

/** @throws {AccessError} Where whoever asks may not do this with the zone; one without a name is no zone in particular. */
export function allow(
  context: Context<Env>,
  resource: Extract<Action["resource"], "zones" | "records">,
  verb: Verb,
  zone: string | undefined,
): void {
  demand(context, { resource, verb, ...zone !== undefined && { zones: [zone] } });
}

/** The zone in the path. */
export function zoneOf(context: Context<Env>): string {
  return context.req.param("zone")!;
}

/** A path as routes have it: parameters behind a colon. */
export function pathOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

function nameIn(body: unknown): string | undefined {
  const { name } = (body ?? {}) as { name?: unknown };
  return typeof name === "string" ? name : undefined;
}

function describe(app: App): void {
  const text = { "text/plain": z.string(), [MASTER_FILE]: z.string() };
  const params = z.object({ zone: z.string().openapi({ example: "example.org." }) });
  const json = (schema: z.ZodType) => ({ "application/json": schema });
  const page = z.object({ items: z.array(zoneSchema), next: z.string().optional() });
  describeRoutes(
    app,
    params,
    [
      {
        method: "get",
        path: LIST,
        summary: "list zones, a page at a time",
        query: pageSchema,
        gives: json(page),
      },
      {
        method: "post",
        path: LIST,
        summary: "make a zone",
        takes: json(newZoneSchema),
        gives: json(zoneSchema),
        status: 201,
      },
      { method: "get", path: ONE, summary: "a zone", gives: json(zoneSchema) },
      {
        method: "put",
        path: ONE,
        summary: "make a zone, or bound the TTLs of one",
        takes: json(newZoneSchema),
        gives: json(zoneSchema),
      },
      { method: "delete", path: ONE, summary: "take a zone away, with its records" },
      { method: "get", path: FILE, summary: "a zone as a master file (RFC 1035 section 5)", gives: text },
      {
        method: "put",
        path: FILE,
        summary: "make a zone what a master file says",
        takes: text,
        gives: json(importedSchema),
      },
    ].map((route) => ({ ...route, tag: "zones" }) as Parameters<typeof describeRoutes>[2][number]),
  );
}
