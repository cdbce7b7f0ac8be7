/**
 * Asks a fleet's interface: on the machine itself through the control socket, elsewhere by its URL and a token.
 *
 * @module
 */

import type { ApprovalView } from "../access/approval_request.ts";
import type { Problem } from "../management/problem.ts";
import type { LocalResponse } from "../membership/protocol.ts";
import { askServer, DEFAULT_CONTROL_SOCKET } from "./control.ts";
import { type Flags, type FlagTable, UsageError } from "./flags.ts";
import { visible, visibleJson } from "./visible.ts";

/** The flags by which every command says whom it asks. */
export const ASKING: FlagTable = {
  api: {
    value: "URL",
    help: "the interface of a server elsewhere: https://fra.example.org:8443 ($MERIDIAN_API)",
  },
  "token-file": { value: "FILE", help: "the token that it wants ($MERIDIAN_TOKEN)" },
  ca: { value: "FILE", help: "the authority that its certificate is held to" },
  control: { value: "PATH", help: `this machine's own server (${DEFAULT_CONTROL_SOCKET})` },
  reason: { value: "TEXT", help: "why, for the audit log" },
  json: { help: "print JSON" },
};

/** What an answer holds. */
export interface Answer {
  readonly status: number;
  /** Of JSON; undefined where there is none. */
  readonly body: any;
  /** As it came. */
  readonly text: string;
  readonly etag: string | undefined;
}

/** Who is asked. */
export interface ApiClient extends Disposable {
  /** A body goes as JSON, text under a Content-Type as it is. @throws {ApiError} What it says is wrong. @throws {UsageError} When it cannot be reached. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
}

/** The interface said no: the message is for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(readonly problem: Problem) {
    super(formatProblem(problem));
  }
}

/** What was asked for has not been done: a second person has to agree first. */
export class WaitsError extends Error {
  override readonly name = "WaitsError";
  constructor(readonly approval: ApprovalView) {
    super(waitsText(approval));
  }
}

/** The interface that the flags name. @throws {UsageError} */
export function apiClient({ values }: Flags): ApiClient {
  const reason = values.reason as string | undefined;
  const acknowledged = values.acknowledge as readonly string[] | undefined;
  const withFlags = (path: string) => {
    const query = new URLSearchParams({
      ...reason !== undefined && { reason },
      ...acknowledged && { acknowledge: acknowledged.join() },
    });
    return query.size === 0 ? path : `${path}${path.includes("?") ? "&" : "?"}${query}`;
  };
  const url = (values.api ?? (values.control === undefined ? Deno.env.get("MERIDIAN_API") : undefined)) as
    | string
    | undefined;
  const ask = url === undefined ? locally(values.control as string | undefined) : remotely(url, values);
  return {
    ask: async (method, path, body, headers = {}) =>
      answerOf(await ask.send(method, method === "GET" ? path : withFlags(path), body, headers)),
    [Symbol.dispose]: () => ask.close(),
  };
}

interface Transport {
  send(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<LocalResponse>;
  close(): void;
}

function locally(control: string | undefined): Transport {
  return {
    send: (method, path, body, headers) =>
      askServer<LocalResponse>(control, "api", {
        ...{ method, path, headers },
        ...body !== undefined && { body: bodyText(body, headers) },
      }, { timeoutMs: TIMEOUT_MS }),
    close() {},
  };
}

function remotely(url: string, values: Flags["values"]): Transport {
  const base = URL.parse(url), token = readToken(values["token-file"] as string | undefined);
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new UsageError(`-api must be a URL such as https://fra.example.org:8443: got ${url}`);
  }
  const isOwn = /^(localhost|127\.[\d.]+|\[::1\])$/.test(base.hostname);
  if (base.protocol === "http:" && !isOwn) {
    throw new UsageError(`-api ${url} would send the token in clear: want https`);
  }
  const ca = values.ca as string | undefined;
  const client = ca === undefined
    ? undefined
    : Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(ca)] });
  return {
    async send(method, path, body, headers) {
      try {
        const response = await fetch(new URL(path, base), {
          ...{
            method,
            headers: { ...headers, ...token !== undefined && { Authorization: `Bearer ${token}` } },
          },
          ...body !== undefined && { body: bodyText(body, headers) },
          ...client && { client },
          redirect: "error",
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        return {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: await response.text(),
        };
      } catch (error) {
        throw new UsageError(
          `Cannot reach ${base.origin}: ${error instanceof Error ? error.message : error}`,
        );
      }
    },
    close: () => client?.close(),
  };
}

function bodyText(body: unknown, headers: Readonly<Record<string, string>>): string {
  return typeof body === "string" && headers["Content-Type"] !== undefined ? body : JSON.stringify(body);
}

/** A large zone takes a while to be written into a store that is far away. */
const TIMEOUT_MS = 60_000;

/** @throws {UsageError} */
function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return Deno.env.get("MERIDIAN_TOKEN");
  try {
    return Deno.readTextFileSync(file).trim();
  } catch (error) {
    throw new UsageError(
      `-token-file: cannot read ${file}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function answerOf({ status, headers, body }: LocalResponse): Answer {
  const isJson = /json/.test(headers["content-type"] ?? "");
  const value = isJson && body !== "" ? JSON.parse(body) : undefined;
  if (status === 202 && headers.location?.startsWith("/v1/approvals/")) throw new WaitsError(value);
  if (status < 400) return { status, body: value, text: body, etag: headers.etag };
  throw new ApiError(value ?? { type: "", title: "", status, detail: body.trim() || `status ${status}` });
}

function waitsText({ request: { id, critical, expiresMs }, digest }: ApprovalView): string {
  return [
    `It is not done yet: it ${critical.map(({ what }) => what).join("; ")}, and waits for a second person.`,
    `  approval ${id}, until ${new Date(expiresMs).toISOString()}, digest ${digest}`,
    `  they agree by \`meridian approval approve ${id}\``,
  ].join("\n");
}

/** What is wrong, each field in a line of its own. */
export function formatProblem({ detail, title, errors = [], changed, pools }: Problem): string {
  return [
    title && title !== detail ? `${title}: ${detail}` : detail,
    ...errors.map(({ pointer, detail }) => `  ${pointer || "/"}: ${detail}`),
    ...changed ? [`  changed last by ${changed.actor}, ${changed.at} (${changed.record})`] : [],
    ...pools ? [`  pools: ${pools.join(", ")}`] : [],
  ].join("\n");
}

/** Every page of a list. */
export async function askAll(client: ApiClient, path: string): Promise<any[]> {
  const items: any[] = [];
  let cursor: string | undefined;
  do {
    const separator = path.includes("?") ? "&" : "?";
    const page = cursor === undefined ? path : `${path}${separator}cursor=${encodeURIComponent(cursor)}`;
    const { body } = await client.ask("GET", page);
    items.push(...body.items);
    cursor = body.next;
  } while (cursor !== undefined);
  return items;
}

/** Runs a command that asks; what is wrong, or waits for somebody else, is told, and is 1. */
export async function asking(flags: Flags, run: (client: ApiClient) => Promise<number>): Promise<number> {
  using client = apiClient(flags);
  try {
    return await run(client);
  } catch (error) {
    if (error instanceof WaitsError) {
      console.error(visible(error.message));
      if (flags.values.json) console.log(visibleJson(error.approval));
      return 1;
    }
    if (!(error instanceof ApiError)) throw error;
    console.error(flags.values.json ? visibleJson(error.problem) : visible(error.message));
    return 1;
  }
}
