/**
 * What a process can ask of the kernel for its own sockets that the runtime has no word for: to let another process have
 * the same port, and to send every new connection there. Linux alone, through the C library; without the permission for
 * that nothing here works, and says so.
 *
 * Bound without any option, a port is its owner's alone, and whoever wants it too is told. Only while one server takes
 * over from another is it shared:
 *
 *     old process                                 new process
 *     share(): SO_REUSEADDR on UDP,      <-- binds the same: UDP goes to whom bound last,
 *              SO_REUSEPORT on TCP           steer(): TCP to whom the program in the group names
 *
 * @module
 */

import type { Endpoint } from "./arrival.ts";
import { type BatchLibC, batchLibC } from "./batch/libc.ts";

/** The C library. */
export type LibC = BatchLibC;

/** The C library; undefined where there is none, or no permission, which is not asked for. */
export function libC(): LibC | undefined {
  try {
    return batchLibC();
  } catch {
    return undefined;
  }
}

/** asm-generic/socket.h. */
const SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_TYPE = 3, SO_REUSEPORT = 15, SO_ACCEPTCONN = 30;
const SO_RCVBUF = 8, SO_RCVBUFFORCE = 33, SO_ATTACH_REUSEPORT_CBPF = 51, SO_MEMINFO = 55;
const AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_DGRAM = 2;

/** A socket of this process that takes what comes to a port. */
interface OwnSocket {
  readonly fd: number;
  readonly kind: "udp" | "tcp";
}

/**
 * Lets another process of this user bind the ports of this one as well, or ends that. @returns Whether it could.
 *
 * What is already shared stays so for TCP: the kernel keeps that with the port until every socket of it has gone.
 */
export function share(ports: ReadonlySet<number>, isShared: boolean): boolean {
  const libc = libC();
  if (!libc) return false;
  const value = new Int32Array([isShared ? 1 : 0]);
  return ownSockets(libc, ports).map(({ fd, kind }) =>
    libc.setsockopt(fd, SOL_SOCKET, kind === "udp" ? SO_REUSEADDR : SO_REUSEPORT, value, 4) === 0
  ).every((done) => done);
}

/**
 * Sends every new TCP connection to the second listener of each port: this process's, where it has joined one other. The
 * program stays with the port; once the first has gone, the one that it names is not there, and the kernel chooses.
 *
 * @returns Whether it could.
 */
export function steer(endpoints: readonly Endpoint[]): boolean {
  const libc = libC();
  if (!libc) return false;
  const ports = new Set(endpoints.map(({ port }) => port));
  const listeners = ownSockets(libc, ports).filter(({ kind }) => kind === "tcp");
  return listeners.map(({ fd }) => attach(libc, fd, RETURN_SECOND)).every((done) => done);
}

/**
 * Has the kernel choose among these UDP sockets of one address and port, in the order in which they were bound, and no
 * others: one that somebody else of this user binds there gets nothing. The message ID and the source port choose
 * together, so that neither few clients nor one that never changes its port make one socket do all the work.
 *
 * @returns Whether it could.
 */
export function spread(descriptors: readonly number[], family: 4 | 6): boolean {
  const libc = libC();
  if (!libc) return false;
  const sourcePort = SKF_NET_OFF + (family === 4 ? 20 : 40);
  const program: Program = [
    [LOAD_HALF_WORD, sourcePort],
    [COPY_TO_X, 0],
    [LOAD_HALF_WORD, 0],
    [ADD_X, 0],
    // Numbers that are even, or follow on one another, are spread as well as any others.
    [MULTIPLY, 0x9e3779b1],
    [SHIFT_RIGHT, 16],
    [MODULO, descriptors.length],
    [RETURN_A, 0],
  ];
  return attach(libc, descriptors[0]!, program);
}

/** Whether this process may open so many descriptors more. The runtime itself ends with the process where it runs out of them. */
export function hasDescriptors(count: number): boolean {
  const libc = libC();
  if (!libc) return true;
  const opened: number[] = [];
  while (opened.length < count) {
    const fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) break;
    opened.push(fd);
  }
  for (const fd of opened) libc.close(fd);
  return opened.length === count;
}

/** Whether a UDP socket has nothing that waits to be received; also where that cannot be known. */
export function isEmpty(fd: number): boolean {
  const info = new Uint32Array(1);
  const got = libC()?.getsockopt(
    fd,
    SOL_SOCKET,
    SO_MEMINFO,
    new Uint8Array(info.buffer),
    new Uint32Array([4]),
  );
  return got !== 0 || info[0] === 0;
}

/** Octets of datagrams that may wait for the event loop, which a reload or a collection of garbage may hold up. */
const RECEIVE_BUFFER_OCTETS = 4 << 20;

/** Gives UDP sockets room for what comes while the event loop is busy: as much as the kernel lets this process have. */
export function enlargeReceiveBuffers(ports: ReadonlySet<number>): void {
  const libc = libC();
  const value = new Int32Array([RECEIVE_BUFFER_OCTETS]);
  for (const { fd, kind } of libc ? ownSockets(libc, ports) : []) {
    if (kind !== "udp") continue;
    // Beyond net.core.rmem_max takes CAP_NET_ADMIN.
    const isForced = libc!.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) === 0;
    if (!isForced) libc!.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4);
  }
}

/** Instructions of classic BPF, each a code and a number: linux/bpf_common.h. Past a packet's end a load ends it with 0. */
type Program = readonly (readonly [code: number, k: number])[];

const LOAD_HALF_WORD = 0x28,
  COPY_TO_X = 0x07,
  ADD_X = 0x0c,
  MULTIPLY = 0x24,
  SHIFT_RIGHT = 0x74,
  MODULO = 0x94;
const RETURN = 0x06, RETURN_A = 0x16;

/** Where loads count from the network header instead of the datagram's data. */
const SKF_NET_OFF = -0x100000;

const RETURN_SECOND: Program = [[RETURN, 1]];

/** Has a program choose in the group of sockets that `fd` is one of. @returns Whether it does. */
function attach(libc: LibC, fd: number, program: Program): boolean {
  const instructions = new DataView(new ArrayBuffer(8 * program.length));
  for (const [i, [code, k]] of program.entries()) {
    // struct sock_filter
    instructions.setUint16(8 * i, code, true);
    instructions.setInt32(8 * i + 4, k, true);
  }
  const there = new Uint8Array(instructions.buffer);
  // struct sock_fprog: the number of instructions, and where they are.
  const descriptor = new DataView(new ArrayBuffer(16));
  descriptor.setUint16(0, program.length, true);
  descriptor.setBigUint64(8, BigInt(libc.memcpy(there, there, 0n)), true);
  return libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, new Uint8Array(descriptor.buffer), 16) ===
    0;
}

function ownSockets(libc: LibC, ports: ReadonlySet<number>): OwnSocket[] {
  return descriptors().flatMap((fd): OwnSocket[] => {
    const port = boundPort(libc, fd);
    if (port === undefined || !ports.has(port)) return [];
    const type = option(libc, fd, SO_TYPE);
    if (type === SOCK_DGRAM) return [{ fd, kind: "udp" }];
    return type === SOCK_STREAM && option(libc, fd, SO_ACCEPTCONN) === 1 ? [{ fd, kind: "tcp" }] : [];
  });
}

/** Every descriptor that is open. */
function descriptors(): number[] {
  const path = "/proc/self/fd";
  try {
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") {
      throw new Error("not permitted");
    }
    return [...Deno.readDirSync(path)].map(({ name }) => Number(name));
  } catch {
    return Array.from({ length: 4096 }, (_, fd) => fd);
  }
}

/** The local port of an Internet socket. */
function boundPort(libc: LibC, fd: number): number | undefined {
  const name = new Uint8Array(28);
  if (libc.getsockname(fd, name, new Uint32Array([name.length])) !== 0) return undefined;
  const view = new DataView(name.buffer);
  const family = view.getUint16(0, true);
  return family === AF_INET || family === AF_INET6 ? view.getUint16(2) : undefined;
}

function option(libc: LibC, fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  return libc.getsockopt(fd, SOL_SOCKET, name, value, new Uint32Array([4])) === 0 ? value[0] : undefined;
}
