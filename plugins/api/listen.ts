/**
 * Where the interface listens: HTTP on loopback, HTTPS elsewhere, with client certificates where they are asked for. Who
 * sends slowly is waited for within bounds, and so many connections may be open; certificates that are renewed are
 * taken up as they come.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { sourceOf } from "../../core/access/throttle.ts";
import { type Clock, SYSTEM_CLOCK } from "../../core/clock.ts";
import { lookAgain, stampOf } from "../../core/files.ts";
import type { Log } from "../../core/plugin.ts";
import type { Caller } from "./app.ts";
import type { ApiConfig } from "./parse.ts";

/** Something that listens. */
export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** Answers a request. */
export type Handler = (request: Request, caller: Caller) => Response | Promise<Response>;

/** What is waited for, and how much there may be. */
export interface Bounds {
  /** Until the header of a request is there, from the beginning of the connection or of the request. */
  readonly headerMs: number;
  /** Until all of a request is there. */
  readonly requestMs: number;
  /** Connections that are open: of more the one goes that was silent for longest. */
  readonly connectionsMax: number;
  /** The same, of one address (IPv6: one /64): many nodes may be behind one. */
  readonly connectionsOfOneMax: number;
}

/** What holds where nothing else is said. README.md says it too. */
export const BOUNDS: Bounds = {
  headerMs: 10_000,
  // A zone file of 64 MiB comes within this at ten megabits a second.
  requestMs: 60_000,
  connectionsMax: 4096,
  connectionsOfOneMax: 512,
};

/** How long a connection is kept for the next request: nodes tell that they live every few seconds. */
const IDLE_MS = 30_000;

/** How long requests under way may take at the end: who listens to events would never go by themselves. */
const CLOSE_MS = 500;

/** How often certificates are looked at. */
const LOOK_MS = 5000;

/** What else may be said. */
export interface ListenOptions {
  readonly bounds?: Partial<Bounds>;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** @throws {Error} When the address or a file cannot be had. */
export async function listen(
  config: ApiConfig,
  handler: Handler,
  { bounds, clock = SYSTEM_CLOCK, log }: ListenOptions = {},
): Promise<Listening> {
  const { hostname, port } = config, files = filesOf(config);
  // Before it is read: what changes meanwhile is read again.
  const stamp = stampOf(...files);
  const server = makeServer(await readTls(config), handler, { ...BOUNDS, ...bounds });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => resolve());
  });
  const watching = config.tls &&
    lookAgain(clock, LOOK_MS, lookAtCertificates(server as TlsServer, config, files, stamp, log));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      watching?.close();
      return closeServer(server);
    },
  };
}

/** PEM. */
interface Tls {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

function makeServer(tls: Tls | undefined, handler: Handler, bounds: Bounds): Server {
  const serverOptions = {
    headersTimeout: bounds.headerMs,
    requestTimeout: bounds.requestMs,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: Math.min(1000, bounds.headerMs / 2),
    // Who has no certificate may have a token.
    ...tls && { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: false },
    ...tls && { handshakeTimeout: bounds.headerMs },
  };
  const server = createAdaptorServer({
    fetch: (request: Request, bindings: unknown) =>
      handler(request, callerOf((bindings as HttpBindings).incoming.socket, tls?.ca !== undefined)),
    createServer: (tls ? createTlsServer : createPlainServer) as typeof createPlainServer,
    serverOptions,
  }) as Server;
  boundConnections(server, bounds.connectionsOfOneMax);
  makeRoom(server, bounds.connectionsMax);
  return server;
}

/** A connection, and how many requests came by it that have not been answered. */
interface Connection {
  readonly socket: Socket;
  underWay: number;
}

/**
 * Of more connections than `max` the one gives way on which nothing was asked for longest: nodes keep theirs between two
 * heartbeats, and one that cannot be heard is taken for dead. Where all are being answered the newest is closed.
 */
function makeRoom(server: Server, max: number): void {
  // By the other side's address and port: with TLS a request's socket is not the connection's. Longest silent first.
  const all = new Map<string, Connection>(), silent = new Map<string, Connection>();
  server.on("connection", (socket: Socket) => {
    const key = otherSide(socket), connection = { socket, underWay: 0 };
    if (socket.destroyed) return;
    if (all.size >= max) {
      const [oldest] = silent;
      if (!oldest) return void socket.destroy();
      forget(...oldest);
      oldest[1].socket.destroy();
    }
    all.set(key, connection);
    silent.set(key, connection);
    socket.once("close", () => forget(key, connection));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const key = otherSide(socket), connection = all.get(key);
    if (!connection) return;
    connection.underWay++;
    silent.delete(key);
    response.once("close", () => {
      if (--connection.underWay === 0 && all.get(key) === connection) silent.set(key, connection);
    });
  });
  const forget = (key: string, connection: Connection) => {
    if (all.get(key) !== connection) return;
    all.delete(key);
    silent.delete(key);
  };
}

function otherSide({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Whoever opens more than so many has the further ones closed. */
function boundConnections(server: Server, max: number): void {
  const counts = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { host } = sourceOf(socket.remoteAddress), count = (counts.get(host) ?? 0) + 1;
    if (count > max) return void socket.destroy();
    counts.set(host, count);
    socket.once("close", () => {
      const left = counts.get(host)! - 1;
      if (left > 0) counts.set(host, left);
      else counts.delete(host);
    });
  });
}

/** Takes up what is renewed once it is whole: a certificate comes before its key, or after it. */
function lookAtCertificates(
  server: TlsServer,
  config: ApiConfig,
  files: readonly string[],
  taken: string,
  log: Log | undefined,
): () => Promise<void> {
  return async () => {
    const stamp = stampOf(...files);
    if (stamp === taken) return;
    taken = stamp;
    try {
      const tls = (await readTls(config))!;
      server.setSecureContext(tls);
      log?.info(`api: ${config.tls!.certificate} has been renewed`);
    } catch (error) {
      const what = error instanceof Error ? error.message : error;
      log?.warn(`api: Cannot use ${files.join(", ")}, what was there before goes on: ${what}`);
    }
  };
}

function filesOf({ tls, clientCa }: ApiConfig): readonly string[] {
  return tls ? [tls.certificate, tls.key, ...clientCa === undefined ? [] : [clientCa]] : [];
}

async function readTls(config: ApiConfig): Promise<Tls | undefined> {
  if (!config.tls) return undefined;
  const [cert, key, ca] = await Promise.all(filesOf(config).map((path) => Deno.readTextFile(path)));
  if (!new X509Certificate(cert!).checkPrivateKey(createPrivateKey(key!))) {
    throw new Error(
      `the key in ${config.tls.key} is not that of the certificate in ${config.tls.certificate}`,
    );
  }
  return { cert: cert!, key: key!, ...ca !== undefined && { ca } };
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await closed;
  clearTimeout(timer);
}

/** Whether the certificate counts is looked at by whoever asks who this is. */
function callerOf(socket: Socket, asksForCertificates: boolean): Caller {
  const address = socket.remoteAddress ?? "", tls = socket as TLSSocket;
  const raw = asksForCertificates ? tls.getPeerCertificate()?.raw : undefined;
  return { address, ...raw && { certificate: { authorized: tls.authorized, raw: new Uint8Array(raw) } } };
}
