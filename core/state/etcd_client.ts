/**
 * Requests to etcd v3 through its JSON gateway: one member after another until one answers, with a password where one is
 * wanted.
 *
 * Octets are base64 there, and 64-bit numbers strings; a field that has its default is left out.
 *
 * @module
 */

import { afterTurns, SYSTEM_CLOCK } from "../clock.ts";
import { StoreRefusedError, StoreUnavailableError } from "./store.ts";

/** Where etcd is, and how to get in. */
export interface EtcdOptions {
  /** Of its members: `https://192.0.2.1:2379`. At least one. */
  readonly urls: readonly string[];
  readonly user?: string;
  readonly password?: string;
  /** Certificates in PEM: the authority that its members' are held to, and this program's own with its key. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** How a request may be repeated: one that changes something may only be when it cannot have been done. */
export type Repeats = "always" | "when refused";

/** gRPC's status codes (grpc.io/docs/guides/status-codes) that are looked at. */
const NOT_FOUND = 5, PERMISSION_DENIED = 7, INVALID_ARGUMENT = 3, UNAUTHENTICATED = 16;

/** How long a member may take to begin its answer, before another one is asked. */
const ANSWER_MS = 2000;

/** How long all of them may take, and the answer to be read. */
const ALL_ANSWERS_MS = 8000;

/** A member refused a request: it was understood and not done. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  constructor(message: string, readonly code: number) {
    super(message);
  }
}

/** Asks members. */
export class EtcdClient {
  readonly #options: EtcdOptions;
  readonly #client: Deno.HttpClient;
  /** Which member is asked first: the one that answered last. */
  #first = 0;
  #token: string | undefined;
  readonly #closing = new AbortController();

  constructor(options: EtcdOptions) {
    this.#options = options;
    const { ca, certificate, key } = options;
    this.#client = Deno.createHttpClient({
      ...ca && { caCerts: [ca] },
      ...certificate && key && { cert: certificate, key },
    });
  }

  /** The reply to one request. @throws {EtcdError} @throws {StoreUnavailableError} @throws {StoreRefusedError} */
  async ask<T>(path: string, body: unknown, repeats: Repeats): Promise<T> {
    const response = await this.#request(path, body, repeats, AbortSignal.timeout(ALL_ANSWERS_MS));
    return await readWhole(() => response.json());
  }

  /** The lines of a reply that goes on, each parsed. @throws As {@linkcode ask}; also when it breaks off. */
  async *follow<T>(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<T> {
    let rest = "";
    try {
      const response = await this.#request(path, body, "always", signal);
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + text).split("\n");
        rest = parts.pop()!;
        for (const part of parts) if (part !== "") yield JSON.parse(part);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isOurs(error)) throw error;
      throw new StoreUnavailableError(`etcd broke off: ${(error as Error).message}`, { cause: error });
    }
    if (!signal.aborted) throw new StoreUnavailableError("etcd broke off: the stream ended");
  }

  close(): void {
    this.#closing.abort();
    this.#client.close();
  }

  /** Has a response of status 200. */
  async #request(path: string, body: unknown, repeats: Repeats, signal: AbortSignal): Promise<Response> {
    const { urls } = this.#options, reasons: string[] = [];
    for (let i = 0; i < urls.length; i++) {
      const member = (this.#first + i) % urls.length;
      try {
        const response = await this.#askMember(urls[member]!, path, body, signal);
        this.#first = member;
        return response;
      } catch (error) {
        if (error instanceof EtcdError || error instanceof StoreRefusedError) throw error;
        reasons.push(`${urls[member]}: ${(error as Error).message}`);
        // The next request begins with another one.
        this.#first = (member + 1) % urls.length;
        if (signal.aborted || this.#closing.signal.aborted) break;
        if (repeats === "when refused" && !cannotHaveBeenDone(error as Error)) break;
      }
    }
    throw new StoreUnavailableError(`etcd cannot be asked: ${reasons.join("; ")}`);
  }

  async #askMember(url: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    try {
      return await this.#send(url, path, body, signal, await this.#authorization(url, signal));
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== UNAUTHENTICATED || this.#token === undefined) {
        throw error;
      }
      // Tokens end, and are not known to members that have started anew.
      this.#token = undefined;
      return await this.#send(url, path, body, signal, await this.#authorization(url, signal));
    }
  }

  async #authorization(url: string, signal: AbortSignal): Promise<Record<string, string>> {
    const { user: name, password } = this.#options;
    if (name === undefined) return {};
    if (this.#token === undefined) {
      try {
        const response = await this.#send(url, "/v3/auth/authenticate", { name, password }, signal, {});
        this.#token = (await response.json()).token;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        throw new StoreRefusedError(`etcd refuses ${name}: ${error.message}`, { cause: error });
      }
    }
    return { authorization: this.#token! };
  }

  async #send(
    url: string,
    path: string,
    body: unknown,
    signal: AbortSignal,
    headers: Record<string, string>,
  ): Promise<Response> {
    const patience = new AbortController();
    const giveUp = () => patience.abort(new Error(`no answer within ${ANSWER_MS} ms`));
    const cancel = afterTurns(SYSTEM_CLOCK, ANSWER_MS, giveUp);
    try {
      const response = await fetch(new URL(path, url), {
        method: "POST",
        body: JSON.stringify(body),
        // A member that has lost its leader ends a stream rather than keep it and say nothing.
        headers: { ...headers, "grpc-metadata-hasleader": "true" },
        signal: AbortSignal.any([signal, patience.signal, this.#closing.signal]),
        redirect: "error",
        client: this.#client,
      });
      if (response.status === 200) return response;
      throw errorOf(response.status, await response.text());
    } finally {
      cancel();
    }
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof EtcdError || error instanceof StoreRefusedError ||
    error instanceof StoreUnavailableError;
}

async function readWhole<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new StoreUnavailableError(`etcd broke off: ${(error as Error).message}`, { cause: error });
  }
}

/** What a member's refusal means: that it could not just now, or that it would not. */
function errorOf(status: number, text: string): Error {
  let message = text.slice(0, 200), code = -1;
  try {
    ({ message = message, code = code } = JSON.parse(text));
  } catch {
    // A proxy in between speaks HTML.
  }
  if (code === PERMISSION_DENIED || /user name is empty/.test(message)) {
    return new StoreRefusedError(`etcd refuses: ${message}`);
  }
  if ([NOT_FOUND, INVALID_ARGUMENT, UNAUTHENTICATED].includes(code)) return new EtcdError(message, code);
  // The lease that a write names is gone: of the gateway's code for it nothing is promised.
  if (/lease not found/.test(message)) return new EtcdError(message, NOT_FOUND);
  // OUT_OF_RANGE and the like come as what they are.
  if (/required revision/.test(message)) return new EtcdError(message, code);
  return new StoreUnavailableError(`status ${status}: ${message}`);
}

/** Whether no octet of a request can have been read. */
function cannotHaveBeenDone(error: Error): boolean {
  return /connect error|connection refused|dns error/i.test(error.message);
}
