/**
 * From what is different in a replica to what the control isolate has to know, gathered.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { TargetKey } from "../fleet/verdict.ts";
import type { Log } from "../plugin.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Difference, Replica } from "../state/replica.ts";
import type { Entry } from "../state/store.ts";
import { FleetView } from "./fleet_view.ts";
import { ConfigurationView } from "./configuration_view.ts";
import { ZoneMaker } from "./zone_maker.ts";
import { LEASE_TERMS } from "../registry/lease.ts";
import { LeaseEnds } from "../registry/lease_ends.ts";
import { type LeaseChanges, LivenessView } from "../registry/liveness_view.ts";
import { Namesakes } from "./namesakes.ts";
import type { AllThere, Besides, LeaseNews, News, ServerNews, TargetReport } from "./protocol.ts";
import { isSameReport, readReports } from "./report_record.ts";

/** What a gatherer works with. */
export interface NewsOptions {
  readonly replica: Pick<Replica, "get" | "below" | "onChange" | "revision" | "confirmedMs" | "fault">;
  /** This one's id. */
  readonly server: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "error">;
  tell(news: News): void;
}

/** How long what has happened waits for more. */
const GATHER_MS = 5;

/** How often is told how old what is known is, at the least. */
const TELL_MS = 1000;

/** In about so many turns of the event loop what leases have to take is taken. */
const TURNS = 64;

type Draft = { -readonly [K in keyof News]: News[K] };

const NO_CHANGES: LeaseChanges = Object.freeze({ verdicts: {}, deadlines: {} });

/** See the module. */
export class NewsGatherer {
  readonly #options: NewsOptions;
  readonly #fleet = new FleetView();
  readonly #leases: LivenessView;
  readonly #zones: ZoneMaker;
  readonly #configuration: ConfigurationView;
  readonly #namesakes = new Namesakes();
  /** When this began; undefined once it has been told which zones the store has. */
  #untoldSinceMs: number | undefined;
  #draft: Partial<Draft> = {};
  /** What leases are yet to take, in the order in which it came. */
  #untaken: Difference[] = [];
  readonly #ends = new LeaseEnds();
  #toldMs = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #cancelTelling: () => void = () => {};
  #stop: () => void = () => {};

  constructor(options: NewsOptions) {
    this.#options = options;
    this.#leases = new LivenessView(LEASE_TERMS, (node, error) => this.#complain(KEYS.node(node), error));
    this.#configuration = new ConfigurationView(options.server, options.replica);
    this.#zones = new ZoneMaker({
      ...options,
      tell: (zones) => {
        this.#draft.zones = { ...this.#draft.zones, ...zones };
        this.#tell();
      },
    });
  }

  /** Tells all that is known, and from then on what is different. */
  start(): void {
    const { replica, clock } = this.#options;
    this.#untoldSinceMs = clock.nowMs();
    this.#take([...replica.below("")].map((after) => ({ key: after.key, after })), true);
    this.#draft.zones = this.#zones.start();
    this.#tell();
    this.#stop = replica.onChange((differences) => {
      this.#take(differences, false);
      this.#zones.makeSoon();
      this.#tellSoon();
    });
  }

  close(): void {
    this.#stop();
    this.#cancelTimer?.();
    this.#cancelTelling();
    this.#zones.close();
  }

  /** What decides over overrides besides the store. */
  takeBesides(besides: Besides): void {
    this.#fleet.takeBesides(besides);
    this.#tellSoon();
  }

  #tellSoon(): void {
    this.#cancelTimer ??= this.#options.clock.after(GATHER_MS, () => this.#tell());
  }

  /** Leases end by time alone: then at once. */
  #tellLater(): void {
    const { clock } = this.#options, inMs = this.#leases.nextMs - clock.nowMs();
    this.#cancelTelling();
    this.#cancelTelling = clock.after(Math.max(GATHER_MS, Math.min(TELL_MS, inMs)), () => this.#tell());
  }

  /** What is to be told, once all that has come has been looked at: nobody waits for more of it at a time than one bucket. */
  #tell(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#takeSome();
    if (this.#untaken.length > 0) this.#cancelTimer = this.#options.clock.after(0, () => this.#tell());
    else this.#tellAll();
  }

  #tellAll(): void {
    const { replica: { revision, confirmedMs, fault }, clock, tell } = this.#options, nowMs = clock.nowMs();
    this.#gatherLeases(nowMs);
    const draft = this.#draft;
    const nodes = this.#orNothing("nodes", () => this.#fleet.changedNodes());
    const pools = this.#orNothing("pools", () => this.#fleet.changedPools());
    const overrides = this.#orNothing("overrides", () => this.#fleet.changedOverrides(nowMs));
    const configuration = this.#changedConfiguration(), zoneNames = this.#confirmedZones(confirmedMs);
    const changes: Partial<Draft> = {
      ...draft,
      ...nodes && { nodes },
      ...pools && { pools },
      ...overrides && { overrides },
      ...zoneNames && { zoneNames, allThere: this.#allThere() },
      ...configuration !== undefined && { configuration },
    };
    this.#draft = {};
    this.#tellLater();
    // Of thousands of leases some might end every few milliseconds, and does not: that is no news.
    const isDue = nowMs - this.#toldMs >= TELL_MS || nowMs < this.#toldMs;
    if (!isDue && Object.keys(changes).length === 0) return;
    this.#toldMs = nowMs;
    tell({
      ...changes,
      revision,
      ...confirmedMs !== undefined && { confirmedMs },
      ...fault && { fault: fault.message },
    });
  }

  /** All zones, once: as soon as they are the store's, and not merely what was kept of it. */
  #confirmedZones(confirmedMs = -Infinity): readonly string[] | undefined {
    if (this.#untoldSinceMs === undefined || confirmedMs < this.#untoldSinceMs) return undefined;
    this.#untoldSinceMs = undefined;
    return this.#zones.names;
  }

  #allThere(): AllThere {
    const { replica } = this.#options;
    const under = (prefix: string) =>
      Array.from(replica.below(prefix), ({ key }) => key.slice(prefix.length));
    return {
      servers: under(PREFIXES.servers).map(namePart),
      nodes: under(PREFIXES.nodes).map(namePart),
      pools: under(PREFIXES.pools).map(namePart),
      leases: Array.from(this.#leases.entries(), ([, { target }]) => target),
      reporters: [...new Set(under(PREFIXES.reports).map((rest) => namePart(rest.split("/")[0]!)))],
    };
  }

  /** Of a store that never said anything nobody knows what it wants. */
  #changedConfiguration(): News["configuration"] {
    if (this.#options.replica.confirmedMs === undefined) return undefined;
    return this.#orNothing("the configuration", () => this.#configuration.change());
  }

  #gatherLeases(nowMs: number): void {
    const { verdicts, deadlines } = this.#orNothing("leases", () => this.#leases.changes(nowMs)) ??
      NO_CHANGES;
    for (const key in verdicts) {
      const verdict = verdicts[key];
      this.#addLease(key, verdict ? { verdict } : null);
    }
    for (const key in deadlines) {
      const deadline = deadlines[key];
      // Where a lease merely goes on, its end is moved for all who look.
      const told = deadline && this.#ends.take(key, deadline);
      if (!deadline) this.#ends.drop(key);
      if (told) this.#addLease(key, { deadline: told });
    }
  }

  #addLease(key: TargetKey, news: LeaseNews | null): void {
    const leases: Record<TargetKey, LeaseNews | null> = this.#draft.leases ??= {};
    leases[key] = news && { ...leases[key], ...news };
  }

  /** Up to the next bucket of those who were heard: there are hundreds in one. Where very many wait, a few at a time. */
  #takeSome(): void {
    let buckets = Math.ceil(this.#untaken.length / TURNS), count = 0;
    while (buckets > 0 && count < this.#untaken.length) {
      if (this.#untaken[count++]!.key.startsWith(PREFIXES.alive)) buckets--;
    }
    if (count === 0) return;
    const { clock } = this.#options;
    for (const difference of this.#untaken.splice(0, count)) {
      this.#orNothing(difference.key, () => this.#leases.take([difference], clock.nowMs()));
    }
    this.#gatherLeases(clock.nowMs());
  }

  /** Of what cannot be made out nothing is told, and the rest is. */
  #orNothing<T>(what: string, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      this.#complain(what, error);
      return undefined;
    }
  }

  #complain(what: string, error: unknown): void {
    this.#options.log.error(`What the store says of ${what} cannot be used: ${error}`);
  }

  #take(differences: readonly Difference[], isKept: boolean): void {
    for (const difference of differences) {
      try {
        if (isKept) this.#leases.take([difference], this.#options.clock.nowMs());
        else this.#untaken.push(difference);
        this.#zones.take(difference);
        this.#configuration.take(difference);
        this.#takeOne(difference, isKept);
      } catch (error) {
        this.#complain(difference.key, error);
      }
    }
  }

  #takeOne({ key, before, after }: Difference, isKept: boolean): void {
    if (key.startsWith(PREFIXES.servers)) {
      const id = namePart(key.slice(PREFIXES.servers.length));
      this.#add("servers", id, after ? this.#serverOf(id, after, isKept) : null);
    } else if (key.startsWith(PREFIXES.reports)) {
      this.#takeReports(key, before, after);
    } else this.#fleet.take({ key, ...before && { before }, ...after && { after } });
  }

  /** A pulse counts from when it came: clocks of servers need not agree. One that was kept came when it was written. */
  #serverOf(id: string, { value }: Entry, isKept: boolean): ServerNews {
    const { instance, region = "", url = "", version = "", digest = "", configuration = "", nowMs = 0 } = JSON
      .parse(value);
    const heardMs = this.#options.clock.nowMs(), pulseMs = isKept ? Math.min(nowMs, heardMs) : heardMs;
    const isTwice = this.#namesakes.take(id, instance, heardMs);
    return { id, region, url, version, digest, configuration, pulseMs, ...isTwice && { isTwice } };
  }

  #takeReports(key: string, before: Entry | undefined, after: Entry | undefined): void {
    const server = namePart(key.slice(PREFIXES.reports.length).split("/")[0]!);
    const old = before ? readReports(before.value) : {}, now = after ? readReports(after.value) : {};
    const told = this.#draft.reports ?? {};
    const changes: Record<string, TargetReport | null> = {
      ...Object.hasOwn(told, server) ? told[server] : undefined,
    };
    for (const target in old) if (!Object.hasOwn(now, target)) changes[target] = null;
    for (const target in now) {
      const isSame = Object.hasOwn(old, target) && isSameReport(old[target]!, now[target]!);
      if (!isSame) changes[target] = now[target]!;
    }
    this.#draft.reports = { ...this.#draft.reports, [server]: changes };
  }

  #add<K extends "servers">(of: K, id: string, value: NonNullable<News[K]>[string]): void {
    this.#draft[of] = { ...this.#draft[of], [id]: value };
  }
}
