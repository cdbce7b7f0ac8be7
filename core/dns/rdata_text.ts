/**
 * Octets as RDATA's presentation form writes them: character-strings (RFC 1035 section 5.1), hex, base64, base32hex.
 *
 * @module
 */

const encoder = new TextEncoder();

/**
 * The octets of a raw token: `\DDD` and `\X` undone, everything else as UTF-8.
 *
 * @throws {SyntaxError} When a backslash stands before nothing or before digits that are no octet.
 */
export function octetsOfText(raw: string): Uint8Array {
  const octets = encoder.encode(raw);
  if (!raw.includes("\\")) return octets;
  let length = 0;
  for (let at = 0; at < octets.length; at++) {
    let octet = octets[at]!;
    if (octet === BACKSLASH) {
      octet = escapedOctet(octets, at + 1, raw);
      at += isDigit(octets[at + 1]!) ? 3 : 1;
    }
    octets[length++] = octet;
  }
  return octets.slice(0, length);
}

/** A character-string in quotes; `"` and `\` escaped, what is not printable ASCII as `\DDD`. */
export function quotedText(octets: Uint8Array): string {
  return `"${escapedText(octets, '"\\')}"`;
}

/** Octets as text, those in `special` with a backslash, those outside printable ASCII as `\DDD`. */
export function escapedText(octets: Uint8Array, special: string): string {
  let text = "";
  for (const octet of octets) {
    const character = String.fromCharCode(octet);
    if (octet < 0x20 || octet > 0x7e) text += "\\" + String(octet).padStart(3, "0");
    else text += special.includes(character) ? "\\" + character : character;
  }
  return text;
}

/** @throws {SyntaxError} When a digit is wrong or one is missing. */
export function octetsOfHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) {
    throw new SyntaxError(`expected pairs of hexadecimal digits, got "${shortened(text)}"`);
  }
  return Uint8Array.fromHex(text);
}

/** Upper-case hexadecimal digits. */
export function hexText(octets: Uint8Array): string {
  return octets.toHex().toUpperCase();
}

/** @throws {SyntaxError} When a character is wrong, or the padding or the bits it stands for are. */
export function octetsOfBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    throw new SyntaxError(`expected base64, got "${shortened(text)}"`);
  }
}

const BASE32HEX = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/** Base32 with extended hex alphabet, without padding (RFC 4648 section 7). @throws {SyntaxError} */
export function octetsOfBase32Hex(text: string): Uint8Array {
  const octets = new Uint8Array(Math.floor(text.length * 5 / 8));
  let bits = 0, held = 0, length = 0;
  for (const character of text.toUpperCase()) {
    const digit = BASE32HEX.indexOf(character);
    if (digit < 0) throw new SyntaxError(`expected base32hex, got "${shortened(text)}"`);
    held = held << 5 | digit;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    octets[length++] = held >>> bits;
    held &= (1 << bits) - 1;
  }
  if (held !== 0 || bits > 4) {
    throw new SyntaxError(`expected whole octets of base32hex, got "${shortened(text)}"`);
  }
  return octets;
}

/** Upper-case base32hex without padding. */
export function base32HexText(octets: Uint8Array): string {
  let text = "", bits = 0, held = 0;
  for (const octet of octets) {
    held = held << 8 | octet;
    for (bits += 8; bits >= 5;) {
      bits -= 5;
      text += BASE32HEX[held >>> bits & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32HEX[held << (5 - bits) & 31] : text;
}

/** Text fit to be quoted in a message. */
export function shortened(text: string): string {
  return text.length > 40 ? text.slice(0, 40) + "…" : text;
}

const BACKSLASH = 0x5c;

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

function escapedOctet(octets: Uint8Array, at: number, raw: string): number {
  if (at < octets.length && !isDigit(octets[at]!)) return octets[at]!;
  const digits = String.fromCharCode(...octets.subarray(at, at + 3));
  if (/^\d{3}$/.test(digits) && Number(digits) < 256) return Number(digits);
  throw new SyntaxError(`expected a character or 000 to 255 after \\, got "${shortened(raw)}"`);
}
