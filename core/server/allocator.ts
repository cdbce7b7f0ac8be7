/**
 * The C library's allocator, in which tables, packets and what isolates are made of lie.
 *
 * @module
 */

import { libC } from "./socket_options.ts";

/** malloc.h: parameters of mallopt(3). */
const M_TRIM_THRESHOLD = -1, M_MMAP_THRESHOLD = -3;

/**
 * From how many octets on something has pages of its own, which go when it does, and how many may be free at the end of an
 * arena. Left to itself the allocator raises the first to 32 MiB as soon as something large was freed: what is large
 * then leaves holes in the arenas that stay resident.
 */
const THRESHOLD_OCTETS = 128 << 10;

/**
 * Has it keep little that is free: of 80 MB that were in use after a start with a city database, another 40 had been. To be
 * called before there is much. @returns Whether it does; elsewhere than in the GNU C library it is as it is.
 */
export function keepLittleFree(): boolean {
  const mallopt = libC()?.mallopt;
  if (!mallopt) return false;
  return mallopt(M_MMAP_THRESHOLD, THRESHOLD_OCTETS) === 1 &&
    mallopt(M_TRIM_THRESHOLD, THRESHOLD_OCTETS) === 1;
}

/**
 * Gives back whole pages that are free between what is in use, of all threads: freed in no order, they stay resident
 * otherwise, a megabyte for each worker after a start. @returns Whether there were any; false elsewhere, as above.
 */
export function giveBackFree(): boolean {
  return libC()?.malloc_trim?.(0n) === 1;
}
