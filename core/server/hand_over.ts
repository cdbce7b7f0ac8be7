/**
 * How one process takes over from another without a query lost. The new one speaks, over the old one's control socket:
 *
 *     new                                    old
 *     hand-over  ------------------------->  lets its ports be shared; says what it knows
 *     starts aside, binds the same ports:
 *     UDP is its own at once, TCP is steered
 *     retire     ------------------------->  closes its door, answers what has come, ends
 *     opens the door, writes the pidfile
 *
 * Where the new one does not come that far it says `keep`, or it is seen that it is no more, and the old one goes on as if
 * nothing had been.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import { askControl } from "./control_socket.ts";
import type { Inheritance } from "./inheritance.ts";
import { pause } from "./pause.ts";
import { share } from "./socket_options.ts";

/** What the old process tells the new one. */
export interface HandOver {
  readonly pid: number;
  readonly inheritance: Inheritance;
}

/** Asks the server at a control socket to hand over; undefined when nobody is there. @throws {Error} When it cannot. */
export async function askHandOver(path: string): Promise<HandOver | undefined> {
  const isThere = await Deno.lstat(path).then(({ isSocket }) => isSocket, () => false);
  if (!isThere) return undefined;
  const reply = await askControl(path, "hand-over", { pid: Deno.pid });
  if ("result" in reply) return reply.result as HandOver;
  if (reply.error.startsWith("Cannot reach")) return undefined;
  throw new Error(reply.error);
}

/** How long the old process may take to close its door: it may be in the midst of something. */
const DOOR_MS = 60_000;

/**
 * Tells the old process that it has been replaced; when this returns, its control socket has gone, or nobody is behind it, or
 * it keeps it for longer than can be waited for. It ends in any case.
 *
 * @throws {Error} When it is there and goes on.
 */
export async function askToRetire(path: string, clock: Clock = SYSTEM_CLOCK): Promise<void> {
  const reply = await askControl(path, "retire", { pid: Deno.pid });
  if ("error" in reply) {
    // One that has died in the meantime has gone as well.
    if (await answers(path)) throw new Error(reply.error);
    return;
  }
  const untilMs = clock.nowMs() + DOOR_MS;
  while (await Deno.lstat(path).then(() => true, () => false)) {
    if (clock.nowMs() > untilMs) return;
    await pause(clock, 20, new Promise(() => {}));
  }
}

async function answers(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}

/** Tells the old process that it is to go on, if it hears. */
export async function askToKeep(path: string): Promise<void> {
  await askControl(path, "keep");
}

/** How long a new process may take to begin to answer. */
const HAND_OVER_MS = 180_000;

/** How often is looked whether it is there still: whoever was killed says nothing. */
const LOOK_MS = 1000;

/** What a {@linkcode Giver} works with. */
export interface GiverOptions {
  /** All that it has, as of now. */
  ports(): ReadonlySet<number>;
  legacy(): Inheritance;
  /** Hears that who was to take over is no more. */
  onGone?(pid: number): void;
  readonly clock?: Clock;
  /** What tells a process from all others that have its number; undefined where there is none, or that cannot be seen. */
  readonly markOf?: (pid: number) => string | undefined;
}

/** Who is taking over. */
interface Taker {
  readonly pid: number;
  readonly mark: string;
}

/** The old process's side. */
export class Giver {
  readonly #options: GiverOptions;
  readonly #clock: Clock;
  readonly #markOf: (pid: number) => string | undefined;
  #cancel: (() => void) | undefined;
  #cancelLook: () => void = () => {};
  /** Undefined while nobody is, or where it cannot be seen whether it lives. */
  #taker: Taker | undefined;
  #sharedPorts: ReadonlySet<number> = new Set();

  constructor(options: GiverOptions) {
    this.#options = options;
    [this.#clock, this.#markOf] = [options.clock ?? SYSTEM_CLOCK, options.markOf ?? processMark];
  }

  /** Lets the ports be shared. @param pid Whose they are to be. @throws {Error} When that cannot be, or is going on. */
  handOver(pid?: number): HandOver {
    this.#look();
    if (this.#cancel) {
      const who = this.#taker ? `process ${this.#taker.pid}` : "another process";
      throw new Error(`${who} is taking over already`);
    }
    this.#sharedPorts = this.#options.ports();
    if (!share(this.#sharedPorts, true)) {
      this.keep();
      throw new Error(
        "the server that runs cannot share its ports: that takes Linux, and permission for the C library " +
          "(--allow-ffi); stop it and start the other one",
      );
    }
    this.#cancel = this.#clock.after(HAND_OVER_MS, () => this.keep());
    const mark = pid === undefined ? undefined : this.#markOf(pid);
    this.#taker = pid !== undefined && mark !== undefined ? { pid, mark } : undefined;
    this.#lookLater();
    return { pid: Deno.pid, inheritance: asJson(this.#options.legacy()) };
  }

  /** The ports are nobody else's again. */
  keep(): void {
    this.#end();
    share(this.#sharedPorts, false);
  }

  /** The ports are the other one's. @throws {Error} When nobody had asked for them. */
  retire(): void {
    if (!this.#cancel) throw new Error("nobody is taking over");
    this.#end();
  }

  #end(): void {
    this.#cancel?.();
    this.#cancelLook();
    this.#cancel = this.#taker = undefined;
  }

  #lookLater(): void {
    if (this.#taker) this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#look());
  }

  /** Who is no more takes nothing over. */
  #look(): void {
    if (!this.#taker) return;
    const { pid, mark } = this.#taker;
    if (this.#markOf(pid) === mark) {
      this.#cancelLook();
      return this.#lookLater();
    }
    this.keep();
    this.#options.onGone?.(pid);
  }
}

/** When a process was started, by the kernel's count: its number may be another's by now. */
export function processMark(pid: number): string | undefined {
  const path = `/proc/${pid}/stat`;
  // Nobody is to be asked for a permission.
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    // The name may have anything in it; what follows it begins with the state, and has the time as its 20th field.
    const fields = Deno.readTextFileSync(path).split(") ").at(-1)!.split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Only what says how it goes as JSON: an object that lives cannot leave its process. */
function asJson({ publisher, bequests }: Inheritance): Inheritance {
  const entries = Object.entries(bequests).flatMap(([key, value]) => {
    const plain = (value as { toJSON?: () => unknown } | undefined)?.toJSON?.();
    return plain === undefined ? [] : [[key, plain]];
  });
  return { publisher, bequests: Object.fromEntries(entries) };
}
