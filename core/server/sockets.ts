/**
 * Every socket that queries come to, by port. They outlive the server that answers on them: another one is made ready
 * aside, and takes them in one step.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { Count } from "./arrival.ts";
import type { Configuration } from "./configure.ts";
import {
  type AnsweredBy,
  type Interface,
  listen,
  type Listening,
  type ListenOptions,
  type Prepared,
} from "./listen.ts";
import { libC } from "./socket_options.ts";
import { type TcpLimits, tcpLimitsOf } from "./tcp.ts";

/** What {@linkcode Sockets} work with. */
export interface SocketsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly count: Count;
  readonly interfaces?: () => readonly Interface[];
  /** Takes ports although another process has them that lets them be shared: until the first change is committed. */
  readonly takesOver?: boolean;
}

/** What to listen on, by port, and how much TCP may take there. */
export type PortPlan = ReadonlyMap<
  number,
  { readonly hosts: readonly string[]; readonly limits: Partial<TcpLimits> }
>;

/** How long sockets of a port that is not wanted any more may take to answer what has come. */
const RETIRE_MS = 5000;

/** The sockets of a process. */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #open = new Map<number, Listening>();
  #takesOver: boolean;

  constructor(options: SocketsOptions) {
    this.#options = options;
    this.#takesOver = options.takesOver ?? false;
  }

  /** The address and port of every socket. */
  get listening(): readonly Listening[] {
    return [...this.#open.values()];
  }

  /** Whether some were opened for data workers to read. */
  get areForWorkers(): boolean {
    return this.listening.some(({ isForWorkers }) => isForWorkers);
  }

  /** How many datagrams the kernel has dropped for want of room since this was asked before, as far as it can be known. */
  takeDropped(): number {
    return this.listening.reduce((sum, listening) => sum + listening.takeDropped(), 0);
  }

  /**
   * Opens what a plan needs and is not there; those sockets answer by `by` at once, the others as before until it is
   * committed. @throws {Error} When something cannot be had; it has been undone.
   */
  async prepare(plan: PortPlan, by: AnsweredBy): Promise<Prepared> {
    // Loaded beforehand: what a socket is given, it is given the moment that it is there.
    libC();
    const opened = new Map<number, Listening>();
    const changes: Prepared[] = [];
    const abort = async () => {
      await Promise.all([...opened.values()].map((listening) => listening.close()));
      await Promise.all(changes.map((change) => change.abort()));
    };
    try {
      for (const [port, { hosts, limits }] of plan) {
        const open = this.#open.get(port);
        if (open) changes.push(await open.prepare(hosts, by, limits));
        else opened.set(port, await this.#listen({ port, hosts, ...by, limits }));
      }
    } catch (error) {
      await abort();
      throw error;
    }
    return { abort, commit: () => this.#commit(plan, opened, changes) };
  }

  /** Takes no more queries, answers those under way, closes every socket. */
  async close(): Promise<void> {
    await this.#end((listening) => listening.close());
  }

  /** The same where somebody else has the ports from now on: takes what has come already. */
  async retire(withinMs: number): Promise<void> {
    await this.#end((listening) => listening.retire(withinMs));
  }

  async #commit(
    plan: PortPlan,
    opened: ReadonlyMap<number, Listening>,
    changes: readonly Prepared[],
  ): Promise<() => Promise<void>> {
    const gone = [...this.#open].filter(([port]) => !plan.has(port));
    for (const [port] of gone) this.#open.delete(port);
    const moved = changes.map((change) => change.commit());
    for (const [port, listening] of opened) this.#open.set(port, listening);
    this.#takesOver = false;
    const ends = await Promise.all(moved);
    return async () => {
      await Promise.all([
        ...gone.map(([, listening]) => listening.retire(RETIRE_MS)),
        ...ends.map((end) => end()),
      ]);
    };
  }

  async #end(close: (listening: Listening) => Promise<void>): Promise<void> {
    const listening = this.listening;
    this.#open.clear();
    await Promise.all(listening.map(close));
  }

  #listen(what: AnsweredBy & Pick<ListenOptions, "port" | "hosts" | "limits">): Promise<Listening> {
    const { clock, log, count, interfaces } = this.#options;
    return listen({
      ...what,
      ...{ log, clock, count, takesOver: this.#takesOver },
      ...(interfaces && { interfaces }),
    });
  }
}

/** For each port the hosts to listen on: every address, as soon as one block of the port has no `bind`, and those named. */
export function planOf({ blocks }: Configuration): PortPlan {
  const ports = new Map<number, { hosts: readonly string[]; limits: Partial<TcpLimits> }>();
  for (const port of new Set(blocks.flatMap(({ endpoints }) => endpoints.map(({ port }) => port)))) {
    const there = blocks.filter(({ endpoints }) => endpoints.some((endpoint) => endpoint.port === port));
    const everywhere = there.some(({ listenOn }) => listenOn.length === 0) ? ["::"] : [];
    ports.set(port, {
      hosts: [...new Set([...everywhere, ...there.flatMap(({ listenOn }) => listenOn)])],
      limits: tcpLimitsOf(there.map(({ limits }) => limits)),
    });
  }
  return ports;
}
