/**
 * Randomness that nobody can foresee, handed in like the clock; and how ids are written.
 *
 * @module
 */

/** Makes so many octets. */
export type RandomOctets = (count: number) => Uint8Array;

/** The platform's own. */
export const SYSTEM_RANDOM: RandomOctets = (count) => crypto.getRandomValues(new Uint8Array(count));

const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";

/** Octets as base32 (RFC 4648 section 6), small letters, without padding: a word for mouse and ear, and of one spelling. */
export function base32(octets: Uint8Array): string {
  let text = "", bits = 0, held = 0;
  for (const octet of octets) {
    held = (held << 8) | octet;
    for (bits += 8; bits >= 5;) text += LETTERS[(held >> (bits -= 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + LETTERS[(held << (5 - bits)) & 31] : text;
}

/** An id of 16 characters, 80 bits: nobody meets it twice. */
export function makeId(random: RandomOctets): string {
  return base32(random(10));
}
