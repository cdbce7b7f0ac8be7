/**
 * Lets threads that answer queries go before others of this process where they want the same processor.
 *
 * An isolate that hears a thousand nodes a second takes a third of a processor, a slice of time after the other; so do
 * collectors of garbage, and other programs. A query that arrives within a slice waits for its end. Linux (6.12 and later)
 * takes a processor at once from a thread whose slices are longer than those of the thread that wakes up: so who answers has
 * short ones. Its share of the processor stays what it was.
 *
 * That does not help where two others want the processor: the one that waits has a claim that is older than the one of who
 * wakes up, and its slice would be over sooner. So nothing happens until the kernel's next tick, up to four milliseconds later.
 * Whoever can wait has very long slices, which are never over sooner. Nor does it help who wakes up within microseconds after it
 * slept: it has had more than its share until the others have had as much, by their weights. So these weigh little: as little as
 * there is, or a third of the usual where they miss something (`core/membership/giving_way.ts`), which leaves them a quarter of a
 * processor that is flooded with queries.
 *
 * @module
 */

/** The slices of threads that answer, nanoseconds: less than the 0.7 to 2.8 ms of others. Where two threads work on, they change places so often. */
const SHORT_NS = 500_000n;

/** The slices of threads that can wait: the longest there are. */
const LONG_NS = 100_000_000n;

/** The nice values of threads that can wait: a third of the usual weight where they miss something, and the least there is. */
const BEHIND_NICE = { some: 5, far: 19 } as const;

/** How far behind threads that answer a thread may go. */
export type Behind = keyof typeof BEHIND_NICE;

/** How the runtime calls its threads that collect garbage and compile, as far as the system remembers a name. */
const HELPERS = "V8 DefaultWorke";

/** Numbers of sched_setattr(2) and sched_getattr(2). */
const CALLS: Readonly<Record<string, { readonly set: bigint; readonly get: bigint }>> = {
  x86_64: { set: 314n, get: 315n },
  aarch64: { set: 274n, get: 275n },
};

/**
 * `struct sched_attr` (sched_setattr(2)), and where its fields stand; `sched_runtime` is the slice, for threads that are nothing
 * special.
 */
const ATTRIBUTES_OCTETS = 48, POLICY_AT = 4, NICE_AT = 16, RUNTIME_AT = 24;

const LIBRARIES = [`/lib/${Deno.build.arch}-linux-gnu/libc.so.6`, "/lib64/libc.so.6", "/usr/lib/libc.so.6"];

/** To these calls this thread is thread 0. */
const OWN = 0n;

/** Gives this thread short slices. @returns Whether it has: elsewhere than on Linux, and without the permission to ask, it has not. */
export function takeShortSlices(): boolean {
  return withSystem((system) => change(system, OWN, { sliceNs: SHORT_NS }));
}

/** Gives this thread long slices, and leaves its weight as it is: until it takes short ones. @returns As that does. */
export function takeLongSlices(): boolean {
  return withSystem((system) => change(system, OWN, { sliceNs: LONG_NS }));
}

/**
 * Has this thread, and those by which the runtime collects garbage, go behind threads that answer.
 *
 * @returns Whether this one does: not where the system refuses. The others do where their numbers may be read.
 */
export function giveWay(behind: Behind): boolean {
  return withSystem((system) => {
    helpersGiveWay(system, behind);
    return change(system, OWN, slicesBehind(system, behind));
  });
}

/**
 * Whether this thread, which gives way, may go less far behind than it does: where the process has CAP_SYS_NICE, or RLIMIT_NICE
 * allows it. It is tried, and costs a fifth of its weight where it may not.
 */
export function mayComeForward(): boolean {
  return withSystem((system) => {
    const nice = attributesOf(system, OWN)?.getInt32(NICE_AT, true);
    if (nice === undefined || nice >= BEHIND_NICE.far) return false;
    return change(system, OWN, { sliceNs: LONG_NS, nice: nice + 1 }) &&
      change(system, OWN, { sliceNs: LONG_NS, nice });
  });
}

/** What {@linkcode giveWay} does to the others, for when the thread that had them do so is gone. */
export function haveHelpersGiveWay(behind: Behind): void {
  withSystem((system) => helpersGiveWay(system, behind));
}

function helpersGiveWay(system: System, behind: Behind): boolean {
  const wanted = slicesBehind(system, behind);
  for (const thread of helperThreads()) change(system, thread, wanted);
  return true;
}

/** Not before threads that answer, should somebody have given the process another nice value: its first thread has it. */
function slicesBehind(system: System, behind: Behind): Wanted {
  const usual = attributesOf(system, BigInt(Deno.pid))?.getInt32(NICE_AT, true) ?? 0;
  return { sliceNs: LONG_NS, nice: Math.max(BEHIND_NICE[behind], usual) };
}

/** None where not all permissions are there: the runtime wants them for /proc. */
function helperThreads(): bigint[] {
  const folder = "/proc/self/task";
  if (Deno.permissions.querySync({ name: "read", path: folder }).state !== "granted") return [];
  try {
    const threads = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    return threads.filter((thread) => nameOf(`${folder}/${thread}`) === HELPERS).map(BigInt);
  } catch {
    return [];
  }
}

/** Undefined of a thread that has ended meanwhile. */
function nameOf(thread: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${thread}/comm`).trimEnd();
  } catch {
    return undefined;
  }
}

/** The two calls, for as long as it takes. False where there are none. */
function withSystem(run: (system: System) => boolean): boolean {
  const calls = CALLS[Deno.build.arch];
  if (Deno.build.os !== "linux" || !calls) return false;
  for (const path of LIBRARIES) {
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      const library = Deno.dlopen(path, SYMBOLS);
      try {
        return run({ syscall: library.symbols.syscall, ...calls });
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

/** How the system is asked. */
interface System {
  readonly syscall: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"]["syscall"];
  readonly set: bigint;
  readonly get: bigint;
}

/** What a thread is to have; what else is set of it stays as it was. */
interface Wanted {
  readonly sliceNs: bigint;
  readonly nice?: number;
}

function change(system: System, thread: bigint, { sliceNs, nice }: Wanted): boolean {
  const attributes = attributesOf(system, thread);
  // Of a thread that somebody gave deadlines or a place before others, this would be something else.
  if (!attributes || attributes.getUint32(POLICY_AT, true) !== 0) return false;
  attributes.setBigUint64(RUNTIME_AT, sliceNs, true);
  if (nice !== undefined) attributes.setInt32(NICE_AT, nice, true);
  return system.syscall(system.set, thread, octetsOf(attributes), 0n, 0n) === 0n;
}

function attributesOf({ syscall, get }: System, thread: bigint): DataView<ArrayBuffer> | undefined {
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_OCTETS));
  const length = BigInt(ATTRIBUTES_OCTETS);
  return syscall(get, thread, octetsOf(attributes), length, 0n) === 0n ? attributes : undefined;
}

function octetsOf({ buffer }: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer);
}
