/**
 * A group of a network table, as octets: how long its networks are, and which value each has.
 *
 *     least length | bits of a length, octets of a value, depth | number of values | lengths | values | numbers
 *
 * Of each network a length says what it is more than the least, and a number which of the group's values it has; of
 * neither there are more bits than the greatest of the group needs, or a few. They follow each other without gaps, from the
 * lowest bit of each octet on. There is room for as many lengths as a whole group has, in the last one too.
 *
 * Lengths take a number of bits that divides 24: three octets hold a word of whole ones. What all of a word come to is looked
 * up by parts of it, so that to find an address takes a few steps, not one for each network before it.
 *
 * @module
 */

/** How many entries a group has, but for a table's last: 2 to the power of this. */
export const GROUP_BITS = 6;

export const GROUP_ENTRIES = 1 << GROUP_BITS;

/** What stands before the lengths of a group. */
export const HEAD_OCTETS = 3;

/** The most that a group takes: its head, for each network a length, a value and a number. */
export const GROUP_OCTETS_MAX = HEAD_OCTETS + GROUP_ENTRIES * (1 + 4 + 1);

/** How many octets must be readable behind a group: three are read at once anywhere. */
export const GROUP_TAIL_OCTETS = 2;

/** Set in the second octet of a group that has networks longer than /64; octets of a value stand from bit 4 on. */
export const DEEP = 128;

/** How many bits tell `count` values apart. */
export function bitsFor(count: number): number {
  return 32 - Math.clz32(count - 1);
}

/** How many bits lengths take of which the greatest is so much more than the least. */
export function lengthBitsFor(spread: number): number {
  return DIVISORS[bitsFor(spread + 1)]!;
}

/** For each bit that a length takes, so many octets. */
export const LENGTHS_OCTETS = GROUP_ENTRIES / 8;

/** By how many bits are needed, how many are taken. */
const DIVISORS = [0, 1, 2, 3, 4, 6, 6, 8];

/** The prefix length of a network of the group that begins at `at`. */
export function lengthIn(codes: Uint8Array, at: number, number: number): number {
  return codes[at]! + fieldAt(codes, at + HEAD_OCTETS, number, codes[at + 1]! & 15);
}

/** Its value. */
export function valueIn(codes: Uint8Array, at: number, number: number): number {
  const widths = codes[at + 1]!, octets = widths >> 4 & 7, count = codes[at + 2]!;
  const valuesAt = valuesOf(codes, at),
    value = fieldAt(codes, valuesAt + count * octets, number, bitsFor(count));
  return littleEndian(codes, valuesAt + value * octets, octets);
}

/** Reads the first `count` networks of a group; what is written behind them, up to a whole group, means nothing. */
export function readGroup(
  codes: Uint8Array,
  at: number,
  count: number,
  lengths: Uint8Array,
  values: Uint32Array,
): void {
  const least = codes[at]!, widths = codes[at + 1]!, distinct = codes[at + 2]!, octets = widths >> 4 & 7;
  const bits = widths & 15, lengthsAt = at + HEAD_OCTETS, valuesAt = lengthsAt + bits * LENGTHS_OCTETS;
  for (let i = 0; i < distinct; i++) read[i] = littleEndian(codes, valuesAt + i * octets, octets);
  const numbersAt = valuesAt + distinct * octets,
    numberBits = bitsFor(distinct),
    last = (1 << numberBits) - 1;
  // Three octets have four numbers from where each fourth begins, and as many lengths but for the widest.
  for (let i = 0; i < count; i += 4) {
    const bit = i * numberBits, numbers = threeOctets(codes, numbersAt + (bit >> 3)) >> (bit & 7);
    values[i] = read[numbers & last]!;
    values[i + 1] = read[numbers >> numberBits & last]!;
    values[i + 2] = read[numbers >> 2 * numberBits & last]!;
    values[i + 3] = read[numbers >> 3 * numberBits & last]!;
  }
  if (bits > 6) {
    for (let i = 0; i < count; i++) lengths[i] = least + fieldAt(codes, lengthsAt, i, bits);
    return;
  }
  const most = (1 << bits) - 1;
  for (let i = 0; i < count; i += 4) {
    const bit = i * bits, four = threeOctets(codes, lengthsAt + (bit >> 3)) >> (bit & 7);
    lengths[i] = least + (four & most);
    lengths[i + 1] = least + (four >> bits & most);
    lengths[i + 2] = least + (four >> 2 * bits & most);
    lengths[i + 3] = least + (four >> 3 * bits & most);
  }
}

/** The values of the group that is being read, by number. */
const read = new Uint32Array(GROUP_ENTRIES);

/** Whether a group has a value that is marked, or beyond the marks. */
export function hasMarked(codes: Uint8Array, at: number, marks: Uint8Array): boolean {
  const octets = codes[at + 1]! >> 4 & 7, from = valuesOf(codes, at), to = from + codes[at + 2]! * octets;
  for (let i = from; i < to; i += octets) if (marks[littleEndian(codes, i, octets)] !== 0) return true;
  return false;
}

/** Marks each value that a group has, below as many as there are marks. */
export function markAll(codes: Uint8Array, at: number, marks: Uint8Array): void {
  const octets = codes[at + 1]! >> 4 & 7, from = valuesOf(codes, at), to = from + codes[at + 2]! * octets;
  for (let i = from; i < to; i += octets) {
    const value = littleEndian(codes, i, octets);
    if (value < marks.length) marks[value] = 1;
  }
}

/**
 * The number of the network that holds what is `ahead` of where the group starts.
 *
 * @param scales By a length, one divided by the size of such a network, counted as `ahead` is.
 */
export function numberAhead(codes: Uint8Array, at: number, ahead: number, scales: Float64Array): number {
  const bits = codes[at + 1]! & 15;
  // What is left to go, the group's largest networks taken for 1: a power of two, so nothing is rounded.
  let left = ahead * scales[codes[at]!]!, number = 0, word = at + HEAD_OCTETS;
  if (bits === 0) return Math.floor(left);
  if (bits > SUMMED_BITS_MAX) return numberByOnes(codes, word, bits, left);
  const partBits = PART_BITS[bits]!, part = (1 << partBits) - 1, inPart = partBits / bits | 0;
  const sums = bits << PART_BITS_MAX, lastSums = bits === 3 ? 0 : sums;
  for (;; word += 3, number += 24 / bits | 0) {
    const lengths = threeOctets(codes, word);
    const one = SUMS[sums + (lengths & part)]!, two = one + SUMS[sums + (lengths >> partBits & part)]!;
    const rest = left - (two + SUMS[lastSums + (lengths >> 2 * partBits)]!);
    if (rest >= 0) {
      left = rest;
      continue;
    }
    // In this word. Which part, and which of that: by adding up what is not beyond, as no guess would be right.
    const isPastOne = Number(left >= one), isPastTwo = Number(left >= two), parts = isPastOne + isPastTwo;
    left -= one * isPastOne + (two - one) * isPastTwo;
    number += inPart * parts;
    let sum = 0, shift = parts * partBits;
    for (let i = inPart - 1; i > 0; i--, shift += bits) {
      sum += SIZES[lengths >> shift & (1 << bits) - 1]!;
      number += Number(left >= sum);
    }
    return number;
  }
}

/** The same, network by network, where their lengths differ by too much for sums. */
function numberByOnes(codes: Uint8Array, word: number, bits: number, left: number): number {
  const mask = (1 << bits) - 1;
  for (let number = 0;; word += 3) {
    const lengths = threeOctets(codes, word);
    for (let shift = 0; shift < 24; shift += bits, number++) {
      left -= SIZES[lengths >> shift & mask]!;
      if (left < 0) return number;
    }
  }
}

/**
 * The number of the first network that ends behind an IPv6 address: word by word, for groups with what
 * {@linkcode numberAhead} cannot count. `s0` to `s3` are where the group starts.
 */
export function numberBehind(
  codes: Uint8Array,
  at: number,
  starts: Uint32Array,
  start: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  let s0 = starts[start]!, s1 = starts[start + 1]!, s2 = starts[start + 2]!, s3 = starts[start + 3]!;
  for (let number = 0;; number++) {
    const length = lengthIn(codes, at, number);
    if (length === 0) return number;
    // As advance() does, without an array: what overflows leaves zero. Past the end of the space all are zero.
    const size = 0x80000000 >>> (length - 1 & 31);
    if (length > 96) s3 = s3 + size >>> 0;
    if (length > 64 && (length <= 96 || s3 === 0)) s2 = s2 + (length <= 96 ? size : 1) >>> 0;
    if (length > 32 && (length <= 64 || (s2 | s3) === 0)) s1 = s1 + (length <= 64 ? size : 1) >>> 0;
    if (length <= 32 || (s1 | s2 | s3) === 0) s0 = s0 + (length <= 32 ? size : 1) >>> 0;
    if ((s0 - w0 || s1 - w1 || s2 - w2 || s3 - w3) > 0 || (s0 | s1 | s2 | s3) === 0) return number;
  }
}

/** The most bits of a length for which there are sums. */
const SUMMED_BITS_MAX = 4;

/** By bits of a length: of how many the first two of three parts of a word are, which hold whole lengths. */
const PART_BITS = [0, 8, 8, 9, 8], PART_BITS_MAX = 9;

/** By how much longer a network is than the largest: how large it is. */
const SIZES = Float64Array.from({ length: 256 }, (_, more) => 2 ** -more);

/**
 * By bits of a length, and a part of a word: how large its networks are together, every sum without rounding. Where there
 * would be those of no bits there are those of the last part of a word of three bits each, which has one less than the others.
 */
const SUMS = new Float32Array(SUMMED_BITS_MAX + 1 << PART_BITS_MAX);
for (let bits = 1; bits <= SUMMED_BITS_MAX; bits++) addSums(bits << PART_BITS_MAX, PART_BITS[bits]!, bits);
addSums(0, 24 - 2 * PART_BITS[3]!, 3);

function addSums(at: number, partBits: number, bits: number): void {
  for (let part = 0; part < 1 << partBits; part++) {
    for (let shift = 0; shift < partBits; shift += bits) {
      SUMS[at + part]! += SIZES[part >> shift & (1 << bits) - 1]!;
    }
  }
}

/** Where the values of a group stand. */
function valuesOf(codes: Uint8Array, at: number): number {
  return at + HEAD_OCTETS + (codes[at + 1]! & 15) * LENGTHS_OCTETS;
}

/** One of several fields of so many bits, 8 at most, that follow each other from `at` on. */
function fieldAt(octets: Uint8Array, at: number, number: number, bits: number): number {
  const bit = number * bits, first = at + (bit >> 3);
  return (octets[first]! | octets[first + 1]! << 8) >> (bit & 7) & (1 << bits) - 1;
}

function threeOctets(octets: Uint8Array, at: number): number {
  return octets[at]! | octets[at + 1]! << 8 | octets[at + 2]! << 16;
}

function littleEndian(octets: Uint8Array, at: number, length: number): number {
  const low = octets[at]!;
  if (length === 1) return low;
  if (length === 2) return low | octets[at + 1]! << 8;
  if (length === 3) return threeOctets(octets, at);
  return (threeOctets(octets, at) | octets[at + 3]! << 24) >>> 0;
}
