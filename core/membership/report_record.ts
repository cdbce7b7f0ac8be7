/**
 * Reports as they lie in the store.
 *
 * @module
 */

import type { TargetKey, VerdictDeadline } from "../fleet/verdict.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import type { TargetReport } from "./protocol.ts";

/** JSON has no infinity: an instant that never comes is not there, one that may have come is 0. */
type WrittenDeadline = Partial<Omit<VerdictDeadline, "steady">>;

/** Reports by target, as text. */
export function writeReports(reports: Iterable<readonly [TargetKey, TargetReport]>): string {
  return canonicalJson(
    Object.fromEntries(
      Array.from(reports, ([key, { deadline, ...verdict }]) => [
        key,
        { ...verdict, ...deadline && { deadline: writeDeadline(deadline) } },
      ]),
    ) as unknown as Json,
  );
}

/** What {@linkcode writeReports} wrote. @throws {SyntaxError} */
export function readReports(text: string): Record<TargetKey, TargetReport> {
  const written: Record<TargetKey, Omit<TargetReport, "deadline"> & { deadline?: WrittenDeadline }> = JSON
    .parse(text);
  return Object.fromEntries(
    Object.entries(written).map(([key, { deadline, ...verdict }]) => [
      key,
      { ...verdict, ...deadline && { deadline: readDeadline(deadline) } },
    ]),
  );
}

/** Whether two reports say the same. */
export function isSameReport(a: TargetReport, b: TargetReport): boolean {
  return a.state === b.state && a.sinceMs === b.sinceMs && a.reason === b.reason && a.ramp === b.ramp &&
    isSameDeadline(a.deadline, b.deadline);
}

function isSameDeadline(a: VerdictDeadline | undefined, b: VerdictDeadline | undefined): boolean {
  if (!a || !b) return a === b;
  return INSTANTS.every((instant) => a[instant] === b[instant]);
}

const INSTANTS = ["downMs", "upMs", "changeMs", "rampMs"] as const;

function writeDeadline(deadline: VerdictDeadline): WrittenDeadline {
  return Object.fromEntries(
    INSTANTS.filter((instant) => deadline[instant] !== Infinity).map((instant) => [
      instant,
      Math.max(0, deadline[instant]),
    ]),
  );
}

function readDeadline(written: WrittenDeadline): VerdictDeadline {
  const { downMs = Infinity, upMs = Infinity, changeMs = Infinity, rampMs = Infinity } = written;
  return { downMs, upMs, changeMs, rampMs, steady: false };
}
