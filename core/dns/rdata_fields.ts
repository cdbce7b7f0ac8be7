/**
 * The kinds of field that RDATA is made of. Each knows its presentation form and its wire form; a record's layout is a
 * list of them (`rdata_layouts.ts`).
 *
 * @module
 */

import { formatAddress, parseAddress } from "../net/address.ts";
import { formatName, parseName } from "./name.ts";
import {
  base32HexText,
  escapedText,
  hexText,
  octetsOfBase32Hex,
  octetsOfBase64,
  octetsOfHex,
  octetsOfText,
  quotedText,
} from "./rdata_text.ts";
import type { RdataTokens } from "./rdata_tokens.ts";
import { typeFromText, typeToText } from "./types.ts";
import { WireError, type WireReader, type WireWriter } from "./wire.ts";

/** One field of a record's RDATA. */
export interface Field {
  /** Takes its tokens and writes its octets. @throws {RdataError} */
  parse(tokens: RdataTokens, out: WireWriter): void;
  /** Takes its octets and gives its text, empty when it has none. @throws {WireError} */
  format(octets: WireReader): string;
  /** Moves past its octets, checking them. @throws {WireError} */
  skip(octets: WireReader): void;
  /** Set for a domain name: what may be done to it. */
  readonly name?: NameKind;
  /** Set where it always has as many octets. */
  readonly octetCount?: number;
}

/**
 * What may be done to a domain name in RDATA, each kind allowing what the next ones do:
 *
 *     compress    written as a pointer                          the types of RFC 1035 (RFC 3597 section 4)
 *     decompress  read as a pointer, from servers that did so   RP AFSDB RT PX SRV NAPTR (RFC 3597 section 4)
 *     fold        in lower case where it is signed              KX DNAME RRSIG (RFC 4034 section 6.2)
 *     keep        nothing
 */
export type NameKind = "compress" | "decompress" | "fold" | "keep";

/** An unsigned integer of 1, 2 or 4 octets, in decimal; `names` gives values that may be written as a word. */
export function integer(
  octetCount: 1 | 2 | 4,
  what: string,
  names: Readonly<Record<string, number>> = {},
): Field {
  const max = 2 ** (8 * octetCount) - 1;
  return fixed(octetCount, {
    parse(tokens, out) {
      const value = tokens.read(what, (text) => names[text.toUpperCase()] ?? wholeNumber(text, max));
      writeInteger(out, value, octetCount);
    },
    format: (octets) => String(readInteger(octets, octetCount)),
  });
}

/** 32 bit of seconds: a number, or amounts with units such as `1w2d3h4m5s`, as master files have for SOA. */
export const seconds = (what: string): Field =>
  fixed(4, {
    parse: (tokens, out) => out.u32(tokens.read(what, secondsOfText)),
    format: (octets) => String(octets.u32()),
  });

/** 32 bit of seconds since 1970, modulo 2^32, as `YYYYMMDDHHmmSS` (RFC 4034 section 3.2); a plain number is read too. */
export const time = (what: string): Field =>
  fixed(4, {
    parse: (tokens, out) => out.u32(tokens.read(what, timeOfText)),
    format: (octets) => new Date(octets.u32() * 1000).toISOString().replace(/[-:T]|\.000Z/g, ""),
  });

/** An RR type's 16 bit, as its mnemonic. */
export const rrType: Field = fixed(2, {
  parse: (tokens, out) => out.u16(tokens.read("type", typeOfText)),
  format: (octets) => typeToText(octets.u16()),
});

/** An IPv4 or IPv6 address. */
export function address(family: 4 | 6): Field {
  const count = family === 4 ? 4 : 16;
  return fixed(count, {
    parse: (tokens, out) => out.bytes(tokens.read("address", (text) => addressOctets(text, family))),
    format: (octets) => formatAddress({ family, octets: octets.take(count) }),
  });
}

/** `count` octets as hex pairs joined by hyphens (RFC 7043). */
export function hyphenated(count: number): Field {
  const pattern = new RegExp(`^[0-9a-f]{2}(-[0-9a-f]{2}){${count - 1}}$`, "i");
  return fixed(count, {
    parse(tokens, out) {
      const text = tokens.next("address").text;
      if (!pattern.test(text)) {
        tokens.fail(`expected ${count} hyphenated hex pairs, got "${text}"`, tokens.at - 1);
      }
      out.bytes(octetsOfHex(text.replaceAll("-", "")));
    },
    format: (octets) => octets.take(count).toHex().replace(/..(?=.)/g, "$&-"),
  });
}

/** A domain name. */
export function domainName(kind: NameKind): Field {
  return {
    name: kind,
    parse: (tokens, out) => out.plainName(tokens.read("name", (text) => parseName(text, tokens.origin))),
    format: (octets) => formatName(octets.plainName()),
    skip: (octets) => void octets.plainName(),
  };
}

/** A character-string: a length octet and up to 255 octets (RFC 1035 section 3.3). */
export const characterString: Field = {
  parse(tokens, out) {
    const text = tokens.read("text", (raw) => upTo255(octetsOfText(raw)));
    out.u8(text.length);
    out.bytes(text);
  },
  format: (octets) => quotedText(octets.take(octets.u8())),
  skip: (octets) => octets.skip(octets.u8()),
};

/** One or more character-strings, to the end (RFC 1035 section 3.3.14). */
export const characterStrings: Field = {
  parse(tokens, out) {
    do characterString.parse(tokens, out); while (tokens.peeked);
  },
  format(octets) {
    const texts: string[] = [];
    do texts.push(characterString.format(octets)); while (octets.left > 0);
    return texts.join(" ");
  },
  skip(octets) {
    do characterString.skip(octets); while (octets.left > 0);
  },
};

/** A CAA property's tag: ASCII letters and digits behind a length octet (RFC 8659 section 4.1). */
export const propertyTag: Field = {
  parse(tokens, out) {
    const tag = tokens.next("tag").text;
    if (!/^[0-9a-zA-Z]{1,255}$/.test(tag)) {
      tokens.fail(`expected a tag of letters and digits, got "${tag}"`, tokens.at - 1);
    }
    out.u8(tag.length);
    out.bytes(octetsOfText(tag));
  },
  format(octets) {
    const tag = octets.take(octets.u8());
    const text = escapedText(tag, "\\");
    if (!/^[0-9a-zA-Z]+$/.test(text)) throw new WireError(octets.at, "Expected a tag of letters and digits");
    return text;
  },
  skip: (octets) => void propertyTag.format(octets),
};

/** Text without a length octet, to the end, as one token. */
export const textToEnd: Field = {
  parse: (tokens, out) => out.bytes(tokens.read("text", octetsOfText)),
  format: (octets) => quotedText(octets.take(octets.left)),
  skip: (octets) => octets.skip(octets.left),
};

/** At least one octet, to the end, in hex. */
export const hexToEnd: Field = encodedToEnd(octetsOfHex, hexText);

/** At least one octet, to the end, in base64. */
export const base64ToEnd: Field = encodedToEnd(octetsOfBase64, (octets) => octets.toBase64());

/** Octets behind a length octet in hex, `-` for none (RFC 5155 section 3.3). */
export const hexCounted: Field = counted(
  "salt",
  (text) => text === "-" ? new Uint8Array(0) : octetsOfHex(text),
  (octets) => octets.length === 0 ? "-" : hexText(octets),
);

/** At least one octet behind a length octet, in base32hex (RFC 5155 section 3.3). */
export const base32HexCounted: Field = counted("hash", octetsOfBase32Hex, base32HexText, 1);

/** A bitmap of types in windows, to the end, as mnemonics (RFC 4034 section 4.1.2). */
export const typeBitmap: Field = {
  parse(tokens, out) {
    const types: number[] = [];
    while (tokens.peeked) types.push(tokens.read("type", typeOfText));
    out.bytes(typeBitmapOctets(types));
  },
  format(octets) {
    return typesOfBitmap(octets).map(typeToText).join(" ");
  },
  skip: (octets) => void typesOfBitmap(octets),
};

/** The bitmap that holds `types`, in any order. */
export function typeBitmapOctets(types: Iterable<number>): Uint8Array {
  const octets: number[] = [];
  let window = -1, start = 0;
  for (const type of [...types].sort((a, b) => a - b)) {
    if (type >> 8 !== window) {
      window = type >> 8;
      start = octets.push(window, 0);
    }
    const at = start + ((type & 0xff) >> 3);
    while (octets.length <= at) octets.push(0);
    octets[at]! |= 0x80 >> (type & 7);
    octets[start - 1] = octets.length - start;
  }
  return Uint8Array.from(octets);
}

/** The types of a bitmap, ascending. @throws {WireError} When windows do not ascend, or are empty or padded. */
export function typesOfBitmap(octets: WireReader): number[] {
  const types: number[] = [];
  for (let last = -1; octets.left > 0;) {
    const window = octets.u8();
    if (window <= last) throw new WireError(octets.at - 1, "Expected ascending windows of types");
    last = window;
    const bits = octets.take(octets.u8());
    if (bits.length < 1 || bits.length > 32 || bits.at(-1) === 0) {
      throw new WireError(octets.at, "Expected 1 to 32 octets of types, the last not zero");
    }
    for (let bit = 0; bit < 8 * bits.length; bit++) {
      if (bits[bit >> 3]! & 0x80 >> (bit & 7)) types.push(window << 8 | bit);
    }
  }
  return types;
}

/** A whole number in decimal. @throws {SyntaxError} When it is none or over `max`. */
export function wholeNumber(text: string, max: number): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= max) return Number(text);
  throw new SyntaxError(`expected 0 to ${max}, got "${text}"`);
}

type Texts = Omit<Field, "skip" | "name" | "octetCount">;

function fixed(octetCount: number, texts: Texts): Field {
  return { ...texts, octetCount, skip: (octets) => octets.skip(octetCount) };
}

function counted(
  what: string,
  decode: (text: string) => Uint8Array,
  encode: (octets: Uint8Array) => string,
  least = 0,
): Field {
  const take = (octets: WireReader) => {
    const taken = octets.take(octets.u8());
    if (taken.length < least) {
      throw new WireError(octets.at, `Expected a ${what} of at least ${least} octets`);
    }
    return taken;
  };
  return {
    parse(tokens, out) {
      const octets = tokens.read(what, (text) => upTo255(decode(text)));
      if (octets.length < least) tokens.fail(`expected a ${what}, got none`, tokens.at - 1);
      out.u8(octets.length);
      out.bytes(octets);
    },
    format: (octets) => encode(take(octets)),
    skip: (octets) => void take(octets),
  };
}

function encodedToEnd(decode: (text: string) => Uint8Array, encode: (octets: Uint8Array) => string): Field {
  const takeAll = (octets: WireReader) => octets.take(Math.max(1, octets.left));
  return {
    parse(tokens, out) {
      const first = tokens.at, text = tokens.joinRest();
      if (text === "") tokens.fail("expected data, found the end");
      try {
        out.bytes(decode(text));
      } catch (error) {
        tokens.fail((error as Error).message, first);
      }
    },
    format: (octets) => encode(takeAll(octets)),
    skip: (octets) => void takeAll(octets),
  };
}

function writeInteger(out: WireWriter, value: number, octetCount: 1 | 2 | 4): void {
  if (octetCount === 1) out.u8(value);
  else if (octetCount === 2) out.u16(value);
  else out.u32(value);
}

function readInteger(octets: WireReader, octetCount: 1 | 2 | 4): number {
  return octetCount === 1 ? octets.u8() : octetCount === 2 ? octets.u16() : octets.u32();
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

function secondsOfText(text: string): number {
  if (!/^(\d+[smhdw])+$/i.test(text)) return wholeNumber(text, 0xffffffff);
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([smhdw])/gi)) {
    sum += Number(amount) * UNIT_SECONDS[unit!.toLowerCase()]!;
  }
  return wholeNumber(String(sum), 0xffffffff);
}

function timeOfText(text: string): number {
  if (!/^\d{14}$/.test(text)) return wholeNumber(text, 0xffffffff);
  const iso = text.replace(/(....)(..)(..)(..)(..)(..)/, "$1-$2-$3T$4:$5:$6.000Z");
  const ms = Date.parse(iso);
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso) {
    throw new SyntaxError(`expected YYYYMMDDHHmmSS, got "${text}"`);
  }
  return (ms / 1000) % 2 ** 32 >>> 0;
}

function typeOfText(text: string): number {
  const type = typeFromText(text);
  if (type === undefined) throw new SyntaxError(`expected a type, got "${text}"`);
  return type;
}

function addressOctets(text: string, family: 4 | 6): Uint8Array {
  // An IPv4-mapped address comes back from parseAddress as IPv4; in AAAA it keeps its 16 octets.
  const found = parseAddress(text);
  if (found?.family === family && text.includes(":") === (family === 6)) return found.octets;
  if (found && family === 6 && text.includes(":")) {
    return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...found.octets);
  }
  throw new SyntaxError(`expected an IPv${family} address, got "${text}"`);
}

function upTo255(octets: Uint8Array): Uint8Array {
  if (octets.length > 255) throw new SyntaxError(`expected at most 255 octets, got ${octets.length}`);
  return octets;
}
