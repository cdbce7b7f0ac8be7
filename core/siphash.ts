/**
 * Keyed hashes of short messages: SipHash-2-4 (Aumasson and Bernstein, 2012), which proves where a cookie came from, and
 * HalfSipHash-2-4, its sibling of 32-bit words, which places entries in tables that a stranger must not aim at.
 *
 * @module
 */

/** SipHash-2-4 under a key of 16 octets: 8 octets, the least significant first. @throws {RangeError} Of another key. */
export function sipHash(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length !== 16) throw new RangeError(`A key must have 16 octets: got ${key.length}`);
  const hash = new Uint8Array(8);
  sipHashInto(hash, key, message, message.length);
  return hash;
}

/**
 * The same of the first `length` octets, into `hash`. It makes nothing new; its eight halves of words are variables, for it
 * runs for every query that has a cookie.
 */
export function sipHashInto(hash: Uint8Array, key: Uint8Array, message: Uint8Array, length: number): void {
  const k0 = wordAt(key, 0, 4), k1 = wordAt(key, 4, 4), k2 = wordAt(key, 8, 4), k3 = wordAt(key, 12, 4);
  // Lower and upper halves; the constants spell "somepseudorandomlygeneratedbytes".
  let v0 = k0 ^ 0x70736575, v0h = k1 ^ 0x736f6d65, v1 = k2 ^ 0x6e646f6d, v1h = k3 ^ 0x646f7261;
  let v2 = k0 ^ 0x6e657261, v2h = k1 ^ 0x6c796765, v3 = k2 ^ 0x79746573, v3h = k3 ^ 0x74656462;
  const words = length >> 3;
  // Two rounds a word, the last one telling the length; then four more.
  for (let i = 0; i <= words + 1; i++) {
    let low = 0, high = 0;
    if (i < words) {
      low = wordAt(message, 8 * i, 4);
      high = wordAt(message, 8 * i + 4, 4);
    } else if (i === words) {
      const rest = length & 7;
      low = wordAt(message, 8 * i, Math.min(4, rest));
      high = wordAt(message, 8 * i + 4, Math.max(0, rest - 4)) | length << 24;
    } else v2 ^= 0xff;
    v3 ^= low;
    v3h ^= high;
    for (let left = i > words ? 4 : 2, sum = 0, swapped = 0; left > 0; left--) {
      sum = v0 + v1 | 0;
      v0h = v0h + v1h + (sum >>> 0 < v0 >>> 0 ? 1 : 0) | 0;
      v0 = sum;
      swapped = v1 << 13 | v1h >>> 19;
      v1h = (v1h << 13 | v1 >>> 19) ^ v0h;
      v1 = swapped ^ v0;
      swapped = v0;
      v0 = v0h;
      v0h = swapped;
      sum = v2 + v3 | 0;
      v2h = v2h + v3h + (sum >>> 0 < v2 >>> 0 ? 1 : 0) | 0;
      v2 = sum;
      swapped = v3 << 16 | v3h >>> 16;
      v3h = (v3h << 16 | v3 >>> 16) ^ v2h;
      v3 = swapped ^ v2;
      sum = v0 + v3 | 0;
      v0h = v0h + v3h + (sum >>> 0 < v0 >>> 0 ? 1 : 0) | 0;
      v0 = sum;
      swapped = v3 << 21 | v3h >>> 11;
      v3h = (v3h << 21 | v3 >>> 11) ^ v0h;
      v3 = swapped ^ v0;
      sum = v2 + v1 | 0;
      v2h = v2h + v1h + (sum >>> 0 < v2 >>> 0 ? 1 : 0) | 0;
      v2 = sum;
      swapped = v1 << 17 | v1h >>> 15;
      v1h = (v1h << 17 | v1 >>> 15) ^ v2h;
      v1 = swapped ^ v2;
      swapped = v2;
      v2 = v2h;
      v2h = swapped;
    }
    v0 ^= low;
    v0h ^= high;
  }
  writeWord(hash, 0, v0 ^ v1 ^ v2 ^ v3);
  writeWord(hash, 4, v0h ^ v1h ^ v2h ^ v3h);
}

/** `count` octets as a number, the least significant first. */
function wordAt(octets: Uint8Array, at: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i++) word |= octets[at + i]! << 8 * i;
  return word;
}

function writeWord(octets: Uint8Array, at: number, word: number): void {
  for (let i = 0; i < 4; i++) octets[at + i] = word >>> 8 * i;
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
