/**
 * Does an address answer a GET as it should? HTTP/1.1 (RFC 9112) by hand, because the connection must go to the
 * given address while the Host header and the TLS server name say something else.
 *
 * @module
 */

import type { HttpCheck } from "../check.ts";
import type { Attempt } from "./attempt.ts";
import { type Connection, openTcp } from "./connection.ts";

const HEAD_OCTETS_MAX = 32 * 1024;
const BODY_OCTETS_MAX = 64 * 1024;

/** {@linkcode requestOver} a connection that is not encrypted. */
export const probeHttp: Attempt<HttpCheck> = async (address, check, signal) =>
  await requestOver(await openTcp(address, check.port, signal), address, check);

/** One request on a connection of its own, which it closes. Redirects are not followed: a 302 is a 302. */
export async function requestOver(
  connection: Connection,
  address: string,
  check: HttpCheck,
): ReturnType<Attempt> {
  try {
    await connection.write(new TextEncoder().encode(requestText(address, check)));
    const { status, body } = await readResponse(connection, check.body !== undefined);
    if (!check.status.some(({ from, to }) => status >= from && status <= to)) {
      throw new Error(`HTTP ${status}`);
    }
    if (check.body !== undefined && !body.includes(check.body)) {
      throw new Error(`HTTP ${status} without the text in its body`);
    }
    return { reason: `HTTP ${status}` };
  } finally {
    connection.close();
  }
}

/** The request. The port stands in Host unless it is the scheme's own (RFC 9110 section 7.2). */
export function requestText(address: string, { kind, port, path, host }: HttpCheck): string {
  const name = host ?? (address.includes(":") ? `[${address}]` : address);
  const authority = port === (kind === "https" ? 443 : 80) ? name : `${name}:${port}`;
  return `GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: meridian-health\r\nAccept: */*\r\n` +
    "Connection: close\r\n\r\n";
}

/** The status of the final response and, if wanted, the beginning of its body. @throws {Error} When it is no HTTP. */
async function readResponse(connection: Connection, wantsBody: boolean) {
  let received: Uint8Array<ArrayBuffer> = new Uint8Array();
  for (;;) {
    const head = parseHead(received);
    if (head?.interim) {
      received = received.slice(head.octets);
    } else if (head && !wantsBody) {
      return { status: head.status, body: "" };
    } else {
      const most = (head?.octets ?? 0) + (head ? BODY_OCTETS_MAX : HEAD_OCTETS_MAX);
      const part = received.length < most && !(head && isWhole(head, received))
        ? await connection.read()
        : undefined;
      if (part) received = concatenated(received, part);
      else if (head) return { status: head.status, body: bodyText(head, received) };
      else throw new Error(received.length === 0 ? "closed without an answer" : "no HTTP in the answer");
    }
  }
}

/** The head of a response. */
interface Head {
  readonly status: number;
  /** Its length, the empty line included. */
  readonly octets: number;
  /** 1xx: another response follows (RFC 9110 section 15.2). */
  readonly interim: boolean;
  readonly chunked: boolean;
  readonly contentOctets: number;
}

/** The head, once it is there; undefined before. @throws {Error} When the beginning is not that of HTTP. */
export function parseHead(octets: Uint8Array): Head | undefined {
  const text = latin1(octets.subarray(0, HEAD_OCTETS_MAX));
  if (text.length >= 5 && !text.startsWith("HTTP/")) throw new Error("no HTTP in the answer");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r)/.exec(text + "\r")?.[1]);
  if (!(status >= 100)) throw new Error("no HTTP/1.1 status in the answer");
  const fields = text.slice(0, end);
  return {
    status,
    octets: end + 4,
    interim: status < 200,
    chunked: /\r\ntransfer-encoding:[^\r]*\bchunked\b/i.test(fields),
    contentOctets: Number(/\r\ncontent-length:[ \t]*(\d+)/i.exec(fields)?.[1] ?? Infinity),
  };
}

function isWhole(head: Head, received: Uint8Array): boolean {
  if (!head.chunked) return received.length >= head.octets + head.contentOctets;
  return latin1(received.subarray(-5)) === "0\r\n\r\n";
}

function bodyText(head: Head, received: Uint8Array): string {
  const body = received.subarray(head.octets);
  return new TextDecoder().decode((head.chunked ? dechunked(body) : body).subarray(0, BODY_OCTETS_MAX));
}

/** The content of a chunked body as far as it is there (RFC 9112 section 7.1). */
export function dechunked(body: Uint8Array): Uint8Array {
  const text = latin1(body);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < text.length;) {
    const size = /^([0-9a-f]{1,7})[^\r\n]*\r\n/i.exec(text.slice(at, at + 256));
    const octets = parseInt(size?.[1] ?? "0", 16);
    if (!size || octets === 0) break;
    at += size[0].length;
    chunks.push(body.subarray(at, at + octets));
    at += octets + 2;
  }
  return concatenated(...chunks);
}

function concatenated(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One character an octet, so that indexes into the text are indexes into the octets. */
function latin1(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += 8192) {
    text += String.fromCharCode(...octets.subarray(at, at + 8192));
  }
  return text;
}
