/**
 * What all routes read of a request.
 *
 * @module
 */

import type { Context } from "hono";
import type { Action } from "../../../core/access/actor.ts";
import { AccessError } from "../../../core/access/error.ts";
import { may } from "../../../core/access/roles.ts";
import type { Asking } from "../../../core/management/change.ts";
import type { PageRequest } from "../../../core/management/pagination.ts";
import { ProblemError } from "../../../core/management/problem.ts";
import type { Env } from "../app.ts";

/** @throws {AccessError} `forbidden`, where whoever asks may not do this. */
export function demand(context: Context<Env>, action: Action): void {
  const { allowed, why } = may(context.get("actor"), action);
  if (!allowed) throw new AccessError("forbidden", why);
}

/** Who asks for a change, and under which conditions. */
export function askingOf(context: Context<Env>): Asking {
  const field = (name: string) => context.req.header(name);
  const reason = context.req.query("reason") ?? field("x-reason");
  const ifMatch = field("if-match"), ifNoneMatch = field("if-none-match");
  const idempotencyKey = field("idempotency-key");
  return {
    ...{ actor: context.get("actor").id, cause: context.get("requestId") },
    ...reason !== undefined && { reason },
    ...ifMatch !== undefined && { ifMatch },
    ...ifNoneMatch !== undefined && { ifNoneMatch },
    ...idempotencyKey !== undefined && { idempotencyKey },
  };
}

/** The body as text. @throws {ProblemError} `malformed`, `too-large`: it need not have told its length. */
export function textBodyOf(context: Context<Env>): Promise<string> {
  return textOf(context.req.raw, context.get("bodyOctetsMax"));
}

/** The page of a list that is asked for, and the filters: what else the query has. */
export function pageOf(
  context: Context<Env>,
): { readonly page: PageRequest; readonly filters: Readonly<Record<string, string>> } {
  const { limit, cursor, ...filters } = context.req.query();
  const page = { ...limit !== undefined && { limit: Number(limit) }, ...cursor !== undefined && { cursor } };
  return { page, filters };
}

/** The body as JSON. @throws {ProblemError} `malformed`, `too-large`: it need not have told its length. */
export async function bodyOf(context: Context<Env>): Promise<unknown> {
  const value = jsonIn(await textOf(context.req.raw, context.get("bodyOctetsMax")));
  // What walks through values calls itself: there is an end to how often it can.
  if (isDeeper(value, DEPTH_MAX)) {
    throw new ProblemError("malformed", `wanted JSON that is nested ${DEPTH_MAX} deep at most`);
  }
  return value;
}

/** Deeper than anything that is asked for. */
const DEPTH_MAX = 32;

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((one) => isDeeper(one, depth - 1));
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new ProblemError(
      "malformed",
      text === "" ? "a body of JSON is wanted, there is none" : `wanted JSON: ${what}`,
    );
  }
}

/** All of a body. Where a stream costs as much as all the rest it is read at once. */
async function textOf(request: Request, octetsMax: number): Promise<string> {
  try {
    return isShort(request, octetsMax) ? await request.text() : await textIn(request.body, octetsMax);
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    // Who goes away before all is sent has made no mistake of ours: whatever ends a body before its end is told as that.
    const what = error instanceof Error ? error.message : String(error);
    throw new ProblemError("malformed", `the body ended before its end: ${what}`);
  }
}

/** Up to so many octets a body is read at once; of longer ones others have their turn while it comes. */
const SHORT_OCTETS_MAX = 65_536;

/** Whether a body says that it is short: what comes by a socket has no more octets than it says. */
function isShort({ headers }: Request, octetsMax: number): boolean {
  const length = headers.get("content-length");
  return length !== null && /^\d+$/.test(length) && Number(length) <= Math.min(octetsMax, SHORT_OCTETS_MAX) &&
    !headers.has("transfer-encoding");
}

async function textIn(body: ReadableStream<Uint8Array> | null, octetsMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", octets = 0;
  for await (const chunk of body ?? []) {
    octets += chunk.length;
    if (octets > octetsMax) throw new ProblemError("too-large", `a body may have ${octetsMax} octets`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
