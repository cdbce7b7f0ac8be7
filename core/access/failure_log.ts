/**
 * Failed attempts to show who one is, for the audit log: the first at once, then what comes within a minute as one line
 * with its number. So a flood is told of, and fills no log.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { AuditEvent } from "../state/audit.ts";
import type { Json } from "../state/canonical.ts";

/** One attempt. */
export interface Failure {
  /** The host, as {@linkcode sourceOf} has it. */
  readonly host: string;
  /** What it was wrong about; never a secret. */
  readonly fault: string;
  /** What was guessed at: `token abc…`. */
  readonly subject?: string;
}

/** What failed within a span of time. */
export interface FailureReport {
  readonly count: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** From how many hosts, as far as they were counted. */
  readonly hosts: number;
  /** The first few that differ. */
  readonly examples: readonly Failure[];
}

/** How often there is a line at most, how many examples it has, and how many hosts it counts. */
const EVERY_MS = 60_000, EXAMPLES_MAX = 8, HOSTS_MAX = 1000;

/** Gathers failures. */
export class FailureLog {
  readonly #clock: Clock;
  readonly #report: (report: FailureReport) => void;
  #cancel: (() => void) | undefined;
  #fromMs = 0;
  #count = 0;
  #examples = new Map<string, Failure>();
  #hosts = new Set<string>();

  /** @param report Is told of them; it must not throw. */
  constructor(clock: Clock, report: (report: FailureReport) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** There was one. */
  add(failure: Failure): void {
    if (this.#count++ === 0) this.#fromMs = this.#clock.nowMs();
    const { host, fault, subject = "" } = failure;
    if (this.#examples.size < EXAMPLES_MAX) this.#examples.set(`${host} ${subject} ${fault}`, failure);
    if (this.#hosts.size < HOSTS_MAX) this.#hosts.add(host);
    if (!this.#cancel) this.#tell();
  }

  /** Tells what there is yet to be told. */
  close(): void {
    if (this.#count > 0) this.#tell();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Tells, and waits: if nothing comes until then, the next one is told at once again. */
  #tell(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#count === 0) return;
    const report = {
      ...{ count: this.#count, fromMs: this.#fromMs, untilMs: this.#clock.nowMs() },
      ...{ hosts: this.#hosts.size, examples: [...this.#examples.values()] },
    };
    this.#count = 0;
    this.#examples = new Map();
    this.#hosts = new Set();
    this.#cancel = this.#clock.after(EVERY_MS, () => this.#tell());
    this.#report(report);
  }
}

/** A report of nodes that wanted to be of the fleet, and were refused. */
export function refusedNodesEvent(report: FailureReport): AuditEvent {
  return { ...failureEvent(report), action: "registration.fail", subject: "registrations" };
}

/** A report as the audit log has it. */
export function failureEvent(report: FailureReport): AuditEvent {
  return {
    ...{ actor: "nobody", action: "authentication.fail", subject: "api" },
    after: report as unknown as Json,
  };
}
