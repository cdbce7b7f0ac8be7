/**
 * The memory that recvmmsg() and sendmmsg() work on: for each slot a struct mmsghdr, the one struct iovec that it points
 * to, a name (struct sockaddr_in or sockaddr_in6) and room for control messages. All of it is made and wired once.
 *
 *     mmsghdr 64 octets               iovec 16        sockaddr_in 16, _in6 28      cmsghdr 16 + data
 *      0 name       32 control         0 base          0 family   0 family          0 length (8 octets)
 *      8 namelen    40 controllen      8 length        2 port     2 port            8 level
 *     16 iov        48 flags                           4 address  8 address        12 type
 *     24 iovlen     56 length (of what came)                     24 scope          16 data
 *
 * @module
 */

import { addressOf, type BatchLibC } from "./libc.ts";

/** Octets of a struct mmsghdr. */
export const HEADER_OCTETS = 64;

/** The same in words of 32 bits, and where in them each part lies (of 64-bit parts the lower half). */
export const HEADER_WORDS = 16, NAME_LENGTH = 2, CONTROL_LENGTH = 10, FLAGS = 12, LENGTH = 14;

/** Words of a struct iovec, and where its length lies. */
export const IOVEC_WORDS = 4, IOVEC_LENGTH = 2;

/** Octets that each name has: as many as the longest, rounded up. */
export const NAME_OCTETS = 32;

/** What a struct sockaddr_in6 takes, the longer of the two names. */
export const NAME_LENGTH_MAX = 28;

/** Octets that the control messages of a datagram have; those of IPV6_PKTINFO take 40. */
export const CONTROL_OCTETS = 64, CONTROL_WORDS = 16;

/** Headers for datagrams that lie in the slots of one memory. */
export class MessageVector {
  /** The headers from each index on: what a call is given. */
  readonly from: readonly Uint8Array<ArrayBuffer>[];
  /** All headers, as words. */
  readonly headers: Uint32Array<ArrayBuffer>;
  readonly iovecs: Uint32Array<ArrayBuffer>;
  /** All names; ports and addresses are in network order. */
  readonly names: DataView<ArrayBuffer>;
  readonly controls: Uint32Array<ArrayBuffer>;
  readonly #wired: Uint32Array<ArrayBuffer>;
  /** Holds the memory that the headers point to. */
  readonly octets: Uint8Array<ArrayBuffer>;

  /** `octets` has `slots` slots, each of `slotOctets`, from its beginning. */
  constructor(libc: BatchLibC, octets: Uint8Array<ArrayBuffer>, slots: number, slotOctets: number) {
    if (octets.length < slots * slotOctets) {
      throw new RangeError(`${octets.length} octets are too few for ${slots} slots of ${slotOctets}`);
    }
    const headers = new Uint8Array(new ArrayBuffer(slots * HEADER_OCTETS));
    const iovecs = new Uint8Array(new ArrayBuffer(slots * IOVEC_WORDS * 4));
    const names = new Uint8Array(new ArrayBuffer(slots * NAME_OCTETS));
    const controls = new Uint8Array(new ArrayBuffer(slots * CONTROL_OCTETS));
    this.octets = octets;
    this.from = Array.from({ length: slots }, (_, slot) => headers.subarray(slot * HEADER_OCTETS));
    this.headers = new Uint32Array(headers.buffer);
    this.iovecs = new Uint32Array(iovecs.buffer);
    this.names = new DataView(names.buffer);
    this.controls = new Uint32Array(controls.buffer);
    const header = new DataView(headers.buffer), iovec = new DataView(iovecs.buffer);
    const at = {
      octets: addressOf(libc, octets),
      iovecs: addressOf(libc, iovecs),
      names: addressOf(libc, names),
      controls: addressOf(libc, controls),
    };
    for (let slot = 0; slot < slots; slot++) {
      const base = slot * HEADER_OCTETS;
      header.setBigUint64(base, at.names + BigInt(slot * NAME_OCTETS), true);
      header.setUint32(base + 8, NAME_LENGTH_MAX, true);
      header.setBigUint64(base + 16, at.iovecs + BigInt(slot * 16), true);
      header.setBigUint64(base + 24, 1n, true);
      header.setBigUint64(base + 32, at.controls + BigInt(slot * CONTROL_OCTETS), true);
      header.setUint32(base + 40, CONTROL_OCTETS, true);
      iovec.setBigUint64(slot * 16, at.octets + BigInt(slot * slotOctets), true);
      iovec.setBigUint64(slot * 16 + 8, BigInt(slotOctets), true);
    }
    this.#wired = this.headers.slice();
  }

  /** Puts the header of one slot in the place of another's, until {@linkcode rewire}. */
  move(from: number, to: number): void {
    this.headers.copyWithin(to * HEADER_WORDS, from * HEADER_WORDS, (from + 1) * HEADER_WORDS);
  }

  /** Gives every slot its own header again. */
  rewire(): void {
    this.headers.set(this.#wired);
  }
}
