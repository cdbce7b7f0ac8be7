/**
 * Heads of HTTP/1.1 requests (RFC 9112), read strictly, and replies as octets. Requests without a body, that is all.
 *
 * @module
 */

/** A request that can be answered. */
export interface Asked {
  readonly request: Request;
  /** Whether the client wants to go on with the connection. */
  readonly keepsAlive: boolean;
}

/** RFC 9110 section 5.6.2. */
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";

/** In the origin form (RFC 9112 section 3.2.1) alone: whoever asks is no proxy's client. */
const REQUEST_LINE = new RegExp(
  `^(${TOKEN}) (/(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*) HTTP/1\\.([01])$`,
);

/** RFC 9112 section 5: no space before the colon, no folded lines. */
const FIELD_LINE = new RegExp(`^(${TOKEN}):[\\t ]*([\\t\\x20-\\x7e\\x80-\\xff]*)$`);

const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._]*)(?::[0-9]{0,5})?$/;

const METHODS = ["GET", "HEAD"];

/** Reads a head, the empty line at its end included. @returns What to answer, or the reply that refuses it. */
export function parseHead(head: string): Asked | Response {
  // A client may send an empty line behind what it sent before (RFC 9112 section 2.2).
  const [first = "", ...lines] = head.replace(/^\r\n/, "").slice(0, -4).split("\r\n");
  const [, method, target, minor] = REQUEST_LINE.exec(first) ?? [];
  const headers = parseFields(lines);
  if (!method || !target || !headers) return refusal(400);
  const url = urlOf(target, headers.get("host"), minor === "1");
  const length = headers.get("content-length") ?? "0";
  if (!url || headers.has("transfer-encoding") || !/^[0-9]+$/.test(length)) return refusal(400);
  if (Number(length) > 0) return refusal(413);
  if (!METHODS.includes(method)) return refusal(405, { allow: METHODS.join(", ") });
  const wishes = (headers.get("connection") ?? "").toLowerCase().split(",").map((wish) => wish.trim());
  const keepsAlive = !wishes.includes("close") && (minor === "1" || wishes.includes("keep-alive"));
  return { request: new Request(url, { method, headers }), keepsAlive };
}

/** A reply to what is not answered: its status is all that it says. */
export function refusal(status: number, headers: Record<string, string> = {}): Response {
  return new Response(`${status} ${REASONS[status]}\n`, { status, headers });
}

/** A whole reply. To HEAD the body is left out, and its length is told (RFC 9110 section 8.6). */
export function formatReply(
  { status, headers }: Response,
  body: Uint8Array,
  { method, keepsAlive, nowMs }: { method: string; keepsAlive: boolean; nowMs: number },
): Uint8Array {
  const bears = status !== 204 && status !== 304;
  const all = new Headers(headers);
  for (const name of ["transfer-encoding", "content-length", "keep-alive"]) all.delete(name);
  all.set("date", new Date(nowMs).toUTCString());
  all.set("connection", keepsAlive ? "keep-alive" : "close");
  if (bears) all.set("content-length", String(body.length));
  const fields = [...all].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${fields}\r\n`;
  const sent = bears && method !== "HEAD" ? body : body.subarray(0, 0);
  const octets = new Uint8Array(head.length + sent.length);
  // Every character of a field is one octet: Headers takes no others.
  for (let i = 0; i < head.length; i++) octets[i] = head.charCodeAt(i);
  octets.set(sent, head.length);
  return octets;
}

function parseFields(lines: readonly string[]): Headers | undefined {
  const headers = new Headers();
  for (const line of lines) {
    const [, name, value] = FIELD_LINE.exec(line) ?? [];
    if (!name) return undefined;
    headers.append(name, value!);
  }
  return headers;
}

/** Undefined where the path is not as it stands, as with `..` in it, or there is not one host (RFC 9112 section 3.2). */
function urlOf(target: string, host: string | null, wantsHost: boolean): URL | undefined {
  if (host === null ? wantsHost : !HOST.test(host)) return undefined;
  const url = URL.parse(`http://${host?.replace(/^(?=:|$)/, "localhost") ?? "localhost"}${target}`);
  return url && url.pathname === target.split("?")[0] ? url : undefined;
}

/** RFC 9110 section 15. A status that is not here goes without a reason, which nobody reads. */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};
