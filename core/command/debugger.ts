/**
 * Keeps the runtime's debugger shut. At a SIGUSR1, which is a reload here and for CoreDNS, Deno 2.9.2 and later also opens
 * an inspector on 127.0.0.1:9229 that asks nobody who he is: any user of the machine could run code as the server. There is
 * no option against it, so it is closed as soon as it is there. Who started the program with `--inspect` keeps it.
 *
 * @module
 */

import inspector from "node:inspector";

/** How often, and for how long in all, to look whether it has come up. The compiled program has none that does. */
const LOOK_MS = 1, WITHIN_MS = 3000;

/** For how long nothing else is to be done: whoever was quick hears nothing while this isolate is busy with this alone. */
const ALONE_MS = 250;

/** Makes what is to be called at each SIGUSR1, at the start; what it returns resolves when other work may be done. */
export function debuggerShutter(warn: (message: string) => void): () => Promise<void> {
  if (!mayShut()) {
    return () =>
      Promise.resolve(warn("SIGUSR1 may have opened a debugger: to close it takes --allow-sys=inspector"));
  }
  if (inspector.url() !== undefined) return () => Promise.resolve();
  return () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const beganMs = performance.now();
    const look = () => {
      const isOpen = inspector.url() !== undefined, sinceMs = performance.now() - beganMs;
      if (isOpen) inspector.close();
      if (isOpen || sinceMs > ALONE_MS) resolve();
      if (!isOpen && sinceMs < WITHIN_MS) Deno.unrefTimer(setTimeout(look, LOOK_MS));
    };
    look();
    return promise;
  };
}

function mayShut(): boolean {
  try {
    inspector.url();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
}
