/**
 * Speaks with one server: requests of core/registry/protocol.ts, by fetch.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import {
  type Beat,
  type BeatReply,
  type Challenge,
  type NodeDocument,
  PROBLEM_STATUS,
  type ProblemCode,
  type Proof,
  type Registration,
  RegistryProblem,
  signedText,
} from "../registry/protocol.ts";
import type { NodeKey } from "./key_file.ts";

/** As the global one; with it goes whatever is set for TLS. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A server could not be asked, or did not answer as one. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** How long a server may take to answer. */
const TIMEOUT_MS = 5000;

/** The most characters that an answer may have. */
const LENGTH_MAX = 1 << 18;

/** Asks servers. All of it may throw {@linkcode UnreachableError} and {@linkcode RegistryProblem}. */
export class Client {
  readonly #fetch: Fetch;
  readonly #clock: Clock;

  constructor(fetch: Fetch, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** Registers with the key, and with a join token where there is one. */
  async register(
    server: string,
    node: NodeDocument,
    key: NodeKey,
    joinToken: string | undefined,
  ): Promise<Registration> {
    const { challenge } = await this.#ask<Challenge>(server, "POST", "/v1/registrations/challenge", {
      body: { node: node.id, key: key.publicKey },
    });
    const signature = key.sign(signedText(challenge, node.id, server));
    const proof: Proof = {
      ...{ key: key.publicKey, challenge, server, signature },
      ...joinToken !== undefined && { joinToken },
    };
    return await this.#ask(server, "POST", "/v1/registrations", { body: { node, proof } });
  }

  beat(server: string, node: string, credential: string, beat: Beat): Promise<BeatReply> {
    return this.#ask(server, "PUT", `/v1/nodes/${node}/beat`, { body: beat, credential });
  }

  leave(server: string, node: string, credential: string): Promise<void> {
    return this.#ask(server, "DELETE", `/v1/nodes/${node}/registration`, { credential });
  }

  async #ask<T>(
    server: string,
    method: string,
    path: string,
    { body, credential }: { body?: unknown; credential?: string },
  ): Promise<T> {
    const late = new AbortController();
    const cancel = this.#clock.after(TIMEOUT_MS, () => late.abort());
    try {
      const response = await this.#fetch(`${server}${path}`, {
        method,
        // A registration is for who is asked, and for nobody whom that one names.
        redirect: "error",
        signal: late.signal,
        headers: {
          accept: "application/json",
          ...body !== undefined && { "content-type": "application/json" },
          ...credential !== undefined && { authorization: `Bearer ${credential}` },
        },
        ...body !== undefined && { body: JSON.stringify(body) },
      });
      return await read(response) as T;
    } catch (error) {
      if (error instanceof RegistryProblem || error instanceof UnreachableError) throw error;
      const why = late.signal.aborted ? `no answer in ${TIMEOUT_MS / 1000} s` : messageOf(error);
      throw new UnreachableError(`Cannot reach ${server}: ${why}`);
    } finally {
      cancel();
    }
  }
}

/** What a response says. */
async function read(response: Response): Promise<unknown> {
  const text = await response.text();
  const value = text.length <= LENGTH_MAX ? parsed(text) : undefined;
  if (response.ok) {
    if (value !== undefined || response.status === 204) return value;
    throw new UnreachableError(`Cannot read what ${response.url} answers: it is no JSON of a server`);
  }
  const { code, detail } = (value ?? {}) as { code?: ProblemCode; detail?: string };
  if (code !== undefined && Object.hasOwn(PROBLEM_STATUS, code) && code !== "unavailable") {
    throw new RegistryProblem(code, detail ?? code);
  }
  throw new UnreachableError(`${response.url} answers ${response.status}${detail ? `: ${detail}` : ""}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a failed fetch says: its causes say what happened. */
function messageOf(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) parts.push(at.message);
  return parts.join(": ") || String(error);
}
