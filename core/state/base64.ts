/**
 * Text as base64 of its UTF-8 (RFC 4648 section 4), and back.
 *
 * @module
 */

const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Base64 of a text. */
export function encodeBase64(text: string): string {
  return encoder.encode(text).toBase64();
}

/** The text of base64. @throws {SyntaxError} Not base64. @throws {TypeError} Not UTF-8. */
export function decodeBase64(base64: string): string {
  return decoder.decode(Uint8Array.fromBase64(base64));
}
