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
 * slept: it has had more than its share until the others have had as much, by their weights. So these weigh little: a third of the
 * usual, or the least that a nice value gives (`giving_way.ts`).
 *
 * @module
 */

/** The slices of threads that answer, nanoseconds: less than the 0.7 to 2.8 ms of others. Where two threads work on, they change places so often. */
const SHORT_NS = 500_000n;

/** The slices of threads that can wait: the longest there are. */
const LONG_NS = 100_000_000n;

/** The nice values of threads that can wait: a third of the usual weight, and a sixty-eighth. */
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
 * Has this thread, and those by which the runtime collects garbage and compiles, go behind threads that answer; the others where
 * their numbers may be read.
 *
 * @returns This thread's number, if it may go further, as the process may take a lower nice value again: with CAP_SYS_NICE, or as
 * RLIMIT_NICE says. That is tried, and costs a fifth of this thread's weight where it may not.
 */
export function giveWay(): number | undefined {
  const mayComeBack = withSystem((system) => {
    const place = placeOf(system, "some");
    for (const thread of threadsBehind()) change(system, BigInt(thread), place);
    return change(system, OWN, place) && change(system, OWN, { ...place, nice: place.nice + 1 }) &&
      change(system, OWN, place);
  });
  return mayComeBack && maySeeThreads()
    ? Number(Deno.readLinkSync("/proc/thread-self").split("/").at(-1))
    : undefined;
}

/** Moves threads of this process; nothing happens to those that have ended, or where the system refuses. */
export function moveBehind(threads: readonly number[], behind: Behind): void {
  withSystem((system) => {
    const place = placeOf(system, behind);
    for (const thread of threads) change(system, BigInt(thread), place);
    return true;
  });
}

/** Not before threads that answer, should somebody have given the process another nice value: its first thread has it. */
function placeOf(system: System, behind: Behind): Wanted & { readonly nice: number } {
  const usual = attributesOf(system, BigInt(Deno.pid))?.getInt32(NICE_AT, true) ?? 0;
  return { sliceNs: LONG_NS, nice: Math.max(BEHIND_NICE[behind], usual) };
}

/**
 * The threads of this process that go behind: the runtime's helpers, and whichever have a higher nice value than its first thread,
 * as those have that were started by one. None where not all permissions are there: the runtime wants them for /proc.
 */
export function threadsBehind(): number[] {
  if (!maySeeThreads()) return [];
  try {
    const threads = Array.from(Deno.readDirSync(TASKS), ({ name }) => Number(name));
    const usual = niceOf(Deno.pid) ?? 0;
    return threads.filter((thread) => nameOf(thread) === HELPERS || (niceOf(thread) ?? usual) > usual);
  } catch {
    return [];
  }
}

/**
 * How long a thread has been ready to run and did not, nanoseconds (/proc/PID/task/TID/schedstat); undefined of one that has ended,
 * and where nobody may look.
 */
export function waitedNs(thread: number): number | undefined {
  const text = maySeeThreads() ? readOf(thread, "schedstat") : undefined;
  return text === undefined ? undefined : Number(text.split(" ")[1]);
}

const TASKS = "/proc/self/task";

function maySeeThreads(): boolean {
  return Deno.permissions.querySync({ name: "read", path: TASKS }).state === "granted";
}

function nameOf(thread: number): string | undefined {
  return readOf(thread, "comm")?.trimEnd();
}

/** Behind the name, which may hold anything, and a state come fields that are numbers (proc_pid_stat(5)). */
function niceOf(thread: number): number | undefined {
  const text = readOf(thread, "stat");
  return text === undefined ? undefined : Number(text.slice(text.lastIndexOf(") ") + 2).split(" ")[16]);
}

/** Undefined of a thread that has ended meanwhile. */
function readOf(thread: number, file: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${TASKS}/${thread}/${file}`);
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
