/**
 * Many errors of one kind told as one line.
 *
 * @module
 */

import { type Pattern, testPattern } from "../../core/pattern/pattern.ts";
import type { Clock, Log } from "../../core/plugin.ts";

/** How loud a line is: the log's own methods. */
export type Level = "debug" | "info" | "warn" | "error";

/** Errors whose message matches are counted for a while, then told as one. Plain data. */
export interface ConsolidateRule {
  readonly durationMs: number;
  /** The duration as it was written. */
  readonly duration: string;
  /** Matched in linear time: a message may quote what a stranger asked for. */
  readonly pattern: Pattern;
  readonly level: Level;
  /** Whether the first of a while is told in full, at once. */
  readonly showFirst: boolean;
}

/** Logs errors, those that a rule matches as a number at the end of the rule's time. */
export class Consolidator {
  readonly #log: Log;
  readonly #windows: readonly Window[];

  constructor(rules: readonly ConsolidateRule[], log: Log, clock: Clock) {
    this.#log = log;
    this.#windows = rules.map((rule) => new Window(rule, log, clock));
  }

  /** `message` is what rules are matched with, the first that fits counts; `line` is what is told. */
  report(message: string, line: string): void {
    const window = this.#windows.find((window) => window.matches(message));
    if (window) window.count(line);
    else this.#log.error(line);
  }

  /** Tells what has been counted so far. */
  close(): void {
    for (const window of this.#windows) window.tell();
  }
}

/** What one rule has counted since its first match. */
class Window {
  readonly #rule: ConsolidateRule;
  readonly #log: Log;
  readonly #clock: Clock;
  #count = 0;
  #cancel: () => void = () => {};

  constructor(rule: ConsolidateRule, log: Log, clock: Clock) {
    this.#rule = rule;
    this.#log = log;
    this.#clock = clock;
  }

  matches(message: string): boolean {
    return testPattern(this.#rule.pattern, message);
  }

  count(line: string): void {
    this.#count++;
    if (this.#count > 1) return;
    this.#cancel = this.#clock.after(this.#rule.durationMs, () => this.tell());
    if (this.#rule.showFirst) this.#log[this.#rule.level](line);
  }

  tell(): void {
    this.#cancel();
    const count = this.#count;
    this.#count = 0;
    const { pattern, duration, level, showFirst } = this.#rule;
    if (count <= (showFirst ? 1 : 0)) return;
    this.#log[level](`plugin/errors: ${count} errors like '${pattern.source}' occurred in last ${duration}`);
  }
}
