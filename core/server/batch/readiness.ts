/**
 * Waiting for several sockets at once (poll(2)).
 *
 * Not through epoll(7): a socket that one watches tells it of every datagram for as long as it watches, waiting or not, which
 * takes 0.1 µs each; and it is a descriptor of its own, which whoever is ended from outside cannot close.
 *
 * @module
 */

import { type BatchLibC, ERRNO, errno, systemError } from "./libc.ts";

/** bits/poll.h. */
const POLLIN = 1;

/** struct pollfd: a descriptor, then 16 bits of what is asked for, then 16 of what is there. */
const POLLFD_WORDS = 2, THERE_SHIFT = 16;

/** Which of several sockets have something to receive. */
export class Readiness {
  readonly #libc: BatchLibC;
  readonly #watched: Int32Array<ArrayBuffer>;
  readonly #octets: Uint8Array<ArrayBuffer>;
  readonly #count: bigint;

  constructor(libc: BatchLibC, sockets: readonly number[]) {
    this.#libc = libc;
    this.#watched = new Int32Array(sockets.flatMap((fd) => [fd, POLLIN]));
    this.#octets = new Uint8Array(this.#watched.buffer);
    this.#count = BigInt(sockets.length);
  }

  /** Waits until a socket has something or is gone, or the time is over. @returns How many have or are. */
  wait(timeoutMs: number): number {
    const count = this.#libc.poll(this.#octets, this.#count, timeoutMs);
    if (count >= 0) return count;
    const number = errno(this.#libc);
    if (number === ERRNO.EINTR) return 0;
    throw systemError("poll", number);
  }

  /** Whether the socket in this place had something, or was gone, at the end of the last wait that found any. */
  has(place: number): boolean {
    return this.#watched[place * POLLFD_WORDS + 1]! >>> THERE_SHIFT !== 0;
  }
}
