/**
 * What a node does to be one of the fleet: it registers, says every few seconds that it lives and how busy it is, finds
 * another server when one does not answer, and leaves when it is told to.
 *
 *     register ─> beat, beat, beat … ─> draining beats until nobody is sent here any more ─> leave
 *         ^           │
 *         └───────────┘  when a server does not know it (any more), and before the credential ends
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import { NODE_LEASE } from "../registry/lease.ts";
import {
  type BeatReply,
  type LeaseTold,
  type Load,
  type NodeDocument,
  type PeerTime,
  type Registration,
  RegistryProblem,
} from "../registry/protocol.ts";
import type { Client } from "./client.ts";
import type { Peer } from "./config.ts";
import type { NodeKey } from "./key_file.ts";
import type { ServerList } from "./servers.ts";

/** A server that wants to hear a node more often than this cannot mean it. */
const BEAT_SECONDS_MIN = 0.1;

/** What an agent works with. */
export interface AgentOptions {
  readonly node: NodeDocument;
  readonly key: NodeKey;
  readonly client: Client;
  readonly servers: ServerList;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** The join token, read when one is wanted; undefined = there is none. */
  joinToken(): Promise<string | undefined>;
  /** The load since it was asked last. */
  load(): Load;
  readonly peers?: { readonly times: readonly PeerTime[]; learn(peers: readonly Peer[]): void };
  /** Keeps the servers that it was told of. */
  keep(servers: readonly string[]): void;
  /** For how long it drains at most. */
  readonly drainMs: number;
}

/** How an agent is. Plain data; times are milliseconds since 1970. */
export interface AgentStatus {
  readonly node: string;
  /** `refused`: a server said no, and it takes somebody to change something. */
  readonly state: "starting" | "registered" | "unreachable" | "refused" | "draining" | "left";
  /** Whom it speaks to. */
  readonly server: string;
  readonly servers: readonly string[];
  /** When a server heard it last, and when its lease ends, by its own clock; absent before the first time. */
  readonly heardMs?: number;
  readonly leaseUntilMs?: number;
  readonly load?: Load;
  readonly peers: readonly PeerTime[];
  /** What servers find worth saying of it. */
  readonly notices: readonly string[];
  /** Why it is unreachable or refused. */
  readonly problem?: string;
}

/** How long to wait before servers are tried again that have all failed: at first, and at most. */
const RETRY_MS = { first: 500, most: 10_000 };

/** How long after a server has said no: somebody may have changed something. */
const REFUSED_MS = 30_000;

/** How often a node says that it drains, and asks whether it is drained. */
const DRAIN_BEAT_MS = 2000;

/** How soon a node speaks to another server than one that cannot pass on what it says. */
const ASIDE_MS = 1000;

/** How long it tries to say that it leaves. */
const LEAVE_MS = 10_000;

/** One node's agent. */
export class Agent {
  readonly #options: AgentOptions;
  #registration: Registration | undefined;
  #lease: LeaseTold = { seconds: NODE_LEASE.leaseMs / 1000, beatSeconds: NODE_LEASE.beatMs / 1000 };
  /** Whether the registration has been good for a heartbeat. */
  #wasHeard = false;
  /** Whether the server that answered last cannot pass on what it hears. */
  #isAlone = false;
  #renewMs = 0;
  #status: AgentStatus;
  #retryMs = RETRY_MS.first;
  #isDraining = false;
  #isEnded = false;
  #wake: () => void = () => {};
  readonly #drained = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { node, servers } = options;
    this.#status = {
      ...{ node: node.id, state: "starting", server: servers.current, servers: servers.all },
      ...{ peers: [], notices: [] },
    };
  }

  get status(): AgentStatus {
    const { servers, peers } = this.#options;
    return { ...this.#status, server: servers.current, servers: servers.all, peers: peers?.times ?? [] };
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Begins. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Registers and is heard once. @returns Whether it was. */
  async once(): Promise<boolean> {
    for (let tries = this.#options.servers.all.length + 1; tries > 0; tries--) {
      await this.#step();
      if (this.#status.state === "registered") return true;
      if (this.#status.state === "refused") return false;
    }
    return false;
  }

  /** Wants no new clients, waits until none are sent here or time is up, and leaves. @returns Whether a server knows. */
  async drain(): Promise<boolean> {
    const { clock, drainMs, log, node } = this.#options;
    if (this.#isDraining) return false;
    this.#isDraining = true;
    log.info(`${node.id} drains, for ${drainMs / 1000} s at most`);
    this.#wake();
    const cancel = clock.after(drainMs, () => this.#drained.resolve());
    await this.#drained.promise;
    cancel();
    await this.#end();
    return await this.#leave();
  }

  /** Ends without a word. */
  async stop(): Promise<void> {
    this.#drained.resolve();
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#isEnded = true;
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isEnded) await this.#pause(await this.#step());
  }

  /** Does what is to be done next. @returns For how long to wait then, milliseconds. */
  async #step(): Promise<number> {
    try {
      if (!this.#registration || this.#options.clock.nowMs() >= this.#renewMs) await this.#register();
      const reply = await this.#beat(), wasAlone = this.#isAlone;
      this.#heard(reply);
      // The lease runs, for what was said there came to nobody; once, as they may all be cut off.
      return this.#isAlone && !wasAlone ? Math.min(ASIDE_MS, this.#beatMs()) : this.#beatMs();
    } catch (error) {
      if (error instanceof RegistryProblem) return this.#refused(error);
      return this.#unreachable(error as Error);
    }
  }

  async #register(): Promise<void> {
    const { client, servers, node, key, clock, log } = this.#options;
    let registration: Registration;
    try {
      registration = await client.register(servers.current, node, key, undefined);
    } catch (error) {
      // The key is enough for all but the first time: so a join token may be gone by then.
      const isWanted = error instanceof RegistryProblem && error.code === "join-token-wanted";
      const token = isWanted ? await this.#options.joinToken() : undefined;
      if (token === undefined) throw error;
      registration = await client.register(servers.current, node, key, token);
    }
    if (!this.#registration) log.info(`${node.id} is registered with ${servers.current}`);
    for (const notice of registration.notices) {
      if (!this.#status.notices.includes(notice)) log.warn(notice);
    }
    this.#registration = registration;
    this.#takeLease(registration.lease);
    this.#renewMs = clock.nowMs() + registration.credentialSeconds * 500;
    this.#status = { ...this.#status, notices: registration.notices };
  }

  #beat(): Promise<BeatReply> {
    const { client, servers, node, peers } = this.#options, load = this.#options.load();
    this.#status = { ...this.#status, load };
    const times = peers?.times ?? [];
    return client.beat(servers.current, node.id, this.#registration!.credential, {
      load,
      ...times.length > 0 && { peers: times },
      ...this.#isDraining && { draining: true },
    });
  }

  /** What makes no sense changes nothing: least of all it makes a node ask again and again. */
  #takeLease(lease: Partial<LeaseTold> | null | undefined): void {
    const { seconds = NaN, beatSeconds = NaN } = lease ?? {};
    if (seconds > beatSeconds && beatSeconds >= BEAT_SECONDS_MIN && Number.isFinite(seconds)) {
      this.#lease = { seconds, beatSeconds };
    }
  }

  #heard({ lease, servers: told, peers, drainedInMs, isAlone, notice }: BeatReply): void {
    const { servers, clock, log, node } = this.#options, nowMs = clock.nowMs();
    if (this.#status.state === "unreachable") log.info(`${node.id} is heard again, by ${servers.current}`);
    if (this.#status.state !== "registered" && notice !== undefined) log.warn(notice);
    const { problem: _, ...status } = this.#status;
    this.#takeLease(lease);
    this.#status = {
      ...status,
      state: this.#isDraining ? "draining" : "registered",
      heardMs: nowMs,
      leaseUntilMs: nowMs + this.#lease.seconds * 1000,
    };
    this.#retryMs = RETRY_MS.first;
    this.#wasHeard = true;
    servers.answered();
    if (servers.learn(Array.isArray(told) ? told : [])) this.#options.keep(servers.told);
    if (peers) this.#options.peers?.learn(peers);
    this.#isAlone = isAlone === true;
    if (isAlone) servers.pass();
    if (this.#isDraining && drainedInMs === 0) this.#drained.resolve();
  }

  /** Nobody is to be late, and not all at once: a little earlier than told, by chance. */
  #beatMs(): number {
    const { random } = this.#options, beatMs = this.#lease.beatSeconds * 1000;
    const jittered = beatMs * (0.85 + 0.15 * random());
    return this.#isDraining ? Math.min(jittered, DRAIN_BEAT_MS) : jittered;
  }

  #refused(problem: RegistryProblem): number {
    const { log, node, servers } = this.#options, { code, message } = problem;
    const isForgotten = code === "credential-refused" || code === "not-registered";
    const wasHeard = this.#wasHeard;
    if (isForgotten) {
      this.#registration = undefined;
      this.#wasHeard = false;
      // The server started anew, or is another one: to register again is all it takes, unless that has just been done.
      if (wasHeard) return 0;
    }
    if (isForgotten || code === "conflict" || code === "challenge-refused") return this.#unreachable(problem);
    if (this.#status.problem !== message) log.error(`${servers.current} refuses ${node.id}: ${message}`);
    this.#status = { ...this.#status, state: "refused", problem: message };
    this.#registration = undefined;
    // What one server refuses another may take: it may know more by now.
    servers.fail();
    return REFUSED_MS * (0.75 + 0.5 * this.#options.random());
  }

  #unreachable({ message }: Error): number {
    const { log, servers, random } = this.#options;
    if (this.#status.problem !== message) log.warn(message);
    this.#status = { ...this.#status, state: "unreachable", problem: message };
    if (servers.fail()) return 0;
    servers.answered();
    const waitMs = this.#retryMs * (0.5 + 0.5 * random());
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.most, this.#lease.beatSeconds * 1000);
    return waitMs;
  }

  async #leave(): Promise<boolean> {
    const { client, servers, node, clock, log } = this.#options;
    const endMs = clock.nowMs() + LEAVE_MS;
    for (let last = ""; this.#registration && clock.nowMs() < endMs;) {
      try {
        await client.leave(servers.current, node.id, this.#registration.credential);
        log.info(`${node.id} has left`);
        this.#status = { ...this.#status, state: "left" };
        return true;
      } catch (error) {
        if ((error as RegistryProblem).code === "not-registered") return true;
        if ((error as RegistryProblem).code === "credential-refused") await this.#register().catch(() => {});
        last = (error as Error).message;
        if (!servers.fail()) await this.#wait(RETRY_MS.first);
        if (clock.nowMs() >= endMs) log.warn(`Nobody knows that ${node.id} leaves: ${last}`);
      }
    }
    return false;
  }

  /** Waits, unless there is something to be done. */
  async #pause(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#isEnded) return;
    const wasDraining = this.#isDraining;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#isEnded || this.#isDraining !== wasDraining) this.#wake();
    });
    this.#wake = () => {};
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(delayMs, resolve));
  }
}
