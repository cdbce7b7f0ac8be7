/**
 * Waiting for several sockets at once, and being woken (epoll(7), eventfd(2)).
 *
 * @module
 */

import { RECEIVE_TIMEOUT_MS } from "./batch_socket.ts";
import { type BatchLibC, batchLibC, ERRNO, errno, systemError } from "./libc.ts";

/** sys/epoll.h, sys/eventfd.h. */
const EPOLL_CTL_ADD = 1, EPOLLIN = 1, EPOLL_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800, EFD_CLOEXEC = 0x80000;

/** struct epoll_event is packed on x86-64 alone: 4 octets of events, then 8 of ours. */
const EVENT_WORDS = Deno.build.arch === "x86_64" ? 3 : 4, INDEX_WORD = EVENT_WORDS - 2;

/** How many sockets one call may name. */
const EVENTS_MAX = 64;

/** Which of several sockets have something to receive. */
export class Readiness {
  readonly #libc: BatchLibC;
  readonly #fd: number;
  readonly #waker: number | undefined;
  readonly #wakerIndex: number;
  readonly #events = new Uint32Array(new ArrayBuffer(EVENTS_MAX * EVENT_WORDS * 4));
  readonly #octets = new Uint8Array(this.#events.buffer);
  readonly #wakes = new Uint8Array(new ArrayBuffer(8));

  /** @throws {Error} When the kernel has no more descriptors. */
  constructor(libc: BatchLibC, sockets: readonly number[], waker: number | undefined) {
    this.#libc = libc;
    this.#waker = waker;
    this.#wakerIndex = sockets.length;
    this.#fd = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.#fd < 0) throw systemError("epoll_create1", errno(libc));
    const watched = waker === undefined ? sockets : [...sockets, waker];
    for (const [index, fd] of watched.entries()) this.#watch(fd, index);
  }

  #watch(fd: number, index: number): void {
    const event = new Uint32Array(EVENT_WORDS);
    event[0] = EPOLLIN;
    event[INDEX_WORD] = index;
    if (this.#libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, new Uint8Array(event.buffer)) !== 0) {
      const error = systemError("epoll_ctl", errno(this.#libc));
      this.close();
      throw error;
    }
  }

  /** Waits until a socket has something, somebody wakes it, or the time is over. @returns How many have. */
  wait(timeoutMs = RECEIVE_TIMEOUT_MS): number {
    const count = this.#libc.epoll_wait(this.#fd, this.#octets, EVENTS_MAX, timeoutMs);
    if (count >= 0) return count;
    const number = errno(this.#libc);
    if (number === ERRNO.EINTR) return 0;
    throw systemError("epoll_wait", number);
  }

  /** The index of the i-th socket that has something; beyond the last for the waker, which is quiet again then. */
  at(i: number): number {
    const index = this.#events[i * EVENT_WORDS + INDEX_WORD]!;
    if (index === this.#wakerIndex) this.#libc.read(this.#waker!, this.#wakes, 8n);
    return index;
  }

  close(): void {
    this.#libc.close(this.#fd);
  }
}

/** Opens what wakes a loop, and may be used from any isolate. @throws {Error} When it cannot be had. */
export function openWaker(): number {
  const libc = batchLibC();
  const fd = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw systemError("eventfd", errno(libc));
  return fd;
}

/** Has the loop look up at once. */
export function wake(waker: number): void {
  batchLibC().write(waker, new BigUint64Array([1n]), 8n);
}

/** Closes it, when no loop has it any more. */
export function closeWaker(waker: number): void {
  batchLibC().close(waker);
}
