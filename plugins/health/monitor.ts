/**
 * Keeps the targets of all blocks probed and judged: one probe a target, whoever wants to know.
 *
 *     blocks --want--> Monitor --jobs--> Prober (a worker)
 *                         |  <--reports--
 *                         +--verdicts, deadlines--> fleet hub
 *
 * The schedule and the states live here, in the control isolate; the worker only probes.
 *
 * @module
 */

import type { TargetKey, VerdictDeadline } from "../../core/fleet/verdict.ts";
import type { Clock, ControlScope, Log } from "../../core/plugin.ts";
import { Audience, type Hub } from "./audience.ts";
import { Keeper } from "./keeper.ts";
import { type Handed, readHanded, readKept } from "./kept.ts";
import type { MakeProber, Prober, ProbeReport } from "./prober.ts";
import type { ProbeTarget } from "./probes/probe.ts";
import { Reporter } from "./reporter.ts";
import { drawBeatsFromMs, firstProbeMs, nextProbeMs, probeBeatMs, Schedule } from "./schedule.ts";
import {
  adopt,
  deadlines,
  type Event,
  isForgettable,
  isSuspect,
  next,
  notAfter,
  type TargetState,
  type Timing,
  unknownState,
  verdict,
  wakeMs,
} from "./state.ts";
import { Untold } from "./untold.ts";

/** A target to keep probed. */
export interface Target extends ProbeTarget {
  readonly timing: Timing;
}

/** What a monitor is given. */
export interface MonitorOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly count: ControlScope["count"];
  readonly observe: ControlScope["observe"];
  readonly makeProber: MakeProber;
  /** When probes begin: whatever else a start has to do comes first. */
  readonly onServing: (then: () => void) => void;
  readonly stateDirectory?: string;
}

/** A target and all that is known of it. */
interface Watched {
  target: Target;
  state: TargetState;
  /** When the next probe starts, or when the one under way did. */
  probeMs: number;
  /** The probe under way. */
  jobId?: number;
  /** Whether a probe has ended, now or in an earlier run. */
  isKnown: boolean;
  deadline?: VerdictDeadline;
}

/** Probes under way at a time; more wait their turn. Each takes a descriptor, of which a process often has 1024. */
const UNDER_WAY_MAX = 512;

/** A new state may wait so long to be written down, and one that does not change for the file to say so. */
const KEEP_MS = 5000, KEEP_UNCHANGED_MS = 60_000;

/** A probe that starts later than this is counted as late. */
const LATE_MS = 1000;

/** Probes what its owners want. Closed by its last owner. */
export class Monitor {
  readonly #options: MonitorOptions;
  /** From when beats are counted on which targets are probed. */
  readonly #beatsFromMs: number;
  readonly #prober: Prober;
  readonly #owners = new Map<object, { targets: ReadonlyMap<TargetKey, Target>; hub: Hub }>();
  readonly #audience = new Audience();
  /** What another process handed over of targets that nobody wants yet. */
  readonly #handed = new Map<TargetKey, Handed>();
  readonly #watched = new Map<TargetKey, Watched>();
  readonly #jobs = new Map<number, TargetKey>();
  readonly #probes = new Schedule();
  readonly #wakes = new Schedule();
  readonly #kept: Map<TargetKey, TargetState>;
  readonly #keeper: Keeper | undefined;
  readonly #reporter: Reporter;
  readonly #untold = new Untold((news) => this.#audience.tell(news));
  #timer: { atMs: number; cancel: () => void } | undefined;
  #lastJobId = 0;
  #pumpedMs = -Infinity;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#beatsFromMs = drawBeatsFromMs(options.random());
    const { stateDirectory } = options;
    const path = stateDirectory && `${stateDirectory}/health.json`;
    this.#kept = path ? readKept(path, options.log) : new Map();
    this.#keeper = path ? new Keeper(path, () => this.#states(), options) : undefined;
    this.#reporter = new Reporter(options);
    this.#prober = options.makeProber(
      (reports) => this.#take(reports),
      (message) => options.log.error(`health: ${message}`),
      options.onServing,
    );
  }

  /** Replaces what `owner` wants probed, and told to `hub`. A target that was there before keeps its state. */
  want(owner: object, targets: ReadonlyMap<TargetKey, Target>, hub: Hub): void {
    this.#owners.set(owner, { targets, hub });
    this.#reconcile();
  }

  /** Whether each target that `owner` wants has been probed. */
  isKnown(owner: object): boolean {
    return [...this.#owners.get(owner)?.targets.keys() ?? []].every((key) => this.#watched.get(key)!.isKnown);
  }

  /** Forgets `owner`. @returns Whether it was the last. */
  release(owner: object): boolean {
    this.#owners.delete(owner);
    if (this.#owners.size === 0) return true;
    this.#reconcile();
    return false;
  }

  /** All that is known of every target, for a process that goes on without a gap. Plain data. */
  handOver(): { readonly targets: Readonly<Record<TargetKey, Handed>> } {
    const entries = [...this.#watched].map(([key, { state, probeMs }]) => [key, { state, probeMs }]);
    return { targets: Object.fromEntries(entries) };
  }

  /** Goes on from what {@linkcode handOver} gave in another process; from anything else, does not. */
  takeOver(given: unknown): void {
    for (const [key, handed] of readHanded(given)) this.#handed.set(key, handed);
  }

  /** Ends the probes and keeps the states. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#prober.close();
    await this.#keeper?.close();
  }

  #states(): Map<TargetKey, TargetState> {
    return new Map([...this.#watched].map(([key, { state }]) => [key, state]));
  }

  #reconcile(): void {
    const wanted = new Map([...this.#owners.values()].flatMap(({ targets }) => [...targets]));
    for (const key of this.#watched.keys()) if (!wanted.has(key)) this.#remove(key);
    this.#forget();
    for (const [key, target] of wanted) {
      const watched = this.#watched.get(key);
      if (watched) watched.target = target;
      else this.#add(key, target, wanted.size);
    }
    this.#audience.change(this.#wantedByHub(), (key) => {
      const { state, deadline } = this.#watched.get(key)!;
      return { verdict: verdict(state), deadline };
    });
    this.#untold.hurry();
    this.#pump();
  }

  #wantedByHub(): Map<Hub, Set<TargetKey>> {
    const wanted = new Map<Hub, Set<TargetKey>>();
    for (const { targets, hub } of this.#owners.values()) {
      wanted.set(hub, (wanted.get(hub) ?? new Set()).union(new Set(targets.keys())));
    }
    return wanted;
  }

  #add(key: TargetKey, target: Target, count: number): void {
    const nowMs = this.#options.clock.nowMs();
    const watched = this.#handedOver(key, target, nowMs) ?? this.#begun(key, target, count, nowMs);
    this.#watched.set(key, watched);
    this.#probes.set(key, watched.probeMs);
    this.#wakeFor(key, watched);
    this.#showDeadline(key, watched);
  }

  #begun(key: TargetKey, target: Target, count: number, nowMs: number): Watched {
    const kept = this.#kept.get(key);
    const state = kept ? adopt(kept, nowMs) : unknownState(nowMs);
    const probeMs = firstProbeMs(key, target.timing.intervalMs, count, nowMs);
    return { target, state, probeMs, isKnown: kept !== undefined };
  }

  /** A probe that was under way is made again: what comes of the other one is another process's. */
  #handedOver(key: TargetKey, target: Target, nowMs: number): Watched | undefined {
    const handed = this.#handed.get(key);
    if (!handed || !this.#handed.delete(key)) return undefined;
    const probeMs = Math.max(handed.probeMs, nowMs);
    return { target, state: notAfter(nowMs, handed.state), probeMs, isKnown: true };
  }

  #remove(key: TargetKey): void {
    const { jobId, state } = this.#watched.get(key)!;
    if (jobId !== undefined) this.#jobs.delete(jobId);
    this.#kept.set(key, state);
    this.#watched.delete(key);
    this.#probes.delete(key);
    this.#wakes.delete(key);
    this.#untold.forget(key);
  }

  /** Lets go of what nobody probes and what is of no use any more. */
  #forget(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [key, state] of this.#kept) if (isForgettable(state, nowMs)) this.#kept.delete(key);
  }

  /** Starts what is due, as far as there is room, and sets the timer for what comes next. */
  #pump(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#startOverIfSetBack(nowMs);
    for (const { key } of this.#wakes.takeDue(nowMs, Infinity)) {
      this.#apply(key, this.#watched.get(key)!, { kind: "time", atMs: nowMs });
    }
    const due = this.#probes.takeDue(nowMs, UNDER_WAY_MAX - this.#jobs.size);
    if (due.length > 0) this.#prober.run(due.map(({ key, atMs }) => this.#job(key, atMs, nowMs)));
    this.#untold.publish(nowMs);
    this.#arm(nowMs);
  }

  #job(key: TargetKey, dueMs: number, nowMs: number) {
    const watched = this.#watched.get(key)!;
    const { address, check, timing } = watched.target;
    const lagMs = Math.max(0, nowMs - dueMs);
    this.#options.observe("meridian_health_probe_lag_seconds", lagMs / 1000);
    if (lagMs > LATE_MS) this.#options.count("meridian_health_probes_late_total");
    const id = ++this.#lastJobId;
    this.#jobs.set(id, key);
    watched.jobId = id;
    watched.probeMs = nowMs;
    return { id, address, check, timeoutMs: timing.timeoutMs };
  }

  /** One timer for everything. */
  #arm(nowMs: number): void {
    const hasRoom = this.#jobs.size < UNDER_WAY_MAX;
    const atMs = Math.min(
      this.#wakes.nextMs(),
      hasRoom ? this.#probes.nextMs() : Infinity,
      this.#untold.dueMs,
    );
    if (this.#timer?.atMs === atMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === Infinity) return;
    const cancel = this.#options.clock.after(Math.ceil(atMs - nowMs), () => {
      this.#timer = undefined;
      this.#untold.joinIfSoon(this.#options.clock.nowMs());
      this.#pump();
    });
    this.#timer = { atMs, cancel };
  }

  /** A clock that was set back: a timetable made by the old time, or a state, would rest until the new one has caught up. */
  #startOverIfSetBack(nowMs: number): void {
    const isSetBack = nowMs < this.#pumpedMs - LATE_MS;
    this.#pumpedMs = nowMs;
    if (!isSetBack) return;
    for (const [key, state] of this.#kept) this.#kept.set(key, notAfter(nowMs, state));
    for (const [key, watched] of this.#watched) this.#startOver(key, watched, nowMs);
  }

  #startOver(key: TargetKey, watched: Watched, nowMs: number): void {
    if (watched.jobId !== undefined) watched.probeMs = nowMs;
    else {
      watched.probeMs = firstProbeMs(key, watched.target.timing.intervalMs, this.#watched.size, nowMs);
      this.#probes.set(key, watched.probeMs);
    }
    const state = notAfter(nowMs, watched.state);
    if (state.sinceMs !== watched.state.sinceMs) this.#untold.setVerdict(key, verdict(state));
    this.#show(key, watched, state);
  }

  #take(reports: readonly ProbeReport[]): void {
    const nowMs = this.#options.clock.nowMs();
    this.#startOverIfSetBack(nowMs);
    for (const report of reports) {
      const key = this.#jobs.get(report.id);
      this.#jobs.delete(report.id);
      if (key !== undefined) this.#judge(key, report, nowMs);
    }
    this.#pump();
  }

  #judge(key: TargetKey, report: ProbeReport, nowMs: number): void {
    const watched = this.#watched.get(key)!;
    delete watched.jobId;
    watched.isKnown = true;
    this.#reporter.probed(watched.target, report);
    // A state that never changes must not look, in the file, as if nobody had looked since.
    this.#keeper?.keepWithin(KEEP_UNCHANGED_MS);
    const event = eventOf(report, nowMs);
    const { timing } = watched.target;
    const state = event ? next(watched.state, event, timing) : watched.state;
    watched.probeMs = nextProbeMs(
      timing,
      isSuspect(state),
      watched.probeMs,
      nowMs,
      this.#options.random(),
      probeBeatMs(timing.intervalMs, this.#watched.size),
      this.#beatsFromMs,
    );
    this.#probes.set(key, watched.probeMs);
    this.#show(key, watched, state);
  }

  #apply(key: TargetKey, watched: Watched, event: Event): void {
    this.#show(key, watched, next(watched.state, event, watched.target.timing));
  }

  /** Takes on a new state, and publishes what of it is new. */
  #show(key: TargetKey, watched: Watched, state: TargetState): void {
    const before = watched.state;
    watched.state = state;
    if (state.state !== before.state) this.#reporter.changed(watched.target, before, state);
    if (state.state !== before.state || state.ramp !== before.ramp) {
      this.#untold.setVerdict(key, verdict(state));
      this.#keeper?.keepWithin(KEEP_MS);
    }
    this.#showDeadline(key, watched);
    this.#wakeFor(key, watched);
  }

  #wakeFor(key: TargetKey, { state, target }: Watched): void {
    const atMs = wakeMs(state, target.timing);
    if (atMs < Infinity) this.#wakes.set(key, atMs);
    else this.#wakes.delete(key);
  }

  #showDeadline(key: TargetKey, watched: Watched): void {
    const deadline = deadlines(
      watched.state,
      watched.target.timing,
      watched.probeMs,
      this.#options.clock.nowMs(),
    );
    this.#untold.setDeadline(key, deadline, watched.deadline);
    watched.deadline = deadline;
  }
}

/** What a report means for a state; nothing, when the failure was this machine's own. */
function eventOf({ ok, local, lagged, latencyMs, reason }: ProbeReport, atMs: number): Event | undefined {
  if (local) return undefined;
  if (!ok) return { kind: "failed", atMs, reason };
  return { kind: "ok", atMs, reason, ...(!lagged && { latencyMs }) };
}
