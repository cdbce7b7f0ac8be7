/**
 * Formation's interfaces over a store of their own, without a network, by a clock that a test turns.
 *
 * @module
 */

import { generateKeyPairSync } from "node:crypto";
import type { Actor } from "../../../core/access/actor.ts";
import { Authenticator } from "../../../core/access/authenticate.ts";
import { SYSTEM_RANDOM } from "../../../core/access/random.ts";
import { ManualClock } from "../../../core/clock.ts";
import type { Place } from "../../../core/fleet/place.ts";
import { Zones } from "../../../core/management/zones.ts";
import type { Management } from "../../../core/management/change.ts";
import { readerOf } from "../../../core/management/reader.ts";
import { Member } from "../../../core/membership/member.ts";
import type { MembershipConfiguration, News } from "../../../core/membership/protocol.ts";
import { parsePrefix } from "../../../core/net/address.ts";
import { LEASE_TERMS } from "../../../core/registry/lease.ts";
import { sharedBeats } from "../../../core/registry/shared_beats.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { type App, makeApp } from "../../../plugins/formation/app.ts";
import type { ServerStatus } from "../../../plugins/formation/dns_metrics.ts";
import type { ReplyStyle } from "../../../plugins/formation/replies.ts";
import { FormationService } from "../../../plugins/formation/service.ts";
import type { Resolve } from "../../../plugins/formation/verification.ts";

const CONFIGURATION: MembershipConfiguration = {
  store: { kind: "sqlite", file: "" },
  ...{ server: "fra", region: "eu", url: "", stateDirectory: "", version: "test" },
  agreement: { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 },
};

export const OVERLAY = [parsePrefix("10.0.0.0/8")!];

/** What may be otherwise. */
export interface StageOptions {
  readonly replies?: ReplyStyle;
  readonly resolve?: Resolve;
  readonly status?: Partial<ServerStatus>;
  readonly listed?: Readonly<Record<string, Place>>;
  /** Who shows any token at all. */
  readonly actor?: Actor;
}

/** See the module. */
export class FormationStage implements AsyncDisposable {
  readonly log: string[] = [];
  readonly clock = new ManualClock(Date.UTC(2026, 10, 23, 12));
  readonly #leases = new Map<string, string>();

  private constructor(readonly folder: string) {}

  app!: App;
  service!: FormationService;
  member!: Member;
  management!: Management;
  #closeBeats!: () => Promise<void>;

  static async open(
    { replies = "native", resolve, status, listed = {}, actor }: StageOptions = {},
  ): Promise<FormationStage> {
    const stage = new FormationStage(await Deno.makeTempDir()), { clock } = stage, random = () => 0.5;
    const tell = (message: string) => void stage.log.push(message);
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const store = openSqliteStore(`${stage.folder}/fleet.db`, clock);
    const key = generateKeyPairSync("ed25519").privateKey;
    const member = stage.member = new Member({
      ...{ configuration: CONFIGURATION, store, clock, random, log, key },
      tell: (news) => stage.#take(news),
    });
    const starting = member.start();
    await stage.#settle();
    await starting;
    const { ledger, replica } = member;
    const management = stage.management = {
      store,
      ledger,
      clock,
      newId: () => "id",
      reader: readerOf(replica),
    };
    const beats = sharedBeats(member, {
      ...{ store, server: "fra", clock, log, leaseMs: LEASE_TERMS.leaseMs },
      isNode: (id) => replica.get(KEYS.registration(id)) !== undefined,
    });
    member.tellNoted(() => beats.pulse().notedMs);
    stage.#closeBeats = () => beats.close();
    stage.service = new FormationService({
      ...{ management, replica, server: "fra", clock, log, beats, overlay: OVERLAY },
      ...{ timeoutMs: 60_000, staleMs: 300_000, bootstrapName: "bootstrap.formation.cloud" },
      places: { regions: {}, listed: (id) => listed[id], locate: () => Promise.resolve(undefined) },
    });
    const authenticator = new Authenticator({ clock, random: SYSTEM_RANDOM, verifiers: [], onFailures() {} });
    stage.app = makeApp({
      ...{ service: stage.service, server: "fra", log, replies },
      authenticator: {
        authenticate: async (shown) =>
          actor && shown.authorization ? { actor } : await authenticator.authenticate(shown),
      },
      resolve: resolve ?? (() => Promise.resolve([])),
      status: () =>
        Promise.resolve({ nowMs: clock.nowMs(), snapshot: { epoch: 7 }, nodes: [], counters: {}, ...status }),
    });
    beats.start();
    stage.service.heartbeats.start();
    return stage;
  }

  /** Asks from the machine itself, or as `caller` says; what came back as JSON. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    { headers = {}, address = "127.0.0.1" }: { headers?: Record<string, string>; address?: string } = {},
  ): Promise<any> {
    const response = await this.app.fetch(
      new Request(`http://localhost:3005${path}`, {
        ...{ method, headers },
        ...body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) },
      }),
      { address, isLocal: address === "127.0.0.1" },
    );
    const said = await response.json();
    await this.#caughtUp();
    return response.status === 200 ? said : { status: response.status, ...said };
  }

  /** Lets time pass, a second at a time, as the world does. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.clock.advanceTo(this.clock.nowMs() + 1000);
      await this.#settle();
    }
    await this.#caughtUp();
    this.clock.advanceTo(this.clock.nowMs() + 10);
  }

  /** What the lease of a node says; undefined = it has none. */
  lease(id: string): string | undefined {
    return this.#leases.get(`lease ${id}`);
  }

  /** Makes a managed zone. */
  async makeZone(name: string): Promise<void> {
    await new Zones(this.management).create({ name, nameServers: [`ns1.${name}`] }, { actor: "test" });
    await this.#caughtUp();
  }

  #take({ leases = {} }: News): void {
    for (const [key, lease] of Object.entries(leases)) {
      if (!lease) this.#leases.delete(key);
      else if (lease.verdict) this.#leases.set(key, lease.verdict.state);
    }
  }

  /** What waits for the store gets it. */
  async #settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  }

  async #caughtUp(): Promise<void> {
    const { revision } = await this.member.store.list("servers/");
    const reached = this.member.replica.reached(revision, 60_000);
    let isThere = false;
    void reached.then(() => isThere = true);
    while (!isThere) {
      this.clock.advanceTo(this.clock.nowMs() + 10);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.service.close();
    await this.#closeBeats();
    await this.member.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A node of form-state, as its list has it. */
export const nodeJson = (more: Record<string, unknown> = {}) => ({
  ...{ node_id: "5fca3b0e9d7a4c1f8e6b2d1a0c9f8e7d6b5a4c3d", node_owner: "0xabc", created_at: 1747800000 },
  ...{ updated_at: 1747800000, last_heartbeat: 0, host_region: "eu-central", capabilities: { cpu_cores: 8 } },
  capacity: { cpu_total_cores: 16, cpu_available_cores: 12_000 },
  metrics: { load_avg_1: 250 },
  metadata: {
    ...{ tags: ["gpu"], description: "", monitoring: { logging_enabled: true, metrics_endpoint: "" } },
    annotations: { roles: ["compute"], datacenter: "fra-1" },
  },
  ...{ host: { Ipv4: "192.0.2.10" }, operator_keys: [] },
  ...more,
});
