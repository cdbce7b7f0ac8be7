/**
 * How routes are described for programs.
 *
 * @module
 */

import { createRoute, z } from "@hono/zod-openapi";
import { problemSchema } from "../../../core/management/problem.ts";
import type { App } from "../app.ts";

/** What there is to be said of a route. */
export interface RouteWords {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** Parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  /** What it takes, by media type. */
  readonly takes?: Readonly<Record<string, z.ZodType>>;
  /** What it gives, by media type; absent = nothing but that it is done. */
  readonly gives?: Readonly<Record<string, z.ZodType>>;
  readonly status?: 200 | 201;
  /** Nobody has to show who they are. */
  readonly isOpen?: boolean;
  /** It may wait for a second person, where approvals are on. */
  readonly mayWait?: boolean;
}

/** Describes routes, each by its words and the parameters of its path. */
export function describeRoutes(app: App, params: z.ZodObject, routes: readonly RouteWords[]): void {
  for (const route of routes) {
    const { method, path, summary, tag, query, headers, takes, gives, status = 200, isOpen, mayWait } = route;
    const names = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name!);
    const named = z.object(Object.fromEntries(names.map((name) => [name, params.shape[name]!])));
    app.openAPIRegistry.registerPath(createRoute({
      ...{ method, path, summary, tags: [tag] },
      ...isOpen && { security: [] },
      request: {
        ...names.length > 0 && { params: named },
        ...query && { query },
        ...headers && { headers },
        ...takes && { body: { required: true, content: contentOf(takes) } },
      },
      responses: {
        ...gives ? { [status]: { description: "as it is", content: contentOf(gives) } } : DONE,
        ...mayWait && WAITS,
        default: { description: "what is wrong", content: contentOf({ [PROBLEM]: problemSchema }) },
      },
    }));
  }
}

const DONE = { 204: { description: "it is done" } };
const WAITS = { 202: { description: "it waits for a second person, at what Location names" } };
const PROBLEM = "application/problem+json";

function contentOf(schemas: Readonly<Record<string, z.ZodType>>) {
  return Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]));
}
