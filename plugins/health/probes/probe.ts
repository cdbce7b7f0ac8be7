/**
 * One probe of one address: runs the check, bounds it in time, and turns whatever happens into a result.
 *
 * @module
 */

import type { Check } from "../check.ts";
import { type Attempt, LocalFault } from "./attempt.ts";
import { probeExec } from "./exec.ts";
import { probeHttp } from "./http.ts";
import { probeIcmp } from "./icmp.ts";
import { probeTcp } from "./tcp.ts";

/** An address, in text form, and what is asked of it. */
export interface ProbeTarget {
  readonly address: string;
  readonly check: Check;
}

/** What bounds a probe. */
export interface ProbeLimits {
  readonly timeoutMs: number;
  /** Ends the probe early, as a failure. */
  readonly signal?: AbortSignal;
}

/** What a probe found. */
export interface ProbeResult {
  readonly ok: boolean;
  readonly latencyMs: number;
  /** For people: `connected`, `HTTP 503`, `timed out after 3000 ms`. */
  readonly reason: string;
  /** The failure is this machine's own, a command or a descriptor that is lacking: it says nothing of the target. */
  readonly local?: boolean;
}

/** Runs one probe. Never throws, and is over soon after the timeout whatever the other side does. */
export async function probe({ address, check }: ProbeTarget, limits: ProbeLimits): Promise<ProbeResult> {
  const attempt = await attemptOf(check);
  const startedMs = performance.now();
  const { signal, timedOut, clear } = limitSignal(limits);
  const elapsedMs = () => performance.now() - startedMs;
  try {
    const { reason, latencyMs } = await Promise.race([attempt(address, signal), rejected(signal)]);
    return { ok: true, latencyMs: latencyMs ?? elapsedMs(), reason: printable(reason) };
  } catch (error) {
    const reason = timedOut() ? `timed out after ${limits.timeoutMs} ms` : message(error);
    return { ok: false, latencyMs: elapsedMs(), reason, ...(isLocal(error) && { local: true }) };
  } finally {
    clear();
  }
}

/** What a check does. What only few kinds need of the runtime is loaded with the first of them, before its time runs. */
async function attemptOf(
  check: Check,
): Promise<(address: string, signal: AbortSignal) => ReturnType<Attempt>> {
  switch (check.kind) {
    case "tcp":
      return (address, signal) => probeTcp(address, check, signal);
    case "http":
      return (address, signal) => probeHttp(address, check, signal);
    case "https": {
      const { probeHttps } = await import("./https.ts");
      return (address, signal) => probeHttps(address, check, signal);
    }
    case "dns": {
      const { probeDns } = await import("./dns.ts");
      return (address, signal) => probeDns(address, check, signal);
    }
    case "icmp":
      return (address, signal) => probeIcmp(address, check, signal);
    case "exec":
      return (address, signal) => probeExec(address, check, signal);
  }
}

/** A signal of our own rather than AbortSignal.any, whose sources would gather thousands of dependents. */
function limitSignal({ timeoutMs, signal }: ProbeLimits) {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, timeoutMs);
  const abort = () => controller.abort();
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const clear = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    // What the attempt still holds is let go of, also after a success.
    controller.abort();
  };
  return { signal: controller.signal, timedOut: () => late, clear };
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Error("stopped"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}

function isLocal(error: unknown): boolean {
  return error instanceof LocalFault ||
    (error instanceof Error && /Too many open files|os error (23|24)\b|EMFILE|ENFILE/.test(error.message));
}

/** `Connection refused (os error 111)` as `connection refused`. */
function message(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/ \(os error \d+\)$/, "");
  const line = printable(text.split("\n", 1)[0]!.slice(0, 200));
  return /^[A-Z][a-z]/.test(line) ? line[0]!.toLowerCase() + line.slice(1) : line;
}

/** What the other side sent must not forge a line of the log. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "?");
}
