/**
 * UDP sockets for many datagrams per call. They are opened by their number, which every isolate of the process may use
 * and no ending worker closes: who opens one, closes it.
 *
 * @module
 */

import { type Address, formatAddress } from "../../net/address.ts";
import type { Endpoint } from "../arrival.ts";
import { addressOf, type BatchLibC, batchLibC, errno, systemError } from "./libc.ts";

/** A socket that is open. Plain data: it crosses isolates. */
export interface BatchSocket {
  readonly fd: number;
  /** Where it is bound; the address is all zero where it takes what comes to any. */
  readonly endpoint: Endpoint;
  /** Whether each datagram says which address it came to, and each reply which one it leaves from. */
  readonly isWildcard: boolean;
}

/** What to open. */
export interface BatchSocketOptions {
  /** All zero = every address of the family; `::` with {@linkcode isDualStack} also those of IPv4. */
  readonly address: Address;
  /** 0 = any free one. */
  readonly port: number;
  /** The interface of a link-local address, by name or index (RFC 4007 section 11). */
  readonly zone?: string;
  /** Whether `::` takes IPv4 as well. */
  readonly isDualStack?: boolean;
  /**
   * Takes the port although other sockets have it that let it be shared by SO_REUSEADDR: the kernel gives them nothing
   * from then on.
   */
  readonly takesOver?: boolean;
  /** Octets that may wait to be received, and to be sent. Default 4 MiB. */
  readonly bufferOctets?: number;
}

/** asm-generic/socket.h, linux/in.h and in6.h. */
const AF_INET = 2, AF_INET6 = 10, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_SNDBUF = 7, SO_RCVBUF = 8, SO_REUSEPORT = 15, SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE = 33, SO_MEMINFO = 55, SK_MEMINFO_DROPS = 8;
const IPPROTO_IP = 0, IP_PKTINFO = 8, IP_MTU_DISCOVER = 10, IP_PMTUDISC_OMIT = 5;
const IPPROTO_IPV6 = 41, IPV6_MTU_DISCOVER = 23, IPV6_MTU = 24, IPV6_V6ONLY = 26, IPV6_RECVPKTINFO = 49;

/** How long a call waits for a datagram: so soon a worker sees that it is to stop. */
export const RECEIVE_TIMEOUT_MS = 50;

/** How long a send waits for room in a buffer of 4 MiB before it gives a reply up. */
const SEND_TIMEOUT_MS = 5;

const BUFFER_OCTETS = 4 << 20;

/** RFC 8200 section 5: what every IPv6 link carries. */
const IPV6_MTU_MIN = 1280;

/**
 * Opens one socket. @throws Deno.errors.AddrInUse, PermissionDenied, AddrNotAvailable, or an Error that names the call;
 * or one that says why there are no such sockets here.
 */
export function openBatchSocket(options: BatchSocketOptions): BatchSocket {
  return openBatchSockets(options, 1)[0]!;
}

/**
 * Opens `count` sockets of one address and port among which the kernel spreads the clients.
 *
 * The first is bound as its owner's alone, so that a port which somebody has, even one who would share it, is found
 * taken; only then are the others let in.
 *
 * @throws As {@linkcode openBatchSocket}.
 */
export function openBatchSockets(options: BatchSocketOptions, count: number): BatchSocket[] {
  const libc = batchLibC();
  const opened: BatchSocket[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const port = opened[0]?.endpoint.port ?? options.port;
      opened.push(open(libc, { ...options, port }, i > 0));
      if (i === 0 && count > 1) setFlag(libc, opened[0]!.fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
  } catch (error) {
    for (const { fd } of opened) libc.close(fd);
    throw error;
  }
  return opened;
}

function open(libc: BatchLibC, options: BatchSocketOptions, isShared: boolean): BatchSocket {
  const { address } = options;
  const family = address.family === 4 ? AF_INET : AF_INET6;
  const isWildcard = address.octets.every((octet) => octet === 0);
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError("socket", errno(libc));
  try {
    setFlag(libc, fd, SOL_SOCKET, SO_REUSEADDR, options.takesOver ? 1 : 0);
    if (isShared) setFlag(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (family === AF_INET6) setFlag(libc, fd, IPPROTO_IPV6, IPV6_V6ONLY, options.isDualStack ? 0 : 1);
    if (isWildcard) askForDestination(libc, fd, family);
    leaveSizesToUs(libc, fd, family);
    enlargeBuffers(libc, fd, options.bufferOctets ?? BUFFER_OCTETS);
    setTimeouts(libc, fd);
    const name = socketName(address, options.port, scopeOf(libc, options.zone));
    if (libc.bind(fd, name, name.length) !== 0) throw systemError("bind", errno(libc));
    return { fd, isWildcard, endpoint: { address, port: boundPort(libc, fd) } };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setFlag(libc: BatchLibC, fd: number, level: number, name: number, value: number): void {
  if (libc.setsockopt(fd, level, name, new Int32Array([value]), 4) !== 0) {
    throw systemError("setsockopt", errno(libc));
  }
}

/** Has the kernel say of each datagram which address it came to (ip(7), RFC 3542 section 6.2). */
function askForDestination(libc: BatchLibC, fd: number, family: number): void {
  if (family === AF_INET) setFlag(libc, fd, IPPROTO_IP, IP_PKTINFO, 1);
  else setFlag(libc, fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/**
 * What a forged ICMP message says of a path's MTU changes nothing: a long reply is cut by what the interface carries, or
 * for IPv6 by what every link does, and never refused (RFC 9715 section 3).
 */
function leaveSizesToUs(libc: BatchLibC, fd: number, family: number): void {
  const set = (level: number, name: number, value: number) =>
    void libc.setsockopt(fd, level, name, new Int32Array([value]), 4);
  // Refused on an IPv6 socket for IPv4 by none that takes both.
  set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  if (family !== AF_INET6) return;
  set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  set(IPPROTO_IPV6, IPV6_MTU, IPV6_MTU_MIN);
}

function enlargeBuffers(libc: BatchLibC, fd: number, octets: number): void {
  const value = new Int32Array([octets]);
  // Beyond net.core.rmem_max takes CAP_NET_ADMIN; without it there is as much as anybody may have.
  for (const [forced, plain] of [[SO_RCVBUFFORCE, SO_RCVBUF], [SO_SNDBUFFORCE, SO_SNDBUF]] as const) {
    const isForced = libc.setsockopt(fd, SOL_SOCKET, forced, value, 4) === 0;
    if (!isForced) libc.setsockopt(fd, SOL_SOCKET, plain, value, 4);
  }
}

function setTimeouts(libc: BatchLibC, fd: number): void {
  for (const [name, ms] of [[SO_RCVTIMEO, RECEIVE_TIMEOUT_MS], [SO_SNDTIMEO, SEND_TIMEOUT_MS]] as const) {
    // struct timeval: seconds, microseconds.
    const value = new BigInt64Array([0n, BigInt(ms * 1000)]);
    if (libc.setsockopt(fd, SOL_SOCKET, name, value, 16) !== 0) {
      throw systemError("setsockopt", errno(libc));
    }
  }
}

/** struct sockaddr_in or sockaddr_in6. */
export function socketName(
  { family, octets }: Address,
  port: number,
  scope: number,
): Uint8Array<ArrayBuffer> {
  const name = new DataView(new ArrayBuffer(family === 4 ? 16 : 28));
  name.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  name.setUint16(2, port);
  if (family === 6) name.setUint32(24, scope, true);
  const all = new Uint8Array(name.buffer);
  all.set(octets, family === 4 ? 4 : 8);
  return all;
}

function scopeOf(libc: BatchLibC, zone: string | undefined): number {
  if (!zone) return 0;
  const index = /^\d+$/.test(zone)
    ? Number(zone)
    : libc.if_nametoindex(new TextEncoder().encode(`${zone}\0`));
  if (index === 0) throw new Deno.errors.AddrNotAvailable(`no interface is named ${zone}`);
  return index;
}

function boundPort(libc: BatchLibC, fd: number): number {
  const name = new Uint8Array(28);
  if (libc.getsockname(fd, name, new Uint32Array([name.length])) !== 0) {
    throw systemError("getsockname", errno(libc));
  }
  return new DataView(name.buffer).getUint16(2);
}

/** Closes a socket; what has not been received of it is lost. */
export function closeSocket({ fd }: BatchSocket): void {
  batchLibC().close(fd);
}

/** How many datagrams the kernel has dropped at a socket for want of room since it was opened (sock_diag(7)). */
export function droppedByKernel({ fd }: BatchSocket): number {
  const info = new Uint32Array(SK_MEMINFO_DROPS + 1);
  const got = batchLibC().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, new Uint32Array([info.byteLength]));
  return got === 0 ? info[SK_MEMINFO_DROPS]! : 0;
}

/**
 * Sends one datagram, from the address that the client had asked where the socket has several.
 *
 * @returns Whether the kernel took it.
 */
export function sendTo(
  { fd, isWildcard, endpoint }: BatchSocket,
  octets: Uint8Array,
  to: Endpoint,
  from: Endpoint,
): boolean {
  const libc = batchLibC();
  const { memory, header, iovec } = sending ??= makeSending(libc);
  const isIPv6 = endpoint.address.family === 6;
  const name = socketName(isIPv6 ? mapped(to.address) : to.address, to.port, 0);
  const control = isWildcard ? sourceMessage(isIPv6 ? mapped(from.address) : from.address) : NOTHING;
  if (octets.length > DATAGRAM_MAX) return false;
  memory.set(name, NAME_AT);
  memory.set(control, CONTROL_AT);
  memory.set(octets, BODY_AT);
  header[NAME_LENGTH] = BigInt(name.length);
  header[CONTROL_LENGTH] = BigInt(control.length);
  iovec[1] = BigInt(octets.length);
  return libc.sendmmsg(fd, header, 1, MSG_DONTWAIT) === 1;
}

/** What a datagram is sent from, in one memory that does not move: to ask where each part lies takes a call each. */
interface Sending {
  readonly memory: Uint8Array;
  /** A struct mmsghdr (sendmmsg(2)) and a struct iovec (readv(2)). */
  readonly header: BigUint64Array<ArrayBuffer>;
  readonly iovec: BigUint64Array;
}

const NAME_AT = 0, CONTROL_AT = 32, IOVEC_AT = 72, HEADER_AT = 88, BODY_AT = 152, DATAGRAM_MAX = 65_535;

/** Words of a header. */
const NAME_LENGTH = 1, CONTROL_LENGTH = 5;

const NOTHING = new Uint8Array(0);

/** This isolate's. */
let sending: Sending | undefined;

function makeSending(libc: BatchLibC): Sending {
  const buffer = new ArrayBuffer(BODY_AT + DATAGRAM_MAX), memory = new Uint8Array(buffer);
  const base = addressOf(libc, memory), at = (offset: number) => base + BigInt(offset);
  const header = new BigUint64Array(buffer, HEADER_AT, 8), iovec = new BigUint64Array(buffer, IOVEC_AT, 2);
  header.set([at(NAME_AT), 0n, at(IOVEC_AT), 1n, at(CONTROL_AT), 0n, 0n, 0n]);
  iovec[0] = at(BODY_AT);
  return { memory, header, iovec };
}

const MSG_DONTWAIT = 0x40;

/** RFC 4291 section 2.5.5.2: how an IPv6 socket names an IPv4 address. */
function mapped({ family, octets }: Address): Address {
  return family === 6 ? { family, octets } : {
    family: 6,
    octets: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...octets),
  };
}

/** A control message that says where a datagram leaves from: struct in_pktinfo or in6_pktinfo in a struct cmsghdr. */
function sourceMessage({ family, octets }: Address): Uint8Array<ArrayBuffer> {
  const message = new DataView(new ArrayBuffer(family === 4 ? 32 : 40));
  message.setBigUint64(0, family === 4 ? 28n : 36n, true);
  message.setUint32(8, family === 4 ? IPPROTO_IP : IPPROTO_IPV6, true);
  message.setUint32(12, family === 4 ? IP_PKTINFO : IPV6_PKTINFO, true);
  const all = new Uint8Array(message.buffer);
  all.set(octets, family === 4 ? 20 : 16);
  return all;
}

const IPV6_PKTINFO = 50;

/** For messages: `192.0.2.1 port 53`. */
export function describeSocket({ endpoint: { address, port } }: BatchSocket): string {
  return `${formatAddress(address)} port ${port}`;
}
