/**
 * Lets a thread that answers queries go before others where they want the same processor.
 *
 * An isolate that hears a thousand nodes a second takes a third of a processor, a slice of time after the other; so do
 * collectors of garbage, and other programs. A query that arrives within a slice waits for its end. Linux (6.12 and later)
 * takes a processor at once from a thread whose slices are longer than those of the thread that wakes up: so this one has
 * short ones. Its share of the processor stays what it was: a flood of queries keeps no node from being heard.
 *
 * @module
 */

/** How long a slice is, nanoseconds: less than the 0.7 to 2.8 ms of others. Where two threads work on, they change places so often. */
const SLICE_NS = 500_000n;

/** Numbers of sched_setattr(2) and sched_getattr(2). */
const CALLS: Readonly<Record<string, { readonly set: bigint; readonly get: bigint }>> = {
  x86_64: { set: 314n, get: 315n },
  aarch64: { set: 274n, get: 275n },
};

/** `struct sched_attr` (sched_setattr(2)), and where its `sched_runtime` stands: the slice, for threads that are nothing special. */
const ATTRIBUTES_OCTETS = 48, POLICY_AT = 4, RUNTIME_AT = 24;

const LIBRARIES = [`/lib/${Deno.build.arch}-linux-gnu/libc.so.6`, "/lib64/libc.so.6", "/usr/lib/libc.so.6"];

/** Gives this thread short slices. @returns Whether it has: elsewhere than on Linux, and without the permission to ask, it has not. */
export function takeShortSlices(): boolean {
  const calls = CALLS[Deno.build.arch];
  if (Deno.build.os !== "linux" || !calls) return false;
  for (const path of LIBRARIES) {
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      const library = Deno.dlopen(path, SYMBOLS);
      try {
        return shorten(library.symbols.syscall, calls);
      } finally {
        library.close();
      }
    } catch {
      // Another system keeps it elsewhere.
    }
  }
  return false;
}

const SYMBOLS = {
  syscall: { parameters: ["i64", "i64", "buffer", "i64", "i64"], result: "i64" },
} as const;

type Syscall = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"]["syscall"];

/** This thread is 0. What else is set of it stays as it was. */
function shorten(syscall: Syscall, { set, get }: { readonly set: bigint; readonly get: bigint }): boolean {
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_OCTETS)),
    octets = new Uint8Array(attributes.buffer);
  if (syscall(get, 0n, octets, BigInt(ATTRIBUTES_OCTETS), 0n) !== 0n) return false;
  // Of a thread that somebody gave deadlines or a place before others, this would be something else.
  if (attributes.getUint32(POLICY_AT, true) !== 0) return false;
  attributes.setBigUint64(RUNTIME_AT, SLICE_NS, true);
  return syscall(set, 0n, octets, 0n, 0n) === 0n;
}
