/** `/v1/events`: what changes, as it happens (server-sent events, HTML Standard section 9.2). @module */

import { z } from "@hono/zod-openapi";
import type { Clock } from "../../../core/clock.ts";
import { type AuditRecord, recordIn, WITNESS_ACTION } from "../../../core/state/audit.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import type { Replica } from "../../../core/state/replica.ts";
import type { Entry } from "../../../core/state/store.ts";
import type { Context } from "hono";
import { may } from "../../../core/access/roles.ts";
import type { App, Env } from "../app.ts";
import type { Services } from "../services.ts";
import { describeRoutes } from "./describe.ts";
import { demand } from "./request.ts";

/** How often something is sent where nothing happens, so that whoever stands between keeps the connection. */
const KEEP_ALIVE_MS = 15_000;

/** How many may listen at once, and how many of one actor. */
const LISTENERS_MAX = 1000, LISTENERS_OF_ONE_MAX = 16;

/** How many records may wait for one who reads slowly; they are the replica's own, and take no memory besides. */
const WAITING_MAX = 10_000;

const HEADERS = { "Content-Type": "text/event-stream", "Cache-Control": "no-store" };

/** How often it is looked again at whether somebody may listen still; at the latest with the next sign of life after that. */
const RIGHTS_MS = 15_000;

/** Adds the routes. */
export function addEventRoutes(
  app: App,
  { scope: { member: { replica }, clock }, authenticator }: Services,
): void {
  const seats = new Seats();
  /** A token may have expired or been revoked, a certificate too, since the stream began. */
  const mayStill = (context: Context<Env>): () => Promise<boolean> => {
    const { actor, address, certificate } = context.env, authorization = context.req.header("authorization");
    if (actor) return () => Promise.resolve(true);
    return async () => {
      const found = await authenticator.authenticate({
        ...authorization !== undefined && { authorization },
        ...certificate && { certificate },
        ...address !== undefined && { address },
      });
      // An issuer that is away takes back nothing.
      if ("refusal" in found) return found.refusal.status === 503;
      return may(found.actor, { resource: "events", verb: "read" }).allowed;
    };
  };
  app.get("/v1/events", (context) => {
    demand(context, { resource: "events", verb: "read" });
    // The body would be dropped without being cancelled.
    if (context.req.method === "HEAD") return context.body(null, 200, HEADERS);
    const { id } = context.get("actor"), full = seats.refusal(id);
    if (full !== undefined) return context.text(`${full}\n`, 503);
    const after = context.req.header("last-event-id") || undefined;
    return context.body(
      streamOf({
        take: () => seats.take(id),
        listen: () => new Listener(replica, clock, after),
        mayStill: mayStill(context),
        clock,
      }),
      200,
      HEADERS,
    );
  });
  describeRoutes(app, z.object({}), [{
    ...{ method: "get", path: "/v1/events", tag: "audit", summary: "what is recorded, as it happens" },
    headers: z.object({
      "Last-Event-ID": z.string().optional().openapi({ description: "goes on after this event: `fra/17`" }),
    }),
    gives: { "text/event-stream": z.string() },
  }]);
}

/** Who listens. */
class Seats {
  readonly #byActor = new Map<string, number>();
  #taken = 0;

  /** Why there is none. */
  refusal(actor: string): string | undefined {
    if (this.#taken >= LISTENERS_MAX) return `${LISTENERS_MAX} listen already, which is all that may`;
    if ((this.#byActor.get(actor) ?? 0) < LISTENERS_OF_ONE_MAX) return undefined;
    return `${actor} listens ${LISTENERS_OF_ONE_MAX} times already, which is all that one may`;
  }

  /** @returns What gives it back; undefined = there is none. */
  take(actor: string): (() => void) | undefined {
    if (this.refusal(actor) !== undefined) return undefined;
    this.#count(actor, 1);
    return () => this.#count(actor, -1);
  }

  #count(actor: string, by: number): void {
    const count = (this.#byActor.get(actor) ?? 0) + by;
    this.#taken += by;
    if (count > 0) this.#byActor.set(actor, count);
    else this.#byActor.delete(actor);
  }
}

/** What a stream is made of. */
interface StreamOptions {
  /** A seat, and what gives it back. */
  take(): (() => void) | undefined;
  listen(): Listener;
  mayStill(): Promise<boolean>;
  readonly clock: Clock;
}

/** Begins to listen when somebody reads, and makes a text only when it is asked for. */
function streamOf({ take, listen, mayStill, clock }: StreamOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let listener: Listener | undefined, giveBack: (() => void) | undefined, lookedMs = clock.nowMs();
  const end = () => {
    listener?.end();
    giveBack?.();
    giveBack = undefined;
  };
  return new ReadableStream({
    async pull(controller) {
      if (!listener) {
        giveBack = take();
        if (!giveBack) return controller.close();
        listener = listen();
        return controller.enqueue(encoder.encode(listener.first()));
      }
      const text = await listener.next();
      if (text === undefined) return;
      // After it has been waited for: what is told is told to who may hear it then.
      const nowMs = clock.nowMs();
      if (Math.abs(nowMs - lookedMs) >= RIGHTS_MS) {
        if (!await mayStill()) {
          end();
          controller.enqueue(encoder.encode("event: end\ndata: {}\n\n"));
          return controller.close();
        }
        lookedMs = nowMs;
      }
      controller.enqueue(encoder.encode(text));
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

/** One who listens, and what waits for it. */
class Listener {
  readonly #clock: Clock;
  readonly #stop: () => void;
  #waiting: Entry[];
  /** What cannot be told any more: to be listed anew, as far as the record that has this id. */
  #reset: string | undefined;
  #isEnded = false;
  #wake = () => {};

  constructor(replica: Replica, clock: Clock, after: string | undefined) {
    this.#clock = clock;
    const missed = after === undefined ? [] : entriesAfter(replica, after);
    this.#waiting = missed ?? [];
    if (!missed || missed.length > WAITING_MAX) this.#skip(newestOf(replica));
    this.#stop = replica.onChange((differences) => {
      for (const { key, before, after } of differences) {
        if (after && !before && key.startsWith(PREFIXES.audit)) this.#take(after);
      }
    });
  }

  /** What there is to be said at once. */
  first(): string {
    return this.#waitingText() ?? ": listening\n\n";
  }

  /** The next text, once there is one; undefined at the end. */
  async next(): Promise<string | undefined> {
    for (;;) {
      if (this.#isEnded) return undefined;
      const text = this.#waitingText();
      if (text !== undefined) return text;
      if (!await this.#more()) return ": still here\n\n";
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#stop();
    this.#wake();
  }

  #waitingText(): string | undefined {
    if (this.#reset !== undefined) {
      const text = `id: ${this.#reset}\nevent: reset\ndata: {}\n\n`;
      this.#reset = undefined;
      return text;
    }
    for (let entry = this.#waiting.shift(); entry; entry = this.#waiting.shift()) {
      const record = recordIn(entry.value);
      if (record && isNews(record)) return eventText(record);
    }
    return undefined;
  }

  #take(entry: Entry): void {
    if (this.#waiting.length >= WAITING_MAX) this.#skip(entry);
    else this.#waiting.push(entry);
    this.#wake();
  }

  #skip(upTo: Entry | undefined): void {
    this.#waiting = [];
    const record = upTo && recordIn(upTo.value);
    this.#reset = record ? idOf(record) : "";
  }

  /** Whether more has come before it is time to show that this is still here. */
  #more(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cancel = this.#clock.after(KEEP_ALIVE_MS, () => resolve(false));
    this.#wake = () => {
      cancel();
      resolve(true);
    };
    return promise;
  }
}

/** An event is known by its record: who lost the connection asks for what came after the last. */
function eventText(record: AuditRecord): string {
  return `id: ${idOf(record)}\nevent: ${record.action}\ndata: ${JSON.stringify(record)}\n\n`;
}

function idOf({ server, number }: AuditRecord): string {
  return `${server}/${number}`;
}

/** What was written after a record, in the order in which it was; undefined where there is no such record. */
function entriesAfter(replica: Replica, id: string): Entry[] | undefined {
  const [, server, number] = /^(.+)\/(\d{1,12})$/.exec(id) ?? [];
  const last = server === undefined ? undefined : replica.get(KEYS.auditRecord(server, Number(number)));
  if (!last) return undefined;
  // One transaction writes one chain, in which the order of keys is that of numbers.
  const isAfter = ({ key, revision }: Entry) =>
    revision > last.revision || revision === last.revision && key > last.key;
  return replica.below(PREFIXES.audit).filter(isAfter).toArray()
    .sort((a, b) => a.revision - b.revision || (a.key < b.key ? -1 : 1));
}

function newestOf(replica: Replica): Entry | undefined {
  let newest: Entry | undefined;
  for (const entry of replica.below(PREFIXES.audit)) {
    const isNewer = !newest || entry.revision > newest.revision ||
      entry.revision === newest.revision && entry.key > newest.key;
    if (isNewer) newest = entry;
  }
  return newest;
}

/** That the log was signed is nobody's news. */
function isNews({ action }: AuditRecord): boolean {
  return action !== WITNESS_ACTION;
}
