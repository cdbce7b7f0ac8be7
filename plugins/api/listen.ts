/**
 * Where the interface listens: HTTP on loopback, HTTPS elsewhere, with client certificates where they are asked for.
 *
 * @module
 */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import type { Caller } from "./app.ts";
import type { ApiConfig } from "./parse.ts";

/** Something that listens. */
export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** Answers a request. */
export type Handler = (request: Request, caller: Caller) => Response | Promise<Response>;

/** @throws {Error} When the address or a file cannot be had. */
export async function listen(config: ApiConfig, handler: Handler): Promise<Listening> {
  // The runtime's own server cannot ask clients for certificates.
  return config.clientCa === undefined
    ? await listenPlainly(config, handler)
    : await listenForCertificates(config, handler);
}

async function listenPlainly({ hostname, port, tls }: ApiConfig, handler: Handler): Promise<Listening> {
  const files = tls &&
    { cert: await Deno.readTextFile(tls.certificate), key: await Deno.readTextFile(tls.key) };
  const server = Deno.serve(
    { hostname, port, onListen() {}, ...files },
    (request, { remoteAddr }) => handler(request, { address: (remoteAddr as Deno.NetAddr).hostname }),
  );
  return {
    port: (server.addr as Deno.NetAddr).port,
    // Who listens to events would never go by themselves.
    close: () =>
      Promise.race([server.shutdown(), new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS))]),
  };
}

/** How long requests under way may take at the end. */
const CLOSE_MS = 500;

async function listenForCertificates(
  { hostname, port, tls, clientCa }: ApiConfig,
  handler: Handler,
): Promise<Listening> {
  const [cert, key, ca] = await Promise.all(
    [tls!.certificate, tls!.key, clientCa!].map((path) => Deno.readTextFile(path)),
  );
  const server = createAdaptorServer({
    fetch: (request: Request, bindings: unknown) =>
      handler(request, callerOf((bindings as HttpBindings).incoming.socket as TLSSocket)),
    createServer,
    // Who has no certificate may have a token.
    serverOptions: { cert, key, ca, requestCert: true, rejectUnauthorized: false },
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Whether it counts is looked at by whoever asks who this is. */
function callerOf(socket: TLSSocket): Caller {
  const address = socket.remoteAddress ?? "", { raw } = socket.getPeerCertificate() ?? {};
  return { address, ...raw && { certificate: { authorized: socket.authorized, raw: new Uint8Array(raw) } } };
}
