/**
 * A node's best peers, from a fleet's API: `GET /v1/peers?node=ID&count=N`.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Peers } from "../fleet/peers.ts";
import { GivenUpError } from "./deadline.ts";

export type { Peer, Peers } from "../fleet/peers.ts";

/** Whom to ask, for whom. */
export interface AskPeersOptions {
  /** Base URLs of servers that have the API, such as `https://ns1.example.org:8443`; in order of preference. */
  readonly api: readonly string[];
  /** The node's id. Absent: who the token says. */
  readonly node?: string;
  readonly count: number;
  /** A bearer token. */
  readonly token?: string;
  /** For one server. Default 5000. */
  readonly timeoutMs?: number;
  readonly fetch: typeof fetch;
  readonly signal?: AbortSignal;
}

/** Nobody gave an answer; the message says of each why. */
export class PeersError extends Error {
  override readonly name = "PeersError";
}

/** The most octets of a reply that are read. */
const REPLY_OCTETS_MAX = 1 << 20;

/** Asks one server after the other. @throws {PeersError} When none gives peers. */
export async function askPeers(options: AskPeersOptions): Promise<Peers> {
  const failures: string[] = [];
  for (const base of options.api) {
    try {
      return await askOne(base, options);
    } catch (error) {
      if (options.signal?.aborted) throw new GivenUpError("given up");
      failures.push(`${base}: ${reasonOf(error)}`);
    }
  }
  throw new PeersError(failures.join("\n") || "There is no server to ask");
}

/** Asks now, and again each time that what was said holds no longer, until the signal aborts. A failure is told and waited out. */
export async function* followPeers(
  options: AskPeersOptions & { readonly clock: Clock },
): AsyncGenerator<Peers | PeersError> {
  let waitMs = RETRY_MIN_MS;
  while (!options.signal?.aborted) {
    try {
      const peers = await askPeers(options);
      yield peers;
      waitMs = RETRY_MIN_MS;
      await pause(peers.ttl * 1000, options);
    } catch (error) {
      if (error instanceof GivenUpError) return;
      if (!(error instanceof PeersError)) throw error;
      yield error;
      await pause(waitMs, options);
      waitMs = Math.min(RETRY_MAX_MS, waitMs * 2);
    }
  }
}

const RETRY_MIN_MS = 1000, RETRY_MAX_MS = 60_000;

async function askOne(base: string, options: AskPeersOptions): Promise<Peers> {
  const { node, count, token, timeoutMs = 5000, fetch, signal } = options;
  const url = new URL("v1/peers", base.endsWith("/") ? base : `${base}/`);
  url.searchParams.set("count", String(count));
  if (node !== undefined) url.searchParams.set("node", node);
  const late = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, {
    headers: { accept: "application/json", ...token !== undefined && { authorization: `Bearer ${token}` } },
    // A token is for this server alone.
    redirect: "error",
    signal: signal ? AbortSignal.any([signal, late]) : late,
  });
  const text = await readAll(response);
  if (!response.ok) throw new Error(`HTTP ${response.status}${detailOf(text)}`);
  return sound(JSON.parse(text));
}

async function readAll(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", octets = 0;
  for await (const part of response.body ?? []) {
    octets += part.length;
    if (octets > REPLY_OCTETS_MAX) throw new Error(`sent more than ${REPLY_OCTETS_MAX} octets`);
    text += decoder.decode(part, { stream: true });
  }
  return text;
}

/** What a problem (RFC 9457) says. */
function detailOf(text: string): string {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown };
    const said = typeof detail === "string" ? detail : title;
    return typeof said === "string" ? `: ${said.slice(0, 300).replaceAll(/[^ -~]/g, "?")}` : "";
  } catch {
    return "";
  }
}

/** What an order of peers needs is there; the rest is shown as it is. */
function sound(value: unknown): Peers {
  const { peers, ttl } = (value ?? {}) as Partial<Peers>;
  const areSound = Array.isArray(peers) && typeof ttl === "number" && ttl >= 0 &&
    peers.every((peer) => typeof peer?.node === "string" && isTexts(peer.addresses) && isTexts(peer.overlay));
  if (!areSound) throw new Error("sent something else than peers");
  return { peers, ttl: Math.max(1, ttl) };
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "no answer in time";
  const { message } = error as Error;
  const cause = (error as Error).cause;
  return cause instanceof Error ? cause.message : message;
}

function pause(ms: number, { clock, signal }: { clock: Clock; signal?: AbortSignal }): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, end);
    function end(): void {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    }
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
