/**
 * From what is different in a replica to what the control isolate has to know, gathered.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import { namePart, PREFIXES } from "../state/keys.ts";
import type { Difference, Replica } from "../state/replica.ts";
import type { Entry } from "../state/store.ts";
import type { News, ServerNews, TargetReport } from "./protocol.ts";
import { isSameReport, readReports } from "./report_record.ts";

/** What a gatherer works with. */
export interface NewsOptions {
  readonly replica: Pick<Replica, "below" | "onChange" | "revision" | "confirmedMs" | "fault">;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  tell(news: News): void;
}

/** How long what has happened waits for more. */
const GATHER_MS = 5;

/** How often is told how old what is known is, at the least. */
const TELL_MS = 1000;

type Draft = { -readonly [K in keyof News]: News[K] };

/** See the module. */
export class NewsGatherer {
  readonly #options: NewsOptions;
  #draft: Partial<Draft> = {};
  #cancelTimer: (() => void) | undefined;
  #cancelTelling: () => void = () => {};
  #stop: () => void = () => {};

  constructor(options: NewsOptions) {
    this.#options = options;
  }

  /** Tells all that is known, and from then on what is different. */
  start(): void {
    const { replica } = this.#options;
    this.#take([...replica.below("")].map((after) => ({ key: after.key, after })), true);
    this.#tell();
    this.#stop = replica.onChange((differences) => {
      this.#take(differences, false);
      this.#cancelTimer ??= this.#options.clock.after(GATHER_MS, () => this.#tell());
    });
    this.#tellLater();
  }

  close(): void {
    this.#stop();
    this.#cancelTimer?.();
    this.#cancelTelling();
  }

  #tellLater(): void {
    this.#cancelTelling = this.#options.clock.after(TELL_MS, () => {
      this.#tell();
      this.#tellLater();
    });
  }

  #tell(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { replica: { revision, confirmedMs, fault }, tell } = this.#options;
    const draft = this.#draft;
    this.#draft = {};
    tell({
      ...draft,
      revision,
      ...confirmedMs !== undefined && { confirmedMs },
      ...fault && { fault: fault.message },
    });
  }

  #take(differences: readonly Difference[], isKept: boolean): void {
    for (const difference of differences) {
      try {
        this.#takeOne(difference, isKept);
      } catch (error) {
        this.#options.log.error(`What the store says of ${difference.key} cannot be used: ${error}`);
      }
    }
  }

  #takeOne({ key, before, after }: Difference, isKept: boolean): void {
    if (key.startsWith(PREFIXES.servers)) {
      const id = namePart(key.slice(PREFIXES.servers.length));
      this.#add("servers", id, after ? this.#serverOf(id, after, isKept) : null);
    } else if (key.startsWith(PREFIXES.reports)) {
      this.#takeReports(key, before, after);
    }
  }

  /** A pulse counts from when it came: clocks of servers need not agree. One that was kept came when it was written. */
  #serverOf(id: string, { value }: Entry, isKept: boolean): ServerNews {
    const { region = "", url = "", version = "", digest = "", configuration = "", nowMs = 0 } = JSON.parse(
      value,
    );
    const pulseMs = isKept ? Math.min(nowMs, this.#options.clock.nowMs()) : this.#options.clock.nowMs();
    return { id, region, url, version, digest, configuration, pulseMs };
  }

  #takeReports(key: string, before: Entry | undefined, after: Entry | undefined): void {
    const server = namePart(key.slice(PREFIXES.reports.length).split("/")[0]!);
    const old = before ? readReports(before.value) : {}, now = after ? readReports(after.value) : {};
    const changes: Record<string, TargetReport | null> = { ...this.#draft.reports?.[server] };
    for (const target in old) if (!(target in now)) changes[target] = null;
    for (const target in now) {
      if (!old[target] || !isSameReport(old[target], now[target]!)) changes[target] = now[target]!;
    }
    this.#draft.reports = { ...this.#draft.reports, [server]: changes };
  }

  #add<K extends "servers">(of: K, id: string, value: NonNullable<News[K]>[string]): void {
    this.#draft[of] = { ...this.#draft[of], [id]: value };
  }
}
