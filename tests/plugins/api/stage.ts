/**
 * The interface over a store of its own, without a network.
 *
 * @module
 */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import type { Actor, Role } from "../../../core/access/actor.ts";
import { type Clock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import type { FleetScope } from "../../../core/membership/fleet_half.ts";
import { Member } from "../../../core/membership/member.ts";
import type { MembershipConfiguration } from "../../../core/membership/protocol.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { type App, type Caller, type Limits, makeApp } from "../../../plugins/api/app.ts";
import type { ApprovalsFor } from "../../../plugins/api/approval_gate.ts";
import { FLEET_SECRET_KEY } from "../../../plugins/api/fleet_secret.ts";
import { RateLimit } from "../../../plugins/api/rate_limit.ts";
import { openServices, type Services } from "../../../plugins/api/services.ts";

const CONFIGURATION: MembershipConfiguration = {
  store: { kind: "sqlite", file: "" },
  ...{ server: "fra", region: "eu", url: "https://fra.example.org", stateDirectory: "", version: "test" },
  agreement: { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 },
};

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any;
}

/** Somebody with a role everywhere, or in some pools. */
export function actorOf(role: Role, pools?: readonly string[]): Actor {
  return { id: `token:${role}`, way: "token", grants: [{ role, ...pools && { pools } }] };
}

/** See the module. */
export class ApiStage implements AsyncDisposable {
  readonly log: string[] = [];

  private constructor(
    readonly app: App,
    readonly services: Services,
    readonly member: Member,
    readonly folder: string,
  ) {}

  static async open(
    limits: Partial<Limits> = {},
    ask: FleetScope["ask"] = () => Promise.resolve({}),
    { approvals = "off", clock = SYSTEM_CLOCK, access = {}, joins = false }: {
      readonly approvals?: ApprovalsFor;
      /** Whether the secret that servers share is there: it is not made, and nothing is recorded yet. */
      readonly joins?: boolean;
      readonly access?: Partial<Parameters<typeof openServices>[1]>;
      readonly clock?: Clock;
    } = {},
  ): Promise<ApiStage> {
    const folder = await Deno.makeTempDir(), random = Math.random, lines: string[] = [];
    const tell = (message: string) => void lines.push(message);
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const store = openSqliteStore(`${folder}/fleet.db`, clock),
      key = generateKeyPairSync("ed25519").privateKey;
    const member = new Member({ configuration: CONFIGURATION, store, clock, random, log, key, tell() {} });
    await member.start();
    if (joins) await giveSecret(member);
    const scope = { configuration: CONFIGURATION, member, clock, random, log, ask, onRequest() {} };
    const services = await openServices(
      scope,
      { certificates: [], oidc: [], approvals, ...access },
      () => ["https://fra.example.org"],
    );
    const rate = new RateLimit(clock, { perSecond: 1e6, burst: 1e6 });
    const app = makeApp(services, { bodyOctetsMax: 1 << 20, rate, ...limits });
    const stage = new ApiStage(app, services, member, folder);
    stage.log.push(...lines);
    return stage;
  }

  /** Asks as somebody, or as nobody with what is in the header fields. */
  async ask(
    as: Actor | Caller | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const caller: Caller = as && "id" in as
      ? { actor: as, address: "127.0.0.1" }
      : as ?? { address: "127.0.0.1" };
    const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
    const request = new Request(`http://localhost${path}`, {
      ...{ method, headers: { ...headers } },
      ...text !== undefined && { body: text },
    });
    const response = await this.app.fetch(request, caller), said = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    // What was written comes to the copy that is read in its own time.
    if (method !== "GET") await this.caughtUp();
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(said) : said };
  }

  /** Resolves when the copy that is read has what was written. */
  async caughtUp(): Promise<void> {
    const { revision } = await this.member.store.list("servers/");
    await this.member.replica.reached(revision, 60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.services.close();
    await this.member.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function giveSecret({ store, replica }: Member): Promise<void> {
  const value = JSON.stringify({ secrets: [{ fromMs: 0, secret: new Uint8Array(32).toBase64() }] });
  const { revision } = await store.transact([{ put: FLEET_SECRET_KEY, value }]);
  assert.ok(await replica.reached(revision, 60_000));
}
