/**
 * The fleet isolate: a worker in which a server is a member of its fleet, so that neither probes nor answers feel what the
 * store and whoever asks the API cost.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../clock.ts";
import type { Log } from "../plugin.ts";
import { keptPieces } from "../state/kept_text.ts";
import type { Keeper, Kept } from "../state/replica.ts";
import { StoreRefusedError } from "../state/store.ts";
import { giveWay } from "../server/data_plane/time_slice.ts";
import { readState, StateFile } from "../server/state_file.ts";
import type { FleetHalves, FleetScope } from "./fleet_half.ts";
import { RunningHalves } from "./halves.ts";
import { Degradations } from "./degradations.ts";
import { Member, readKey } from "./member.ts";
import { openStore } from "./open_store.ts";
import {
  DEGRADATIONS,
  type FromFleet,
  type LocalRequest,
  type LocalResponse,
  type MembershipConfiguration,
  type ToFleet,
} from "./protocol.ts";

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromFleet): void;
  onmessage: ((event: MessageEvent<ToFleet>) => void) | null;
  close(): void;
}

/** Where the copy of the store is kept, within the state directory. */
const KEPT_NAME = "fleet.json";

/** Serves the control isolate for as long as the worker lives. */
export function runFleetIsolate(self: WorkerSelf, halves: FleetHalves): void {
  const thread = giveWay();
  if (thread !== undefined) self.postMessage({ kind: "behind", thread });
  const questions = new Questions(self);
  let starting: Promise<Serving | undefined> | undefined;
  const once = (run: (serving: Serving) => void) => void starting?.then((serving) => serving && run(serving));
  self.onmessage = ({ data }) => {
    if (data.kind === "start") starting = start(data.configuration, { self, halves, questions });
    else if (data.kind === "reports") once(({ member }) => member.report(data.reports));
    else if (data.kind === "digest") once(({ member }) => member.tellDigest(data.digest));
    else if (data.kind === "besides") once(({ member }) => member.takeBesides(data.besides));
    else if (data.kind === "shares") once(({ degradations }) => degradations.take(data.shares));
    else if (data.kind === "seen") once(({ member }) => member.tellSeen(data.seen));
    else if (data.kind === "answering") once(({ member }) => member.tellAnswering(data.answering));
    else if (data.kind === "plugins") once(({ running }) => void running.set(data.plugins));
    else if (data.kind === "request") once((serving) => void answerRequest(serving, data, self));
    else if (data.kind === "told") questions.take(data);
    else void stop(starting, self);
  };
}

/** What an isolate is made of. */
interface Isolate {
  readonly self: WorkerSelf;
  readonly halves: FleetHalves;
  readonly questions: Questions;
}

/** One that has begun. */
interface Serving {
  readonly member: Member;
  readonly running: RunningHalves;
  readonly degradations: Degradations;
  readonly door: { handler?: ((request: Request) => Promise<Response>) | undefined };
}

async function answerRequest(
  { door: { handler } }: Serving,
  { number, request }: Extract<ToFleet, { kind: "request" }>,
  self: WorkerSelf,
): Promise<void> {
  const tell = (response: LocalResponse) => self.postMessage({ kind: "response", number, response });
  if (!handler) {
    return tell({ status: 503, headers: {}, body: "nobody answers here: the Corefile has no `api`" });
  }
  try {
    tell(await responseTo(request, handler));
  } catch (error) {
    tell({
      status: 400,
      headers: {},
      body: `the request cannot be made: ${error instanceof Error ? error.message : error}`,
    });
  }
}

/** @throws {Error} When it is no request, or its answer breaks off. */
async function responseTo(
  { method, path, headers, body }: LocalRequest,
  handler: (request: Request) => Promise<Response>,
): Promise<LocalResponse> {
  const response = await handler(
    new Request(`http://localhost${path}`, {
      ...{ method, headers: { ...headers } },
      ...body !== undefined && { body },
    }),
  );
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    await response.body?.cancel();
    return {
      status: 406,
      headers: {},
      body: "what has no end cannot be told here: ask the interface by its address",
    };
  }
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}

async function start(
  configuration: MembershipConfiguration,
  { self, halves, questions }: Isolate,
): Promise<Serving | undefined> {
  const log = logTo(self), clock = SYSTEM_CLOCK, random = Math.random;
  let member: Member | undefined;
  try {
    member = new Member({
      ...{ configuration, clock, random, log },
      store: await openStore(configuration),
      key: await readKey(configuration.stateDirectory),
      ...configuration.stateDirectory && { keeper: keeperIn(configuration.stateDirectory, log) },
      tell: (news) => self.postMessage({ kind: "news", news }),
    });
    await member.start();
    const ask = (what: string, params?: unknown) => questions.ask(what, params);
    const door: Serving["door"] = {};
    const tell: FleetScope["tell"] = (plugin, value) => self.postMessage({ kind: "tell", plugin, value });
    const onRequest: FleetScope["onRequest"] = (handler) => void (door.handler = handler);
    const scope = { configuration, member, clock, random, log, ask, tell, onRequest };
    const running = new RunningHalves(halves, scope);
    const degradations = new Degradations({
      ...{ member, server: configuration.server, clock, log },
      tell: (news) => self.postMessage({ kind: "tell", plugin: DEGRADATIONS, value: news }),
    });
    return { member, running, degradations, door };
  } catch (error) {
    const reason = error instanceof StoreRefusedError ? error.message : String(error);
    self.postMessage({ kind: "refused", reason });
    await member?.close().catch(() => {});
    return undefined;
  }
}

async function stop(starting: Promise<Serving | undefined> | undefined, self: WorkerSelf): Promise<void> {
  try {
    const serving = await starting;
    serving?.degradations.close();
    await serving?.running.close();
    await serving?.member.close();
  } finally {
    self.postMessage({ kind: "closed" });
    self.close();
  }
}

/** How long the control isolate may take to answer. */
const ANSWER_MS = 10_000;

/** Questions to the control isolate that are under way. */
class Questions {
  readonly #self: WorkerSelf;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #number = 0;

  constructor(self: WorkerSelf) {
    this.#self = self;
  }

  ask(what: string, params: unknown): Promise<unknown> {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#open.delete(number);
        reject(new Error(`${what}: the server did not answer within ${ANSWER_MS / 1000} s`));
      }, ANSWER_MS);
      const end = () => (this.#open.delete(number), clearTimeout(timer));
      this.#open.set(number, {
        resolve: (value) => (end(), resolve(value)),
        reject: (error) => (end(), reject(error)),
      });
      this.#self.postMessage({ kind: "ask", number, what, params });
    });
  }

  take({ number, value, error }: Extract<ToFleet, { kind: "told" }>): void {
    const question = this.#open.get(number);
    if (error === undefined) question?.resolve(value);
    else question?.reject(new Error(error));
  }
}

function keeperIn(directory: string, log: Log): Keeper {
  const file = new StateFile(directory, KEPT_NAME, log, keptPieces);
  return {
    read: () => readState(directory, KEPT_NAME, isKept, log),
    keep: (kept) => file.keep(kept),
    close: () => file.close(),
  };
}

function isKept(value: unknown): value is Kept {
  const { confirmedMs, revision, entries } = value as Partial<Kept> ?? {};
  return typeof confirmedMs === "number" && typeof revision === "number" && Array.isArray(entries);
}

function logTo(self: WorkerSelf): Log {
  const tell = (level: "debug" | "info" | "warn" | "error") => (message: string) =>
    self.postMessage({ kind: "log", level, message });
  return { debug: tell("debug"), info: tell("info"), warn: tell("warn"), error: tell("error") };
}
