/**
 * How an exchange fails, and how long it may take.
 *
 * @module
 */

import type { Clock } from "../../core/plugin.ts";

/** An exchange that failed. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly kind: "timeout" | "network" | "malformed";

  constructor(kind: ExchangeError["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A signal that aborts after `delayMs` of the clock, or when `also` does. Disposing of it stops the clock. */
export function expiring(
  clock: Clock,
  delayMs: number,
  also?: AbortSignal,
): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const cancel = clock.after(delayMs, () => controller.abort());
  const signal = also ? AbortSignal.any([also, controller.signal]) : controller.signal;
  return { signal, [Symbol.dispose]: cancel };
}

/** Whatever the system throws becomes an ExchangeError; after an abort it is a timeout, for that closed the socket. */
export async function guarded<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    if (signal.aborted) throw timedOut();
    return await work();
  } catch (error) {
    if (error instanceof ExchangeError) throw error;
    if (signal.aborted) throw timedOut();
    throw new ExchangeError("network", error instanceof Error ? error.message : String(error));
  }
}

/** What `promise` comes to, unless the signal aborts first: then it goes on unheard. */
export async function orTimeout<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw timedOut();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(timedOut());
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Closes `resource` when disposed of, or when `signal` aborts: once. */
export function closing(resource: { close(): void }, signal: AbortSignal): Disposable {
  const close = () => {
    signal.removeEventListener("abort", close);
    resource.close();
  };
  if (signal.aborted) resource.close();
  else signal.addEventListener("abort", close);
  return {
    [Symbol.dispose]: () => {
      if (!signal.aborted) close();
    },
  };
}

function timedOut(): ExchangeError {
  return new ExchangeError("timeout", "timed out");
}
