/**
 * Sets of characters in regular expressions: `[a-z0-9]`, `[[:alpha:]]`, `\d`, and single characters that are escaped.
 *
 * @module
 */

import type { PatternReader } from "./reader.ts";

/** First and last code unit of each range, pair by pair. */
type Ranges = number[];

/** RE2's: ASCII, whatever the text. */
const PERL: Readonly<Record<string, Ranges>> = {
  d: [0x30, 0x39],
  s: [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20],
  w: [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a],
};

const POSIX: Readonly<Record<string, Ranges>> = {
  alnum: [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a],
  alpha: [0x41, 0x5a, 0x61, 0x7a],
  ascii: [0x00, 0x7f],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0x00, 0x1f, 0x7f, 0x7f],
  digit: PERL["d"]!,
  graph: [0x21, 0x7e],
  lower: [0x61, 0x7a],
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper: [0x41, 0x5a],
  word: PERL["w"]!,
  xdigit: [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
};

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

const UNIT_MAX = 0xffff;

/** The set that a `[` opened, which has been taken. */
export function readClass(reader: PatternReader, ignoreCase: boolean): Ranges {
  const negated = reader.take("^");
  let ranges: Ranges = [];
  for (let isFirst = true; isFirst || !reader.at("]"); isFirst = false) {
    if (!reader.more) reader.fail("a '[' is never closed");
    ranges = [...ranges, ...readItem(reader)];
  }
  reader.next();
  const whole = normalized(ignoreCase ? withBothCases(ranges) : ranges);
  return negated ? inverted(whole) : whole;
}

/** What stands behind a `\`, which has been taken. */
export function readEscape(reader: PatternReader, ignoreCase: boolean): Ranges {
  const set = takeSet(reader);
  if (set) return set;
  const code = readEscapedUnit(reader);
  return ignoreCase ? normalized(withBothCases([code, code])) : [code, code];
}

/** A range, a single character, or a set inside brackets. */
function readItem(reader: PatternReader): Ranges {
  const posix = /^\[:(\^?)(\w+):\]/.exec(reader.rest);
  if (posix) {
    const [whole, negation, name] = posix;
    if (!Object.hasOwn(POSIX, name!)) reader.fail(`there is no class [:${name}:]`);
    reader.skip(whole.length);
    return negation ? inverted(POSIX[name!]!) : POSIX[name!]!;
  }
  if (reader.take("\\")) {
    const set = takeSet(reader);
    return set ?? readRange(reader, readEscapedUnit(reader));
  }
  return readRange(reader, reader.next().charCodeAt(0));
}

/** The rest of a range whose first character is known: `-z`, or nothing. */
function readRange(reader: PatternReader, first: number): Ranges {
  if (!reader.at("-") || reader.at("-]")) return [first, first];
  reader.next();
  const last = reader.take("\\") ? readEscapedUnit(reader) : reader.next().charCodeAt(0);
  if (last < first) reader.fail("a range must run upwards");
  return [first, last];
}

function takeSet(reader: PatternReader): Ranges | undefined {
  const letter = reader.peek ?? "";
  if (letter === "p" || letter === "P") reader.fail("no Unicode classes here");
  const set = PERL[letter.toLowerCase()];
  if (!set) return undefined;
  reader.next();
  return letter === letter.toLowerCase() ? set : inverted(set);
}

function readEscapedUnit(reader: PatternReader): number {
  const hex = /^x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,4})\})/.exec(reader.rest);
  const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{2})/.exec(reader.rest);
  if (hex) {
    reader.skip(hex[0].length);
    return parseInt(hex[1] ?? hex[2]!, 16);
  }
  if (octal) {
    reader.skip(octal[0].length);
    return parseInt(octal[0], 8);
  }
  if (/^[1-9]/.test(reader.rest)) reader.fail("no back references: as in RE2");
  const letter = reader.next();
  if (Object.hasOwn(CONTROLS, letter)) return CONTROLS[letter]!;
  if (/\w/.test(letter)) reader.fail(`'\\${letter}' means nothing`);
  return letter.charCodeAt(0);
}

/** Ascending, what touches or overlaps joined. */
function normalized(ranges: Ranges): Ranges {
  const pairs: [first: number, last: number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  const joined: Ranges = [];
  for (const [first, last] of pairs) {
    if (joined.length > 0 && first <= joined.at(-1)! + 1) {
      joined[joined.length - 1] = Math.max(joined.at(-1)!, last);
    } else {
      joined.push(first, last);
    }
  }
  return joined;
}

function inverted(ranges: Ranges): Ranges {
  const others: Ranges = [];
  let from = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i]! > from) others.push(from, ranges[i]! - 1);
    from = ranges[i + 1]! + 1;
  }
  if (from <= UNIT_MAX) others.push(from, UNIT_MAX);
  return others;
}

/** The same with the other case of each ASCII letter. */
function withBothCases(ranges: Ranges): Ranges {
  const all = [...ranges];
  for (let i = 0; i < ranges.length; i += 2) {
    for (const [low, shift] of [[0x41, 32], [0x61, -32]] as const) {
      const first = Math.max(ranges[i]!, low), last = Math.min(ranges[i + 1]!, low + 25);
      if (first <= last) all.push(first + shift, last + shift);
    }
  }
  return all;
}
