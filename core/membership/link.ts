/**
 * The control isolate's end of the fleet isolate: one for a process, whatever number of servers replace each other in it.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { FleetHub } from "../fleet/hub.ts";
import type { Log } from "../plugin.ts";
import { isDraining } from "../registry/lease.ts";
import { AgreeingHub } from "./agreeing_hub.ts";
import type { FleetPlugin } from "./fleet_half.ts";
import { showFleet, type ShownServer } from "./show.ts";
import { FleetKnowledge } from "./knowledge.ts";
import {
  type Answering,
  type Besides,
  type FromFleet,
  leaseTarget,
  type LocalRequest,
  type LocalResponse,
  type MembershipConfiguration,
  type News,
  type NotedShares,
  type SeenConfiguration,
  type ServerNews,
  type ToFleet,
  type WantedConfiguration,
} from "./protocol.ts";

/** What a link works with. */
export interface FleetLinkOptions {
  readonly configuration: MembershipConfiguration;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes a worker that does runFleetIsolate(). */
  makeIsolate(): Worker;
  /** Hears that an isolate failed. */
  onFailure?(): void;
  /** Hears that an isolate's thread goes behind those that answer; the function that comes back, that it has gone. */
  onBehind?(thread: number): () => void;
  /** Answers what plugins ask from there. @throws {Error} That says why not. */
  answer?(what: string, params: unknown): Promise<unknown>;
  /** Hears which version of the configuration this server is to run; null = what is on its disk. */
  onConfiguration?(wanted: WantedConfiguration | null): void;
}

/** What is to be said of the fleet to whoever asks. */
export interface FleetStatus {
  readonly server: string;
  readonly store: string;
  readonly revision: number;
  /** When the store last confirmed what is known, milliseconds since 1970; absent = never. */
  readonly confirmedMs?: number;
  /** Why the store cannot be followed; absent = it can. */
  readonly fault?: string;
  /** By id, this one included. */
  readonly servers: Readonly<Record<string, ServerNews>>;
}

/** So long a start waits for what was kept or for the store; then the server goes on without. */
const FIRST_NEWS_MS = 3000;

/** How long the interface may take to answer: a large zone is written in many transactions. */
const REQUEST_MS = 60_000;

/** How long an isolate may take to leave. */
const CLOSE_MS = 3000;

/** How long until another isolate takes the place of one that failed: at first, and at most. */
const RESTART_MS = 500, RESTART_MS_MAX = 30_000;

/** What a server wants of its fleet. */
export type ServersFleet = Pick<FleetLink, "join" | "leave" | "show" | "status" | "request">;

/** See the module. */
export class FleetLink {
  readonly configuration: MembershipConfiguration;
  readonly #options: FleetLinkOptions;
  readonly #knowledge = new FleetKnowledge();
  readonly #hubs = new Set<AgreeingHub>();
  readonly #first = Promise.withResolvers<void>();
  #worker: Worker | undefined;
  #gone = () => {};
  #restartMs = RESTART_MS;
  #cancelRestart: () => void = () => {};
  #closed: PromiseWithResolvers<void> | undefined;
  #digest = "";
  #plugins: readonly FleetPlugin[] = [];
  #besides: Besides | undefined;
  #seen: SeenConfiguration | undefined;
  #answering: Answering | undefined;
  #overridesRevision: number | undefined;
  /** By id; another object when it is others. */
  #draining: Readonly<Record<string, number>> = {};
  #number = 0;
  readonly #requests = new Map<number, (response: LocalResponse) => void>();
  /** What plugins' halves there have for theirs here. */
  readonly #told = new Map<string, unknown>();

  constructor(options: FleetLinkOptions) {
    this.#options = options;
    this.configuration = options.configuration;
  }

  /** Resolves when something is known, or for now nothing is. @throws {Error} When the store refuses this server for good. */
  async start(): Promise<void> {
    this.#open();
    const { clock, log, configuration: { store } } = this.#options;
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = clock.after(FIRST_NEWS_MS, () => {
        log.warn(`The fleet's state (${store.kind}) is not there yet: serving without`);
        resolve();
      });
    });
    try {
      await Promise.race([this.#first.promise, patience]);
    } finally {
      cancel();
    }
  }

  /** The hub by which a server's plugins are members of the fleet. Close it with the server. */
  join(hub: FleetHub): AgreeingHub {
    const { clock, configuration: { server, region, agreement } } = this.#options;
    const agreeing = new AgreeingHub({
      ...{ hub, server, region, agreement, clock },
      // Of two servers one replaces the other: both probe by the same monitor and report the same.
      report: (reports) => this.#post({ kind: "reports", reports }),
      tellBesides: (besides) => {
        this.#besides = besides;
        this.#post({ kind: "besides", besides });
      },
      tellShares: () => this.#tellShares(),
    });
    this.#hubs.add(agreeing);
    agreeing.take(this.#knowledge.all());
    for (const [plugin, value] of this.#told) agreeing.takeTold(plugin, value);
    return agreeing;
  }

  /** Shows the others and people what a server answers from; the function that comes back ends that. */
  show(server: ShownServer): () => void {
    return showFleet(this, server);
  }

  leave(hub: AgreeingHub): void {
    this.#hubs.delete(hub);
    hub.close();
    if (Object.keys(hub.shares).length > 0) this.#tellShares();
  }

  /** What is answered from now is this. */
  tellDigest(digest: string): void {
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#post({ kind: "digest", digest });
  }

  /** The store's revision up to which hubs have been handed all overrides; undefined before any news of them. */
  get overridesRevision(): number | undefined {
    return this.#overridesRevision;
  }

  /** Nodes that want no new clients, as hubs have been told, each with since when that is. */
  get draining(): Readonly<Record<string, number>> {
    return this.#draining;
  }

  /** What is answered from now is by this. */
  tellAnswering(answering: Answering): void {
    if (JSON.stringify(answering) === JSON.stringify(this.#answering)) return;
    this.#answering = answering;
    this.#post({ kind: "answering", answering });
  }

  /** What became of a version of the configuration here. */
  tellSeen(seen: SeenConfiguration): void {
    this.#seen = seen;
    this.#post({ kind: "seen", seen });
  }

  /** What plugins do in the fleet isolate from now on. */
  setPlugins(plugins: readonly FleetPlugin[]): void {
    this.#plugins = plugins;
    this.#post({ kind: "plugins", plugins });
  }

  /** Asks the interface on behalf of the machine's own administrator. @throws {Error} When nobody answers. */
  request(request: LocalRequest): Promise<LocalResponse> {
    if (!this.#worker) return Promise.reject(new Error("the fleet isolate is not there just now"));
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(REQUEST_MS, () => {
        this.#requests.delete(number);
        reject(new Error(`the interface did not answer within ${REQUEST_MS / 1000} s`));
      });
      this.#requests.set(number, (response) => {
        cancel();
        resolve(response);
      });
      this.#post({ kind: "request", number, request });
    });
  }

  get status(): FleetStatus {
    const { server, store } = this.configuration;
    const name = store.kind === "sqlite" ? `sqlite ${store.file}` : `etcd ${store.urls.join(" ")}`;
    return { server, store: name, ...this.#knowledge.status };
  }

  /** The server leaves the fleet. */
  async close(): Promise<void> {
    this.#cancelRestart();
    for (const hub of [...this.#hubs]) this.leave(hub);
    const worker = this.#worker;
    if (!worker) return;
    this.#closed = Promise.withResolvers<void>();
    this.#post({ kind: "close" });
    const cancel = this.#options.clock.after(CLOSE_MS, () => this.#closed!.resolve());
    await this.#closed.promise;
    cancel();
    this.#end(worker);
  }

  #open(): void {
    const worker = this.#worker = this.#options.makeIsolate();
    worker.onmessage = ({ data }: MessageEvent<FromFleet>) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(worker, event.message);
    };
    this.#post({ kind: "start", configuration: this.configuration });
    for (const hub of this.#hubs) this.#post({ kind: "reports", reports: hub.ownReports() });
    if (this.#digest) this.#post({ kind: "digest", digest: this.#digest });
    if (this.#besides) this.#post({ kind: "besides", besides: this.#besides });
    if (this.#hasShares) this.#tellShares();
    if (this.#seen) this.#post({ kind: "seen", seen: this.#seen });
    if (this.#answering) this.#post({ kind: "answering", answering: this.#answering });
    if (this.#plugins.length > 0) this.#post({ kind: "plugins", plugins: this.#plugins });
  }

  get #hasShares(): boolean {
    return [...this.#hubs].some(({ shares }) => Object.keys(shares).length > 0);
  }

  /** Of two servers the one that replaces the other says what counts. */
  #tellShares(): void {
    const shares: NotedShares = Object.assign({}, ...Array.from(this.#hubs, ({ shares }) => shares));
    this.#post({ kind: "shares", shares });
  }

  #hear(message: FromFleet): void {
    if (message.kind === "news") this.#take(message.news);
    else if (message.kind === "behind") this.#gone = this.#options.onBehind?.(message.thread) ?? this.#gone;
    else if (message.kind === "log") this.#options.log[message.level](message.message);
    else if (message.kind === "ask") void this.#answer(message);
    else if (message.kind === "response") this.#takeResponse(message);
    else if (message.kind === "tell") this.#takeTold(message);
    else if (message.kind === "closed") this.#closed?.resolve();
    else this.#refuse(message.reason);
  }

  #takeTold({ plugin, value }: Extract<FromFleet, { kind: "tell" }>): void {
    this.#told.set(plugin, value);
    for (const hub of this.#hubs) hub.takeTold(plugin, value);
  }

  #takeResponse({ number, response }: Extract<FromFleet, { kind: "response" }>): void {
    this.#requests.get(number)?.(response);
    this.#requests.delete(number);
  }

  async #answer({ number, what, params }: Extract<FromFleet, { kind: "ask" }>): Promise<void> {
    try {
      if (!this.#options.answer) throw new Error(`${what}: nobody answers here`);
      this.#post({ kind: "told", number, value: await this.#options.answer(what, params) });
    } catch (error) {
      this.#post({ kind: "told", number, error: error instanceof Error ? error.message : String(error) });
    }
  }

  #take(news: News): void {
    this.#restartMs = RESTART_MS;
    news = this.#knowledge.completed(news);
    this.#knowledge.take(news);
    if (news.overrides) this.#overridesRevision = news.revision;
    if (news.leases) this.#draining = drainingAfter(this.#draining, news.leases);
    for (const hub of this.#hubs) hub.take(news);
    if (news.configuration !== undefined) this.#options.onConfiguration?.(news.configuration);
    this.#first.resolve();
  }

  /** The first refusal is the start's; one that comes later is tried again, with all that is known still there. */
  #refuse(reason: string): void {
    this.#first.reject(new Error(`The fleet's state cannot be used: ${reason}`));
    if (this.#worker) this.#fail(this.#worker, reason);
  }

  #fail(worker: Worker, reason: string): void {
    if (worker !== this.#worker || this.#closed) return;
    this.#end(worker);
    const { log, clock } = this.#options;
    this.#options.onFailure?.();
    log.error(`The fleet isolate has ended, what is known of the fleet stays as it is: ${reason}`);
    this.#cancelRestart = clock.after(this.#restartMs, () => this.#open());
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS_MAX);
  }

  #end(worker: Worker): void {
    this.#worker = undefined;
    worker.terminate();
    worker.onmessage = null;
    this.#gone();
    this.#gone = () => {};
  }

  #post(message: ToFleet): void {
    this.#worker?.postMessage(message);
  }
}

function drainingAfter(
  before: Readonly<Record<string, number>>,
  leases: NonNullable<News["leases"]>,
): Readonly<Record<string, number>> {
  let after: Record<string, number> | undefined;
  for (const [target, lease] of Object.entries(leases)) {
    const id = target.slice(LEASE_PREFIX.length), verdict = lease?.verdict;
    if (lease && !verdict) continue;
    if (verdict && isDraining(verdict)) (after ??= { ...before })[id] = verdict.sinceMs;
    else if (Object.hasOwn(after ?? before, id)) delete (after ??= { ...before })[id];
  }
  return after ?? before;
}

const LEASE_PREFIX = leaseTarget("");
