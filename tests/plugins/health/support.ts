/** What the tests of health share: directives from text, scopes in memory, a prober that does as it is told. @module */

import { targetEntries, withTargets } from "../../../core/fleet/by_target.ts";
import { ManualClock } from "../../../core/clock.ts";
import { type Directive, formatPosition, Problems } from "../../../core/corefile/directive.ts";
import type { FleetHub, PoolNodes } from "../../../core/fleet/hub.ts";
import type { Node } from "../../../core/fleet/node.ts";
import type { PoolState } from "../../../core/fleet/pool.ts";
import {
  type Answer,
  type ControlScope,
  emptyAnswer,
  type Name,
  parseAddress,
  parseName,
  type ParseScope,
  type Snapshot,
} from "../../../core/plugin.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { directivesOf } from "../../support/directives.ts";
import { type HealthConfig, parse } from "../../../plugins/health/parse.ts";
import type { MakeProber, ProbeJob, ProbeReport } from "../../../plugins/health/prober.ts";
import { controlScopeOf, factsOf, parseScopeOf } from "../../support/scopes.ts";

export const START_MS = 1_700_000_000_000;

/** Reads directives with `read`; what was wrong comes as `LINE:COLUMN message`, warnings marked. */
export function parsed<T>(
  text: string,
  read: (directives: readonly Directive[], scope: ParseScope) => T,
): { config: T | undefined; complaints: string[] } {
  const problems = new Problems();
  const scope = parseScopeOf({ problems, zones: [parseName("example.org")] });
  const config = problems.attempt(() => read(directivesOf(text), scope));
  const say = ({ at, message }: Problems["errors"][number]) =>
    `${formatPosition(at).replace("Corefile:", "")} ${message}`;
  const complaints = [...problems.errors.map(say), ...problems.warnings.map((one) => `warning ${say(one)}`)];
  return { config, complaints };
}

/** The configuration of a `health` directive that has nothing wrong. */
export function configOf(text: string): HealthConfig {
  const { config, complaints } = parsed(text, parse);
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
  return config!;
}

/** A prober that keeps its jobs until told how they ended. */
export class ToldProber {
  readonly jobs: ProbeJob[] = [];
  closed = false;
  #report: (reports: readonly ProbeReport[]) => void = () => {};

  readonly make: MakeProber = (report) => {
    this.#report = report;
    return { run: (jobs) => void this.jobs.push(...jobs), close: () => void (this.closed = true) };
  };

  /** Ends every job under way for which `outcome` has something to say. */
  end(outcome: (job: ProbeJob) => Partial<ProbeReport> | undefined): void {
    const reports: ProbeReport[] = [];
    for (const job of this.jobs.splice(0)) {
      const found = outcome(job);
      if (!found) this.jobs.push(job);
      else {
        const base = { id: job.id, ok: true, latencyMs: 1, reason: "connected", lagged: false, discarded: 0 };
        reports.push({ ...base, ...found });
      }
    }
    if (reports.length > 0) this.#report(reports);
  }
}

/** A control scope whose fleet is the test's own. */
export class FleetScope implements FleetHub, ControlScope {
  readonly clock = new ManualClock(START_MS);
  readonly random = () => 0;
  readonly probing = true;
  readonly facts = factsOf({ zones: [parseName("example.org")] });
  readonly inherited: unknown = undefined;
  readonly process = controlScopeOf().process;
  readonly said: string[] = [];
  readonly counted: string[] = [];
  readonly targets: Record<string, Pick<PoolState, "targets" | "failingShare">> = {};
  readonly published: unknown[] = [];
  answers: (name: Name, type: number) => Answer = () => emptyAnswer(0);
  current: Snapshot = EMPTY_SNAPSHOT;
  stateDirectory?: string;
  readonly #owned: { close(): void | Promise<void> }[] = [];
  #pools: PoolNodes[] = [];
  readonly #poolListeners: ((pools: readonly PoolNodes[]) => void)[] = [];
  readonly #listeners: ((snapshot: Snapshot) => void)[] = [];

  observe(): void {}
  gauge(): void {}
  onScrape(): void {}
  onReady(): void {}

  /** What is to be called once the server answers: by the test. */
  readonly waiting: (() => void)[] = [];
  onServing(listener: () => void): void {
    this.waiting.push(listener);
  }

  serveHttp(): void {}
  bequeath(): void {}

  get fleet(): FleetHub {
    return this;
  }

  readonly log = {
    debug: () => {},
    info: (message: string) => void this.said.push(`info ${message}`),
    warn: (message: string) => void this.said.push(`warn ${message}`),
    error: (message: string) => void this.said.push(`error ${message}`),
  };

  setNodes(pool: PoolNodes): void {
    this.setPools([pool], []);
  }

  setPools(pools: readonly PoolNodes[], gone: readonly string[]): void {
    const names = [...gone, ...pools.map(({ policy }) => policy.name)];
    this.#pools = [...this.#pools.filter(({ policy }) => !names.includes(policy.name)), ...pools];
    for (const listener of this.#poolListeners) listener(this.#pools);
  }

  onPools(listener: (pools: readonly PoolNodes[]) => void): void {
    this.#poolListeners.push(listener);
    listener(this.#pools);
  }

  setPartitions(): void {}

  setDegradation(): void {}

  setTargets(pool: string, targets: PoolState["targets"], failingShare: number): void {
    this.targets[pool] = { targets, failingShare };
  }

  setVerdicts(verdicts: Parameters<FleetHub["setVerdicts"]>[0]): void {
    this.#change({ verdicts: withTargets(this.current.verdicts, verdicts), epoch: this.current.epoch + 1 });
  }

  setDeadlines(deadlines: Parameters<FleetHub["setDeadlines"]>[0]): void {
    this.#change({ deadlines: withTargets(this.current.deadlines, deadlines) });
  }

  setOverrides(): void {}

  snapshot(): Snapshot {
    return this.current;
  }

  onSnapshot(listener: (snapshot: Snapshot) => void): void {
    this.#listeners.push(listener);
  }

  publish(value: unknown): void {
    this.published.push(structuredClone(value));
    this.#change({ epoch: this.current.epoch + 1 });
  }

  publishGeography(): void {}

  ask(name: Name, type: number): Promise<Answer> {
    return Promise.resolve(this.answers(name, type));
  }

  beforeStop(): void {}

  own<R extends { close(): void | Promise<void> }>(resource: R): R {
    this.#owned.push(resource);
    return resource;
  }

  readonly count = (name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void => {
    for (let i = 0; i < by; i++) this.counted.push([name, ...Object.values(labels)].join(" "));
  };

  async close(): Promise<void> {
    for (const resource of this.#owned.splice(0).reverse()) await resource.close();
  }

  /** `up`, `down`, …, of each target, by key. */
  states(): Record<string, string> {
    return Object.fromEntries(targetEntries(this.current.verdicts).map(([key, { state }]) => [key, state]));
  }

  #change(change: Partial<Snapshot>): void {
    this.current = { ...this.current, ...change };
    for (const listener of this.#listeners) listener(this.current);
  }
}

/** A pool of block 1 with a node for each address. */
export function poolOf(addresses: readonly string[], more: Partial<PoolNodes> = {}): PoolNodes {
  return {
    policy: { name: "entry.example.org." } as PoolNodes["policy"],
    block: "1",
    nodes: addresses.map(nodeOf),
    ...more,
  };
}

function nodeOf(address: string, number: number): Node {
  return {
    id: `n${number}`,
    ...(parseAddress(address)!.family === 4 ? { ipv4: address } : { ipv6: address }),
    place: { latitude: 0, longitude: 0, country: "", subdivision: "" },
    region: "",
    capacity: 0,
    weight: 1,
    labels: {},
    overlay: [],
    state: "up",
    maintenance: [],
  };
}
