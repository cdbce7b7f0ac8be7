/**
 * The C library, as far as sockets and memory need it: Linux on x86-64 and arm64 alone, where all that follows is laid out
 * alike (LP64, least significant octet first).
 *
 * A permission for the library's path is enough. Addresses are had without the runtime's pointers, for which there must
 * be leave to call anything: memcpy() of no octets hands back where its destination lies.
 *
 * @module
 */

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "pointer"], result: "i32" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  /** Of the GNU C library alone. */
  mallopt: { parameters: ["i32", "i32"], result: "i32", optional: true },
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true },
  __errno_location: { parameters: [], result: "usize" },
  /** To ask for the address of its destination, and to read what lies at an address. */
  memcpy: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
  memcpyFrom: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: "usize" },
} as const;

/** What is called of the C library. */
export type BatchLibC = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Where it lies: a permission is for a path as it is written. */
const PATHS = [`/lib/${Deno.build.arch}-linux-gnu/libc.so.6`, "/lib64/libc.so.6", "/usr/lib/libc.so.6"];

let loaded: BatchLibC | undefined;

/** The C library, opened once an isolate. @throws {Error} That says why it cannot be had. */
export function batchLibC(): BatchLibC {
  return loaded ??= open();
}

function open(): BatchLibC {
  const { os, arch } = Deno.build;
  const isKnown = os === "linux" && (arch === "x86_64" || arch === "aarch64");
  if (!isKnown) throw new Error(`made for Linux on x86_64 and aarch64, this is ${os} on ${arch}`);
  const permitted = PATHS.filter((path) =>
    Deno.permissions.querySync({ name: "ffi", path }).state === "granted"
  );
  if (permitted.length === 0) throw new Error(`not permitted: it takes --allow-ffi=${PATHS[0]}`);
  let cause: unknown;
  for (const path of permitted) {
    try {
      return Deno.dlopen(path, SYMBOLS).symbols;
    } catch (error) {
      // Another system keeps it elsewhere.
      cause = error;
    }
  }
  throw new Error(`no C library at ${permitted.join(", ")}`, { cause });
}

/**
 * Where the memory of `octets` begins. It must have an ArrayBuffer of its own making, which stays where it is: the runtime
 * moves small typed arrays that were made by their length.
 */
export function addressOf(libc: BatchLibC, octets: Uint8Array<ArrayBuffer>): bigint {
  return libc.memcpy(octets, octets, 0n);
}

const errnoValue = new Int32Array(new ArrayBuffer(4));
let errnoAddress: bigint | undefined;

/** What the last call of this thread failed with; only right after it. */
export function errno(libc: BatchLibC): number {
  libc.memcpyFrom(errnoValue, errnoAddress ??= libc.__errno_location(), 4n);
  return errnoValue[0]!;
}

/** Numbers of asm-generic/errno.h and errno-base.h. */
export const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  ENOTSOCK: 88,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENOBUFS: 105,
} as const;

/** The error of a call that failed, of the runtime's own classes where they have one for it. */
export function systemError(call: string, number: number): Error {
  const text = `${call}(): ${MEANINGS.get(number) ?? "failed"} (os error ${number})`;
  if (number === ERRNO.EADDRINUSE) return new Deno.errors.AddrInUse(text);
  if (number === ERRNO.EADDRNOTAVAIL) return new Deno.errors.AddrNotAvailable(text);
  if (number === ERRNO.EACCES || number === ERRNO.EPERM) return new Deno.errors.PermissionDenied(text);
  return new Error(text);
}

const MEANINGS: ReadonlyMap<number, string> = new Map([
  [ERRNO.EPERM, "not permitted"],
  [ERRNO.EACCES, "not permitted"],
  [ERRNO.EBADF, "the descriptor is closed"],
  [ERRNO.ENOTSOCK, "the descriptor is no socket"],
  [ERRNO.EADDRINUSE, "the address is in use"],
  [ERRNO.EADDRNOTAVAIL, "no interface has the address"],
  [ERRNO.ENOBUFS, "no memory for it"],
  [ERRNO.ENOMEM, "no memory for it"],
  [24, "too many descriptors are open"],
  [97, "the address family is not supported"],
]);
