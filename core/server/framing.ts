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
  /** Where the message begins that was found last; it ends at `#start`. */
  #from = 0;

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

  /** Goes on to the next whole message, if there is one; it stays where it is until {@linkcode makeSpace}. */
  next(): boolean {
    const left = this.#end - this.#start;
    const length = left < 2 ? Infinity : lengthAt(this.#octets, this.#start);
    if (left < 2 + length) return false;
    this.#from = this.#start + 2;
    this.#start = this.#from + length;
    return true;
  }

  /** How many octets the message has. */
  get messageOctets(): number {
    return this.#start - this.#from;
  }

  /** The message, in octets of its own: whoever answers it later outlives what is here. */
  get message(): Uint8Array {
    return this.#octets.slice(this.#from, this.#start);
  }

  /** Copies the message to the beginning of other octets, which have room for it. */
  copyTo(octets: Uint8Array): void {
    copy(this.#octets, this.#from, octets, 0, this.messageOctets);
  }

  /** Lets go of everything. */
  clear(): void {
    this.#octets = new Uint8Array(0);
    this.#start = this.#end = this.#from = 0;
  }
}

function lengthAt(octets: Uint8Array, at: number): number {
  return octets[at]! << 8 | octets[at + 1]!;
}

/** Messages that are to leave, one after the other, each behind its length. */
export class FrameBuffer {
  #octets = NONE;
  #end = 0;

  /** How many octets are in it. */
  get length(): number {
    return this.#end;
  }

  /** Adds the message of `length` octets at the beginning of `octets`. */
  add(octets: Uint8Array, length: number): void {
    this.#makeRoom(2 + length);
    this.#octets[this.#end] = length >> 8;
    this.#octets[this.#end + 1] = length;
    copy(octets, 0, this.#octets, this.#end + 2, length);
    this.#end += 2 + length;
  }

  /** All that is in it, which is then its taker's; empty from then on. */
  take(): Uint8Array {
    const taken = this.#octets.subarray(0, this.#end);
    this.#octets = NONE;
    this.#end = 0;
    return taken;
  }

  #makeRoom(octets: number): void {
    const wanted = this.#end + octets;
    if (wanted <= this.#octets.length) return;
    const larger = new Uint8Array(Math.max(FRAMES_OCTETS_MIN, 2 * this.#octets.length, wanted));
    larger.set(this.#octets.subarray(0, this.#end));
    this.#octets = larger;
  }
}

const NONE = new Uint8Array(0);

/** What a first reply makes room for: it is seldom alone. */
const FRAMES_OCTETS_MIN = 1024;

/** One by one what is short: a call costs as much as some dozens of octets. */
function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, length: number): void {
  if (length > 96) to.set(from.subarray(at, at + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[at + i]!;
}

/** Messages one after the other, each behind its length. */
export function framed(messages: readonly Uint8Array[]): Uint8Array {
  const frames = new FrameBuffer();
  for (const message of messages) frames.add(message, message.length);
  return frames.take();
}
