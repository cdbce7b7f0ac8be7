/**
 * A server that nodes can register with: the registry over a store in a file, by HTTP, as docs/AGENT.md has it. What it
 * says of nodes comes out of its replica, as everybody else would see it.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../../core/clock.ts";
import type { JoinGrant } from "../../core/registry/claim.ts";
import type { LeaseEntry } from "../../core/registry/lease.ts";
import { LivenessView } from "../../core/registry/liveness_view.ts";
import { RegistryProblem } from "../../core/registry/protocol.ts";
import { Registry, type RegistryOptions } from "../../core/registry/registry.ts";
import { KEYS } from "../../core/state/keys.ts";
import { Ledger } from "../../core/state/ledger.ts";
import { Replica } from "../../core/state/replica.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";

/** How a server is started. */
export interface RegistryServerOptions {
  /** The folder of the store, which several servers may share. */
  readonly folder: string;
  readonly server: string;
  /** 0 = any. */
  readonly port?: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly clock?: Clock;
  readonly registry?: Partial<RegistryOptions>;
  /** Every server that nodes are told of. */
  readonly servers?: () => readonly string[];
}

/** The one token that everybody may join by. */
export const JOIN_TOKEN = "let-me-in";

/** A server. */
export interface RegistryServer {
  readonly origin: string;
  readonly port: number;
  readonly registry: Registry;
  readonly replica: Replica;
  /** What leases say, by this server's replica. */
  leases(): ReadonlyMap<string, LeaseEntry>;
  /** Requests that came, as METHOD PATH. */
  readonly requests: readonly string[];
  /** Ends it as a crash would: what it had not written is lost. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
const GRANT: JoinGrant = { id: "test", mayReplace: false };

/** Starts one. */
export async function startRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const { folder, server, tls, clock = SYSTEM_CLOCK } = options;
  const store = openSqliteStore(`${folder}/fleet.db`, clock);
  const requests: string[] = [];
  let origin = "";
  const pulse = async (): Promise<number> =>
    (await store.transact([{ put: KEYS.server(server), value: JSON.stringify(registry.pulse()) }])).revision;
  const replica = new Replica({ store, clock, log: QUIET, random: Math.random, pulse });
  const registry = new Registry({
    ...{ store, replica, server, clock, log: QUIET },
    ledger: new Ledger({ store, server, clock }),
    secret: new Uint8Array(32).fill(1),
    randomOctets: (count) => crypto.getRandomValues(new Uint8Array(count)),
    audiences: () => [origin],
    servers: options.servers ?? (() => [origin]),
    joinTokens: { redeem: (token) => Promise.resolve(token === JOIN_TOKEN ? GRANT : undefined) },
    ...options.registry,
  });
  const view = new LivenessView();
  replica.onChange((differences) => view.take(differences, clock.nowMs()));
  await replica.start();
  registry.start();
  const http = Deno.serve({
    ...{ hostname: "127.0.0.1", port: options.port ?? 0, onListen() {} },
    ...tls && { cert: Deno.readTextFileSync(tls.certificate), key: Deno.readTextFileSync(tls.key) },
  }, (request) => {
    requests.push(`${request.method} ${new URL(request.url).pathname}`);
    return answer(registry, request);
  });
  const port = (http.addr as Deno.NetAddr).port;
  origin = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const end = async (isCrash: boolean) => {
    // Connections that are open go with it, whatever they carry.
    await http.shutdown();
    if (isCrash) Object.assign(store, { transact: () => Promise.reject(new Error("crashed")) });
    await registry.close();
    await replica.close();
    await store.close();
  };
  return {
    ...{ origin, port, registry, replica, requests },
    leases() {
      view.changes(clock.nowMs());
      return new Map(view.entries());
    },
    kill: () => end(true),
    close: () => end(false),
  };
}

/** The routes, as an interface would have them. */
async function answer(registry: Registry, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const credential = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  const [, node, what] = /^\/v1\/nodes\/([^/]+)\/(beat|registration)$/.exec(pathname) ?? [];
  try {
    if (request.method === "POST" && pathname === "/v1/registrations/challenge") {
      return Response.json(registry.challenge(await request.json()));
    }
    if (request.method === "POST" && pathname === "/v1/registrations") {
      return Response.json(await registry.register(await request.json()));
    }
    if (request.method === "PUT" && what === "beat") {
      return Response.json(registry.beat(credential, node!, await request.json()));
    }
    if (request.method === "DELETE" && what === "registration") {
      await registry.leave(credential, node!);
      return new Response(null, { status: 204 });
    }
    return Response.json({ title: "not found", status: 404 }, { status: 404 });
  } catch (error) {
    if (!(error instanceof RegistryProblem)) throw error;
    const { status, code, field, message } = error;
    return new Response(JSON.stringify({ type: `/problems/${code}`, status, detail: message, code, field }), {
      ...{ status, headers: { "content-type": "application/problem+json" } },
    });
  }
}
