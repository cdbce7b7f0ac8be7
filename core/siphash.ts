/**
 * Keyed hashes of short messages: SipHash-2-4 (Aumasson and Bernstein, 2012), which proves where a cookie came from, and
 * HalfSipHash-2-4, its sibling of 32-bit words, which places entries in tables that a stranger must not aim at.
 *
 * @module
 */

/** The four 64-bit words of SipHash's state, each as its lower and its upper half. */
const state = new Int32Array(8);

/** Where each word stands in the state. */
const V0 = 0, V1 = 2, V2 = 4, V3 = 6;

/** SipHash-2-4 under a key of 16 octets: 8 octets, the least significant first. @throws {RangeError} Of another key. */
export function sipHash(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length !== 16) throw new RangeError(`A key must have 16 octets: got ${key.length}`);
  start(key);
  const whole = message.length & ~7;
  for (let at = 0; at < whole; at += 8) absorb(wordAt(message, at, 4), wordAt(message, at + 4, 4));
  const rest = message.length - whole;
  absorb(
    wordAt(message, whole, Math.min(4, rest)),
    wordAt(message, whole + 4, Math.max(0, rest - 4)) | message.length << 24,
  );
  state[V2]! ^= 0xff;
  for (let i = 0; i < 4; i++) round();
  const hash = new Uint8Array(8);
  for (let half = 0; half < 2; half++) {
    const word = state[V0 + half]! ^ state[V1 + half]! ^ state[V2 + half]! ^ state[V3 + half]!;
    for (let i = 0; i < 4; i++) hash[4 * half + i] = word >>> 8 * i;
  }
  return hash;
}

/** The key, with each word of it set apart from the other by a constant: "somepseudorandomlygeneratedbytes". */
function start(key: Uint8Array): void {
  const k0 = wordAt(key, 0, 4), k1 = wordAt(key, 4, 4), k2 = wordAt(key, 8, 4), k3 = wordAt(key, 12, 4);
  state[V0] = k0 ^ 0x70736575;
  state[V0 + 1] = k1 ^ 0x736f6d65;
  state[V1] = k2 ^ 0x6e646f6d;
  state[V1 + 1] = k3 ^ 0x646f7261;
  state[V2] = k0 ^ 0x6e657261;
  state[V2 + 1] = k1 ^ 0x6c796765;
  state[V3] = k2 ^ 0x79746573;
  state[V3 + 1] = k3 ^ 0x74656462;
}

function absorb(low: number, high: number): void {
  state[V3]! ^= low;
  state[V3 + 1]! ^= high;
  round();
  round();
  state[V0]! ^= low;
  state[V0 + 1]! ^= high;
}

function round(): void {
  add(V0, V1);
  rotate(V1, 13);
  xor(V1, V0);
  swap(V0);
  add(V2, V3);
  rotate(V3, 16);
  xor(V3, V2);
  add(V0, V3);
  rotate(V3, 21);
  xor(V3, V0);
  add(V2, V1);
  rotate(V1, 17);
  xor(V1, V2);
  swap(V2);
}

function add(to: number, what: number): void {
  const low = (state[to]! >>> 0) + (state[what]! >>> 0);
  state[to] = low;
  state[to + 1]! += state[what + 1]! + (low > 0xffffffff ? 1 : 0);
}

function xor(to: number, what: number): void {
  state[to]! ^= state[what]!;
  state[to + 1]! ^= state[what + 1]!;
}

/** To the left, by less than 32 bits. */
function rotate(at: number, bits: number): void {
  const low = state[at]!, high = state[at + 1]!;
  state[at] = low << bits | high >>> 32 - bits;
  state[at + 1] = high << bits | low >>> 32 - bits;
}

/** A rotation by 32 bits. */
function swap(at: number): void {
  const low = state[at]!;
  state[at] = state[at + 1]!;
  state[at + 1] = low;
}

/** `count` octets as a number, the least significant first. */
function wordAt(octets: Uint8Array, at: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i++) word |= octets[at + i]! << 8 * i;
  return word;
}

/** What {@linkcode halfSipHash} came to: two words, until it is called again. */
export const halfSipHashed = new Uint32Array(2);

/**
 * HalfSipHash-2-4 of the first `count` words under a key of two, into {@linkcode halfSipHashed}. It makes nothing new,
 * for it runs several times in every query.
 */
export function halfSipHash(key: Uint32Array, words: Uint32Array | Int32Array, count: number): void {
  let v0 = key[0]! | 0, v1 = key[1]! | 0, v2 = v0 ^ 0x6c796765, v3 = v1 ^ 0x74656462;
  v1 ^= 0xee;
  // Two rounds a word, the last word telling the length; then four and four more, each with an output.
  for (let i = 0, left = 0; i <= count + 2; i++) {
    const word = i < count ? words[i]! | 0 : i === count ? 4 * count << 24 : 0;
    v3 ^= word;
    left = i <= count ? 2 : 4;
    if (i === count + 1) v2 ^= 0xee;
    if (i === count + 2) v1 ^= 0xdd;
    for (; left > 0; left--) {
      v0 = v0 + v1 | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = v2 + v3 | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = v0 + v3 | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = v2 + v1 | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
    }
    v0 ^= word;
    if (i > count) halfSipHashed[i - count - 1] = v1 ^ v3;
  }
}
