/**
 * Messages in a stream of octets, each behind two octets of length (RFC 1035 section 4.2.2).
 *
 * @module
 */

/** What is read at once, if nothing longer is on its way: what an idle connection holds. */
export const READ_OCTETS = 16_384;

/** Octets that have come, until they are whole messages. */
export class MessageBuffer {
  #octets = new Uint8Array(0);
  /** What has been read and not been taken. */
  #start = 0;
  #end = 0;

  /** How much memory it takes. */
  get heldOctets(): number {
    return this.#octets.length;
  }

  /** Whether octets are left that are no whole message yet, once {@linkcode next} gives none. */
  get hasPart(): boolean {
    return this.#end > this.#start;
  }

  /** Room for what comes next. */
  get space(): Uint8Array {
    return this.#octets.subarray(this.#end);
  }

  /** All of it, for what nobody will look at. */
  get scratch(): Uint8Array {
    return this.#octets;
  }

  /** Makes room: moves a started message to the front of a buffer in which it fits whole. @returns By how much it grew. */
  makeSpace(): number {
    const left = this.#octets.subarray(this.#start, this.#end);
    const wanted = left.length < 2 ? READ_OCTETS : Math.max(READ_OCTETS, 2 + lengthAt(left, 0));
    const more = wanted - this.#octets.length;
    if (more !== 0) {
      this.#octets = new Uint8Array(wanted);
      this.#octets.set(left);
    } else if (this.#start > 0) {
      this.#octets.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = left.length;
    return more;
  }

  /** Takes note that so many octets were read into {@linkcode space}. */
  took(count: number): void {
    this.#end += count;
  }

  /** The next whole message, in octets of its own: whoever answers it later outlives what is here. */
  next(): Uint8Array | undefined {
    const left = this.#end - this.#start;
    const length = left < 2 ? Infinity : lengthAt(this.#octets, this.#start);
    if (left < 2 + length) return undefined;
    const from = this.#start + 2;
    this.#start = from + length;
    return this.#octets.slice(from, from + length);
  }

  /** Lets go of everything. */
  clear(): void {
    this.#octets = new Uint8Array(0);
    this.#start = this.#end = 0;
  }
}

function lengthAt(octets: Uint8Array, at: number): number {
  return octets[at]! << 8 | octets[at + 1]!;
}

/** Messages one after the other, each behind its length. */
export function framed(messages: readonly Uint8Array[]): Uint8Array {
  const octets = new Uint8Array(messages.reduce((total, { length }) => total + 2 + length, 0));
  let at = 0;
  for (const message of messages) {
    octets[at] = message.length >> 8;
    octets[at + 1] = message.length;
    octets.set(message, at + 2);
    at += 2 + message.length;
  }
  return octets;
}
