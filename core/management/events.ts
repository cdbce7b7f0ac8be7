/**
 * What happens, as it happens: differences of the replica as events with ids, so that who lost the connection goes on where
 * it broke off. Ids are a revision and a number within it, the same on every server of one store as long as that server has
 * followed it; what is too long ago, or cannot be told, is told as `reset`: list anew, and go on from there.
 *
 * @module
 */

import type { Json } from "../state/canonical.ts";
import { namePart, PREFIXES } from "../state/keys.ts";
import type { Difference, Replica } from "../state/replica.ts";
import { zoneOfKey } from "./zone_keys.ts";

/** Something that happened. */
export interface FleetEvent {
  /** `REVISION.NUMBER`: `17.2`. */
  readonly id: string;
  /** `node.created`, `override.deleted`, …; `reset`: what happened before cannot be told. */
  readonly type: string;
  /** As in paths: `nodes/fra1`. Absent of `reset`. */
  readonly subject?: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** What is told of, by the beginning of keys: the word for it. All else is nobody's business, or changes all the time. */
const TOLD: Readonly<Record<string, string>> = {
  [PREFIXES.nodes]: "node",
  [PREFIXES.pools]: "pool",
  [PREFIXES.overrides]: "override",
  [PREFIXES.zones]: "zone",
  [PREFIXES.records]: "rrset",
  [PREFIXES.servers]: "server",
  [PREFIXES.approvals]: "approval",
  [PREFIXES.audit]: "audit",
  "config/current": "configuration",
  "config/stage": "configuration-stage",
  [PREFIXES.configurationSeen]: "configuration-seen",
  "demand/current": "demand",
};

/** What of `servers/ID` changes with each pulse and says nothing else. */
const PULSE = ["nowMs", "notedMs", "instance"];

/** How many events are kept for those who come back. */
const KEPT_MAX = 10_000;

/** How many may wait for one who is slow. */
const WAITING_MAX = 1000;

/** Tells everybody who follows of what happens. */
export class EventSource {
  readonly #kept: FleetEvent[] = [];
  readonly #followers = new Set<Follower>();
  readonly #stop: () => void;
  readonly #replica: Pick<Replica, "revision">;
  /** The id before the first that is kept. */
  #before: string;

  constructor(replica: Pick<Replica, "onChange" | "revision">) {
    this.#replica = replica;
    this.#before = `${replica.revision}.0`;
    this.#stop = replica.onChange((differences) => this.#take(differences));
  }

  /** The id of the last event: who lists now and follows from here misses nothing. */
  get last(): string {
    return this.#kept.at(-1)?.id ?? this.#before;
  }

  /**
   * What happened after `after`, and what happens from now on, until the signal is aborted. Who reads too slowly gets a
   * `reset`, in the place of what was too much.
   *
   * @param isToldOf What the reader may see; by subject and kind.
   */
  async *follow(
    after: string | undefined,
    signal: AbortSignal,
    isToldOf: (event: FleetEvent) => boolean = () => true,
  ): AsyncGenerator<FleetEvent> {
    const follower = new Follower(this.#since(after));
    this.#followers.add(follower);
    const end = () => follower.end();
    signal.addEventListener("abort", end);
    try {
      while (!signal.aborted) {
        const event = follower.next();
        if (!event) await follower.more();
        else if (event.type === "reset" || isToldOf(event)) yield event;
      }
    } finally {
      signal.removeEventListener("abort", end);
      this.#followers.delete(follower);
    }
  }

  close(): void {
    this.#stop();
    for (const follower of this.#followers) follower.end();
  }

  #since(after: string | undefined): FleetEvent[] {
    if (after === undefined) return [];
    const isKnown = isId(after) && compareIds(after, this.#before) >= 0 && compareIds(after, this.last) <= 0;
    if (!isKnown) return [{ id: this.last, type: "reset" }];
    return this.#kept.filter(({ id }) => compareIds(id, after) > 0);
  }

  #take(differences: readonly Difference[]): void {
    const { revision } = this.#replica;
    if (compareIds(`${revision}.0`, this.last) < 0) return this.#restart(revision);
    const events = differences.flatMap((difference) => toldOf(difference) ?? []);
    const first = Number(this.last.split(".")[0]) === revision ? Number(this.last.split(".")[1]) : 0;
    events.forEach((event, i) => this.#keep({ id: `${revision}.${first + i + 1}`, ...event }));
  }

  /** The store was put back to an earlier state: ids begin anew. */
  #restart(revision: number): void {
    this.#kept.length = 0;
    this.#before = `${revision}.0`;
    for (const follower of this.#followers) follower.take({ id: this.#before, type: "reset" });
  }

  #keep(event: FleetEvent): void {
    this.#kept.push(event);
    if (this.#kept.length > KEPT_MAX) this.#before = this.#kept.shift()!.id;
    for (const follower of this.#followers) follower.take(event);
  }
}

/** One who follows, and what waits for it. */
class Follower {
  #waiting: FleetEvent[];
  #more = Promise.withResolvers<void>();

  constructor(waiting: FleetEvent[]) {
    this.#waiting = waiting;
  }

  next(): FleetEvent | undefined {
    return this.#waiting.shift();
  }

  async more(): Promise<void> {
    await this.#more.promise;
    this.#more = Promise.withResolvers();
  }

  take(event: FleetEvent): void {
    if (this.#waiting.length >= WAITING_MAX) this.#waiting = [{ id: event.id, type: "reset" }];
    // A reset covers everything up to it.
    else if (event.type === "reset") this.#waiting = [event];
    else this.#waiting.push(event);
    this.end();
  }

  end(): void {
    this.#more.resolve();
  }
}

/** An event without its id; undefined where there is nothing to be told. */
function toldOf({ key, before, after }: Difference): Omit<FleetEvent, "id"> | undefined {
  const prefix = Object.keys(TOLD).find((prefix) => key.startsWith(prefix));
  if (prefix === undefined) return undefined;
  const what = after ? before ? "changed" : "created" : "deleted";
  const told = { type: `${TOLD[prefix]}.${what}`, subject: subjectOf(key) };
  // What waits for approval may hold what only the approver is to see.
  if (prefix === PREFIXES.approvals) return told;
  const was = before && valueOf(prefix, before.value), is = after && valueOf(prefix, after.value);
  if (was !== undefined && JSON.stringify(was) === JSON.stringify(is)) return undefined;
  return { ...told, ...was !== undefined && { before: was }, ...is !== undefined && { after: is } };
}

function valueOf(prefix: string, text: string): Json {
  const value = JSON.parse(text) as Json;
  if (prefix !== PREFIXES.servers || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !PULSE.includes(key))) as Json;
}

function subjectOf(key: string): string {
  if (!key.startsWith(PREFIXES.records)) return key.split("/").map(namePart).join("/");
  const [, , owner, type] = key.split("/");
  return `records/${zoneOfKey(key).zone}/${namePart(owner!)}/${type}`;
}

function isId(text: string): boolean {
  return /^\d{1,15}\.\d{1,9}$/.test(text);
}

function compareIds(a: string, b: string): number {
  const [[revisionA, numberA], [revisionB, numberB]] = [a, b].map((id) => id.split(".").map(Number)) as [
    [number, number],
    [number, number],
  ];
  return revisionA - revisionB || numberA - numberB;
}
