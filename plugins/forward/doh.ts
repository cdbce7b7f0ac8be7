/**
 * DNS over HTTPS (RFC 8484), over Node's client: Deno's own cannot be told which name the certificate of an address
 * must have.
 *
 * @module
 */

import https from "node:https";
import { formatAddress } from "../../core/plugin.ts";
import { ExchangeError, guarded } from "./failure.ts";
import { nodeTls } from "./sockets.ts";
import { readMaterial, type TlsFiles } from "./tls.ts";
import type { Upstream } from "./upstream.ts";

/** RFC 8484 section 4.1. */
export type DohMethod = "GET" | "POST";

/** How many connections there are to one upstream at most; each carries one request at a time. */
const CONNECTIONS_MAX = 16;

/** The most octets that a DNS message has. */
const MESSAGE_OCTETS_MAX = 65535;

const MEDIA_TYPE = "application/dns-message";

/** Asks one upstream. */
export class DohClient {
  readonly #upstream: Upstream;
  readonly #files: TlsFiles;
  readonly #method: DohMethod;
  readonly #sourceAddress: string | undefined;
  readonly #agent: https.Agent;

  constructor(
    upstream: Upstream,
    { tls, method, sourceAddress, idleMs }: {
      readonly tls: TlsFiles;
      readonly method: DohMethod;
      readonly sourceAddress?: string | undefined;
      readonly idleMs: number;
    },
  ) {
    this.#upstream = upstream;
    this.#files = tls;
    this.#method = method;
    this.#sourceAddress = sourceAddress;
    this.#agent = new https.Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: idleMs });
  }

  /** The message that came back. @throws {ExchangeError} When none did before `signal` aborted. */
  async exchange(query: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return await guarded(signal, async () => {
      const options = await this.#request(query);
      return await send(options, this.#method === "POST" ? query : undefined, signal);
    });
  }

  /** Ends the connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #request(query: Uint8Array): Promise<https.RequestOptions> {
    const { address, port, serverName, path } = this.#upstream;
    const host = formatAddress(address), name = serverName ?? host;
    const isPost = this.#method === "POST";
    const { host: _, ...tls } = {
      host,
      ...nodeTls({ ...await readMaterial(this.#files), serverName: name }),
    };
    return {
      ...tls,
      host,
      port,
      agent: this.#agent,
      ...(this.#sourceAddress && { localAddress: this.#sourceAddress }),
      method: this.#method,
      path: isPost ? path! : `${path}?dns=${base64url(query)}`,
      headers: {
        host: name.includes(":") ? `[${name}]` : name,
        accept: MEDIA_TYPE,
        ...(isPost && { "content-type": MEDIA_TYPE, "content-length": query.length }),
      },
    };
  }
}

function send(
  options: https.RequestOptions,
  body: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const abort = () => request.destroy(new Error("aborted"));
    const request = https.request(options, (response) => {
      const type = response.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
      if (response.statusCode !== 200 || type !== MEDIA_TYPE) {
        request.destroy();
        const what = response.statusCode === 200 ? type ?? "no media type" : `status ${response.statusCode}`;
        return reject(new ExchangeError("malformed", `sent ${what} over HTTPS`));
      }
      collect(response).then(resolve, reject);
    });
    request.on("error", reject);
    request.on("close", () => signal.removeEventListener("abort", abort));
    signal.addEventListener("abort", abort);
    request.end(body);
  });
}

/** All octets of a body, of which there may be no more than a message has. */
async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MESSAGE_OCTETS_MAX) {
      throw new ExchangeError("malformed", "sent more octets than a message has");
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Without padding (RFC 8484 section 6). */
function base64url(octets: Uint8Array): string {
  return octets.toBase64({ alphabet: "base64url", omitPadding: true });
}
