/**
 * How an exchange fails, and how long it may take.
 *
 * @module
 */

/** An exchange that failed. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly kind: "timeout" | "network" | "malformed";

  constructor(kind: ExchangeError["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
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

/** The failure of who waited for nothing. */
export function timedOut(): ExchangeError {
  return new ExchangeError("timeout", "timed out");
}
