/**
 * HTTP listeners for what is not DNS: metrics, health, readiness. One for each address, shared by plugins and paths.
 *
 * A listener outlives the server that opened it: while one server replaces another, both have their paths there, and the
 * one that clients know of answers.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../clock.ts";
import { type HostPort, parseHostPort } from "../net/host_port.ts";
import type { HttpMount, Log } from "../plugin.ts";
import type { Count } from "./arrival.ts";
import { attempt } from "./closing.ts";
import { HttpServer } from "./http_server.ts";

/** The paths that one server has. */
export class Mounts {
  readonly #listeners: HelperListeners;
  readonly #mounted: Mounted[] = [];

  constructor(listeners: HelperListeners) {
    this.#listeners = listeners;
  }

  /** Answers for a path. @throws {Error} When the address cannot be listened on, or another plugin has the path. */
  async add(mount: HttpMount, plugin: string): Promise<void> {
    const same = this.#mounted.find((one) => one.address === mount.address && one.path === mount.path);
    if (same?.plugin === plugin) return;
    if (same) {
      throw new Error(
        `${plugin}: cannot answer for ${mount.path} at ${mount.address}: ${same.plugin} does already`,
      );
    }
    const mounted = { ...mount, handler: mount.handler.bind(mount), plugin, owner: this };
    await this.#listeners.open(mounted);
    this.#mounted.push(mounted);
  }

  /** From now on these answer wherever another server has the same paths. */
  adopt(): void {
    this.#listeners.current = this;
  }

  /** Takes the paths away, and closes the listeners that have none left. */
  async release(): Promise<void> {
    await Promise.all(this.#mounted.splice(0).map((mounted) => this.#listeners.remove(mounted)));
  }
}

/** A path and who has it. */
interface Mounted extends HttpMount {
  readonly plugin: string;
  readonly owner: Mounts;
}

interface Open {
  readonly mounted: Set<Mounted>;
  server: Promise<HttpServer>;
  /** Each ends a request that is under way. */
  readonly underWay: Set<() => void>;
}

/** How long a request under way may keep a listener open. */
const GRACE_MS = 1000;

/** From the end of a listener that nobody closed to when it is opened anew. */
const REOPEN_MS = 1000;

/** Every listener of the process. */
export class HelperListeners {
  /** Whose paths are asked first. */
  current: Mounts | undefined;
  /** Whether ports are taken although another process has them that lets them be shared. */
  takesOver: boolean;
  readonly #log: Pick<Log, "error">;
  readonly #count: Count;
  readonly #open = new Map<string, Open>();

  constructor(
    log: Pick<Log, "error">,
    { takesOver = false, count = () => {} }: { takesOver?: boolean; count?: Count } = {},
  ) {
    this.#log = log;
    this.#count = count;
    this.takesOver = takesOver;
  }

  /** Those of every address that is listened on, as they were asked for. */
  get ports(): readonly number[] {
    return [...this.#open.keys()].flatMap((address) => parseHttpAddress(address)?.port ?? []);
  }

  /** Where an address is listened on; undefined where it is not. Its port is a real one even where 0 was wanted. */
  async endpoint(address: string): Promise<Deno.NetAddr | undefined> {
    return (await this.#open.get(address)?.server)?.addr;
  }

  /** Opens the listener of a path's address, if it is not open. @throws {Error} When it cannot be had. */
  async open(mounted: Mounted): Promise<void> {
    const { address, plugin } = mounted;
    let open = this.#open.get(address);
    const isNew = open === undefined;
    if (!open) {
      open = { mounted: new Set(), server: this.#serve(address), underWay: new Set() };
      this.#open.set(address, open);
    }
    open.mounted.add(mounted);
    try {
      await open.server;
      if (isNew) this.#keepOpen(address, open);
    } catch (error) {
      // A port that was taken may be free at the next try.
      if (this.#open.get(address) === open) this.#open.delete(address);
      throw new Error(`${plugin}: cannot listen on ${address}: ${(error as Error).message}`);
    }
  }

  /** Closes the listener with its last path. */
  async remove(mounted: Mounted): Promise<void> {
    const open = this.#open.get(mounted.address);
    if (!open?.mounted.delete(mounted) || open.mounted.size > 0) return;
    this.#open.delete(mounted.address);
    await attempt(() => closeWithin(open, GRACE_MS), this.#log);
  }

  /** Opens a listener anew that ended by itself, as it does when no file descriptor is left for who comes. Never rejects. */
  async #keepOpen(address: string, open: Open): Promise<void> {
    const isWanted = () => this.#open.get(address) === open;
    while (isWanted()) {
      const why = await open.server.then(({ finished }) => finished).catch((error) => error);
      while (isWanted()) {
        this.#log.error(`The listener at ${address} has ended, and is opened anew: ${why}`);
        await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
        const server = isWanted() ? await this.#serve(address).catch(() => undefined) : undefined;
        if (!server) continue;
        open.server = Promise.resolve(server);
        if (!isWanted()) await server.shutdown();
        break;
      }
    }
  }

  async #serve(address: string): Promise<HttpServer> {
    const endpoint = parseHttpAddress(address);
    if (!endpoint) throw new Error("it is no [HOST]:PORT");
    const common = { port: endpoint.port, takesOver: this.takesOver, clock: SYSTEM_CLOCK, log: this.#log };
    const handler = (request: Request) => this.#answer(address, request);
    const listen = (hostname: string) => new HttpServer({ hostname, ...common, count: this.#count, handler });
    if (endpoint.host !== "") return await Promise.resolve(listen(endpoint.host));
    try {
      return await Promise.resolve(listen("::"));
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) throw error;
      return listen("0.0.0.0");
    }
  }

  async #answer(address: string, request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const open = this.#open.get(address);
    const there = [...open?.mounted ?? []].filter(({ path }) => covers(path, pathname));
    const best = there.find(({ owner }) => owner === this.current) ?? there.at(-1);
    if (!open || !best) return new Response("404 page not found\n", { status: 404 });
    const ended = Promise.withResolvers<Response>();
    const end = () => ended.resolve(new Response("503 closing\n", { status: 503 }));
    open.underWay.add(end);
    try {
      return await Promise.race([best.handler(request), ended.promise]);
    } catch (error) {
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      this.#log.error(`plugin/${best.plugin}: a bug, answering ${request.method} ${best.path}: ${text}`);
      return new Response("500 internal server error\n", { status: 500 });
    } finally {
      open.underWay.delete(end);
    }
  }
}

/** `/metrics` is that path alone, `/api/` all that begins so. */
function covers(path: string, pathname: string): boolean {
  return pathname === path || (path.endsWith("/") && pathname.startsWith(path));
}

/** Reads `[HOST]:PORT`, no host being every address. `localhost` is that of IPv4, as Go has it. */
export function parseHttpAddress(text: string): HostPort | undefined {
  const read = parseHostPort(text);
  return read?.host === "localhost" ? { ...read, host: "127.0.0.1" } : read;
}

/** Lets requests under way end, for so long. */
async function closeWithin({ server, underWay }: Open, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const endAll = () => underWay.forEach((end) => end());
  const timers = [setTimeout(endAll, ms), setTimeout(() => late.resolve(), 2 * ms)];
  await Promise.race([server.then((server) => server.shutdown()), late.promise]);
  for (const timer of timers) clearTimeout(timer);
  server.then((server) => server.close()).catch(() => {});
}
