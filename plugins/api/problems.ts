/**
 * What is told where something cannot be done: problem+json (RFC 9457).
 *
 * @module
 */

import type { Refusal } from "../../core/access/authenticate.ts";
import { AccessError, type AccessErrorKind } from "../../core/access/error.ts";
import { type Problem, ProblemError, type ProblemKind, problemOf } from "../../core/management/problem.ts";
import type { Log } from "../../core/plugin.ts";
import { RegistryProblem } from "../../core/registry/protocol.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";

const MEDIA_TYPE = "application/problem+json";

const ACCESS_STATUS: Readonly<Record<AccessErrorKind, readonly [number, string]>> = {
  forbidden: [403, "Not allowed"],
  invalid: [422, "Some fields are not right"],
  absent: [404, "There is no such thing"],
  conflict: [409, "It does not fit what is there"],
};

/** A response that says what is wrong. */
export function problemResponse(
  _context: unknown,
  kind: ProblemKind | {
    readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
  },
  detail = "",
): Response {
  if (typeof kind === "string") return respond(new ProblemError(kind, detail).problem);
  const errors = kind.issues.map(({ path, message }) => ({
    pointer: path.map((part) => `/${String(part)}`).join(""),
    detail: message,
  }));
  return respond(ProblemError.invalid(errors).problem);
}

/** 401, 429, 503. */
export function refusalResponse({ status, headers, why }: Refusal): Response {
  return respond({ type: "/problems/refused", title: TITLES[status], status, detail: why }, headers);
}

const TITLES = { 401: "Who are you?", 429: "Too many requests", 503: "Not to be found out for now" } as const;

/** 403, with who is missing what. */
export function forbidden(why: string): Response {
  return respond({ type: "/problems/forbidden", title: "Not allowed", status: 403, detail: why });
}

/** What an error is to whoever asked. One that is ours goes to the log, and by its number to them. */
export function responseOf(error: unknown, log: Pick<Log, "error">, requestId: string): Response {
  if (error instanceof RegistryProblem) {
    const { status, code, message, field } = error;
    const errors = field === undefined ? {} : { errors: [{ pointer: field, detail: message }] };
    return respond({
      type: `/problems/${code}`,
      title: "The node is refused",
      status,
      detail: message,
      code,
      ...errors,
    });
  }
  if (error instanceof AccessError) return respond(accessProblem(error));
  const problem = problemOf(error);
  if (problem) return respond(problem, error instanceof StoreUnavailableError ? { "Retry-After": "2" } : {});
  log.error(`api: request ${requestId} met a bug: ${error instanceof Error ? error.stack : error}`);
  const detail = `a bug: the server's log says more of request ${requestId}`;
  return respond({ type: "/problems/bug", title: "A bug", status: 500, detail });
}

/** What access control says no with, as JSON has it. */
export function accessProblem({ kind, message }: AccessError): Problem {
  const [status, title] = ACCESS_STATUS[kind];
  return { type: `/problems/${kind}`, title, status, detail: message };
}

function respond(
  problem: Problem & { readonly code?: string },
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "Content-Type": MEDIA_TYPE, ...headers },
  });
}
