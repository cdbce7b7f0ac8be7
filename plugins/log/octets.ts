/**
 * Text written as octets, where a string would be garbage for every line. Each writes at `at`, and gives where it ended;
 * each writes what the function of the same purpose makes as text: formatAddress(), formatName(), toISOString().
 *
 * @module
 */

const ZERO = 0x30, DOT = 0x2e, MINUS = 0x2d, COLON = 0x3a, BACKSLASH = 0x5c, QUOTE = 0x22;

/** A whole number from 0 to 2^31 - 1. */
export function writeNumber(out: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit && digits < 10; limit *= 10) digits++;
  const end = at + digits;
  for (let i = end - 1; i >= at; i--) {
    const rest = (value / 10) | 0;
    out[i] = ZERO + value - 10 * rest;
    value = rest;
  }
  return end;
}

/** 10 to the power of each number of decimals that are tried. */
const SCALES = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];

/** What has more digits is written from a string. */
const SCALED_MAX = 2 ** 31;

/** A number as JSON has it: with no more decimals than tell it from others. At most 25 octets. */
export function writeDecimal(out: Uint8Array, at: number, value: number): number {
  for (let decimals = 0; decimals < SCALES.length; decimals++) {
    const scale = SCALES[decimals]!, scaled = Math.round(Math.abs(value) * scale);
    if (!(scaled < SCALED_MAX)) break;
    // What comes back to the number itself, and is the first to do so, is the shortest text for it.
    if (scaled / scale !== Math.abs(value)) continue;

    if (value < 0) out[at++] = MINUS;
    at = writeNumber(out, at, Math.trunc(scaled / scale));
    if (decimals === 0) return at;
    out[at] = DOT;
    for (let i = decimals, rest = scaled; i > 0; i--, rest = Math.trunc(rest / 10)) {
      out[at + i] = ZERO + rest % 10;
    }
    return at + decimals + 1;
  }
  return at + new TextEncoder().encodeInto(JSON.stringify(value), out.subarray(at)).written;
}

/** An IPv4 address as one word. */
export function writeIPv4(out: Uint8Array, at: number, word: number): number {
  at = writeNumber(out, at, word >>> 24);
  out[at++] = DOT;
  at = writeNumber(out, at, word >>> 16 & 255);
  out[at++] = DOT;
  at = writeNumber(out, at, word >>> 8 & 255);
  out[at++] = DOT;
  return writeNumber(out, at, word & 255);
}

/** An IPv6 address as four words, shortened as RFC 5952 section 4 says. */
export function writeIPv6(out: Uint8Array, at: number, words: ArrayLike<number>): number {
  let start = -1, length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groupAt(words, end) === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      out[at++] = COLON;
      out[at++] = COLON;
      i += length - 1;
      continue;
    }
    if (i > 0 && i !== start + length || i > 0 && start < 0) out[at++] = COLON;
    at = writeHex(out, at, groupAt(words, i));
  }
  return at;
}

function groupAt(words: ArrayLike<number>, i: number): number {
  return words[i >> 1]! >>> (i & 1 ? 0 : 16) & 0xffff;
}

function writeHex(out: Uint8Array, at: number, value: number): number {
  for (let shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
    const digit = value >> shift & 15;
    out[at++] = digit < 10 ? ZERO + digit : 0x57 + digit;
  }
  return at;
}

/** How an octet of a name is written: as it stands, behind a backslash, or by its number. */
const PLAIN = 0, ESCAPED = 1, NUMBERED = 2;

const KINDS = Uint8Array.from(
  { length: 256 },
  (_, octet) =>
    octet <= 0x20 || octet >= 0x7f
      ? NUMBERED
      : '"$().;@\\'.includes(String.fromCharCode(octet))
      ? ESCAPED
      : PLAIN,
);

/**
 * The presentation form, folded, of the name in wire form that begins at `from` in `octets`, not compressed; `inJson` as it
 * stands in a string of JSON.
 */
export function writeName(
  out: Uint8Array,
  at: number,
  octets: Uint8Array,
  from: number,
  inJson: boolean,
): number {
  if (octets[from] === 0) out[at++] = DOT;
  for (let length; (length = octets[from]!) > 0; from += 1 + length) {
    for (let i = from + 1; i <= from + length; i++) {
      let octet = octets[i]!;
      if (octet >= 0x41 && octet <= 0x5a) octet |= 0x20;
      const kind = KINDS[octet]!;
      if (kind !== PLAIN) {
        out[at++] = BACKSLASH;
        if (inJson) out[at++] = BACKSLASH;
      }
      if (kind === NUMBERED) {
        out[at++] = ZERO + (octet / 100 | 0);
        out[at++] = ZERO + (octet / 10 | 0) % 10;
        out[at++] = ZERO + octet % 10;
        continue;
      }
      if (inJson && (octet === QUOTE || octet === BACKSLASH)) out[at++] = BACKSLASH;
      out[at++] = octet;
    }
    out[at++] = DOT;
  }
  return at;
}

/** Writes times; most are of the second before. */
export class TimeWriter {
  readonly #text = new Uint8Array(24);
  #second = NaN;

  /** A time as ISO 8601 has it, with milliseconds, in UTC; milliseconds since 1970. */
  write(out: Uint8Array, at: number, ms: number): number {
    const second = Math.floor(ms / 1000), rest = Math.floor(ms) - 1000 * second;
    const text = this.#text;
    if (second !== this.#second) {
      this.#second = second;
      new TextEncoder().encodeInto(new Date(1000 * second).toISOString(), text);
    }
    for (let i = 0; i < 20; i++) out[at + i] = text[i]!;
    out[at + 20] = ZERO + (rest / 100 | 0);
    out[at + 21] = ZERO + (rest / 10 | 0) % 10;
    out[at + 22] = ZERO + rest % 10;
    out[at + 23] = text[23]!;
    return at + 24;
  }
}
