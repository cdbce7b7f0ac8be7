/** Waiting for something no longer than one is willing to. @module */

import type { Clock } from "../clock.ts";

/** The time that there was is over. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** Somebody else, who gave the signal, does not want it any more. */
export class GivenUpError extends Error {
  override readonly name = "GivenUpError";
}

/**
 * Runs `work` with a signal that aborts after `timeoutMs`, or when `outer` does.
 *
 * @throws {TimeoutError} When the time was over first.
 * @throws {GivenUpError} When `outer` aborted first.
 */
export async function within<T>(
  clock: Clock,
  timeoutMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const giveUp = () => controller.abort(new GivenUpError("given up"));
  const cancel = clock.after(
    timeoutMs,
    () => controller.abort(new TimeoutError(`no answer within ${Math.round(timeoutMs)} ms`)),
  );
  outer.addEventListener("abort", giveUp);
  try {
    if (outer.aborted) giveUp();
    return await Promise.race([aborted(controller.signal), work(controller.signal)]);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    cancel();
    outer.removeEventListener("abort", giveUp);
    // Whatever lost the race ends as well.
    controller.abort(new GivenUpError("given up"));
  }
}

/** Closes a socket when `signal` aborts, or at the end of the block that uses it, once. */
export function closing(socket: { close(): void }, signal: AbortSignal): Disposable {
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    try {
      socket.close();
    } catch {
      // The other side, or an error, has closed it.
    }
  };
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  return {
    [Symbol.dispose]() {
      signal.removeEventListener("abort", close);
      close();
    },
  };
}

/** Never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}
