/**
 * `/v1/nodes`, `/v1/pools`, `/v1/overrides`: all that is there, one of it, made, changed and taken away.
 *
 * @module
 */

import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Action, Resource, Verb } from "../../../core/access/actor.ts";
import type { OverrideBody, OverrideValue } from "../../../core/management/overrides.ts";
import type { PoolValue } from "../../../core/management/pools.ts";
import { mergePatch } from "../../../core/management/merge_patch.ts";
import type { AuditEvent } from "../../../core/state/audit.ts";
import type { Json } from "../../../core/state/canonical.ts";
import type { Write } from "../../../core/state/store.ts";
import { problemSchema } from "../../../core/management/problem.ts";
import { type ResourceAnswer, Resources } from "../../../core/management/resource.ts";
import type { App, Env } from "../app.ts";
import { previewSchema } from "../../../core/management/preview_schema.ts";
import { guarded, Previewed } from "../guard.ts";
import { gated, whyWaits } from "../approval_gate.ts";
import { withDrained } from "../drained.ts";
import type { Services } from "../services.ts";
import { askingOf, bodyOf, demand } from "./request.ts";

/** Adds the routes of every kind. */
export function addResourceRoutes(app: App, services: Services): void {
  add(app, services, services.nodes, "nodes", () => ({}));
  add(app, services, services.pools, "pools", (body) => namedPools((body as PoolValue | undefined)?.name));
  add(
    app,
    services,
    services.overrides,
    "overrides",
    (body) => namedPools((body as OverrideBody | undefined)?.target?.pool),
    (override, isOne) => withDrained(services.scope, override as OverrideValue, isOne),
  );
}

const namedPools = (name: unknown): Pick<Action, "pools"> =>
  typeof name === "string" ? { pools: [name] } : {};

/** Where an action has an effect, as far as it can be seen from what is there or is sent. */
type Where = (value: unknown) => Pick<Action, "pools" | "zones">;

function add<S extends z.ZodType<object>>(
  app: App,
  services: Services,
  resources: Resources<S>,
  resource: Resource,
  where: Where,
  /** What is told beside what is kept; of one alone as much as there is. */
  shown: (value: z.output<S>, isOne: boolean) => object = (value) => value,
): void {
  const { name, schema } = resources.kind, path = `/v1/${name}`, one = `${path}/{id}`;
  const body = { content: { "application/json": { schema } } };
  const wrong = {
    content: { "application/problem+json": { schema: problemSchema } },
    description: "what is wrong",
  };
  const gives = (schema: z.ZodType) => ({
    200: { content: { "application/json": { schema } }, description: "as it is" },
    default: wrong,
  });
  const previews = {
    200: {
      content: { "application/json": { schema: previewSchema } },
      description: "with `preview`: what it would do",
    },
  };
  const answers = (status: 200 | 201 | 204) => ({
    ...status === 200
      ? {
        200: {
          content: { "application/json": { schema: z.union([schema, previewSchema]) } },
          description: "as it is now; with `preview`: what it would do",
        },
      }
      : previews,
    ...status === 201 && { 201: { ...body, description: "as it is now" } },
    ...status === 204 && { 204: { description: "it is gone" } },
    202: { description: "it waits for a second person, at what Location names" },
    default: wrong,
  });
  const declare = (method: "get" | "post" | "put" | "patch" | "delete", path: string, summary: string) =>
    app.openAPIRegistry.registerPath(
      createRoute({
        ...{ method, path, summary, tags: [name] },
        request: {
          ...path === one && { params: z.object({ id: z.string() }) },
          ...method === "get" && path !== one && { query: pageSchema },
          ...(method === "post" || method === "put") && { body },
        },
        responses: method === "get"
          ? gives(path === one ? schema : z.object({ items: z.array(schema), next: z.string().optional() }))
          : answers(method === "delete" ? 204 : method === "post" ? 201 : 200),
      }),
    );
  /** Each of what is there and what is to be there has to be allowed: nobody moves something out of where they may. */
  const allow = (context: Context<Env>, verb: Verb, values: readonly unknown[]): Action => {
    const actions = values.filter((value) => value !== undefined && value !== null)
      .map((value): Action => ({ resource, verb, ...where(value) }));
    for (const action of actions.length > 0 ? actions : [{ resource, verb }]) demand(context, action);
    const isEverywhere = actions.length === 0 || actions.some(({ pools }) => pools === undefined);
    return {
      resource,
      verb,
      ...!isEverywhere && { pools: [...new Set(actions.flatMap(({ pools }) => pools!))] },
    };
  };
  /** Changes by what the request acknowledges; or only looks, where it says so. */
  const changing = async (
    context: Context<Env>,
    action: Action,
    body: unknown,
    run: (guardedResources: Resources<S>) => Promise<ResourceAnswer<object>>,
  ): Promise<Response> => {
    const { preview: isPreview, acknowledge } = context.req.query();
    const options = {
      isPreview: isPreview !== undefined,
      acknowledged: acknowledge?.split(",") ?? [],
      // What is written may be another thing than what was looked at before: by a patch, or by somebody else.
      check: (events: readonly AuditEvent[]) => {
        for (const { before, after } of events) allow(context, action.verb, [before, after]);
      },
      whyWaits: (writes: readonly Write[]) => whyWaits(context, services, [action], writes),
    };
    const gate = gated(context, services, [action], { body });
    const management = await guarded(gate, services.scope, options);
    try {
      return answer(context, await run(new Resources(management, resources.kind)));
    } catch (error) {
      if (error instanceof Previewed) return context.json(error.preview);
      throw error;
    }
  };
  const found = async (id: string) => (await resources.get(id).catch(() => undefined))?.value;

  declare("get", path, `list ${name}, a page at a time`);
  app.get(path, async (context) => {
    allow(context, "read", []);
    const { limit, cursor, ...filters } = context.req.query();
    const page = await resources.list(
      { ...limit !== undefined && { limit: Number(limit) }, ...cursor !== undefined && { cursor } },
      filters,
    );
    const { items, next } = page;
    return context.json({
      items: items.map(({ value }) => shown(value, false)),
      ...next !== undefined && { next },
    });
  });

  declare("get", one, `one of ${name}`);
  app.get(`${path}/:id`, async (context) => {
    allow(context, "read", []);
    const { value, etag } = await resources.get(context.req.param("id"));
    return context.json(shown(value, true), 200, { ETag: etag });
  });

  declare("post", path, `make one of ${name}`);
  app.post(path, async (context) => {
    const body = await bodyOf(context);
    const action = allow(context, "create", [body]);
    return await changing(context, action, body, (guarded) => guarded.create(body, askingOf(context)));
  });

  declare("put", one, `make one of ${name} what the body says`);
  app.put(`${path}/:id`, async (context) => {
    const id = context.req.param("id"), body = await bodyOf(context), before = await found(id);
    const named = { name: id, ...body as object };
    const action = allow(context, before ? "update" : "create", [before, named]);
    return await changing(context, action, body, (guarded) => guarded.put(id, body, askingOf(context)));
  });

  declare("patch", one, `change some of one of ${name} (RFC 7396)`);
  app.patch(`${path}/:id`, async (context) => {
    const id = context.req.param("id"), patch = await bodyOf(context), before = await found(id);
    const action = allow(context, "update", [before, before && mergePatch(before as Json, patch as Json)]);
    return await changing(context, action, patch, (guarded) => guarded.patch(id, patch, askingOf(context)));
  });

  declare("delete", one, `take one of ${name} away`);
  app.delete(`${path}/:id`, async (context) => {
    const id = context.req.param("id");
    const action = allow(context, "delete", [await found(id) ?? { name: id }]);
    return await changing(context, action, undefined, (guarded) => guarded.remove(id, askingOf(context)));
  });
}

/** Which page of a list. */
export const pageSchema = z.object({
  limit: z.string().optional().openapi({ description: "at most so many, 100 if not said, 1000 at most" }),
  cursor: z.string().optional().openapi({ description: "`next` of the page before" }),
});

/** What became of a change. */
export function answer(context: Context<Env>, { status, value, etag }: ResourceAnswer<object>): Response {
  const headers: Record<string, string> = etag === undefined ? {} : { ETag: etag };
  if (value === undefined) return context.body(null, 204, headers);
  return context.json(value, status as 200, headers);
}
