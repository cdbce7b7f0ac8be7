/**
 * The directive's options, as a table, and what they add up to.
 *
 * @module
 */

import {
  type Arguments,
  CorefileError,
  type Directive,
  type Name,
  type Options,
  parseName,
} from "../../core/plugin.ts";
import { KINDS } from "./check.ts";
import type { Timing } from "./state.ts";

/** A value and the option that gave it, for errors that only show when all is read. */
export interface Placed<T> {
  readonly value: T;
  readonly directive: Directive;
}

/** What holds where the Corefile says nothing. */
export const DEFAULTS: Timing = Object.freeze({
  intervalMs: 10_000,
  timeoutMs: 3000,
  fall: 3,
  rise: 6,
  slowFlap: Object.freeze({ failures: 5, clear: 6 }),
  confirm: true,
  holdDown: Object.freeze({ firstMs: 60_000, maxMs: 1_800_000 }),
  rampMs: 120_000,
  slowMs: Infinity,
});

const HOUR_MS = 3_600_000;

/** The block of `health`. README.md has what each means. */
export const options = {
  check: {
    usage: `check [NAME] ${KINDS.join("|")} …`,
    repeats: true,
    // The check itself is read once the folder of the Corefile is known: a private CA is a file.
    read: (args: Arguments, directive: Directive) => (args.rest(), directive),
  },
  watch: { usage: "watch NAME...", repeats: true, read: readWatch },
  interval: {
    usage: "interval DURATION",
    read: placed((args) => args.durationMs("DURATION", { min: 1000, max: HOUR_MS })),
  },
  timeout: {
    usage: "timeout DURATION",
    read: placed((args) => args.durationMs("DURATION", { min: 10, max: HOUR_MS })),
  },
  fall: { usage: "fall COUNT", read: placed((args) => args.whole("COUNT", { min: 1, max: 100 })) },
  rise: { usage: "rise COUNT", read: placed((args) => args.whole("COUNT", { min: 1, max: 100 })) },
  "slow-flap": { usage: "slow-flap COUNT ok COUNT | off", read: placed(readSlowFlap) },
  confirm: { usage: "confirm on|off", read: placed((args) => args.onOff("confirm")) },
  "hold-down": { usage: "hold-down FIRST MAX | off", read: placed(readHoldDown) },
  ramp: { usage: "ramp DURATION | off", read: placed((args) => orOff(args, () => span(args)) ?? 0) },
  degraded: { usage: "degraded latency DURATION | failing SHARE", repeats: true, read: placed(readDegraded) },
  lameduck: {
    usage: "lameduck DURATION",
    read: placed((args) => args.durationMs("DURATION", { max: HOUR_MS })),
  },
} satisfies Options;

/** The options that only node health has a use for. */
export const NODE_HEALTH_OPTIONS = Object.keys(options).filter((name) =>
  name !== "lameduck" && name !== "check"
);

function placed<T>(read: (args: Arguments) => T) {
  return (args: Arguments, directive: Directive): Placed<T> => ({ value: read(args), directive });
}

function orOff<T>(args: Arguments, read: () => T): T | undefined {
  return args.take("off") ? undefined : read();
}

function span(args: Arguments): number {
  return args.durationMs("DURATION", { min: 1000, max: 24 * HOUR_MS });
}

function readSlowFlap(args: Arguments): Timing["slowFlap"] {
  return orOff(args, () => {
    const failures = args.whole("COUNT", { min: 2, max: 1000 });
    args.oneOf("the word after COUNT", ["ok"]);
    return { failures, clear: args.whole("COUNT", { min: 1, max: 1000 }) };
  });
}

function readHoldDown(args: Arguments): Timing["holdDown"] {
  return orOff(args, () => {
    const firstMs = span(args);
    return { firstMs, maxMs: args.durationMs("MAX", { min: firstMs, max: 24 * HOUR_MS }) };
  });
}

function readDegraded(args: Arguments): { latencyMs: number } | { failingShare: number } {
  return args.oneOf("the kind", ["latency", "failing"]) === "latency"
    ? { latencyMs: args.durationMs("DURATION", { min: 1, max: HOUR_MS }) }
    : { failingShare: args.share("SHARE", { min: 0, max: 1 }) };
}

function readWatch(args: Arguments, directive: Directive): { name: Name; token: Directive["name"] }[] {
  const tokens = args.rest();
  if (tokens.length === 0) throw new CorefileError(directive.name, "watch: want at least one NAME: got none");
  return tokens.map((token) => {
    try {
      return { name: parseName(token.text), token };
    } catch (error) {
      throw new CorefileError(token, `watch: ${(error as Error).message}`);
    }
  });
}
