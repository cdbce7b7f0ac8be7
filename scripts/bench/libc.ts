/**
 * UDP through the C library, many datagrams a call. Deno's own sockets take one at a time, through the event loop: a
 * generator made of them would be slower than what it measures.
 *
 * The layouts are those of 64-bit little-endian Linux with glibc; nothing else is tried.
 *
 * @module
 */

const AF_INET = 2, SOCK_DGRAM = 2, SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1, SO_SNDBUF = 7, SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40, MSG_WAITFORONE = 0x10000;
const SOCKADDR_OCTETS = 16, IOVEC_OCTETS = 16, MMSGHDR_OCTETS = 64, POLLFD_OCTETS = 8, CONTROL_OCTETS = 32;
const IPPROTO_IP = 0, IP_PKTINFO = 8;
const POLLIN = 1;

const library = load();

function load() {
  if (Deno.build.os !== "linux") {
    throw new Error("Load is made with the C library of Linux; this is another system");
  }
  return Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
    recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "pointer"], result: "i32" },
    poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
}

const { symbols: libc } = library;

/** A socket that talks to one port of 127.0.0.1 alone, and waits for nothing. @returns Its descriptor. */
export function connectedSocket(port: number): number {
  const descriptor = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  enlarge(descriptor);
  succeed("connect", libc.connect(descriptor, loopback(port), SOCKADDR_OCTETS));
  return descriptor;
}

/** A socket on a port of 127.0.0.1. @returns Its descriptor. */
export function boundSocket(port: number): number {
  const descriptor = libc.socket(AF_INET, SOCK_DGRAM, 0);
  enlarge(descriptor);
  succeed("bind", libc.bind(descriptor, loopback(port), SOCKADDR_OCTETS));
  return descriptor;
}

/** A socket for any address of this machine, on a port of its own: its datagrams say themselves where they come from. */
export function anywhereSocket(): number {
  const descriptor = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  enlarge(descriptor);
  const anywhere = new Uint8Array(SOCKADDR_OCTETS);
  anywhere[0] = AF_INET;
  succeed("bind", libc.bind(descriptor, anywhere, SOCKADDR_OCTETS));
  return descriptor;
}

/** Closes a socket. */
export function closeSocket(descriptor: number): void {
  libc.close(descriptor);
}

/** Datagrams that are sent or received with one call. */
export class Batch {
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly #slotOctets: number;
  readonly #capacity: number;
  readonly #headers: Uint8Array<ArrayBuffer>;
  readonly #lengths: DataView;
  readonly #vectors: DataView;
  readonly #names: Uint8Array<ArrayBuffer>;
  readonly #controls: Uint8Array<ArrayBuffer>;

  /** Room for `capacity` datagrams of `slotOctets` each; of datagrams received, the rest is cut off. */
  constructor(capacity: number, slotOctets: number) {
    this.#capacity = capacity;
    this.#slotOctets = slotOctets;
    this.octets = new Uint8Array(capacity * slotOctets);
    this.#headers = new Uint8Array(capacity * MMSGHDR_OCTETS);
    this.#lengths = new DataView(this.#headers.buffer);
    const names = this.#names = new Uint8Array(capacity * SOCKADDR_OCTETS);
    this.#controls = new Uint8Array(capacity * CONTROL_OCTETS);
    const vectors = new Uint8Array(capacity * IOVEC_OCTETS);
    this.#vectors = new DataView(vectors.buffer);
    for (let i = 0; i < capacity; i++) {
      const header = i * MMSGHDR_OCTETS;
      this.#lengths.setBigUint64(header, addressOf(names, i * SOCKADDR_OCTETS), true);
      this.#lengths.setBigUint64(header + 16, addressOf(vectors, i * IOVEC_OCTETS), true);
      this.#lengths.setBigUint64(header + 24, 1n, true);
      this.#vectors.setBigUint64(i * IOVEC_OCTETS, addressOf(this.octets, i * slotOctets), true);
    }
    this.#kept = [vectors];
    this.setLength(slotOctets);
    this.setNamed(false);
  }

  /** Only pointers lead to these: they must not be collected. */
  readonly #kept: readonly Uint8Array[];

  /** Where slot `i` begins in `octets`. */
  slot(i: number): number {
    return i * this.#slotOctets;
  }

  /** The length of all datagrams to send, or the room for each to receive. */
  setLength(octets: number): void {
    for (let i = 0; i < this.#capacity; i++) this.setLengthOf(i, octets);
  }

  /** The same for slot `i` alone. */
  setLengthOf(i: number, octets: number): void {
    this.#vectors.setUint32(i * IOVEC_OCTETS + 8, octets, true);
  }

  /** The length of the datagram received in slot `i`. */
  lengthOf(i: number): number {
    return this.#lengths.getUint32(i * MMSGHDR_OCTETS + 56, true);
  }

  /** Whether slots bear the other side's address: not on connected sockets. */
  setNamed(isNamed: boolean): void {
    for (let i = 0; i < this.#capacity; i++) {
      this.#lengths.setUint32(i * MMSGHDR_OCTETS + 8, isNamed ? SOCKADDR_OCTETS : 0, true);
    }
  }

  /** Sends every slot to a port of 127.0.0.1, from an address of this machine that {@linkcode setSource} sets. */
  addressFromAnywhere(port: number): void {
    const to = loopback(port);
    this.setNamed(true);
    for (let i = 0; i < this.#capacity; i++) {
      this.#names.set(to, i * SOCKADDR_OCTETS);
      const control = new DataView(this.#controls.buffer, i * CONTROL_OCTETS);
      // struct cmsghdr, then struct in_pktinfo: no interface, the source, and an address that is not looked at.
      control.setBigUint64(0, 28n, true);
      control.setInt32(8, IPPROTO_IP, true);
      control.setInt32(12, IP_PKTINFO, true);
      const header = i * MMSGHDR_OCTETS;
      this.#lengths.setBigUint64(header + 32, addressOf(this.#controls, i * CONTROL_OCTETS), true);
      this.#lengths.setBigUint64(header + 40, BigInt(CONTROL_OCTETS), true);
    }
  }

  /** The IPv4 address that slot `i` comes from. */
  setSource(i: number, address: ArrayLike<number>): void {
    this.#controls.set(address, i * CONTROL_OCTETS + 20);
  }

  /** Sends the first `count` slots. @returns How many left. */
  send(descriptor: number, count: number): number {
    return Math.max(0, libc.sendmmsg(descriptor, this.#headers, count, MSG_DONTWAIT));
  }

  /** Receives what is there, after waiting for a first one if told to. @returns How many came. */
  receive(descriptor: number, wait = false): number {
    const flags = wait ? MSG_WAITFORONE : MSG_DONTWAIT;
    return Math.max(0, libc.recvmmsg(descriptor, this.#headers, this.#capacity, flags, null));
  }
}

/** Waits until one of some sockets has something to read. */
export class Waiter {
  readonly #polled: Uint8Array<ArrayBuffer>;
  readonly #count: bigint;

  constructor(descriptors: readonly number[]) {
    this.#polled = new Uint8Array(descriptors.length * POLLFD_OCTETS);
    this.#count = BigInt(descriptors.length);
    const view = new DataView(this.#polled.buffer);
    descriptors.forEach((descriptor, i) => {
      view.setInt32(i * POLLFD_OCTETS, descriptor, true);
      view.setInt16(i * POLLFD_OCTETS + 4, POLLIN, true);
    });
  }

  /** At most `timeoutMs`, whole milliseconds. */
  wait(timeoutMs: number): void {
    libc.poll(this.#polled, this.#count, timeoutMs);
  }
}

/** A burst must not be lost in the generator's own buffers. The kernel grants less where it is told to. */
function enlarge(descriptor: number): void {
  succeed("socket", descriptor);
  const octets = new Uint8Array(Uint32Array.of(4 << 20).buffer);
  libc.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, octets, 4);
  libc.setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, octets, 4);
}

function loopback(port: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(SOCKADDR_OCTETS);
  octets.set([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1]);
  return octets;
}

function addressOf(octets: Uint8Array<ArrayBuffer>, offset: number): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(octets))) + BigInt(offset);
}

function succeed(what: string, result: number): void {
  if (result < 0) throw new Error(`${what}() failed`);
}
